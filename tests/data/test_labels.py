"""Labels of many classes: they fit their type, and so do numbers of cells by class."""

import numpy as np
import pytest

import xaug
from xaug.data.labels import cells_by_class, label_type
from xaug.explain.analysis.binned import score_map
from xaug.training.class_metrics import class_metrics


@pytest.mark.parametrize("classes", [2, 127, 128, 188])
def test_all_labels_fit_their_type(classes):
    assert np.arange(classes).astype(label_type(classes)).tolist() == list(range(classes))
    assert np.dtype(label_type(10)) == np.int8


def test_numbers_of_cells_are_those_of_large_integers():
    label = np.arange(10, dtype=np.int8)
    assert cells_by_class(label, np.arange(10), 100).tolist() == [101 * i for i in range(10)]


def test_metrics_of_forty_classes(tmp_path):
    """Label times number of classes is beyond 127 from twelve classes on."""
    label = np.repeat(np.arange(40), 5).astype(np.int8)
    probability = np.full((200, 40), 0.01)
    probability[np.arange(200), np.where(np.arange(200) % 5 == 0, (label + 1) % 40, label)] = 0.61
    found = class_metrics(label, probability, [str(i) for i in range(40)])
    np.testing.assert_allclose(found.confusion, 0.8 * np.eye(40) + 0.2 * np.roll(np.eye(40), 1, axis=1))


def test_maps_of_ten_classes_count_all_events():
    rng = np.random.default_rng(1)
    label, values = rng.integers(0, 10, 500).astype(np.int8), {"x": rng.random(500), "y": rng.random(500)}
    edges = np.linspace(0, 1, 13)
    found = score_map([rng.random(500)], label, values, "x", "y", bins=(edges, edges))
    assert found.counts.sum(axis=(1, 2)).tolist() == np.bincount(label).tolist()


def test_a_dataset_of_188_classes(tmp_path):
    label = np.arange(376) % 188
    data = xaug.Dataset.write(tmp_path / "data", xaug=np.arange(376.0)[:, None], label=label)
    arrays = data.load()
    assert len(data.classes) == 188
    np.testing.assert_array_equal(arrays["label"], arrays["xaug"][:, 0].astype(int) % 188)
