"""Names that messages suggest."""

import pytest

from xaug.core.errors import nearest, unknown_name


@pytest.mark.parametrize(
    "name, known, expected",
    [
        ("presetA", ["epsilon", "preset_a", "flat"], "preset_a"),
        ("eta", ["beta3", "abs_eta", "theta"], "abs_eta"),
        ("softdrop-mass", ["mass", "softdrop_mass"], "softdrop_mass"),
        ("tau21", ["tau2_b10", "tau21", "tau1_b10"], "tau21"),
        ("z", ["theta", "z_new", "r1"], "z_new"),
        ("pt_lepton", ["pt_lep", "met"], "pt_lep"),
        ("charge", ["pt", "eta", "phi"], None),
        ("anything", [], None),
    ],
)
def test_the_nearest_name(name, known, expected):
    assert nearest(name, known) == expected


def test_names_may_come_one_by_one():
    """Names that can be read once only are suggested and listed as those of a list are."""
    told = [str(unknown_name("part", "imag", names)) for names in (["image", "xaug"], iter(["image", "xaug"]))]
    assert told[0] == told[1] == "unknown part 'imag'; did you mean 'image'? Known: image, xaug"
