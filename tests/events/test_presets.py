"""Named selections: each of their cuts on an event made by hand that just passes it."""

import numpy as np
import pytest
from click.testing import CliRunner

from xaug.core.errors import ConfigurationError
from xaug.events.presets import PRESETS, preset
from xaug.generate.__main__ import main as generate_main

SEARCH = {"lepton": (105.0, 0.2, 0.0), "jets": ((510.0, 0.0, 2.0), (150.0, 0.75, 2.1), (160.0, -1.0, 4.0),
          (90.0, 1.0, 5.0), (65.0, -0.5, 5.8)), "b": 4}  # fmt: skip
"""HT is 975 GeV; the two first jets are one fat jet: its mass is sqrt(2 pT1 pT2 (cosh 0.75 - cos 0.1)) = 214 GeV."""


def event_of(tools, lepton, jets, b):
    """One particle for each jet; the jet number b is the only one with a b quark."""
    rows = np.array([[*lepton, 0.0], *([*jet, 0.0] for jet in jets)])
    return tools.Event(rows, quarks=np.array([[*jets[b][1:], 5]], float))


def flow(tools, name, **changes):
    """The last cut that the event passes, with certain tags."""
    content = {**SEARCH, **changes}
    cuts = {**vars(PRESETS[name]), "tag_b": 1.0, "tag_c": 1e-12, "tag_light": 1e-12}
    _, _, found = tools.run(event_of(tools, **content), **cuts)
    return [cut for cut, count in found.counts.items() if count][-1]


def changed(**by_index):
    """The jets of SEARCH, some with another pT, or another (pT, eta, phi)."""
    jets = list(SEARCH["jets"])
    for key, value in by_index.items():
        i = int(key[1:])
        jets[i] = value if isinstance(value, tuple) else (value, *jets[i][1:])
    return tuple(jets)


FAT = (230.0, 0.75, 2.1)
"""In place of the second jet: the mass of the fat jet is then 265 GeV."""


@pytest.mark.parametrize(
    ("changes", "tight", "search"),
    [
        ({"jets": changed(j1=FAT)}, "b and fat jet apart", "b and fat jet apart"),
        ({}, "b and fat jet apart", "HT"),  # 214 GeV
        ({"jets": changed(j1=FAT), "lepton": (99.0, 0.2, 0.0)}, "events", "events"),
        ({"jets": changed(j1=FAT, j2=45.0, j3=45.0)}, "jets", "jets"),  # HT 895 GeV
        ({"jets": changed(j1=FAT, j3=61.0, j4=61.0)}, "b and fat jet apart", "b and fat jet apart"),
        ({"jets": changed(j1=FAT, j2=59.0, j3=59.0)}, "b jet", "b jet"),  # j3
        ({"jets": changed(j1=FAT, j4=(65.0, -0.5, 3.2)), }, "b and fat jet apart", "b and fat jet apart"),
        ({"jets": changed(j1=FAT, j4=(65.0, -0.6, 2.7)), }, "b and fat jet apart", "leading jets"),
    ],
)  # fmt: skip
def test_cuts(tools, changes, tight, search):
    assert flow(tools, "tight", **changes) == tight
    assert flow(tools, "search", **changes) == search
    if changes.get("lepton", SEARCH["lepton"])[0] > 30:
        assert flow(tools, "loose", **changes) == "b and fat jet apart"


@pytest.mark.parametrize(("pt", "weight"), [(61.0, 1.0), (59.0, 0.0)])
def test_b_jet_must_be_hard(tools, pt, weight):
    """A softer one is not looked at, and the others are hardly ever tagged."""
    cuts = {**vars(PRESETS["tight"]), "tag_b": 1.0, "tag_c": 1e-12, "tag_light": 1e-12}
    event = event_of(tools, SEARCH["lepton"], changed(j1=FAT, j4=pt), 4)
    assert tools.run(event, **cuts)[1] == pytest.approx([weight], abs=1e-9)


def test_unknown_preset_names_the_nearest_one(tmp_path):
    with pytest.raises(ConfigurationError, match="did you mean 'tight'"):
        preset("tigth")
    done = CliRunner().invoke(generate_main, ["vlq", "--events", "3", "--preset", "serch", "-o", str(tmp_path / "o")])
    assert done.exit_code == 2 and "did you mean 'search'" in done.stderr
    assert not (tmp_path / "o").exists()
