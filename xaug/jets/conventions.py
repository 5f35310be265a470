"""Choices in how jets become numbers: the defaults of xaug, and those of the authors of arXiv:2011.13466.

The paper's text leaves some choices open, and its code makes some that its text does not say. They are
gathered here, each a field that can be set alone. `DEFAULT` are ours; `PAPER_LITERAL` (on the command
lines `--options paper-literal`) are those of the authors' code, there to reproduce the paper's numbers and
to show what each is worth. They are not recommended: with them the lifetime that Pythia gives to the Z
boson itself (1e-13 mm) tells signal from background.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from xaug.core.errors import ConfigurationError

__all__ = ["DEFAULT", "DISPLACEMENT_FLOOR", "OPTIONS", "PAPER_LITERAL", "Conventions"]

DISPLACEMENT_FLOOR = 1e-3
"""Displacements below 1 um are set to 1 um [mm]: no detector resolves them, and generators put
meaningless numbers there (a Z boson's own flight of 1e-13 mm would separate the classes)."""


@dataclass(frozen=True)
class Conventions:
    """How jets are described.

    Jets are always clustered, groomed and given their substructure from all their constituents. `status`
    and `constituent_pt` choose which of these are then described one by one: by the image, the particle
    list, multiplicities, displacements and the pull.
    """

    neutrinos: bool = False  # are clustered, and are constituents as all others
    status: int | None = None  # only constituents of this status in Pythia; None: of any
    constituent_pt: float = 0.0  # [GeV] only constituents above
    displacement_floor: float = DISPLACEMENT_FLOOR  # [mm]
    dxy_from_x: bool = False  # dxy = sqrt(x^2 + x^2), a slip for sqrt(x^2 + y^2)
    displaced_in_list: bool = False  # dxy_max, dz_max: of the particles in the list, whatever they are; not of tracks
    z_from_momentum: bool = False  # z is a fraction of |p|, not of pT
    rotate_in_space: bool = False  # the image is rotated in three dimensions, not in (rapidity, phi)

    def __post_init__(self):
        if not self.displacement_floor > 0:
            raise ConfigurationError(f"displacement_floor = {self.displacement_floor} mm: must be positive")
        if not self.constituent_pt >= 0:
            raise ConfigurationError(f"constituent_pt = {self.constituent_pt} GeV: must be >= 0")

    @property
    def changes(self) -> dict:
        """The choices that are not those of `DEFAULT`, as plain data."""
        return {name: value for name, value in asdict(self).items() if value != getattr(DEFAULT, name)}


DEFAULT = Conventions()
PAPER_LITERAL = Conventions(
    neutrinos=True,
    status=91,  # products of decays: primary hadrons, 30% of the pT of QCD jets and 11% of signal, are left out
    constituent_pt=1.0,
    displacement_floor=1e-20,
    dxy_from_x=True,
    displaced_in_list=True,
    z_from_momentum=True,
    rotate_in_space=True,
)
OPTIONS = {"paper-literal": PAPER_LITERAL}
"""What `--options` names."""
