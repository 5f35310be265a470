"""Attributions that are written and read a group of events at a time."""

import numpy as np
import pandas as pd
import pytest

from xaug.core.errors import DatasetError
from xaug.explain import attribution
from xaug.explain.analysis.relevance import mean_relevance, summary, summary_of
from xaug.explain.attribution import Attribution, attribution_writer
from xaug.explain.explanation import Explanation


def made(n, seed):
    rng = np.random.default_rng(seed)
    relevance = {
        "image": rng.normal(size=(n, 4, 4, 1)).astype(np.float32), "xaug": rng.normal(size=(n, 3)).astype(np.float32)
    }  # fmt: skip
    relevance["xaug"][0, 1] = np.nan  # a lost event
    error = {name: np.abs(values) for name, values in relevance.items()}
    return Attribution(
        relevance, rng.normal(size=n), {"image": [], "xaug": ["a", "b", "c"]}, {"method": "lrp", "seed": seed},
        np.arange(n) + 100 * seed, rng.integers(0, 2, n, dtype=np.int8), standard_error=error,
    )  # fmt: skip


@pytest.fixture
def written(tmp_path):
    """Three groups, of 5, 1 and 7 events, in one file."""
    groups = [made(5, 1), made(1, 2), made(7, 3)]
    with attribution_writer(tmp_path / "a.h5") as writer:
        for group in groups:
            writer.add(group)
    return tmp_path / "a.h5", groups


def test_groups_are_one_attribution(written, monkeypatch):
    path, groups = written
    monkeypatch.setattr(attribution, "BLOCK", 4)
    whole = Attribution.load(path)
    assert whole.settings == {"method": "lrp", "seed": 1} and whole.variables == groups[0].variables
    for name in ("image", "xaug"):
        np.testing.assert_array_equal(whole.relevance[name], np.concatenate([g.relevance[name] for g in groups]))
        np.testing.assert_array_equal(
            whole.standard_error[name], np.concatenate([g.standard_error[name] for g in groups])
        )
    for name in ("logit", "rows", "label", "residual"):
        np.testing.assert_array_equal(getattr(whole, name), np.concatenate([getattr(g, name) for g in groups]))
    chosen = np.array([0, 3, 4, 9, 12])
    some = Attribution.load(path, chosen)
    np.testing.assert_array_equal(some.relevance["image"], whole.relevance["image"][chosen])
    np.testing.assert_array_equal(some.rows, whole.rows[chosen])
    blocks = list(Attribution.blocks(path))
    assert [len(block) for block in blocks] == [4, 4, 4, 1]
    np.testing.assert_array_equal(np.concatenate([block.logit for block in blocks]), whole.logit)
    assert Attribution.bytes_in(path) == 4 * (16 + 3)


def test_means_of_groups_are_those_of_all(written, monkeypatch):
    """By hand: of each event the scores over the largest of all; the three lost events are left out."""
    path, _ = written
    whole = Attribution.load(path)
    kept = whole.rows[np.isfinite(whole.relevance["xaug"]).all(axis=1)]
    assert len(kept) == 10
    monkeypatch.setattr(attribution, "BLOCK", 4)
    found = mean_relevance(Attribution.blocks(path))
    assert (found.events, found.lost, len(found.conserved)) == (13, 3, 10)
    image, xaug = (whole.relevance[name].reshape(13, -1)[np.isin(whole.rows, kept)].astype(float) for name in
                   ("image", "xaug"))  # fmt: skip
    largest = np.maximum(np.abs(image).max(axis=1), np.abs(xaug).max(axis=1))[:, None]
    expected = [(np.abs(image) / largest).sum(axis=1).mean(), *(np.abs(xaug) / largest).mean(axis=0)]
    np.testing.assert_allclose(found.mean[["image", "a", "b", "c"]], expected, rtol=1e-12)
    np.testing.assert_allclose(found.signed[["a", "b", "c"]], (xaug / largest).mean(axis=0), rtol=1e-12)
    pd.testing.assert_frame_equal(summary_of([found, found]), summary([whole, whole]), rtol=1e-12)


def test_a_file_is_whole_or_not_there(tmp_path):
    def broken():
        with attribution_writer(tmp_path / "a.h5") as writer:
            writer.add(made(3, 1))
            raise DatasetError("part is damaged")

    with pytest.raises(DatasetError, match="part is damaged"):
        broken()
    assert not list(tmp_path.iterdir())


def test_some_events_of_large_attributions(written):
    """As many as fit into the memory, from the first to the last."""
    path, _ = written
    path.rename(path.with_name("attribution_0.h5"))
    one = object.__new__(Explanation)
    for name, value in (("directory", path.parent), ("events", 13)):
        object.__setattr__(one, name, value)
    whole, some = one.attribution(0), one.attribution(0, memory=5 * 76 / 1e6)
    np.testing.assert_array_equal(some.rows, whole.rows[[0, 3, 6, 9, 12]])
    assert len(one.attribution(0, memory=1.0)) == 13 and len(one.attribution(0, memory=0.0)) == 1
