"""Methods that take all events together keep large arrays in files: the numbers are those of arrays in memory."""

import errno
import os
from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest

import xaug
from xaug.core.errors import StorageError
from xaug.explain import disk_arrays
from xaug.explain.checkpoint import digest_of
from xaug.explain.disk_arrays import blocks_of, zeros_in
from xaug.explain.draws import generator_of
from xaug.explain.gradients import drawn, integrator
from xaug.explain.stage import explain_run, load_attributions
from xaug.training.stage import train

COLUMNS = ["a", "b", "c", "d"]
METHODS = {
    "permutation": {"method": "permutation", "draws": 2},
    "pairs": {"method": "ig", "baseline": "background", "precision": 0.0, "tolerance": 0.1},
    "places": {"method": "ig", "baseline": "background", "precision": 0.5},
}


@pytest.fixture(scope="module")
def run_path(tmp_path_factory):
    rng, path = np.random.default_rng(1), tmp_path_factory.mktemp("disk")
    label = np.repeat([0, 1], 200)
    columns = rng.normal(label[:, None], 1, (400, len(COLUMNS)))
    xaug.Dataset.write(path / "data", label=label, xaug=columns, variables={"xaug": COLUMNS})
    train(path / "data", path / "mlp", network="mlp", trainings=1, epochs=1, seed=3, workers=1)
    return path / "mlp"


@pytest.mark.parametrize("name", METHODS)
def test_files_give_what_memory_gives(run_path, tmp_path, monkeypatch, name):
    """Bit by bit, with arrays of any size in files and a few events at a time."""
    if name == "places":
        for key, value in {"WORK": 0, "COMPILED_WORK": 0, "NODES": 10**9}.items():
            monkeypatch.setattr(drawn, key, value)
        monkeypatch.setattr(integrator, "_kept", OrderedDict())
    explain_run(run_path, tmp_path / "memory", max_events=60, **METHODS[name])
    mapped = []
    made = np.memmap

    def counted(*args, **options):
        mapped.append(args)
        return made(*args, **options)

    monkeypatch.setattr(disk_arrays, "LEAST", 0)
    monkeypatch.setattr(disk_arrays, "ROWS", 7)
    monkeypatch.setattr(np, "memmap", counted)
    explain_run(run_path, tmp_path / "disk", max_events=60, **METHODS[name])
    assert len(mapped) >= 4  # inputs, sums, relevance
    (one,), (other,) = (load_attributions(tmp_path / place) for place in ("memory", "disk"))
    assert one.settings == other.settings and ("places_per_event" in one.settings) == (name == "places")
    for values, others in ((one.relevance, other.relevance), (one.standard_error or {}, other.standard_error or {})):
        for key in values:
            np.testing.assert_array_equal(values[key], others[key])
    np.testing.assert_array_equal(one.label, other.label)
    for path in (tmp_path / "memory").glob("class_level_*.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(path), pd.read_csv(tmp_path / "disk" / path.name))
    names = [sorted(path.name for path in (tmp_path / place).iterdir()) for place in ("memory", "disk")]
    assert names[0] == names[1]  # nothing is left of the files


def test_arrays_that_are_large_lie_in_files(tmp_path):
    zeros = zeros_in(tmp_path)
    small, large = zeros((3, 5), np.float32), zeros((2**20, 2))
    assert small.base is None and isinstance(large.base, np.memmap) and type(large) is np.ndarray
    assert large.shape == (2**20, 2) and large.dtype == np.float64 and not large.any() and not small.any()
    large[5] = 1.5
    assert large.sum() == 3 and list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_the_array_is_used(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match="the disk is full"):
        zeros_in(tmp_path)((2**20, 2))


@pytest.mark.parametrize("rows", [1, 7, 4096])
def test_digests_do_not_depend_on_the_blocks(monkeypatch, rows):
    x = {"a": np.arange(60, dtype=np.float32).reshape(20, 3), "b": np.ones((20, 2, 2), np.float32)}
    expected = digest_of(x.values(), "word"), generator_of(3, x).integers(10**9)
    monkeypatch.setattr(disk_arrays, "ROWS", rows)
    assert (digest_of(x.values(), "word"), generator_of(3, x).integers(10**9)) == expected
    assert sum(own.stop - own.start for own in blocks_of(20)) == 20
