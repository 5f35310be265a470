import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from xaug.core import provenance
from xaug.core.errors import ConfigurationError, DatasetError
from xaug.data.dataset import Dataset
from xaug.data.part_files import read_part_summary, write_part
from xaug.data.splits import SPLITS, assign_split, event_ids
from xaug.jets.processor import JetSettings
from xaug.jets.selection import Selection
from xaug.process.stage import process

FRACTIONS = (0.6, 0.2, 0.2)
XAUG = [
    *("pt", "eta", "phi", "mass", "softdrop_mass", "delta_r_subjets", "z"),
    *("tau1_b05", "tau1_b10", "tau1_b20", "tau2_b05", "tau2_b10", "tau2_b20", "tau3_b05", "tau3_b10", "tau3_b20"),
    *("tau1_sd_b05", "tau1_sd_b10", "tau1_sd_b20", "tau2_sd_b05", "tau2_sd_b10", "tau2_sd_b20"),
    *("tau3_sd_b05", "tau3_sd_b10", "tau3_sd_b20", "beta3", "beta3_sd", "tau21", "pull_angle"),
    *("n_charged_hadrons", "n_neutral_hadrons", "n_photons", "n_electrons", "n_muons", "dxy_max", "dz_max"),
]
LIST = [
    *("log_pt", "log_pt_rel", "log_energy", "abs_eta", "delta_phi", "delta_eta", "delta_r"),
    *("delta_r_subjet1", "delta_r_subjet2", "charge", "is_muon", "is_electron", "is_photon"),
    *("is_charged_hadron", "is_neutral_hadron", "dxy", "dz"),
]
N = 300  # rows of zbb_dataset


@pytest.fixture(scope="module")
def dataset(zbb_dataset):
    return Dataset.open(zbb_dataset)


@pytest.fixture(scope="module")
def arrays(dataset):
    return dataset.load()


@pytest.fixture
def copy(zbb_dataset, tmp_path):
    return Path(shutil.copytree(zbb_dataset, tmp_path / "copy"))


def first_part(directory: Path) -> Path:
    return directory / json.loads((directory / "manifest.json").read_text())["parts"][0]["part"]


def read_plainly(directory: Path, name: str) -> np.ndarray:
    """A column of all parts, by h5py and the manifest alone."""
    found = []
    for part in json.loads((directory / "manifest.json").read_text())["parts"]:
        with h5py.File(directory / part["part"]) as file:
            found.append(file[name][()] if name != "process" else np.full(len(file["label"]), part["process"]))
    return np.concatenate(found)


class TestLoad:
    @pytest.mark.parametrize(
        ("name", "shape", "dtype"),
        [
            ("image", (N, 16, 16, 1), np.float32),
            ("list", (N, 20, 17), np.float32),
            ("mask", (N, 20), np.float32),
            ("xaug", (N, 36), np.float32),
            ("label", (N,), np.int8),
            ("weight", (N,), np.float64),
            ("process", (N,), np.dtype("<U3")),
            ("event_id", (N,), np.uint64),
        ],
    )
    def test_fields(self, arrays, zbb_dataset, name, shape, dtype):
        assert arrays[name].shape == shape
        assert arrays[name].dtype == dtype
        np.testing.assert_array_equal(arrays[name], read_plainly(zbb_dataset, name))

    def test_no_other_fields(self, arrays, dataset):
        assert list(arrays) == ["image", "list", "xaug", "mask", "label", "weight", "process", "event_id"]
        assert dataset.fields == list(arrays)

    def test_names_are_the_contract(self, dataset):
        assert dataset.names("xaug") == XAUG
        assert dataset.names("list") == LIST
        assert dataset.names("image") == ["image"]

    def test_all_finite(self, arrays):
        for name in ("image", "list", "mask", "xaug", "weight"):
            assert np.isfinite(arrays[name]).all(), name

    def test_label_goes_with_process(self, arrays):
        assert dict(zip(arrays["process"].tolist(), arrays["label"].tolist(), strict=True)) == {"qcd": 0, "zbb": 1}
        assert (np.sort(arrays["label"]) == np.repeat([0, 1], 150)).all()

    def test_padding_is_zero(self, arrays):
        real = arrays["mask"] > 0
        assert set(np.unique(arrays["mask"])) <= {0.0, 1.0}
        assert not arrays["list"][~real].any()
        assert (np.diff(arrays["mask"], axis=1) <= 0).all()  # particles first, padding after

    def test_rows_are_events_of_the_files(self, arrays, zbb_files, read_root_file):
        """The id leads to the entry; weight and leading jet are those that stand there."""
        for process_name in ("qcd", "zbb"):
            branches, metadata = read_root_file(zbb_files / f"zbb_{process_name}_00000.root")
            ids = event_ids(metadata["identity"], np.arange(len(branches["weight"])))
            mine = arrays["process"] == process_name
            entry = np.array([np.flatnonzero(ids == event)[0] for event in arrays["event_id"][mine]])
            assert (np.diff(entry) > 0).all()
            np.testing.assert_array_equal(arrays["weight"][mine], branches["weight"].to_numpy()[entry])
            leading = branches["jet_pt"][:, 0].to_numpy()[entry]
            np.testing.assert_allclose(arrays["xaug"][mine, XAUG.index("pt")], leading, rtol=1e-5)

    @pytest.mark.parametrize("split", [None, *SPLITS])
    @pytest.mark.parametrize("max_rows", [None, 50])
    def test_iterate_is_load(self, dataset, split, max_rows):
        fields = ["xaug", "mask", "process", "event_id"]
        blocks = list(dataset.iterate(fields, split, max_rows))
        loaded = dataset.load(fields, split, max_rows)
        assert len(blocks) == len(dataset.parts) > 5
        for name in fields:
            np.testing.assert_array_equal(np.concatenate([block[name] for block in blocks]), loaded[name])

    @pytest.mark.parametrize("split", SPLITS)
    def test_split_is_the_stored_column(self, dataset, zbb_dataset, split):
        stored = read_plainly(zbb_dataset, "split") == SPLITS.index(split)
        found = dataset.load(["event_id", "xaug"], split)
        np.testing.assert_array_equal(found["event_id"], read_plainly(zbb_dataset, "event_id")[stored])
        np.testing.assert_array_equal(found["xaug"], read_plainly(zbb_dataset, "xaug")[stored])
        assert dataset.size(split) == stored.sum()

    def test_splits_are_all(self, dataset):
        assert sum(dataset.size(split) for split in SPLITS) == dataset.size() == len(dataset) == N

    @pytest.mark.parametrize("split", [None, "train"])
    @pytest.mark.parametrize("max_rows", [1, 40, 100, 10_000])
    def test_max_rows(self, dataset, split, max_rows):
        whole, some = dataset.load(["event_id", "label"], split), dataset.load(["event_id", "label"], split, max_rows)
        rows = len(whole["label"])
        wanted = min(max_rows, rows)
        assert len(some["label"]) == wanted  # fewer than parts too: there are more of those than rows
        np.testing.assert_array_equal(whole["event_id"][dataset.rows(split, max_rows)], some["event_id"])
        if max_rows >= rows:
            np.testing.assert_array_equal(some["event_id"], whole["event_id"])
        if max_rows == 100:
            assert abs(some["label"].mean() - whole["label"].mean()) < 0.1  # of both classes alike

    def test_one_field_as_text(self, dataset, arrays):
        np.testing.assert_array_equal(dataset.load("xaug")["xaug"], arrays["xaug"])

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda ds: ds.load(["xuag"]), "unknown field 'xuag'; did you mean 'xaug'?"),
            (lambda ds: ds.load(["xaug", "images"]), "unknown field 'images'; did you mean 'image'?"),
            (lambda ds: ds.load(["xaug"], "valid"), "unknown split 'valid'; did you mean 'validation'?"),
            (lambda ds: ds.iterate(["xaug"], "tset"), "unknown split 'tset'; did you mean 'test'?"),
            (lambda ds: ds.rows("tset"), "unknown split 'tset'; did you mean 'test'?"),
            (lambda ds: ds.size("trian"), "unknown split 'trian'; did you mean 'train'?"),
            (lambda ds: ds.names("lists"), "unknown block of jets 'lists'; did you mean 'list'?"),
        ],
    )
    def test_unknown_names(self, dataset, call, message):
        with pytest.raises(ConfigurationError) as error:
            call(dataset)
        assert str(error.value).startswith(message)


class TestOpen:
    def test_says_what_it_is(self, dataset, zbb_dataset):
        assert repr(dataset) == f"<Dataset {zbb_dataset}: {N} rows of kind jets in {len(dataset.parts)} parts>"
        assert dataset.processes == {"qcd": 0, "zbb": 1}
        assert dataset.kind == "jets"

    def test_parts_are_read_like_the_dicts_of_version_0_1(self, dataset, zbb_dataset):
        first = dataset.parts[0]
        assert (zbb_dataset / first["part"]).is_file()
        assert sum(part["rows"] for part in dataset.parts) == len(dataset)
        with pytest.raises(KeyError, match="nothing"):
            first["nothing"]

    def test_not_there(self, tmp_path):
        with pytest.raises(DatasetError, match=r"nowhere is not a directory"):
            Dataset.open(tmp_path / "nowhere")

    def test_unfinished(self, copy):
        (copy / "manifest.json").unlink()
        with pytest.raises(DatasetError, match=r"not finished\. Run `python -m xaug\.process \.\.\. -o"):
            Dataset.open(copy)

    def test_other_stage(self, zbb_files):
        with pytest.raises(DatasetError, match="was written by stage 'generate', expected 'process'"):
            Dataset.open(zbb_files)

    def test_part_missing_and_its_remedy(self, copy, zbb_files, arrays):
        part = first_part(copy)
        part.unlink()
        with pytest.raises(DatasetError, match=rf"{part.name} is damaged \(it is missing\)\. Run `.*` again"):
            Dataset.open(copy)
        process([zbb_files], copy, executor="iterative", chunksize=100)
        np.testing.assert_array_equal(Dataset.open(copy).load(["list"])["list"], arrays["list"])

    @pytest.mark.parametrize("size", [0, 100, 5000, -1])
    def test_part_truncated(self, copy, size):
        part = first_part(copy)
        part.write_bytes(part.read_bytes()[:size])
        with pytest.raises(DatasetError, match=rf"{part.name} is damaged .*Run `.*` again"):
            Dataset.open(copy).load(["xaug"])
        with pytest.raises(DatasetError, match=rf"{part.name}: damaged part .*Delete it"):
            read_part_summary(part)

    def test_part_damaged_in_the_middle(self, copy):
        """The file opens, its compressed images do not."""
        part = first_part(copy)
        with h5py.File(part) as file:
            chunk = file["image"].id.get_chunk_info(0)
        content = bytearray(part.read_bytes())
        content[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\xff" * chunk.size
        part.write_bytes(content)
        with pytest.raises(DatasetError, match=rf"{part.name} is damaged .*Run `.*` again"):
            Dataset.open(copy).load(["image"], "test")
        provenance.record_files(copy, [part])  # as if no manifest knew better: the checksum of the chunk is wrong
        with pytest.raises(DatasetError, match=rf"{part.name} is damaged .*Delete it"):
            Dataset.open(copy).load(["image"], "test")

    def test_part_that_lacks_a_column(self, copy):
        """As of an older version of xaug, or of a file that somebody changed."""
        part = first_part(copy)
        with h5py.File(part, "a") as file:
            del file["mask"]
        with pytest.raises(DatasetError, match=part.name):
            Dataset.open(copy).load(["mask"])

    @pytest.mark.parametrize("content", ["", '{"stage": "process"', '{"stage": "process"}'])
    def test_damaged_manifest(self, copy, content):
        (copy / "manifest.json").write_text(content)
        with pytest.raises(DatasetError, match=r"manifest\.json"):
            Dataset.open(copy)

    def test_can_be_moved(self, copy, tmp_path, arrays):
        moved = copy.rename(tmp_path / "elsewhere")
        np.testing.assert_array_equal(Dataset.open(moved).load(["xaug"])["xaug"], arrays["xaug"])


class TestSplit:
    def test_fractions(self):
        n = 200_000
        split = assign_split(event_ids("a file", np.arange(n)), 0, FRACTIONS)
        assert split.dtype == np.int8
        for count, fraction in zip(np.bincount(split, minlength=3), FRACTIONS, strict=True):
            assert abs(count - n * fraction) < 4 * np.sqrt(n * fraction * (1 - fraction))

    @pytest.mark.parametrize("fractions", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.5, 0.0, 0.5)])
    def test_empty_splits(self, fractions):
        split = assign_split(event_ids("a file", np.arange(1000)), 3, fractions)
        assert set(split) == {i for i, fraction in enumerate(fractions) if fraction}

    def test_column_is_an_index_of_the_names(self, zbb_dataset):
        assert SPLITS == ("train", "validation", "test")
        for path in zbb_dataset.glob("*.h5"):
            with h5py.File(path) as file:
                assert set(file["split"][()]) <= {0, 1, 2}

    def test_seeds_and_files_are_independent(self):
        """Whether two events are both in training must be a product of probabilities."""
        n = 100_000
        ids = event_ids("a file", np.arange(n))
        one = assign_split(ids, 0, FRACTIONS) == 0
        others = {
            "other seed": assign_split(ids, 1, FRACTIONS) == 0,
            "other file": assign_split(event_ids("b file", np.arange(n)), 0, FRACTIONS) == 0,
            "next event": np.roll(one, 1),
        }
        for name, other in others.items():
            assert abs((one & other).sum() - 0.36 * n) < 4 * np.sqrt(n * 0.36 * 0.64), name

    def test_same_events_same_split(self):
        ids = event_ids("a file", np.array([5, 3, 5, 2**40]))
        assert ids.dtype == np.uint64 and ids[0] == ids[2]
        split = assign_split(ids, 0, FRACTIONS)
        np.testing.assert_array_equal(split, [assign_split(ids[i : i + 1], 0, FRACTIONS)[0] for i in range(4)])

    def test_ids_are_unique(self, arrays):
        ids = np.concatenate([event_ids(name, np.arange(300_000)) for name in ("qcd-1", "qcd-2", "zbb-1")])
        assert len(np.unique(ids)) == len(ids)
        assert len(np.unique(arrays["event_id"])) == N

    def test_summary_counts_them(self, dataset, zbb_dataset):
        for part in dataset.parts:
            with h5py.File(zbb_dataset / part.part) as file:
                counts = np.bincount(file["split"][()], minlength=3)
            assert part.splits == dict(zip(SPLITS, counts.tolist(), strict=True))

    def test_both_jets_of_an_event(self, zbb_files, tmp_path):
        settings = JetSettings(selection=Selection(jets_per_event=2))
        process([zbb_files], tmp_path / "two", settings, executor="iterative")
        two = Dataset.open(tmp_path / "two")
        ids = np.concatenate([two.load(["event_id"], split)["event_id"] for split in SPLITS])
        split = np.repeat(range(3), [two.size(split) for split in SPLITS])
        events, counts = np.unique(ids, return_counts=True)
        assert set(counts) == {1, 2} and (counts == 2).sum() > 50
        for event in events[counts == 2]:
            assert len(set(split[ids == event])) == 1
        # two jets of one id are indeed of one event: that of one weight, and back to back
        whole = two.load(["event_id", "weight", "xaug"])
        phi = whole["xaug"][:, XAUG.index("phi")]
        angles = []
        for event in events[counts == 2]:
            first, second = np.flatnonzero(whole["event_id"] == event)
            assert whole["weight"][first] == whole["weight"][second]
            angles.append(np.cos(phi[first] - phi[second]))
        assert np.median(angles) < -0.9

    def test_same_events_written_twice(self, zbb_files, read_root_file, write_root_file, tmp_path):
        """The same events in another file, packed otherwise, count once: none can be trained on and tested on."""
        again = write_root_file(tmp_path / "renamed.root", *read_root_file(zbb_files / "zbb_zbb_00000.root"))
        made = process([*sorted(zbb_files.glob("*.root")), again], tmp_path / "out", executor="iterative")
        (skip,) = made["skips"]
        assert Path(skip["file"]).name in ("renamed.root", "zbb_zbb_00000.root")
        dataset = Dataset.open(tmp_path / "out")
        ids = np.concatenate([dataset.load(["event_id"], split)["event_id"] for split in SPLITS])
        assert len(ids) == len(np.unique(ids)) == 300

    @pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.5, 0.5, 0.5), (1.2, -0.1, -0.1), (float("nan"), 0.5, 0.5)])
    def test_wrong_fractions(self, fractions):
        with pytest.raises(ConfigurationError, match="split fractions"):
            JetSettings(split_fractions=fractions)


WRITE_PART = """
import sys
from pathlib import Path
import numpy as np
from xaug.data.part_files import write_part
from xaug.core.errors import StorageError
random = np.random.default_rng(1)
columns = {"image": random.random((100, 16, 16, 1)), "xaug": random.random((100, 36)), "label": np.ones(100, np.int8)}
try:
    write_part(Path(sys.argv[1]), columns, {"pt": np.ones(52)}, {"part": "p"})
except StorageError as error:
    print(error)
"""


class TestWritePart:
    COLUMNS = {"xaug": np.arange(12, dtype=np.float32).reshape(4, 3), "label": np.ones(4, np.int8)}  # noqa: RUF012

    def test_reads_back(self, tmp_path):
        write_part(tmp_path / "p.h5", self.COLUMNS, {"pt": np.arange(5.0)}, {"jets": 4})
        with h5py.File(tmp_path / "p.h5") as file:
            assert set(file) == {"xaug", "label", "control", "summary"}
            assert all(file[name].fletcher32 for name in ("xaug", "label", "summary", "control/pt"))
            np.testing.assert_array_equal(file["xaug"][()], self.COLUMNS["xaug"])
            assert file["xaug"].dtype == np.float32 and file["label"].dtype == np.int8
        summary, control = read_part_summary(tmp_path / "p.h5")
        assert summary == {"jets": 4}
        np.testing.assert_array_equal(control["pt"], np.arange(5.0))

    def test_no_rows(self, tmp_path):
        write_part(tmp_path / "p.h5", {"xaug": np.zeros((0, 3), np.float32)}, {}, {})
        with h5py.File(tmp_path / "p.h5") as file:
            assert file["xaug"].shape == (0, 3)

    @pytest.mark.parametrize("room", ["4k", "64k", "128k", "200k"])
    def test_full_disk(self, small_disk, room):
        """In a process of its own: HDF5 itself may crash when it cannot write."""
        directory = small_disk(room)
        command = [sys.executable, "-c", WRITE_PART, str(directory / "p.h5")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-300:]
        assert "p.h5: the disk is full" in done.stdout
        assert not list(directory.iterdir())


def test_some_rows_of_a_split(zbb_dataset):
    data = Dataset.open(zbb_dataset)
    whole = data.load(["xaug", "event_id"], "train")
    rows = np.sort(np.random.default_rng(0).choice(len(whole["xaug"]), 25, replace=False))
    some = data.load_rows(["xaug", "event_id"], "train", rows)
    for name in some:
        np.testing.assert_array_equal(some[name], whole[name][rows])
    parts = data.rows_by_part("train", rows)
    assert len(parts) == len(data.parts)
    np.testing.assert_array_equal(np.concatenate(parts), rows)
    for part, own in zip(data.parts, parts, strict=True):
        assert len(own) <= part.splits["train"]
