"""Variables of the user in files of their own: added, changed and dropped, and refused by name where they are wrong."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import xaug
from xaug.core.errors import ConfigurationError
from xaug.data.plugins import plugin_of
from xaug.process.__main__ import main

GOOD = """
import numpy as np
import xaug

@xaug.variable(r"$p_T^D$", unit="GeV")
def ptd(jets):
    pt, n = jets.constituents["pt"], len(jets)
    return np.sqrt(np.bincount(jets.jet_index, pt**2, n)) / np.bincount(jets.jet_index, pt, n)

@xaug.variable(r"$k_T$", block="list", name="kt")
def anything(c):
    return 3.0 * c["pt"]
"""


def process(*words):
    return CliRunner().invoke(main, [*map(str, words), "--executor", "iterative", "--json"])


def test_a_variable_is_added_changed_and_dropped(zbb_files, zbb_dataset, tmp_path):
    own, files = tmp_path / "mine.py", [zbb_files]
    own.write_text(GOOD)
    done = process(*files, "-o", tmp_path / "a", "--plugin", own)
    assert done.exit_code == 0, done.output
    data, before = xaug.Dataset.open(tmp_path / "a"), xaug.Dataset.open(zbb_dataset)
    assert data.names("xaug") == [*before.names("xaug"), "ptd"] and data.names("list")[-1] == "kt"
    assert data.table.labels()["ptd"].axis_label == "$p_T^D$ [GeV]" and data.table.labels()["ptd"].digest
    arrays = data.load(["list", "mask", "xaug"])
    log_pt = arrays["list"][..., data.names("list").index("log_pt")]
    np.testing.assert_allclose(arrays["list"][..., -1], 3 * np.exp(log_pt) * arrays["mask"], rtol=1e-5)
    assert (arrays["xaug"][:, -1] > 0).all() and (arrays["xaug"][:, -1] < 1).all()
    np.testing.assert_array_equal(arrays["xaug"][:, :-1], before.load(["xaug"])["xaug"])
    again = process(*files, "-o", tmp_path / "a", "--plugin", own)  # nothing to do
    assert again.exit_code == 0 and xaug.Dataset.open(tmp_path / "a").digest == data.digest
    own.write_text(GOOD.replace("3.0", "4.0"))
    assert process(*files, "-o", tmp_path / "a", "--plugin", own).exit_code == 1
    assert xaug.Dataset.open(tmp_path / "a").digest == data.digest  # the old one goes on working
    dropped = process(*files, "-o", tmp_path / "a")
    assert dropped.exit_code == 1
    assert json.loads((tmp_path / "a" / "manifest.json").read_text())["config"]["plugins"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("def ptd", "def pt", "there is a variable 'pt' already"),
        ('block="list"', 'block="lists"', "block 'lists' is none of xaug, list, event"),
        ('block="list"', 'block="event"', "'kt' is of the block 'event'; a dataset of jets has"),
        ("import numpy", "import nump", "cannot be run .ModuleNotFoundError"),
        ("return 3.0", "return 1 / 0", "mine.py: variable 'kt' fails .ZeroDivisionError"),
        ("return 3.0 * c", "return np.nan * c", "mine.py: variable 'kt' is nan for object 0"),
        ("return np.sqrt", "return 7 + 0 * len(jets) #", "mine.py: variable 'ptd' has the shape"),
        ("return np.sqrt", "return np.zeros(3) #", "mine.py: variable 'ptd' has the shape .3,.; it must be one number"),
        ("return 3.0 * c", "return np.zeros(3) #", "mine.py: variable 'kt' has the shape .3,.; it must be one number"),
        ('name="kt"', 'name="k,t"', "mine.py has a variable named 'k,t': names are chosen in lists"),
        ('name="kt"', 'name="image"', "mine.py has a variable named 'image', a name that xaug uses itself"),
        ("return 3.0 * c", 'c["pt"][:] = 0; return c', "variable 'kt' fails .ValueError.*read-only.*Change a copy"),
        ("pt, n = jets", "jets.pt[:] = 1; pt, n = jets", "variable 'ptd' fails .ValueError.*read-only.*Change a copy"),
        (
            "pt, n = jets.c",
            "jets.tau[0] *= 2; pt, n = jets.c",
            "variable 'ptd' fails .ValueError.*read-only.*Change a copy",
        ),
        ('unit="GeV"', 'needs=["charges"]', "need of @xaug.variable 'charges'; did you mean 'charge'"),
        ("import xaug", "import sys; sys.exit(0)", "mine.py cannot be run .SystemExit"),
        ("@xaug.variable", "# @xaug.variable", "no function has the decorator"),
    ],
)
def test_wrong_plugins_are_named(zbb_files, tmp_path, old, new, words):
    own = tmp_path / "mine.py"
    own.write_text(GOOD.replace(old, new))
    done = process(zbb_files / "zbb_qcd_00000.root", "-o", tmp_path / "a", "--plugin", own)
    assert done.exit_code == 1
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(done.output + done.stderr)


def test_a_missing_plugin(tmp_path):
    with pytest.raises(ConfigurationError, match="there is no such file"):
        plugin_of(tmp_path / "none.py")
