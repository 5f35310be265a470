"""Bad input files: what the user is told of each, and that nothing else suffers."""

import json
import os
import re
import shutil
import struct
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from xaug.core.errors import DatasetError
from xaug.data.dataset import Dataset
from xaug.process import inputs

# --- ways to spoil a file --------------------------------------------------------------------------------------------


def with_value(branch, entry, value):
    """One number of an entry replaced: of a b quark, or of a particle in the middle."""

    def change(branches):
        array = branches[branch]
        counts = ak.to_numpy(ak.num(array)) if array.ndim > 1 else np.ones(len(array), int)
        values = ak.to_numpy(ak.flatten(array, axis=None)).copy()
        position = counts[entry] // 2
        if branch.startswith("gen_"):
            b = (abs(branches["gen_id"][entry]) == 5) & (abs(branches["gen_status"][entry]) == 23)
            position = np.flatnonzero(b)[0]
        values[counts[:entry].sum() + position] = value
        branches[branch] = ak.unflatten(values, counts) if array.ndim > 1 else ak.Array(values)

    return change


def without(branch):
    return lambda branches: branches.pop(branch)


def renamed(old, new):
    return lambda branches: branches.update({new: branches.pop(old)})


def cut_entries(stop):
    def change(branches):
        for name in branches:
            branches[name] = branches[name][:stop]

    return change


def softened(branches):
    """Momenta of a thousandth: no jet is left."""
    branches["constituent_pt"] = ak.values_astype(branches["constituent_pt"] / 1000, np.float32)


def without_particles(branches):
    for name in branches:
        if name.startswith("constituent_"):
            branches[name] = branches[name][:, :0]
    branches["nConstituent"] = ak.num(branches["constituent_pt"])


def metadata_without(name):
    return lambda metadata: {key: value for key, value in metadata.items() if key != name}


MADE = {
    "without a branch": ({"change": without("constituent_vxx")}, r"no branch 'constituent_vxx'; nearest is 'constit"),
    "branch misspelt": ({"change": renamed("constituent_vxx", "constituent_vx")}, r"nearest is 'constituent_vx'"),
    "signal without gen": ({"change": without("gen_status")}, r"no branch 'gen_status'; nearest is 'gen_tau'"),
    "without the tree": (
        {"tree": "Events"},
        r"has no tree 'T' or .*'Delphes'.*\(it holds: Events.*\); name it as",
    ),
    "zero entries": ({"change": cut_entries(0)}, r"tree 'T' has no entries; leave the file out"),
    "NaN pt": ({"change": with_value("constituent_pt", 7, np.nan)}, r"constituent_pt is nan in entry 7; leave the"),
    "NaN phi": ({"change": with_value("constituent_phi", 0, np.nan)}, r"constituent_phi is nan in entry 0; leave"),
    "NaN mass": ({"change": with_value("constituent_m", 19, np.nan)}, r"constituent_m is nan in entry 19; leave the"),
    "NaN vertex": ({"change": with_value("constituent_vzz", 3, np.nan)}, r"constituent_vzz is nan in entry 3; leave"),
    "infinite eta": ({"change": with_value("constituent_eta", 4, np.inf)}, r"constituent_eta is inf in entry 4; leav"),
    "negative pt": ({"change": with_value("constituent_pt", 5, -3.0)}, r"constituent_pt is -3\.0 in entry 5; leave"),
    "NaN b quark": ({"change": with_value("gen_eta", 6, np.nan)}, r"gen_eta is nan in entry 6; leave the file out"),
    "NaN weight": ({"change": with_value("weight", 2, np.nan)}, r"weight is nan in entry 2; leave the file out"),
    "no jets": ({"change": softened}, r"none of its 20 events has a jet"),
    "no particles": ({"change": without_particles}, r"none of its 20 events has a jet"),
    "label missing": ({"metadata": metadata_without("label")}, r"has no label: list it in a fileset JSON"),
    "process missing": ({"metadata": metadata_without("process")}, r"has no process: list it in a fileset JSON"),
    "label 2": ({"metadata": lambda metadata: {**metadata, "label": 2}}, r"has label 2; must be 1 \(signal\) or 0"),
    "label is empty": ({"metadata": lambda metadata: {**metadata, "label": ""}}, r"has label ''; must be 1"),
    "no metadata": ({"metadata": lambda metadata: None}, r"has no label: list it in a fileset JSON"),
    "metadata no object": ({"metadata": lambda metadata: [1, 2]}, r"damaged"),
}
"""Files written as asked: how, and what the user must be told."""

DAMAGED = r"is truncated or damaged .*; copy or generate it again"
BYTES = {
    "missing": (lambda content: None, r"does not exist"),
    "empty": (lambda content: b"", r"is empty \(0 bytes\); copy or generate it again"),
    "not ROOT": (lambda content: b"pt,eta,phi\n1,2,3\n", r"is not a ROOT file"),
    "shorter than the magic": (lambda content: b"ro", r"is not a ROOT file"),
    "zeros": (lambda content: bytes(len(content)), r"is not a ROOT file"),
    "magic only": (lambda content: b"root", DAMAGED),
    "cut in the header": (lambda content: content[:60], DAMAGED),
    "cut after the header": (lambda content: content[:400], DAMAGED),
    "cut in the middle": (lambda content: content[: len(content) // 2], DAMAGED),
    "cut at nine tenths": (lambda content: content[: len(content) * 9 // 10], DAMAGED),
    "zeros after the header": (lambda content: content[:100] + bytes(len(content) - 100), r"damaged|has no tree"),
}
"""Files made of the bytes of a good one."""


@pytest.fixture(params=[*MADE, *BYTES])
def bad(request, make_file, signal_events, tmp_path):
    """A bad file, and what the user must be told of it."""
    path = tmp_path / "bad.root"
    if request.param in MADE:
        options, reason = MADE[request.param]
        options = dict(options)
        if "metadata" in options:
            options["metadata"] = options["metadata"](signal_events[1])
        make_file(path, **options)
    else:
        change, reason = BYTES[request.param]
        content = change(make_file(tmp_path / "whole.root").read_bytes())
        (tmp_path / "whole.root").unlink()
        if content is not None:
            path.write_bytes(content)
    return path, reason


class TestCopy:
    """The same bytes under two names are the same jets, which must not count twice."""

    def test_is_skipped(self, good_file, tmp_path, process_command, jets_of_good, assert_same_jets):
        copy = shutil.copy(good_file, tmp_path / "zz_copy.root")
        result = process_command(copy, good_file, "-o", tmp_path / "out")
        assert result.exit_code == 3, result.stderr
        first, second = sorted([str(good_file), str(copy)])
        assert f"skipped {second}: is a copy of {first}: its jets would count twice; remove one" in result.stdout
        assert_same_jets(tmp_path / "out", jets_of_good)

    def test_strict_stops(self, good_file, tmp_path, process_command, errors_of):
        copy = shutil.copy(good_file, tmp_path / "zz_copy.root")
        result = process_command(copy, good_file, "-o", tmp_path / "out", "--strict")
        assert result.exit_code == 1
        assert "is a copy of" in errors_of(result)[0]


class TestBadFile:
    def test_is_skipped(self, bad, good_file, tmp_path, process_command, jets_of_good, assert_same_jets):
        """One line that names the file and says why; the good file is processed; exit code 3, or 0 if allowed."""
        path, reason = bad
        result = process_command(path, good_file, "-o", tmp_path / "out")
        assert result.exit_code == 3, result.stderr
        (line,) = [line for line in result.stdout.splitlines() if line.startswith("skipped ")]
        (skip,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["skips"]
        assert skip["file"] == str(path)
        assert re.search(reason, skip["reason"]), skip["reason"]
        assert line == f"skipped {path}: {skip['reason']}"
        assert_same_jets(tmp_path / "out", jets_of_good)
        # a second run, which finds all done, says the same
        assert process_command(path, good_file, "-o", tmp_path / "out").exit_code == 3
        assert process_command(path, good_file, "-o", tmp_path / "out", "--allow-skips").exit_code == 0

    def test_strict_stops(self, bad, good_file, tmp_path, process_command, errors_of):
        path, reason = bad
        result = process_command(good_file, path, "-o", tmp_path / "out", "--strict")
        assert result.exit_code == 1, result.stdout
        assert result.stdout == ""
        (line,) = errors_of(result)
        assert line.startswith(f"error: {path}: ")
        assert re.search(reason, line), line
        with pytest.raises(DatasetError):
            Dataset.open(tmp_path / "out")

    def test_alone(self, bad, tmp_path, process_command, errors_of):
        """Nothing is left to be done: an error, whatever is allowed, which still says why."""
        path, reason = bad
        result = process_command(path, "-o", tmp_path / "out", "--allow-skips")
        assert result.exit_code == 1
        (line,) = errors_of(result)
        assert str(path) in line
        assert re.search(reason, line), line
        assert not (tmp_path / "out" / "manifest.json").exists()

    def test_dry_run_writes_nothing(self, good_file, tmp_path, process_command):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
        result = process_command(good_file, tmp_path / "no.root", "-o", tmp_path / "out", "--dry-run", "--chunksize", 8)
        assert result.exit_code == 3
        assert result.stdout.splitlines() == [
            f"skipped {tmp_path / 'no.root'}: does not exist",
            "1 files, 20 events, 3 chunks (0 already done)",
        ]
        assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before

    def test_events_without_a_jet_among_others(self, make_file, good_file, tmp_path, process_command, jets_of_good):
        """They are fine: nothing is skipped, and nothing changes for the others."""

        def soften_some(branches):
            soft = np.isin(np.arange(20), [0, 3, 4, 19])
            branches["constituent_pt"] = ak.where(soft, branches["constituent_pt"] / 1000, branches["constituent_pt"])
            branches["constituent_pt"] = ak.values_astype(branches["constituent_pt"], np.float32)

        make_file(tmp_path / "mixed.root", soften_some)
        result = process_command(tmp_path / "mixed.root", "-o", tmp_path / "out", "--chunksize", 4)
        assert result.exit_code == 0, result.stderr
        dataset = Dataset.open(tmp_path / "out")
        assert dataset.manifest["cut_flow"]["zbb"]["events"] == 20
        assert dataset.manifest["cut_flow"]["zbb"]["jet with pT"] <= 16
        found = dataset.load(["event_id", "xaug"])
        kept = np.isin(jets_of_good["event_id"], found["event_id"])
        assert 0 < kept.sum() == len(found["event_id"])
        np.testing.assert_array_equal(found["xaug"], jets_of_good["xaug"][kept])

    @pytest.mark.parametrize("chunksize", [1, 3])
    def test_chunks_without_a_selected_jet(
        self, good_file, tmp_path, process_command, jets_of_good, chunksize, assert_same_jets
    ):
        """Small chunks: of one event each, a third of which have no selected jet."""
        result = process_command(good_file, "-o", tmp_path / "out", "--chunksize", chunksize)
        assert result.exit_code == 0, result.stdout
        assert_same_jets(tmp_path / "out", jets_of_good)

    def test_file_that_may_not_be_read(self, good_file, tmp_path, process_command, monkeypatch):
        """It is the input that cannot be read, not the output that cannot be written."""
        (tmp_path / "secret.root").write_bytes(good_file.read_bytes())

        def forbidding(path, *arguments):
            if Path(path).name == "secret.root":
                raise PermissionError(13, "Permission denied")
            return open(path, *arguments)

        monkeypatch.setattr(inputs, "open", forbidding, raising=False)
        result = process_command(good_file, tmp_path / "secret.root", "-o", tmp_path / "out")
        assert result.exit_code == 3, result.stderr
        assert f"skipped {tmp_path / 'secret.root'}: " in result.stdout and "Permission denied" in result.stdout

    @pytest.mark.parametrize(
        "url", ["root://localhost:1//x.root", "https://localhost:1/x.root"], ids=["root", "https"]
    )  # fmt: skip
    def test_remote_file_that_cannot_be_reached(self, url, good_file, tmp_path, process_command):
        """A server that does not answer is not a damaged file."""
        result = process_command(good_file, url, "-o", tmp_path / "out")
        assert result.exit_code == 3
        (line,) = [line for line in result.stdout.splitlines() if line.startswith("skipped ")]
        assert line.startswith(f"skipped {url}: ")
        assert "damaged" not in line and "generate it again" not in line


@pytest.fixture(scope="module")
def tiny(make_file, tmp_path_factory, process_command):
    """A file of five events, and its jets."""
    directory = tmp_path_factory.mktemp("tiny")
    make_file(directory / "tiny.root", cut_entries(5))
    assert process_command(directory / "tiny.root", "-o", directory / "out").exit_code == 0
    jets = Dataset.open(directory / "out").load(["xaug", "list", "image", "label", "weight"])
    assert len(jets["label"]) > 1
    return directory / "tiny.root", jets


class TestDamage:
    """Bytes overwritten or cut off anywhere: an error, a skip or the same jets; no traceback, no wrong jets."""

    @pytest.fixture
    def verdict(self, tiny, tmp_path, process_command, assert_same_jets, errors_of):
        """Whether a file was refused ("refused") or gave the right jets ("same")."""
        path, count = tmp_path / "damaged.root", iter(range(10_000))

        def verdict(content: bytes) -> str:
            path.write_bytes(content)
            output = tmp_path / f"out{next(count)}"
            result = process_command(path, "-o", output)
            if result.exit_code == 0:
                assert_same_jets(output, tiny[1])
                return "same"
            (line,) = errors_of(result)
            assert result.exit_code == 1 and str(path) in line
            return "refused"

        return verdict

    @pytest.mark.parametrize("cut", [5, 61, 100, 200, 300, 0.1, 0.3, 0.5, 0.7, 0.9])
    def test_cut(self, tiny, verdict, cut):
        content = tiny[0].read_bytes()
        assert verdict(content[: cut if isinstance(cut, int) else int(cut * len(content))]) == "refused"

    @pytest.mark.parametrize("cut", [1, 20, 60, 100, 200, 400, 1000, 5000])
    def test_cut_near_the_end(self, tiny, verdict, cut):
        verdict(tiny[0].read_bytes()[:-cut])

    @pytest.mark.parametrize("branch", ["constituent_pt", "constituent_id", "gen_eta"])
    def test_damaged_basket(self, tiny, verdict, branch):
        """Bytes inside of compressed data: a checksum protects them, so they must always be noticed."""
        with uproot.open(tiny[0]) as file:
            begin = int(file["T"][branch].member("fBasketSeek")[0])
            size = int(file["T"][branch].member("fBasketBytes")[0])
        content = tiny[0].read_bytes()
        (key,) = struct.unpack(">h", content[begin + 14 : begin + 16])  # length of the key before the data
        assert content[begin + key : begin + key + 2] == b"ZL"
        data = begin + key + 9  # after the header of the compressed block
        for position in np.linspace(data + 2, begin + size - 2, 8).astype(int):
            for length in (1, 20):
                damaged = bytearray(content)
                stop = min(position + length, begin + size)
                damaged[position:stop] = bytes(byte ^ 0xFF for byte in content[position:stop])
                assert verdict(bytes(damaged)) == "refused", (position - data, length)

    @pytest.mark.parametrize("region", ["header", "basket", "end"])
    def test_damage_anywhere_else(self, tiny, verdict, region):
        """Single bytes: of the file's header, of a basket's key and block header, of keys and tree at the end."""
        content = tiny[0].read_bytes()
        with uproot.open(tiny[0]) as file:
            begin = int(file["T"]["constituent_pt"].member("fBasketSeek")[0])
        (key,) = struct.unpack(">h", content[begin + 14 : begin + 16])
        positions = {
            "header": range(0, 280, 12),
            "basket": [*range(begin, begin + key, 3), *range(begin + key, begin + key + 9)],
            "end": range(len(content) - 20_000, len(content), 1501),
        }[region]
        verdicts = {}
        for position in positions:
            damaged = bytearray(content)
            damaged[position] ^= 0xFF
            verdicts[position] = verdict(bytes(damaged))
        assert set(verdicts.values()) == {"refused", "same"}


class TestAsASubprocess:
    """As users run it: what libraries print by themselves is seen here, too."""

    def test_bad_files_beside_a_good_one(self, make_file, good_file, tmp_path, python, jets_of_good, assert_same_jets):
        make_file(tmp_path / "nan.root", with_value("constituent_pt", 7, np.nan))
        (tmp_path / "cut.root").write_bytes(good_file.read_bytes()[:1000])
        names = ["good.root", "nan.root", "cut.root", "no.root"]
        done = python("-m", "xaug.process", *names, "-o", "out", "--json", cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        assert "Traceback" not in done.stderr
        content = json.loads(done.stdout)  # and nothing else
        assert [os.path.basename(skip["file"]) for skip in content["skips"]] == ["cut.root", "no.root", "nan.root"]
        assert content["skips"] == json.loads((tmp_path / "out" / "manifest.json").read_text())["skips"]
        assert_same_jets(tmp_path / "out", jets_of_good)

    def test_nothing_but_bad_files(self, tmp_path, python):
        (tmp_path / "empty.root").touch()
        done = python("-m", "xaug.process", "empty.root", "no.root", "-o", "out", "--json", cwd=tmp_path)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        content = json.loads(done.stdout)
        assert content["error"] == "ConfigurationError"
        assert "empty.root is empty" in content["message"] and "no.root does not exist" in content["message"]
        assert not (tmp_path / "out").exists()
