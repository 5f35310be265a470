"""What an event counts for, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from xaug.core.errors import ConfigurationError, DatasetError
from xaug.data.weights import balanced, effective_number, event_weights, unused_weights

WEIGHT = np.array([1.0, 3.0, 10.0, 30.0, 20.0])
PROCESS = np.array(["a", "a", "b", "b", "b"])


def test_unit_weights():
    np.testing.assert_array_equal(event_weights("unit", WEIGHT, PROCESS), 1)


def test_a_process_counts_as_its_number_of_events():
    """The scale of a process' weights does not matter, their ratios do."""
    found = event_weights("event", WEIGHT, PROCESS)
    np.testing.assert_allclose(found, [0.5, 1.5, 0.5, 1.5, 1.0])
    np.testing.assert_allclose(event_weights("event", WEIGHT * np.where(PROCESS == "a", 7, 1), PROCESS), found)


def test_cross_sections():
    found = event_weights("cross_section", WEIGHT, PROCESS, {"a": 2.0, "b": 0.1, "c": 5.0})
    np.testing.assert_allclose(found, [2, 6, 1, 3, 2])


@pytest.mark.parametrize(
    ("kind", "form", "weights", "warned"),
    [
        ("jets", "atlastop", {"a": [1, 3], "b": [2, 2]}, True),
        ("jets", "atlastop", {"a": [1, 1], "b": [2, 2]}, True),  # of one class
        ("jets", "atlastop", {"a": [2, 2], "b": [2, 2]}, False),
        ("jets", "xaug_tree", {"a": [1, 3], "b": [2, 2]}, False),
        ("own", "", {"a": [1, 3], "b": [2, 2]}, False),  # which are used
    ],
)
def test_weights_that_are_not_used_are_told(kind, form, weights, warned):
    processes = {}
    for name, own in weights.items():
        weight = np.array(own, float)
        processes[name] = {"label": 0, "rows": 2, "sum_weights_selected": weight.sum()}
        processes[name]["effective_events"] = effective_number(weight)
    manifest = {"processes": processes, "inputs": [{"format": form}]}
    found = unused_weights(SimpleNamespace(kind=kind, path="data", manifest=manifest))
    assert [("--weights event" in text) for text in found] == [True] * warned


def test_balanced_classes():
    label = np.array([0, 0, 1, 1, 1])
    found = balanced(WEIGHT, label)
    assert found[label == 0].sum() == pytest.approx(2.5)
    assert found[label == 1].sum() == pytest.approx(2.5)
    assert found[1] / found[0] == pytest.approx(3)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.array([1, -2, 1, 1, 1.0]), r"process 'a' has weights that add up to -1"),
        (np.array([1, np.nan, 1, 1, 1.0]), "event 1 has weight nan"),
        (np.array([0, 0, 1, 1, 1.0]), "process 'a' has only events of weight 0"),
        (np.zeros(5), "all 5 events have weight 0"),
    ],
)
def test_bad_weights(weight, words):
    with pytest.raises(DatasetError, match=words):
        event_weights("event", weight, PROCESS)


def test_missing_cross_section_and_class():
    with pytest.raises(ConfigurationError, match="process 'b' has no cross section; known: a"):
        event_weights("cross_section", WEIGHT, PROCESS, {"a": 2.0})
    with pytest.raises(ConfigurationError, match="did you mean 'event'"):
        event_weights("events", WEIGHT, PROCESS)
    with pytest.raises(DatasetError, match="no signal events"):
        balanced(WEIGHT, np.zeros(5, int))


def test_negative_weights_keep_their_sign():
    """Weights +1 and -1 of a generator at next-to-leading order: the sums are those of the processes and classes."""
    weight = np.array([1.0, -1, 1, 1, 1, -1, 1, 1])
    process, label = np.repeat(["a", "b"], 4), np.repeat([0, 1], 4)
    found = event_weights("event", weight, process)
    np.testing.assert_allclose(found, 2 * weight)
    assert balanced(found, label)[label == 0].sum() == pytest.approx(4)
    np.testing.assert_allclose(event_weights("cross_section", weight, process, {"a": 2.0, "b": 1.0})[:2], [2, -2])
    assert effective_number(weight[:4]) == pytest.approx(1.0)  # 2^2 / 4: of four events one is left
    with pytest.raises(DatasetError, match="class 'background' has weights that add up to -2"):
        balanced(np.where(label == 0, -0.5, 1.0), label)
