"""The choices of the Z -> b bbar study that decide what jets and inputs are: conventions and scaling."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from xaug.core.command import option_list
from xaug.core.errors import ConfigurationError, unknown_name
from xaug.data.scaling import IMAGE_SCALINGS
from xaug.training.config import DISPLACEMENT_SCALINGS
from xaug.training.input_scaling import LITERAL, OUR_SCALING, ScalingChoice

if TYPE_CHECKING:
    from xaug.jets.conventions import Conventions

__all__ = ["chosen_conventions", "chosen_scaling"]


def chosen_conventions(options: str | None, convention: str | None = None) -> Conventions:
    """The conventions of a study: a set of them, and single choices on top.

    Parameters
    ----------
    options
        a name in `xaug.jets.conventions.OPTIONS`; None is our own conventions
    convention
        single choices as `NAME=VALUE,NAME=VALUE`

    Raises
    ------
    ConfigurationError
        if a name or a value is unknown
    """
    from xaug.jets.conventions import DEFAULT, OPTIONS

    if options is not None and options not in OPTIONS:
        raise unknown_name("options", options, OPTIONS)
    pairs = option_list(convention or "")
    for pair in pairs:
        if "=" not in pair:
            raise ConfigurationError(f"--convention {pair!r} is not NAME=VALUE")
    base = OPTIONS[options] if options else DEFAULT
    return base.changed(dict(pair.split("=", 1) for pair in pairs))


def chosen_scaling(options: str | None, images: str | None, displacements: str | None) -> ScalingChoice:
    """The scaling of a study: ours, or that of the paper's authors, with single choices in place of it.

    Parameters
    ----------
    options
        a name in `xaug.jets.conventions.OPTIONS`, whose scaling is that of the authors; None is our own
    images
        one of `xaug.data.scaling.IMAGE_SCALINGS`, or None
    displacements
        one of `xaug.training.config.DISPLACEMENT_SCALINGS`, or None

    Raises
    ------
    ConfigurationError
        if a name is unknown
    """
    if images is not None and images not in IMAGE_SCALINGS:
        raise unknown_name("image scaling", images, IMAGE_SCALINGS)
    if displacements is not None and displacements not in DISPLACEMENT_SCALINGS:
        raise unknown_name("displacement scaling", displacements, DISPLACEMENT_SCALINGS)
    base = LITERAL if options else OUR_SCALING
    return replace(base, images=images or base.images, displacements=displacements or base.displacements)
