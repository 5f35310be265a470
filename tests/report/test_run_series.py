"""Series of runs that differ in their sample or in their steps, and the curves that are drawn of them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import xaug
from xaug.report.run_series import runs_by_size, runs_by_steps
from xaug.report.stage import report
from xaug.training.learning_curve import CurvePoint, auc_error, extrapolate
from xaug.training.stage import PlannedRun, train_all

STEPS, SIZES = (4, 8, 16), (60, 100, 140)


@pytest.fixture(scope="module")
def runs(zbb_dataset, tmp_path_factory) -> Path:
    """Runs of two trainings by steps on all jets, and one training on smaller samples in the longest of them."""
    path = tmp_path_factory.mktemp("series")
    common = {"network": "mlp", "xaug": "softdrop_mass,tau21", "batch_size": 32, "check_every": 4}
    planned = [PlannedRun(zbb_dataset, path / f"s{n}", steps=n, trainings=2, **common) for n in STEPS]
    planned += [PlannedRun(zbb_dataset, path / f"j{n}", steps=16, max_jets=n, trainings=1, **common) for n in SIZES]
    train_all(planned, "train", 1, 9)
    for one in planned:
        one.finish()
    return path


@pytest.fixture(scope="module")
def opened(runs):
    return {path.name: xaug.load_run(path) for path in sorted(runs.iterdir())}


def other(run, **settings):
    """The run as if it had been trained with other settings; None takes one away."""
    changed = xaug.load_run(run.path)
    config = {key: value for key, value in {**run.record.config, **settings}.items() if value is not None}
    changed.record = replace(run.record, config=config)
    return changed


def test_series(opened):
    full = [opened[f"s{n}"] for n in STEPS]
    small = [opened[f"j{n}"] for n in SIZES]
    by_size = runs_by_size(full, [*full, *small])
    assert {name: [run.name for run in own] for name, own in by_size.items()} == {"s16": ["s16", "j60", "j100", "j140"]}
    assert {name: [r.name for r in own] for name, own in runs_by_steps(full).items()} == {"s16": ["s4", "s8", "s16"]}


@pytest.mark.parametrize(
    "setting",
    [{"image_scaling": "pixel"}, {"scale_on_all": True}, {"weights": "event"}, {"reweight": "pt"}, {"batch_size": 64}],
)
def test_runs_that_differ_in_more_are_no_series(opened, setting):
    """A run of another scaling, or of other batches, has a curve of its own."""
    full = [opened["s4"], opened["s8"], other(opened["s16"], **setting)]
    assert list(runs_by_steps(full)) == ["s8"]
    assert runs_by_steps([opened["s4"], full[2]]) == {}
    if "batch_size" not in setting:
        assert runs_by_size(full[2:], [full[2], opened["j60"]]) == {}


def test_curves_of_a_report(runs, opened):
    """Points are those of the runs; the open points are those of the fit, to four times the largest."""
    names = [*(f"s{n}" for n in STEPS), *(f"j{n}" for n in SIZES)]
    result = report([runs / name for name in names], runs.parent / "report", keys=["learning_curve", "step_curve"])
    table = pd.read_csv(runs.parent / "report" / "step_curve.csv")
    assert list(table["steps"]) == list(STEPS) and list(table["network"]) == ["s16"] * 3
    auc = [np.array([m["auc"] for m in opened[f"s{n}"].metrics]) for n in STEPS]
    np.testing.assert_allclose(table["auc"], [own.mean() for own in auc])
    typical = np.median([own.std(ddof=1) for own in auc])
    points = [
        CurvePoint(n, own.mean(), max(own.std(ddof=1), typical) / np.sqrt(2)) for n, own in zip(STEPS, auc, strict=True)
    ]
    expected = extrapolate(points, 4 * 16)
    found = json.loads((runs.parent / "report" / "step_curve.json").read_text())["s16"]
    assert (found["auc"], found["error"]) == pytest.approx((expected.auc, expected.error))
    caption = result["figures"]["step_curve"]
    assert "2 of 36 XAUGs" in caption and f" {expected.auc:.4f} ± {expected.error:.4f} at 64" in caption
    sizes = pd.read_csv(runs.parent / "report" / "learning_curve.csv")
    whole = xaug.Dataset.open(opened["s16"].dataset().path).size("train")
    assert sizes["training_jets"].iloc[-1] == whole and len(sizes) == 4
    assert (sizes["steps"] == 16).all()
    rows = {row["run"]: row for row in result["performance"]}
    for name, n in (("s4", 4), ("j60", 16)):
        assert rows[name]["steps"] == n and 0 < rows[name]["kept at step"] <= n
        assert rows[name]["training jets"] == opened[name].training_events


def test_one_training_a_point_takes_the_error_of_the_test_sample(opened):
    from xaug.report.figures.learning import curve_points

    small = [opened[f"j{n}"] for n in SIZES]
    label = small[0].scores(0)["label"]
    for point, run in zip(curve_points(small, lambda run: run.training_events), small, strict=True):
        assert point.size == run.training_events
        expected = auc_error(run.metrics[0]["auc"], int((label == 1).sum()), int((label == 0).sum()))
        assert point.error == pytest.approx(expected)
