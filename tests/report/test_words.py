"""Words that depend on the data: a file of the user's has no splits, and a model of the user's no known training."""

from types import SimpleNamespace

import numpy as np

from xaug.report.tables import _filled, _training_size
from xaug.report.words import measured_rows, of_split


def test_a_sample_that_is_not_split_is_not_called_the_test_split():
    def data(kind, test):
        return SimpleNamespace(kind=kind, size=lambda split=None: test if split == "test" else 500)

    assert (measured_rows(data("jets", 100)), of_split(data("jets", 100))) == ("test jets", "the test split")
    assert (measured_rows(data("mine", 500)), of_split(data("mine", 500))) == ("events", "the sample")


class Run:
    input_spec = SimpleNamespace(kind="jets")

    def __init__(self, events):
        self.training_events = events

    def __len__(self):
        return 2

    def steps(self, i):
        return np.array([60 + 2 * i, 40])


def test_the_training_of_a_model_of_the_user_is_not_known():
    """Its cells are empty, and not 0; numbers of the other rows stay whole."""
    assert _training_size(Run(0)) == {}
    known = _training_size(Run(712))
    assert known == {"training jets": 712, "steps": 61, "kept at step": 40}
    table = _filled([{"run": "a", **known}, {"run": "b"}])
    assert table.astype(str).to_numpy().tolist() == [["a", "712", "61", "40"], ["b", "", "", ""]]
