"""Conventions that turn jets into numbers: the defaults of xaug, and those of the authors of arXiv:2011.13466.

The text of the paper leaves some choices open, and the code of its authors makes some that the text does not
mention. Each choice is a field of `Conventions` that can be set alone. `DEFAULT` holds the choices of xaug.
`PAPER_LITERAL` (`--options paper-literal` on the command line) holds those of the authors' code, which reproduce the
numbers of the paper and show how much each choice matters. They are not recommended: with them the lifetime that
Pythia gives to the Z boson itself (1e-13 mm) tells signal from background.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.types import JsonObject

__all__ = ["DEFAULT", "DISPLACEMENT_FLOOR", "OPTIONS", "PAPER_LITERAL", "Conventions"]

SWITCH = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
"""The texts that turn a choice on or off."""

DISPLACEMENT_FLOOR = 1e-3
"""Displacements below 1 um are set to 1 um [mm]: no detector resolves them, and smaller ones are artefacts of the
generator (the flight of a Z boson itself, 1e-13 mm, would separate the classes)."""


@dataclass(frozen=True)
class Conventions:
    """Choices of how jets are described.

    Clustering, grooming and substructure always use all constituents of a jet. `status` and `constituent_pt` select
    the constituents that enter the image, the particle list, multiplicities, displacements and the pull.
    """

    neutrinos: bool = False  # neutrinos are clustered, and are constituents like all other particles
    status: int | None = None  # select constituents of this status in Pythia; None: of any status
    constituent_pt: float = 0.0  # select constituents above this pT [GeV]
    displacement_floor: float = DISPLACEMENT_FLOOR  # smaller displacements are set to this one [mm]
    dxy_from_x: bool = False  # dxy = sqrt(x^2 + x^2), a slip for sqrt(x^2 + y^2)
    displaced_in_list: bool = False  # dxy_max and dz_max run over all particles of the list, not over tracks
    z_from_momentum: bool = False  # z is a fraction of |p|, not of pT
    rotate_in_space: bool = False  # the image is rotated in three dimensions, not in (rapidity, phi)

    def __post_init__(self) -> None:
        if not self.displacement_floor > 0:
            raise ConfigurationError(f"displacement_floor = {self.displacement_floor} mm: must be positive")
        if not self.constituent_pt >= 0:
            raise ConfigurationError(f"constituent_pt = {self.constituent_pt} GeV: must be >= 0")

    @classmethod
    def names(cls) -> list[str]:
        """Names of the choices, in the order of the class."""
        return [field.name for field in fields(cls)]

    @property
    def changes(self) -> JsonObject:
        """The choices that differ from `DEFAULT`, as plain data."""
        defaults = asdict(DEFAULT)
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}

    @classmethod
    def of_dataset(cls, config: JsonObject) -> Conventions:
        """The conventions of a dataset of jets, from the `config` of its manifest."""
        return cls(**config.get("conventions", {}))

    @property
    def log_floor(self) -> float:
        """ln(d / mm) of a particle that was not displaced at all, as the float32 of a dataset holds it."""
        return float(np.float32(np.log(self.displacement_floor)))

    def changed(self, choices: Mapping[str, str]) -> Conventions:
        """Replace some choices, given as text.

        Parameters
        ----------
        choices : mapping of str to str
            By the name of a field: a number, "yes" or "no", or for `status` a number or "any".

        Returns
        -------
        Conventions
            These conventions with the new choices.

        Raises
        ------
        ConfigurationError
            If a name is unknown, or a text is not a value of this choice.
        """
        values: dict[str, bool | int | float | None] = {}
        for name, text in choices.items():
            if name not in self.names():
                raise unknown_name("convention", name, self.names())
            values[name] = _value(name, text)
        return replace(self, **values)  # type: ignore[arg-type]  # each field has a value of its own type


def _value(name: str, text: str) -> bool | int | float | None:
    """The value of a choice that a text names."""
    kind, default = "yes or no", getattr(DEFAULT, name)
    try:
        if isinstance(default, bool):
            return SWITCH[text.lower()]
        if name == "status":
            kind = "a status code of Pythia, as 91, or any"
            return None if text == "any" else int(text)
        kind = "a number"
        return float(text)
    except (KeyError, ValueError):
        raise ConfigurationError(f"convention {name} = {text!r}: must be {kind}") from None


DEFAULT = Conventions()
PAPER_LITERAL = Conventions(
    neutrinos=True,
    status=91,  # decay products; leaves out primary hadrons, 30% of the pT of QCD jets and 11% of that of signal
    constituent_pt=1.0,
    displacement_floor=1e-20,
    dxy_from_x=True,
    displaced_in_list=True,
    z_from_momentum=True,
    rotate_in_space=True,
)
OPTIONS = {"paper-literal": PAPER_LITERAL}
"""Conventions by the name that `--options` takes."""
