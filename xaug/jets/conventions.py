"""Conventions that turn jets into numbers: the defaults of xaug, and those of the authors of arXiv:2011.13466.

The text of the paper leaves some choices open, and the code of its authors makes some that the text does not
mention. Each choice is a field of `Conventions` that can be set alone. `DEFAULT` holds the choices of xaug.
`PAPER_LITERAL` (`--options paper-literal` on the command line) holds those of the authors' code, which reproduce the
numbers of the paper and show how much each choice matters. They are not recommended: with them the lifetime that
Pythia gives to the Z boson itself (1e-13 mm) tells signal from background.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from xaug.core.errors import ConfigurationError
from xaug.core.types import JsonObject

__all__ = ["DEFAULT", "DISPLACEMENT_FLOOR", "OPTIONS", "PAPER_LITERAL", "Conventions"]

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

    @property
    def changes(self) -> JsonObject:
        """The choices that differ from `DEFAULT`, as plain data."""
        defaults = asdict(DEFAULT)
        return {name: value for name, value in asdict(self).items() if value != defaults[name]}


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
