"""What is left out is told with its number or its reason: particles without a direction, and the files of a class."""

import re

import numpy as np
import pytest
from layout_writers import by_class, make_jets, write_candidates, write_pfnano

from xaug.core.errors import ConfigurationError
from xaug.formats.base import FinalState
from xaug.process.stage import process
from xaug.process.units import Magnitudes, scale_of
from xaug.report.inspection import inspect_path

OPEN = ("--set", "mass_min=0", "--set", "mass_max=inf", "--set", "subjets=any")


def without_direction(jets, every):
    """The same jets, where every so manieth particle has no pT."""
    flat = np.arange(len(jets.columns["pt"])) % every == 0
    jets.columns["pt"] = np.where(flat, 0.0, jets.columns["pt"])
    jets.columns["mass"] = np.where(flat, 0.5, jets.columns["mass"])
    return jets


def test_particles_without_pt_are_counted(tmp_path, process_command):
    """In each file, on the screen and in the manifest, also when the parts are there already."""
    jets = without_direction(make_jets(24), 7)
    files = write_candidates(jets, tmp_path)
    given = by_class("delphes_candidates", files, tmp_path)
    done = process_command(given, "-o", tmp_path / "out", "--chunksize", "5", *OPEN)
    assert done.exit_code == 0, done.stderr
    told = dict(re.findall(r"left out (\d+ of \d+) particles of \S+/(\w+)\.root: their pT is 0", done.stdout))
    expected = {}
    for name, label in (("QCD", 0), ("Hbb", 1)):
        pt = jets.some(jets.label == label).columns["pt"]
        expected[name] = {"without_pt": int((pt == 0).sum()), "particles": len(pt)}
    assert {f"{own['without_pt']} of {own['particles']}": name for name, own in expected.items()} == told
    found = inspect_path(tmp_path / "out")["particles_left_out"]
    assert {str(files[name]): own for name, own in expected.items()} == found


def test_all_have_pt(tmp_path, process_command):
    given = by_class("delphes_candidates", write_candidates(make_jets(24), tmp_path), tmp_path)
    assert "left out" not in process_command(given, "-o", tmp_path / "out", *OPEN).stdout


def test_older_parts_tell_no_numbers():
    particles = {"pt": np.array([0.0, 500.0, 1.0])}
    found = scale_of(FinalState(particles, np.array([3])))
    assert (found.particles, found.without_pt) == (3, 1) and Magnitudes.from_json(found.to_json()) == found
    old = {name: value for name, value in found.to_json().items() if name in ("momentum", "length", "prompt")}
    assert Magnitudes.from_json(old).without_pt == 0


class TestClasses:
    @pytest.fixture
    def pfnano(self, tmp_path):
        """Files of two classes, one of which lacks a column of weights."""
        files = write_pfnano(make_jets(24), tmp_path)
        (tmp_path / "hbb.root").write_bytes(b"no file of ROOT")
        return by_class("pfnano", files, tmp_path)

    @pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["run", "dry run"])
    def test_a_class_without_files_is_an_error(self, pfnano, tmp_path, process_command, dry):
        done = process_command(pfnano, "-o", tmp_path / "out", "--allow-skips", *dry)
        assert done.exit_code == 1
        assert f"no file of the class 'hbb' can be used: {tmp_path / 'hbb.root'} is no" in done.stderr
        assert "choose classes without hbb by --classes" in done.stderr and not (tmp_path / "out").exists()

    def test_unless_it_is_not_wanted(self, pfnano, tmp_path):
        manifest = process([pfnano], tmp_path / "out", classes=["qcd"])
        assert manifest["classes"] == ["qcd"] and len(manifest["skips"]) == 1
        assert any("one class only" in text for text in manifest["warnings"])

    def test_all_reasons_are_not_told(self, tmp_path):
        files = write_pfnano(make_jets(24), tmp_path)
        listed = "".join(f"    - none{i}.root\n" for i in range(5))
        (tmp_path / "data.yaml").write_text(f"format: pfnano\nfiles:\n  qcd: {files['qcd']}\n  hbb:\n{listed}")
        with pytest.raises(ConfigurationError, match=r"none2.root does not exist; and 2 more\. Mend one"):
            process([tmp_path / "data.yaml"], tmp_path / "out")
