"""Distributions and mean images of a dataset, which are read part by part."""

import json

import numpy as np

from xaug.data.dataset import Dataset
from xaug.report.figures.samples import columns_of, draw_images
from xaug.report.subjects import WholeDataset


def test_columns_are_those_of_the_whole_dataset(zbb_dataset):
    """Values of an expert variable, and of the particles that a jet has, with the classes of their jets."""
    data = Dataset.open(zbb_dataset)
    assert len(data.parts) > 2
    arrays = data.load(["xaug", "list", "mask", "label"])
    found = columns_of(data, [data.names("xaug")[3], data.names("list")[1]], 10**6)
    (one, label), (particles, of_particles) = found.values()
    np.testing.assert_array_equal(one, arrays["xaug"][:, 3])
    np.testing.assert_array_equal(label, arrays["label"])
    jets, steps = np.nonzero(arrays["mask"])
    np.testing.assert_array_equal(particles, arrays["list"][jets, steps, 1])
    np.testing.assert_array_equal(of_particles, arrays["label"][jets])


def test_mean_images_are_those_of_the_whole_dataset(zbb_dataset, tmp_path):
    data = Dataset.open(zbb_dataset)
    draw_images(WholeDataset(data), tmp_path / "images")
    arrays = data.load(["image", "label"])
    found = json.loads((tmp_path / "images.json").read_text())
    for label, name in enumerate(data.classes):
        own = arrays["image"][arrays["label"] == label, ..., 0]
        np.testing.assert_allclose(found[name], own.mean(axis=0, dtype=np.float64), rtol=1e-12)
