"""The dataset that the toy model leaves: its content, whatever the workers or interruptions, and its command."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.mathtext import MathTextParser
from numpy.testing import assert_allclose, assert_array_equal

from xaug import train, variables
from xaug.core.errors import ConfigurationError, DatasetError, StorageError
from xaug.data.dataset import Dataset
from xaug.generate import toy
from xaug.generate.__main__ import main
from xaug.generate.toy import ToyJets, generate

SINGLE = 2e-6  # float32, sums of ten
FIELDS = ["image", "list", "xaug", "label", "weight", "process", "event_id"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Directory of 1500 toy jets a class, made by two workers."""
    output = tmp_path_factory.mktemp("toy") / "toy"
    generate(output, jets=1500, seed=3, workers=2)
    return output


def test_dataset_holds_all_representations(dataset):
    data = Dataset.open(dataset)
    assert (data.kind, len(data), data.processes) == ("toy", 3000, {"background": 0, "signal": 1})
    assert set(data.fields) == set(FIELDS)
    arrays = data.load()
    assert set(arrays) == set(FIELDS)
    shapes = {name: values.shape[1:] for name, values in arrays.items() if values.ndim > 1}
    assert shapes == {"image": (16, 16, 1), "list": (10, 6), "xaug": (4,)}
    assert all(len(values) == 3000 for values in arrays.values())
    assert {arrays[name].dtype for name in shapes} == {np.dtype(np.float32)}
    assert_array_equal(np.bincount(arrays["label"]), [1500, 1500])
    assert_array_equal(arrays["process"] == "signal", arrays["label"] == 1)
    assert_array_equal(arrays["weight"], 1.0)
    assert len(np.unique(arrays["event_id"])) == 3000
    z = arrays["xaug"][:, data.names("xaug").index("z")]
    assert_allclose(arrays["list"][..., 0].sum(axis=1), z, rtol=SINGLE)
    assert z[arrays["label"] == 0].mean() > 0.85 > 0.6 > z[arrays["label"] == 1].mean()


def test_every_jet_is_another_one(dataset):
    """No two of both classes share a radius or an image: streams of random numbers do not overlap."""
    arrays = Dataset.open(dataset).load(["xaug", "image"])
    assert len(np.unique(arrays["xaug"][:, 2:], axis=0)) == 3000
    assert len(np.unique(arrays["image"].reshape(3000, -1), axis=0)) == 3000


def test_split_is_a_random_share_of_each_class(dataset):
    data = Dataset.open(dataset)
    labels = {split: data.load(["label"], split)["label"] for split in ("train", "validation", "test")}
    assert sum(len(found) for found in labels.values()) == 3000
    for split, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        assert data.size(split) == len(labels[split])
        expected = 1500 * share
        assert np.abs(np.bincount(labels[split]) - expected).max() < 4 * np.sqrt(expected * (1 - share))


@pytest.mark.parametrize("workers", [1, 3])
def test_same_jets_whatever_the_workers(dataset, tmp_path, read_parts, assert_same_parts, workers):
    generate(tmp_path / "again", jets=1500, seed=3, workers=workers)
    assert_same_parts(read_parts(tmp_path / "again"), read_parts(dataset))
    one, two = (json.loads((path / "manifest.json").read_text()) for path in (tmp_path / "again", dataset))
    # bytes of files, and so their digests, depend on what the memory of the LZF compression held before
    neutral = {"command": "", "file_digests": {}, "seal": ""}
    assert one["file_digests"].keys() == two["file_digests"].keys()
    assert {**one, **neutral} == {**two, **neutral}


def test_other_seeds_and_overlaps_give_other_jets(dataset, tmp_path):
    arrays = Dataset.open(dataset).load(["xaug", "event_id"])
    for name, options in (("seed", {"seed": 4}), ("overlap", {"seed": 3, "overlap": "large"})):
        generate(tmp_path / name, jets=1500, **options)
        other = Dataset.open(tmp_path / name)
        found = other.load(["xaug", "event_id"])
        assert not np.isin(found["event_id"], arrays["event_id"]).any()
        assert (found["xaug"][:, 1] != arrays["xaug"][:, 1]).mean() > 0.99
        assert other.digest != Dataset.open(dataset).digest


def test_more_jets_begin_with_the_same(dataset, tmp_path):
    few, many = Dataset.open(dataset).load(FIELDS), 2100
    generate(tmp_path / "more", jets=many, seed=3)
    more = Dataset.open(tmp_path / "more").load(FIELDS)
    for name in FIELDS:
        for label in (0, 1):
            assert_array_equal(
                more[name][label * many : label * many + 1500], few[name][label * 1500 : (label + 1) * 1500]
            )


def test_parts_continue_each_other():
    """Large samples have several parts a class; the second does not repeat the first."""
    parts = ToyJets().plan(toy.JETS_PER_PART + 100)
    assert [(part.process, part.start, part.rows) for part in parts] == [
        ("background", 0, toy.JETS_PER_PART), ("background", toy.JETS_PER_PART, 100),
        ("signal", 0, toy.JETS_PER_PART), ("signal", toy.JETS_PER_PART, 100),
    ]  # fmt: skip
    first, second = (
        ToyJets().columns(replace(parts[0], start=start, stop=start + 100)) for start in (0, toy.JETS_PER_PART)
    )
    assert not np.isin(first["xaug"][:, 2], second["xaug"][:, 2]).any()
    assert not np.isin(first["event_id"], second["event_id"]).any()


def test_finished_and_interrupted_runs(dataset, tmp_path, read_parts, assert_same_parts):
    """A finished run is left as it is; an unfinished one gets the part that it lacks, and no other."""
    output = tmp_path / "toy"
    first = generate(output, jets=1500, seed=3)
    parts = sorted(output.glob("*.h5"))
    before = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    assert generate(output, jets=1500, seed=3) == first
    assert {path: path.stat().st_mtime_ns for path in output.iterdir()} == before

    parts[0].unlink()
    with pytest.raises(DatasetError, match=r"is damaged \(it is missing\)\. Run `"):
        Dataset.open(output)
    (output / ".part-killed.h5").write_bytes(b"half a part")
    generate(output, jets=1500, seed=3)
    assert not (output / ".part-killed.h5").exists()
    assert parts[1].stat().st_mtime_ns == before[parts[1]]
    assert_same_parts(read_parts(output), read_parts(dataset))


@pytest.mark.parametrize("options", [{"jets": 30}, {"seed": 4}, {"overlap": "small"}])
def test_another_sample_in_the_same_place_is_refused(tmp_path, options):
    generate(tmp_path / "toy", jets=20, seed=3)
    with pytest.raises(ConfigurationError, match=f"other settings .*{next(iter(options))}"):
        generate(tmp_path / "toy", **{"jets": 20, "seed": 3, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jets": 0}, "--jets 0: must be at least 1"),
        ({"jets": 10, "seed": -1}, "--seed -1"),
        ({"jets": 10, "overlap": "smal"}, "unknown overlap 'smal'; did you mean 'small'"),
    ],
)
def test_impossible_samples(tmp_path, options, message):
    with pytest.raises(ConfigurationError, match=message):
        generate(tmp_path / "toy", **options)
    assert not (tmp_path / "toy").exists()


def test_full_disk_is_told(small_disk):
    directory = small_disk("300k")
    with pytest.raises(StorageError, match="disk is full"):
        generate(directory / "toy", jets=4000)
    assert not list(directory.rglob("*.h5"))


# --- the command, and the table


def test_command(tmp_path):
    run = CliRunner().invoke(main, ["toy", "--jets", "60", "--overlap", "large", "-o", str(tmp_path / "toy"), "--json"])
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout.splitlines()[-1])
    assert result["jets"] == {"background": 60, "signal": 60}
    content = Dataset.open(result["output"]).manifest
    assert content["config"]["overlap"] == "large"
    assert content["config"]["populations"]["signal"]["theta"] == {"mean": 0.2, "sigma": 0.05}

    run = CliRunner().invoke(main, ["toy", "--jets", "60", "--overlap", "huge", "-o", str(tmp_path / "huge")])
    assert run.exit_code == 2
    assert "Known: small, medium, large, table1" in run.output


def test_training_without_a_dataset_trains_on_toy_jets(tmp_path, monkeypatch):
    """What is trained on; that training itself works is tested elsewhere."""
    given = []

    def stop(dataset, *_, **__):
        given.append(dataset)
        raise ConfigurationError("enough is known")

    monkeypatch.setattr(train, "TOY_JETS", 50)
    monkeypatch.setattr(train, "train", stop)
    run = CliRunner().invoke(train.main, ["-o", str(tmp_path / "run"), "--seed", "5"])
    assert "error: enough is known" in run.output
    data = Dataset.open(given[0])
    assert (data.kind, len(data), data.manifest["config"]["seed"]) == ("toy", 100, 5)
    assert data.path.parent == tmp_path / "run"


def test_help_says_what_jets_count():
    run = CliRunner().invoke(main, ["toy", "--help"])
    assert "Jets of each class" in " ".join(run.output.split())
    assert "Example: python -m xaug.generate toy" in run.output


def test_names_of_the_contract():
    assert variables.names("toy", "xaug") == ["theta", "z", "r1", "r2"]
    assert variables.names("toy", "list") == [
        "z1", "z2", "delta_alpha1", "delta_alpha2", "delta_beta1", "delta_beta2"
    ]  # fmt: skip
    assert variables.names("toy", "image") == ["image"]


@pytest.mark.parametrize("block", ["image", "list", "xaug"])
def test_rows_of_the_table(block):
    for row in variables.rows("toy", block):
        assert row.group in variables.GROUPS
        assert row.reference == "arXiv:2011.13466 sec. 3"
        assert row.padding is None  # ten particles a subjet, always
        MathTextParser("agg").parse(row.axis_label)


def test_generating_needs_no_heavy_library(python, tmp_path):
    """A worker a core starts in a fraction of a second."""
    code = (
        "import sys, xaug.generate.toy; "
        "print([m for m in ('tensorflow', 'coffea', 'uproot', 'fastjet', 'matplotlib', 'awkward') if m in sys.modules])"
    )
    assert python("-c", code).stdout.strip() == "[]"
