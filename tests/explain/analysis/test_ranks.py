"""Ranks by event: by hand, against SciPy, and that nothing is lost."""

import numpy as np
import pytest
from scipy.stats import rankdata

from xaug.explain import Attribution, rank_fractions


def attribution(xaug):
    xaug = np.asarray(xaug, np.float32)
    names = [f"v{i}" for i in range(xaug.shape[1])]
    return Attribution({"xaug": xaug}, np.ones(len(xaug)), {"xaug": names}, {})


def test_by_hand():
    """v0 is first in three events of four; the sign does not matter."""
    found = rank_fractions(attribution([[3, 1, 2], [-3, 2, 1], [2, 0, 1], [1, 5, 2]]))
    assert found.loc["v0"].tolist() == [75, 0, 25]
    assert found.loc["v1"].tolist() == [25, 25, 50]
    assert found.loc["v2"].tolist() == [0, 75, 25]
    assert found.index[0] == "v0"
    assert found.columns.tolist() == [1, 2, 3]


def test_ties_share_their_ranks():
    """Event 1: v1 and v2 tie in ranks 2 and 3. Event 2: all are zero and share all ranks."""
    found = rank_fractions(attribution([[3, 1, -1], [0, 0, 0]]))
    np.testing.assert_allclose(found.loc["v0"], [50 + 100 / 6, 100 / 6, 100 / 6])
    np.testing.assert_allclose(found.loc["v1"], [100 / 6, 25 + 100 / 6, 25 + 100 / 6])
    np.testing.assert_allclose(found.loc["v1"], found.loc["v2"])


@pytest.mark.parametrize("levels", [3, 1000], ids=["many ties", "few ties"])
def test_rows_and_columns_add_up(levels):
    rng = np.random.default_rng(0)
    found = rank_fractions([attribution(rng.integers(-levels, levels, (500, 9))) for _ in range(2)])
    np.testing.assert_allclose(found.sum(axis=0), 100)
    np.testing.assert_allclose(found.sum(axis=1), 100)
    assert (found.to_numpy() > -1e-10).all()


def test_mean_ranks_are_those_of_scipy():
    """Shared ranks have the mean that SciPy gives to ties."""
    x = np.random.default_rng(1).integers(-4, 5, (400, 6))
    found = rank_fractions(attribution(x))
    expected = rankdata(-np.abs(x), axis=1).mean(axis=0)
    mean = found.to_numpy() @ np.arange(1, 7) / 100
    np.testing.assert_allclose(mean, [expected[int(name[1:])] for name in found.index])


def test_constant_variable_is_last():
    x = np.random.default_rng(2).normal(size=(50, 4))
    x[:, 1] = 0
    found = rank_fractions(attribution(x))
    assert found.index[-1] == "v1"
    assert found.loc["v1", 4] == 100


def test_no_events():
    assert (rank_fractions(attribution(np.zeros((0, 3)))) == 0).all(axis=None)


def test_blocks_of_events_lose_none(monkeypatch):
    x = attribution(np.random.default_rng(3).normal(size=(50, 4)))
    whole = rank_fractions(x)
    monkeypatch.setattr("xaug.explain.analysis.ranks.BLOCK", 7)
    np.testing.assert_allclose(rank_fractions(x), whole)
