"""The options by which jets are found and selected, as `xaug.process --set NAME=VALUE` sets them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import ClassVar

import numpy as np

from xaug.core.errors import ConfigurationError, unknown_name
from xaug.core.options import Options
from xaug.core.types import JsonObject
from xaug.jets.jets import ALGORITHMS, AXES
from xaug.jets.truth import TRUTH

__all__ = ["Selection"]

FIRST = ("radius", "pt_min", "eta_max", "mass_min", "mass_max", "z_cut", "jets_per_event")
"""The options of version 0.1; others are part of the settings of a dataset where they are not the default."""


@dataclass(frozen=True)
class Selection(Options):
    """Cuts that select jets. Defaults are those of arXiv:2011.13466, section 4."""

    noun: ClassVar[str] = "selection"

    radius: float = 0.8  # distance parameter R, and the largest distance of matched partons from the jet axis
    pt_min: float = 200.0  # [GeV]
    eta_max: float = 2.4  # may be inf
    mass_min: float = 50.0  # soft-drop mass [GeV]; 0: no lower edge
    mass_max: float = 150.0  # may be inf
    z_cut: float = 0.1  # least pT fraction of the softer subjet, in soft drop; 0: no grooming
    jets_per_event: int = 1  # 1: the leading jet; 2: both leading jets; 0: all
    soft_drop_beta: float = 0.0  # angular exponent of soft drop; 0: the modified mass-drop tagger
    algorithm: str = "antikt"  # of clustering: a name in ALGORITHMS
    subjets: str = "two"  # "two": groomed jets of a single particle are left out; "any": they are kept
    truth: str = "auto"  # partons that jets must contain: a name in TRUTH; "auto": z_bb for signal of xaug's own files
    tau_axes: str = "onepass_wta"  # axes of N-subjettiness

    def __post_init__(self) -> None:
        unbounded = ("eta_max", "mass_max")
        for own in fields(self):
            value = getattr(self, own.name)
            bad = isinstance(value, (int, float)) and (np.isnan(value) or value < 0)
            if bad or (value == np.inf and own.name not in unbounded):
                raise ConfigurationError(f"{self.noun} {own.name} = {value}: must be a number >= 0")
        if not self.radius or self.z_cut >= 0.5:
            raise ConfigurationError(
                f"selection radius = {self.radius}, z_cut = {self.z_cut}: no jet can pass; the radius must be above 0 "
                "and z_cut below 0.5"
            )
        if self.jets_per_event != int(self.jets_per_event):
            raise ConfigurationError(f"selection jets_per_event = {self.jets_per_event}: must be a whole number")
        if self.mass_min >= self.mass_max:
            raise ConfigurationError(f"selection mass window ({self.mass_min}, {self.mass_max}) is empty")
        known = {"algorithm": ALGORITHMS, "subjets": ("two", "any"), "truth": ("auto", *TRUTH), "tau_axes": AXES}
        for name, choices in known.items():
            if getattr(self, name) not in choices:
                raise unknown_name(f"{self.noun} {name}", getattr(self, name), choices)

    @property
    def config(self) -> JsonObject:
        """The options as plain data; of those that version 0.1 did not have, only the ones that are not the default."""
        defaults = {own.name: own.default for own in fields(self)}
        return {name: v for name, v in asdict(self).items() if name in FIRST or v != defaults[name]}

    def match(self, label: int, background: bool, own_file: bool) -> str:
        """Name in TRUTH of the partons that jets of a class must contain.

        Parameters
        ----------
        label
            class of the jets
        background
            whether the class is a background, which is never matched
        own_file
            whether the file is of xaug's generator, which stores the partons of Z -> bb
        """
        if background or (self.truth == "auto" and not (own_file and label == 1)):
            return "none"
        return "z_bb" if self.truth == "auto" else self.truth
