"""Weights of events in training, and the significance of a search behind a network."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import xaug
from xaug.training.stage import PlannedRun, train_all

XSEC = {"signal": (0.5, 40.0), "tt": (3.0, 100.0), "wjets": (20.0, 500.0)}
"""Cross section [pb] and sum of generated weights."""
OPTIONS = {"trainings": 1, "epochs": 3, "batch_size": 64, "learning_rate": 0.01}
ALL_AT_ONCE = {"network": "mlp", "trainings": 1, "epochs": 4, "batch_size": 100_000, "learning_rate": 0.01}
"""One batch an epoch, in a network without dropout and BatchNorm: then nothing but the weighted loss matters."""


def jets_of(weight, copies):
    """Uniform XAUGs, so that copies do not move the range of the scaling; each event so often."""
    rng = np.random.default_rng(4)
    n = len(weight)
    process = np.repeat(list(XSEC), n // 3)
    features = rng.random((n, 36), np.float32)
    features[:, 0] += 0.4 * (process == "signal")
    features[:, 1] += 0.8 * (process == "wjets")
    columns = {
        "xaug": features, "label": (process == "signal").astype(np.int8), "weight": weight, "process": process,
        "event_id": np.arange(n, dtype=np.uint64), "split": rng.choice(3, n, p=[0.6, 0.2, 0.2]).astype(np.int8),
    }  # fmt: skip
    return {name: np.repeat(values, copies, axis=0) for name, values in columns.items()}


@pytest.fixture(scope="module")
def runs(event_dataset, event_columns, write_dataset, tmp_path_factory):
    """All trainings of this module, in one process."""
    path = tmp_path_factory.mktemp("weights")
    times = np.random.default_rng(5).integers(1, 5, 450)
    known = {name: dict(zip(("xsec", "sum_weights_generated"), two, strict=True)) for name, two in XSEC.items()}
    weighted = write_dataset(path / "weighted", "jets", jets_of(times.astype(float), 1), known)
    copied = write_dataset(path / "copied", "jets", jets_of(np.ones(450), times), known)
    unknown = write_dataset(path / "unknown", "events", event_columns(100, seed=2))
    few = event_columns(12, seed=3)
    few = write_dataset(path / "few", "events", few, {name: {"xsec": 1.0, "sum_weights_generated": 100.0}
                                                      for name in np.unique(few["process"])})  # fmt: skip
    planned = {
        **{name: PlannedRun(event_dataset.path, path / name, network="event", weights=name, **OPTIONS)
           for name in ("unit", "event", "cross_section")},
        "weighted": PlannedRun(weighted.path, path / "run_weighted", weights="cross_section", **ALL_AT_ONCE),
        "copied": PlannedRun(copied.path, path / "run_copied", weights="cross_section", **ALL_AT_ONCE),
        "alike": PlannedRun(weighted.path, path / "run_alike", weights="unit", **ALL_AT_ONCE),
        "unknown": PlannedRun(unknown.path, path / "run_unknown", network="event", **OPTIONS),
        "few": PlannedRun(few.path, path / "run_few", network="event", **OPTIONS),
    }  # fmt: skip
    train_all(list(planned.values()), "train", 1, len(planned))
    for run in planned.values():
        run.finish()
    return {name: xaug.load_run(run.output) for name, run in planned.items()} | {"times": times}


def test_an_event_of_weight_k_trains_as_k_events(runs):
    test = runs["weighted"].dataset().load(["weight"], "test")["weight"].astype(int)
    one, many, alike = (runs[name].scores(0)["score"] for name in ("weighted", "copied", "alike"))
    np.testing.assert_allclose(np.repeat(one, test), many, rtol=1e-4)
    assert np.abs(one - alike).max() > 0.01  # and not as one
    for metric in ("auc", "accuracy"):
        assert runs["weighted"].metrics[0][metric] == pytest.approx(runs["copied"].metrics[0][metric], abs=1e-6)
    np.testing.assert_allclose(
        runs["weighted"].history(0)["val_loss"], runs["copied"].history(0)["val_loss"], rtol=1e-4
    )


def test_choice_of_weights_changes_what_is_trained_and_judged(runs, event_dataset):
    """W+jets is 80% of the expected background, and a third of it where each process counts as its events."""
    arrays = event_dataset.load(["weight", "process", "label"], "test")
    scales = {"tt1l": 0.5, "wjets": 2.0, "zz": 0.01}
    scores = {name: runs[name].scores(0)["score"] for name in ("unit", "event", "cross_section")}
    assert np.abs(scores["event"] - scores["cross_section"]).max() > 0.01
    assert np.abs(scores["event"] - scores["unit"]).max() > 0.01
    whole = event_dataset.load(["weight", "process"])
    of_process = {name: whole["weight"][whole["process"] == name].sum() for name in scales}
    weight = {
        "unit": np.ones(len(arrays["label"])),
        "event": arrays["weight"] / np.select(
            [arrays["process"] == name for name in ("signal", *scales)],
            [arrays["weight"][arrays["process"] == name].mean() for name in ("signal", *scales)],
        ),
        "cross_section": arrays["weight"] * np.select(
            [arrays["process"] == name for name in scales],
            [xsec / of_process[name] for name, xsec in scales.items()], 1.0,
        ),
    }  # fmt: skip
    for name, w in weight.items():
        assert runs[name].metrics[0]["auc"] == pytest.approx(
            roc_auc_score(arrays["label"], scores[name], sample_weight=w), abs=1e-9
        )


def test_significance_by_trying_all_thresholds(event_run, event_dataset):
    """Chosen on validation among those that keep 20 effective background events, judged on test, for 3000/fb."""
    xsec = {"signal": 0.005, "tt1l": 0.5, "wjets": 2.0, "zz": 0.01}
    whole = event_dataset.load(["weight", "process"])
    run, expected = xaug.load_run(event_run), {}
    for split in ("validation", "test"):
        arrays = event_dataset.load(split=split)
        share = len(arrays["label"]) / len(whole["process"])
        count = np.zeros(len(arrays["label"]))
        for name, sigma in xsec.items():
            own = arrays["process"] == name
            generated = 10 * whole["weight"][whole["process"] == name].sum()
            count[own] = sigma * 3e6 * arrays["weight"][own] / generated / share
        expected[split] = arrays, count
    for i, found in enumerate(run.metrics):
        best, threshold = -1, None
        arrays, count = expected["validation"]
        score = run.model(i).predict(run.inputs(arrays), verbose=0)[:, 1]
        for cut in np.unique(score):
            s, b = (count[(score >= cut) & (arrays["label"] == label)] for label in (1, 0))
            if b.sum() > 0 and b.sum() ** 2 >= 20 * (b**2).sum():
                z = np.sqrt(2 * ((s.sum() + b.sum()) * np.log(1 + s.sum() / b.sum()) - s.sum()))
                best, threshold = max((best, threshold), (z, cut))
        assert found["threshold"] == pytest.approx(threshold, abs=1e-5)
        arrays, count = expected["test"]
        passed = run.scores(i)["score"] >= found["threshold"]
        s, b = (count[passed & (arrays["label"] == label)].sum() for label in (1, 0))
        assert found["expected_signal"] == pytest.approx(s)
        assert found["expected_background"] == pytest.approx(b)
        assert found["significance"] == pytest.approx(np.sqrt(2 * ((s + b) * np.log(1 + s / b) - s)))


def test_no_significance_without_cross_sections_or_without_events(runs, event_run):
    assert "no_significance" not in xaug.load_run(event_run).metrics[0]
    unknown, few = runs["unknown"].metrics[0], runs["few"].metrics[0]
    assert not {"significance", "no_significance"} & set(unknown)
    assert "significance" not in few
    assert "effective events, fewer than the 20" in few["no_significance"]
