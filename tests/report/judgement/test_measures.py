"""Measures, and which method is best, on numbers that are written down."""

import numpy as np
import pytest

from xaug.core.errors import ConfigurationError
from xaug.report.judgement.measures import Measure, chosen_tests, over_trainings
from xaug.report.judgement.stage import TESTS, RunJudgement
from xaug.report.judgement.verdict import best_of, cell, ranks_of, tolerance

RESIDUALS = {"ig": 7.5e-9, "rescale": 6.6e-8, "lrp": 0.8}


def measure(value, error=0.01, spread=np.nan, trainings=1, better=1):
    return Measure("made up", "m", value, error, spread, trainings, better)


def test_the_best_is_marked_where_it_is_significantly_so():
    assert best_of({"a": measure(0.9), "b": measure(0.8)}) == "a"
    assert best_of({"a": measure(0.9), "b": measure(0.89)}) is None
    assert best_of({"a": measure(0.9, better=-1), "b": measure(0.8, better=-1)}) == "b"
    assert best_of({"a": measure(0.9, better=0), "b": measure(0.8, better=0)}) is None
    assert best_of({"a": measure(0.9), "b": measure(0.8), "c": measure(0.895)}) is None
    assert best_of({"a": measure(0.9), "b": measure(np.nan)}) is None  # nothing to compare with
    assert best_of({"a": measure(0.9, error=np.nan), "b": measure(0.1)}) is None  # no error, no significance
    assert best_of({"a": measure(0.9, 0.01, 0.4, 4), "b": measure(0.8)}) is None


def test_rounding_makes_no_best():
    complete = {name: Measure("m", "m", value, 1e-12, better=-1, rounding=1e-5) for name, value in RESIDUALS.items()}
    assert best_of({"ig": complete["ig"], "rescale": complete["rescale"]}) is None
    assert best_of({"ig": complete["ig"], "lrp": complete["lrp"]}) == "ig"


def test_both_errors_count():
    assert measure(1.0, 0.03, 0.08, 10_000).margin == pytest.approx(2 * np.hypot(0.03, 0.0008), rel=1e-3)
    assert measure(1.0, 0.0, 0.08, 4).margin == pytest.approx(3.31 * 0.04, rel=0.01)  # t of three degrees of freedom
    assert np.isnan(measure(1.0, np.nan).margin)
    several = over_trainings("made up", "m", np.array([1.0, 2.0, 3.0]), 0.5, 1)
    assert (several.value, several.training_spread, several.trainings) == (2.0, 1.0, 3)
    assert np.isnan(over_trainings("made up", "m", np.array([1.0]), 0.5, 1).training_spread)


def test_cells():
    assert cell(measure(0.5, 0.01, 0.02, 4)) == "0.500 ± 0.010 ± 0.020"
    assert cell(measure(-0.5)) == "−0.500 ± 0.010"
    assert cell(Measure("t", "m", np.nan, note="one training")) == "one training"
    assert cell(None) == ""
    assert cell(Measure("t", "stable ranks", 7.0)) == "7"


def test_measures_survive_a_file():
    for one in (measure(0.5, 0.01, 0.02, 4), measure(np.nan, np.nan)):
        again = Measure.from_json(one.to_json())
        np.testing.assert_equal(vars(again), vars(one))


def test_tests_are_chosen_by_name():
    assert [one.name for one in chosen_tests(["all"])] == list(TESTS)
    assert not any(one.explains_again for one in chosen_tests(None))
    assert [one.name for one in chosen_tests(["halves", "deletion"])] == [
        n for n in TESTS if n in ("halves", "deletion")
    ]
    with pytest.raises(ConfigurationError, match="deletion"):
        chosen_tests(["deletoin"])


def test_ranks_and_their_tolerance():
    assert ranks_of(np.array([0.1, 0.7, 0.4])).tolist() == [3, 1, 2]
    assert [tolerance(n) for n in (4, 15, 37)] == [0, 2, 4]


def test_a_test_that_is_not_defined_for_a_method_says_so_in_the_row_of_the_others():
    measures = {
        "lrp": [Measure("completeness", "median residual / spread of the output", 0.2, 0.01, better=-1)],
        "ig": [Measure("completeness", "median residual / spread of the output", 0.001, 0.0001, better=-1)],
        "other": [Measure("completeness", TESTS["completeness"].words, np.nan, note="not meant to add up")],
    }
    found = RunJudgement("run", dict.fromkeys(measures, "made up"), 1, 100, measures, [])
    table = found.table()
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["lrp"], row["other"], row["best"]) == ("0.200 ± 0.010", "not meant to add up", "ig")
    assert row["better"] == "smaller is better" and found.best_cells() == {0: ["ig"]}
