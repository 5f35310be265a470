"""Numbers with both of their errors, computed again from scores."""

import re

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from xaug.report.errors_beside import efficiency_cells, measured_cells, quoted


def trainings(n=400, number=3, shift=2.0):
    rng = np.random.default_rng(2)
    label = np.repeat([0, 1], n)
    scores = [1 / (1 + np.exp(-rng.normal(shift * (label - 0.5), 1.0))) for _ in range(number)]
    return [{"label": label, "score": score, "weight": np.ones(2 * n)} for score in scores]


def numbers(cell):
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", cell)]


def test_both_errors_stand_apart_and_the_spread_is_of_a_sample():
    assert quoted([0.9, 0.94], (0.9, 0.93), 3) == "0.920 [0.900, 0.930] ± 0.028"
    assert quoted([0.9], (0.88, 0.92), 2) == "0.90 [0.88, 0.92]"


def test_auc_rejection_and_accuracy():
    found = trainings(shift=1.5)
    cells = measured_cells(found)
    areas = [roc_auc_score(one["label"], one["score"]) for one in found]
    mean, low, high, spread = numbers(cells["auc"])
    assert (mean, spread) == (pytest.approx(np.mean(areas), abs=6e-5), pytest.approx(np.std(areas, ddof=1), abs=6e-5))
    assert low < mean < high
    rejections = []
    for one in found:
        signal = np.sort(one["score"][one["label"] == 1])[::-1]
        rejections.append(1 / (one["score"][one["label"] == 0] >= signal[199]).mean())
    mean, low, high, spread = numbers(cells["rejection_50"])
    assert mean == pytest.approx(np.mean(rejections), abs=0.06)
    assert spread == pytest.approx(np.std(rejections, ddof=1), abs=0.06)
    around = [binomtest(round(400 / mean) + d, 400).proportion_ci(0.6827, method="exact") for d in (-1, 1)]
    assert 1 / around[1].high < low < 1 / around[0].high
    assert 1 / around[1].low < high < 1 / around[0].low
    right = [((one["score"] >= 0.5) == (one["label"] == 1)).mean() for one in found]
    assert numbers(cells["accuracy"])[0] == pytest.approx(np.mean(right), abs=6e-5)


def test_without_background_there_is_a_limit():
    cells = measured_cells(trainings(shift=30.0))
    assert cells["rejection_50"] == f"> {1 / (1 - 0.05 ** (1 / 400)):.0f} (95% CL)"
    assert cells["auc"] == f"> {0.05 ** (1 / 400):.4f} (95% CL)"  # the limit of 400 pairs, none in the wrong order
    assert efficiency_cells(trainings(shift=30.0))["AUC, mean score"] == cells["auc"]


def test_an_auc_close_to_one_has_two_digits_of_what_it_lacks():
    label = np.repeat([0, 1], 200)
    score = label + 0.0
    score[[0, 200]] = 0.6, 0.5  # one pair of 40,000 is in the wrong order
    (lacks, *_) = numbers(measured_cells([{"label": label, "score": score, "weight": np.ones(400)}])["auc"])
    assert lacks == 0.999975


def test_the_spread_of_single_events_is_not_quoted():
    """Three background events of 400 pass in each training: 133, with the interval of three events and no ± 0."""
    label = np.repeat([0, 1], 400)
    score = np.r_[np.repeat([0.9, 0.1], [3, 397]), np.full(400, 0.8)]
    found = [{"label": label, "score": score, "weight": np.ones(800)} for _ in range(4)]
    mean, low, high = numbers(measured_cells(found)["rejection_50"])
    exact = binomtest(3, 400).proportion_ci(0.6827, method="exact")
    assert (mean, low, high) == (133, pytest.approx(1 / exact.high, abs=0.6), pytest.approx(1 / exact.low, abs=0.6))


def test_efficiencies_of_few_background_events_are_not_quoted():
    cells = efficiency_cells(trainings(number=1))
    assert cells["signal % at 1% background"] == "too few events"
    value, low, high = numbers(cells["signal % at 10% background"])
    exact = binomtest(round(4 * value), 400).proportion_ci(0.6827, method="exact")
    assert (low, high) == (pytest.approx(100 * exact.low, abs=0.06), pytest.approx(100 * exact.high, abs=0.06))


def test_three_classes_have_the_auc_of_each_pair():
    rng = np.random.default_rng(4)
    label = rng.integers(0, 3, 500)
    found = []
    for _ in range(2):
        raw = np.exp(rng.normal(size=(500, 3)) + 1.5 * np.eye(3)[label])
        found.append({"label": label, "score": raw / raw.sum(axis=1, keepdims=True), "weight": np.ones(500)})
    cells = measured_cells(found, ["a", "b", "c"])
    assert list(cells) == ["auc", "accuracy", "AUC b-a", "AUC c-a", "AUC c-b"]
    areas = [roc_auc_score(label, one["score"], multi_class="ovr") for one in found]
    mean, low, high, spread = numbers(cells["auc"])
    assert (mean, spread) == (pytest.approx(np.mean(areas), abs=6e-5), pytest.approx(np.std(areas, ddof=1), abs=6e-5))
    assert low < mean < high
    pair = label != 1
    areas = [roc_auc_score(label[pair] == 2, (one["score"][:, 2] / (one["score"][:, 0] + one["score"][:, 2]))[pair])
             for one in found]  # fmt: skip
    assert numbers(cells["AUC c-a"])[0] == pytest.approx(np.mean(areas), abs=6e-5)
    right = [np.mean([(one["score"].argmax(1) == label)[label == of].mean() for of in range(3)]) for one in found]
    mean, low, high, _ = numbers(cells["accuracy"])
    assert mean == pytest.approx(np.mean(right), abs=6e-5)
    assert high - low == pytest.approx(2 * np.sqrt(mean * (1 - mean) / 500), rel=0.15)


def test_without_events_of_a_class_the_cells_say_so():
    own = {"label": np.ones(5, dtype=int), "score": np.linspace(0, 1, 5), "weight": np.ones(5)}
    cells = measured_cells([own], ("QCD", "top"))
    assert cells["auc"] == "no QCD events" and cells["accuracy"] == "" and cells["rejection_50"] == ""
    label = np.arange(60) % 2 * 2  # of three classes the second has no events
    score = np.random.default_rng(1).dirichlet([1, 1, 1], 60)
    cells = measured_cells([{"label": label, "score": score, "weight": np.ones(60)}], ("a", "b", "c"))
    assert cells["auc"] == "no b events" and cells["AUC b-a"] == cells["AUC c-b"] == ""
    assert float(cells["AUC c-a"].split()[0]) == pytest.approx(
        np.mean((score[label == 2, 2] / score[label == 2][:, [0, 2]].sum(axis=1))[:, None]
                > (score[label == 0, 2] / score[label == 0][:, [0, 2]].sum(axis=1))), abs=1e-4
    )  # fmt: skip
