"""Aggregation of relevance, by hand."""

import numpy as np
import pandas as pd
import pytest

from xaug.core.errors import ConfigurationError
from xaug.explain import Attribution, feature_relevance, profile, rank_fractions, relevance_map, summary
from xaug.explain.analysis.relevance import normalized


def attribution(image, xaug, lists=None, names=("a", "b")):
    relevance = {"image": np.asarray(image, np.float32), "xaug": np.asarray(xaug, np.float32)}
    variables = {"image": ["image"], "xaug": list(names)}
    if lists is not None:
        relevance["list"], variables["list"] = np.asarray(lists, np.float32), ["p", "q"]
    return Attribution(relevance, np.ones(len(xaug), np.float32), variables, {"method": "lrp"})


def test_steps_of_the_paper_by_hand():
    """Two events, an image of two pixels, two XAUGs; arXiv:2011.13466, section 5.1, step by step."""
    image = np.array([[1.0, -2.0], [0.5, 0.5]]).reshape(2, 1, 2, 1)
    xaug = [[4.0, 0.0], [-0.25, 1.0]]
    # event 1: largest is 4 -> image (0.25 + 0.5), a 1, b 0; event 2: largest is 1 -> image 1, a 0.25, b 1
    table = feature_relevance(attribution(image, xaug))
    np.testing.assert_allclose(table["image"], [0.75, 1.0])
    np.testing.assert_allclose(table["a"], [1.0, 0.25])
    np.testing.assert_allclose(table["b"], [0.0, 1.0])


def test_list_both_ways():
    lists = np.array([[[1.0, -1.0], [-1.0, -1.0]]])  # one event, two particles, columns p and q
    found = attribution(np.zeros((1, 1, 1, 1)), [[2.0, 0.0]], lists)
    # absolute: 4 elements of 1 over 2; signed: p cancels, q gives |-2|, over 2
    np.testing.assert_allclose(feature_relevance(found, "absolute")["list"], [2.0])
    np.testing.assert_allclose(feature_relevance(found, "signed")["list"], [1.0])
    with pytest.raises(ConfigurationError, match="signd"):
        feature_relevance(found, "signd")


def test_mean_and_spread_over_trainings():
    zero = np.zeros((1, 1, 1, 1))
    trainings = [attribution(zero, [[1.0, r]]) for r in (0.2, 0.4, 0.9)]
    table = summary(trainings)
    assert isinstance(table, pd.DataFrame)
    assert list(table.index) == ["a", "b", "image"]
    assert list(table["rank"]) == [1, 2, 3]
    assert table.loc["b", "mean"] == pytest.approx(0.5)
    # standard deviation with ddof 0: sqrt(((0.3)^2 + (0.1)^2 + (0.4)^2) / 3)
    assert table.loc["b", "rms"] == pytest.approx(np.sqrt(0.26 / 3), rel=1e-6)
    assert table.loc["b", "spread"] == pytest.approx(np.sqrt(0.26 / 2), rel=1e-6)  # ddof 1
    assert summary(trainings[:1])["spread"].isna().all()
    assert [table.loc["b", f"training_{i}"] for i in range(3)] == pytest.approx([0.2, 0.4, 0.9])


def test_signed_shares():
    """Signed means a: 0.5, b: -1 -> shares 1/3 and -2/3; their absolute values sum to one."""
    table = summary([attribution(np.zeros((2, 1, 1, 1)), [[1.0, -1.0], [0.0, -1.0]])])
    assert table.loc["a", "signed_share"] == pytest.approx(1 / 3)
    assert table.loc["b", "signed_share"] == pytest.approx(-2 / 3)
    assert table["signed_share"].abs().sum() == pytest.approx(1)


def test_inputs_of_one_column_each_are_the_list():
    """A network with a tower a column says the same as one that reads them together."""
    lists = np.random.default_rng(0).normal(size=(4, 3, 2))
    together = attribution(np.zeros((4, 1, 1, 1)), np.zeros((4, 2)), lists)
    relevance = {"p": lists[..., :1], "q": lists[..., 1:]}
    towers = Attribution(relevance, np.zeros(4), {"p": ["p"], "q": ["q"]}, {})
    for way in ("absolute", "signed"):
        np.testing.assert_allclose(
            feature_relevance(towers, way)["list"], feature_relevance(together, way)["list"], rtol=1e-6
        )
    largest = np.abs(lists).max(axis=(1, 2))
    by_column = feature_relevance(towers, "columns")
    np.testing.assert_allclose(by_column["q"], np.abs(lists[..., 1]).sum(axis=1) / largest, rtol=1e-6)
    assert list(by_column) == ["p", "q"]


def test_scale_of_an_event_does_not_matter():
    rng = np.random.default_rng(0)
    image, xaug = rng.normal(size=(5, 4, 4, 1)), rng.normal(size=(5, 2))
    factor = rng.uniform(0.1, 100, 5)
    one = feature_relevance(attribution(image, xaug))
    other = feature_relevance(attribution(image * factor[:, None, None, None], xaug * factor[:, None]))
    np.testing.assert_allclose(one, other, rtol=1e-5)
    for values in normalized(attribution(image, xaug)).values():
        assert np.abs(values).max() <= 1 + 1e-6


def test_event_without_any_relevance_stays_zero():
    table = feature_relevance(attribution(np.zeros((1, 1, 1, 1)), [[0.0, 0.0]]))
    assert (table == 0).all(axis=None)


def test_residual_and_conservation():
    found = Attribution({"xaug": np.array([[1.0, 2.0], [0.0, 0.0]])}, np.array([2.0, 0.0]), {"xaug": []}, {})
    np.testing.assert_allclose(found.residual, [1.0, 0.0])
    np.testing.assert_allclose(found.conserved, [1.5, np.nan])


def test_unnamed_columns_are_numbered():
    found = Attribution({"x": np.ones((1, 2))}, np.ones(1), {"x": []}, {})
    assert list(feature_relevance(found)) == ["x[0]", "x[1]"]


def test_different_runs_cannot_be_summarised_together():
    a = attribution(np.zeros((1, 1, 1, 1)), [[1.0, 1.0]])
    b = attribution(np.zeros((1, 1, 1, 1)), [[1.0, 1.0]], names=("a", "c"))
    with pytest.raises(ConfigurationError, match="different features"):
        summary([a, b])
    with pytest.raises(ConfigurationError, match="at least one"):
        summary([])


def test_save_and_load(tmp_path):
    rng = np.random.default_rng(0)
    a = Attribution(
        {"image": rng.normal(size=(3, 4, 4, 1)), "xaug": rng.normal(size=(3, 2))},
        rng.normal(size=3),
        {"image": ["image"], "xaug": ["a", "b"]},
        {"method": "lrp", "rule": "epsilon"},
        np.arange(3),
        np.array([0, 1, 1], np.int8),
    )
    a.save(tmp_path / "a.h5")
    b = Attribution.load(tmp_path / "a.h5")
    for name in a.relevance:
        np.testing.assert_array_equal(a.relevance[name], b.relevance[name])
    for name in ("logit", "residual", "rows", "label"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.variables, a.settings) == (b.variables, b.settings)


def test_inputs_with_equal_column_names():
    """Two vectors with the same columns: no feature is lost, and each says of which input it is."""
    scores = {"jet1": np.array([[4.0, 2.0]], np.float32), "jet2": np.array([[-1.0, 3.0]], np.float32)}
    found = Attribution(scores, np.ones(1), {"jet1": ["pt", "eta"], "jet2": ["pt", "eta"]}, {"method": "lrp"})
    table = feature_relevance(found)
    assert table.iloc[0].to_dict() == {"jet1.pt": 1.0, "jet1.eta": 0.5, "jet2.pt": 0.25, "jet2.eta": 0.75}
    assert list(summary([found]).index) == ["jet1.pt", "jet2.eta", "jet1.eta", "jet2.pt"]
    assert summary([found]).loc["jet2.pt", "signed_share"] == pytest.approx(-1 / 10)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["xaug", "image", "logit"])
def test_lost_events_are_counted_and_left_out(value, where):
    """One event of three is no number: every summary is that of the other two."""
    rng = np.random.default_rng(1)
    image, xaug, logit = rng.normal(size=(3, 2, 2, 1)), rng.normal(size=(3, 2)), np.ones(3, np.float32)
    {"xaug": xaug, "image": image, "logit": logit}[where].reshape(3, -1)[1, 0] = value
    names = {"image": ["image"], "xaug": ["a", "b"]}
    label = np.array([0, 1, 1])

    def made(rows):
        relevance = {"image": image[rows].astype(np.float32), "xaug": xaug[rows].astype(np.float32)}
        return Attribution(relevance, logit[rows], names, {"method": "lrp", "target": "signal"}, label=label[rows])

    found, kept = made(np.arange(3)), made(np.array([0, 2]))
    assert found.lost == 1
    assert kept.lost == 0
    np.testing.assert_array_equal(found.is_lost, [False, True, False])
    assert "3 events, 1 lost" in repr(found)
    pd.testing.assert_frame_equal(summary([found]), summary([kept]))
    pd.testing.assert_frame_equal(rank_fractions(found), rank_fractions(kept))
    values = {"a": np.array([0.0, 0.5, 1.0]), "b": np.array([0.0, 0.5, 1.0])}
    of_kept = {name: column[[0, 2]] for name, column in values.items()}
    edges = [0.0, 0.4, 1.1]
    one, other = profile(found, values, "a", bins=edges), profile(kept, of_kept, "a", bins=edges)
    np.testing.assert_array_equal(one.counts, other.counts)
    np.testing.assert_allclose(one.mean, other.mean)
    one, other = (relevance_map(a, v, "a", "b", bins=edges) for a, v in ((found, values), (kept, of_kept)))
    np.testing.assert_array_equal(one.counts, other.counts)
    np.testing.assert_allclose(one.mean, other.mean)
    with pytest.raises(ConfigurationError, match="all 1 events of an attribution are lost"):
        summary([made(np.array([1]))])
