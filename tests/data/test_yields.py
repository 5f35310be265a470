"""Effective and expected numbers of events, against their formulas."""

import numpy as np
import pytest

from xaug.data.weights import effective_number
from xaug.data.yields import process_yields


def test_effective_number_is_that_of_the_relative_error():
    """The relative error of a sum of weights is 1 / sqrt(n_eff): here of Poisson numbers of events."""
    rng = np.random.default_rng(3)
    weights = rng.exponential(size=300) ** 2
    replicas = rng.poisson(1.0, (20_000, 300)) @ weights
    expected = (replicas.mean() / replicas.std()) ** 2
    assert effective_number(weights) == pytest.approx(expected, rel=0.05)
    assert effective_number(7 * weights) == pytest.approx(effective_number(weights))
    assert effective_number(np.zeros(3)) == 0


@pytest.mark.parametrize("split", [None, "test"])
def test_numbers_of_each_process(event_dataset, split):
    arrays = event_dataset.load(["weight", "process", "label"], split)
    found = {one.process: one for one in process_yields(event_dataset, split, luminosity=2000.0)}
    assert set(found) == set(arrays["process"])
    for name, one in found.items():
        w = arrays["weight"][arrays["process"] == name]
        assert one.selected == len(w)
        assert one.effective == pytest.approx(w.sum() ** 2 / (w**2).sum())
        assert one.label == (name == "signal")
        # a tenth of what was generated is selected
        assert one.expected == pytest.approx(event_dataset.manifest["processes"][name]["xsec"] * 2000 / 10)


def test_without_a_cross_section_nothing_is_expected(write_dataset, event_columns, tmp_path):
    data = write_dataset(tmp_path / "plain", "events", event_columns())
    assert {one.expected for one in process_yields(data)} == {None}
