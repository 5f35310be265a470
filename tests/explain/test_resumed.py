"""Explanations that are killed within a training, and go on: the same numbers as without a break."""

import signal
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest

import xaug
from xaug.explain import checkpoint
from xaug.explain.checkpoint import Checkpoint, StoredArrays, digest_of
from xaug.explain.gradients import drawn, integrator
from xaug.explain.method import ExplainJob
from xaug.explain.methods import choose_options, find_method
from xaug.explain.parts import _tasks
from xaug.explain.perturbation import changed_events
from xaug.explain.propagation.method import LayerwiseRelevance
from xaug.explain.stage import explain_run, load_attributions
from xaug.training.runs import load_run
from xaug.training.stage import train

COLUMNS = ["a", "b", "c", "d", "e", "f"]
SETTINGS = {
    checkpoint: {"EVERY": 0.0},
    drawn: {"WORK": 0, "COMPILED_WORK": 0, "NODES": 10**9, "MEMORY": 12_000},  # places are drawn, in several blocks
    integrator: {"DENSE_MEMORY": 2**16, "_kept": OrderedDict()},  # pairs come in several blocks, too
}
KILLED = """
import os, signal, sys
from collections import OrderedDict
from xaug.explain import checkpoint
from xaug.explain.gradients import drawn, integrator
from xaug.explain.stage import explain_run

for module, names in {settings}:
    vars(sys.modules[module]).update(names)
offer, places = checkpoint.Checkpoint.offer, []

def offer_and_die(self, *place):
    offer(self, *place)
    places.append(place)
    if len(places) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

checkpoint.Checkpoint.offer = offer_and_die
explain_run({run!r}, {output!r}, **{options!r})
"""


@pytest.fixture(scope="module")
def run_path(tmp_path_factory):
    rng, path = np.random.default_rng(1), tmp_path_factory.mktemp("resumed")
    label = np.repeat([0, 1], 200)
    columns = rng.normal(label[:, None], 1, (400, len(COLUMNS)))
    xaug.Dataset.write(path / "data", label=label, xaug=columns, variables={"xaug": COLUMNS})
    train(path / "data", path / "mlp", network="mlp", trainings=2, epochs=1, seed=3, workers=1)
    return path / "mlp"


@pytest.fixture
def in_blocks(monkeypatch):
    for module, names in SETTINGS.items():
        for name, value in names.items():
            monkeypatch.setattr(module, name, value)


class Stopped(Exception):
    """Raised in the middle of an explanation."""


def assert_same(one, other):
    """Bit by bit: relevance, errors, outputs, and the tables of the class."""
    for a, b in zip(load_attributions(one), load_attributions(other), strict=True):
        for name in a.relevance:
            np.testing.assert_array_equal(a.relevance[name], b.relevance[name])
            if a.standard_error is not None:
                np.testing.assert_array_equal(a.standard_error[name], b.standard_error[name])
        for name in ("logit", "reference", "rows", "label", "within_tolerance"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert a.settings == b.settings
    for path in one.glob("class_level_*.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(path), pd.read_csv(other / path.name))
    assert not list(one.glob("*part*")) + list(other.glob("*part*"))


def test_drawn_gradients_that_are_killed_go_on(run_path, in_blocks, tmp_path):
    """SIGKILL after the third checkpoint of the first training."""
    options = {"method": "ig", "baseline": "background", "precision": 0.5, "max_events": 40}
    settings = [(m.__name__, {k: v for k, v in own.items() if k != "_kept"}) for m, own in SETTINGS.items()]
    code = KILLED.format(settings=settings, run=str(run_path), output=str(tmp_path / "killed"), options=options)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept = list((tmp_path / "killed").glob("attribution_*"))
    assert [path.name for path in kept] == ["attribution_0_part_state.npz"]
    with np.load(kept[0]) as file:
        assert str(file["kind"]) == "drawn" and 0 < file["place"][2] < 40
    explain_run(run_path, tmp_path / "whole", **options)
    explain_run(run_path, tmp_path / "killed", **options)
    assert_same(tmp_path / "whole", tmp_path / "killed")
    assert "precision_reached" in load_attributions(tmp_path / "killed")[0].settings


@pytest.mark.parametrize("method", ["ig", "permutation"])
def test_sums_that_are_stopped_go_on(run_path, in_blocks, tmp_path, monkeypatch, method):
    """Each block is explained once, by the first process or by the second."""
    own = {"baseline": "background", "precision": 0.0, "tolerance": 0.1} if method == "ig" else {"draws": 2}
    options = {"method": method, "max_events": 40, **own}
    monkeypatch.setattr(changed_events, "ROWS", 4 * len(COLUMNS) * 2)
    offer, places = Checkpoint.offer, []

    def stop(self, *place):
        offer(self, *place)
        places.append(place)
        if len(places) == 5:
            raise Stopped

    monkeypatch.setattr(Checkpoint, "offer", stop)
    with pytest.raises(Stopped):
        explain_run(run_path, tmp_path / "stopped", **options)
    explain_run(run_path, tmp_path / "stopped", **options)
    of_training, step = len(places) // 2, places[0][0]
    assert [place[0] for place in places] == [*range(step, step * of_training + 1, step)] * 2
    explain_run(run_path, tmp_path / "whole", **options)
    assert_same(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("method", ["lrp", "rescale", "occlusion", "shapley", "expected_gradients"])
def test_blocks_that_are_stopped_go_on(run_path, tmp_path, monkeypatch, method):
    """A block that was finished is not explained again; a damaged one is."""
    kind = type(find_method(method))
    options = {
        "lrp": {"engine": "native"}, "rescale": {}, "occlusion": {"baseline": "blank"},
        "shapley": {"baseline": "blank", "groups": "inputs"},
        "expected_gradients": {"baseline": "background", "samples": 4},
    }[method]  # fmt: skip
    options |= {"method": method, "max_events": 30}
    monkeypatch.setattr(kind, "block", 8)
    explain, sizes = kind.explain, []

    def stop(self, job, events, on_events):
        if len(sizes) == 3:
            sizes.append(0)
            raise Stopped
        sizes.append(len(events.label))
        return explain(self, job, events, on_events)

    monkeypatch.setattr(kind, "explain", stop)
    with pytest.raises(Stopped):
        explain_run(run_path, tmp_path / "stopped", **options)
    kept = sorted((tmp_path / "stopped").glob("attribution_0_part_*.h5"))
    assert len(kept) == 3
    kept[0].write_bytes(kept[0].read_bytes()[:300])
    explain_run(run_path, tmp_path / "stopped", **options)
    assert sum(sizes) == 2 * 30 + 8
    monkeypatch.setattr(kind, "explain", explain)
    explain_run(run_path, tmp_path / "whole", **options)
    assert_same(tmp_path / "whole", tmp_path / "stopped")


def test_blocks_of_other_work_are_not_taken(run_path, tmp_path, monkeypatch):
    """Names of files say what decides their content: another rule finds none of them."""
    monkeypatch.setattr(LayerwiseRelevance, "block", 8)
    run, lrp = load_run(run_path), find_method("lrp")
    default, epsilon = choose_options(lrp, {}), choose_options(lrp, {"rule": "epsilon"})
    names = []
    for options, seed, first in ((default, 1, 0), (epsilon, 1, 0), (default, 2, 0), (default, 1, 1)):
        job = ExplainJob(run, run.dataset(), "test", options, seed, tmp_path)
        names.append({task.path.name for task in _tasks(lrp, job, 0, np.arange(first, first + 16))})
    assert len(set.union(*names)) == sum(map(len, names)) >= 8


def test_a_checkpoint_is_of_one_work(tmp_path):
    """Another key, another way, or a damaged file: nothing to go on from."""
    path, sums = tmp_path / "state.npz", np.arange(3.0)
    first = Checkpoint(path, "key", every=0)
    assert first.begin("pairs", {"own": StoredArrays({"sums": sums})}) is None
    first.offer(4, 2)

    def begun(key, kind):
        found = np.zeros(3)
        return Checkpoint(path, key).begin(kind, {"own": StoredArrays({"sums": found})}), found.tolist()

    assert begun("key", "pairs") == ((4, 2), [0.0, 1.0, 2.0])
    assert begun("other", "pairs") == begun("key", "drawn") == (None, [0.0, 0.0, 0.0])
    Checkpoint(path, "key").offer(5)  # not yet
    assert begun("key", "pairs")[0] == (4, 2)
    path.write_bytes(path.read_bytes()[:100])
    assert begun("key", "pairs") == (None, [0.0, 0.0, 0.0])
    assert digest_of([sums], "a") != digest_of([sums], "b") != digest_of([sums[::-1]], "b")
