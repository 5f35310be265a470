"""The sentences that open a report: numbers with their errors, and how far explanations agree beyond chance."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from xaug.report import opening
from xaug.report.errors_beside import measured_cells


class Run:
    """A run of two classes whose trainings have these scores."""

    classes = ("background", "signal")

    def __init__(self, name, scores, label):
        self.name, self.own, self.label = name, scores, label
        self.metrics = [{"auc": float((score[label == 1][:, None] > score[label == 0]).mean())} for score in scores]

    def __len__(self):
        return len(self.own)

    def scores(self, i):
        return {"label": self.label, "score": self.own[i], "weight": np.ones(len(self.label))}


@pytest.fixture
def separation(monkeypatch):
    monkeypatch.setattr(opening, "run_label", lambda run: run.name)
    return lambda *runs: opening._separation(runs, "test jets")


def test_the_opening_has_both_errors_of_the_table(separation):
    rng, label = np.random.default_rng(3), np.repeat([0, 1], 60)
    strong, weak = (
        Run(name, [label * s + rng.normal(size=120) for _ in range(2)], label) for name, s in (("a", 2), ("b", 1))
    )
    cells = [measured_cells([run.scores(i) for i in range(2)])["auc"] for run in (strong, weak)]
    assert all("[" in cell and " ± " in cell for cell in cells)
    text = separation(weak, strong)
    assert f"by a with an AUC of {cells[0]} on test jets (mean over 2 trainings), the best of 2 networks" in text
    assert f"the worst is b with {cells[1]} on test jets (mean over 2 trainings). Square brackets are 68%" in text


def test_perfect_separation_opens_with_a_limit(separation):
    label = np.repeat([0, 1], 30)
    limit = np.floor(1e4 * 0.05 ** (1 / 30)) / 1e4  # of 30 pairs
    assert separation(Run("a", [label * 1.0] * 4, label)) == (
        f"The classes are separated by a with an AUC of > {limit:.4f} (95% CL) on test jets "
        "(mean over 4 trainings; no pair of test jets is in the wrong order)."
    )


def ranked(*order):
    return SimpleNamespace(ranking=pd.DataFrame({"rank": range(1, len(order) + 1)}, index=list(order)), labels={})


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        ("abcd", "abcd", "4 of 4 ranks (chance: 1)"),
        ("abcd", "abdc", "2 of 4 ranks (chance: 1), and differs most about c (rank 3 and 4)"),
        ("abcdefghij", "abcdefghij", "5 of the first 5 features (chance: 2.5) and all ranks"),
        (
            "abcdefghij",
            "jbcdefghia",
            "4 of the first 5 features (chance: 2.5), and differs most about a (rank 1 and 10)",
        ),
    ],
)
def test_agreement_stands_beside_that_by_chance(one, other, text):
    """Of four features, all are among the first four of any explanation, so only their order is told."""
    assert opening._difference(ranked(*one), ranked(*other)) == text
