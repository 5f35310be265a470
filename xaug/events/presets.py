"""Named selections of events.

`search` has the cuts of the search whose selection the paper takes, as we remember them: they were not checked against
its text. `tight` leaves out two of them, on the mass of the fat jet and on its distance from the b jet. `loose` is the
control: there HT alone separates nearly as well as all features together, and rankings have little to share.
"""

from __future__ import annotations

from xaug.core.errors import unknown_name
from xaug.events.cuts import EventSelection

__all__ = ["PRESETS", "preset"]

TIGHT = EventSelection(lepton_pt=100.0, leading_pt=60.0, b_pt=60.0, ht_min=900.0, fat_pt=500.0)
SEARCH = EventSelection(
    lepton_pt=100.0, leading_pt=60.0, b_pt=60.0, ht_min=900.0, fat_pt=500.0, fat_mass=250.0, b_fat_distance=1.2
)
PRESETS = {"loose": EventSelection(), "tight": TIGHT, "search": SEARCH}
"""All named selections, the loosest first."""


def preset(name: str) -> EventSelection:
    """The selection of a name.

    Raises
    ------
    ConfigurationError
        for an unknown name; the message suggests the nearest one
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return PRESETS[name]
