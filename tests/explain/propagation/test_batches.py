"""The native engine works batch by batch: neither the numbers nor the memory may depend on it."""

import subprocess
import sys

import numpy as np
import pytest

import xaug
from xaug import variables
from xaug.explain.keras_models import read_output
from xaug.explain.propagation import batches
from xaug.explain.propagation.composites import choose
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import build


def inputs_of(model, n, seed=0):
    rng = np.random.default_rng(seed)
    shapes = {tensor.name: tensor.shape[1:] for tensor in model.inputs}
    return {name: rng.uniform(0, 1, (n, *shape)).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("network", ["cnn2d", "rnn"])
def test_relevance_does_not_depend_on_the_batch(randomised, monkeypatch, network):
    """Every event as if alone, up to float32 rounding, also where the last batch is not full."""
    model = randomised(build(choose_inputs(variables.table_of("jets"), network)))
    x = inputs_of(model, 19)
    at_once = xaug.explain.lrp(model, x, engine="native")
    monkeypatch.setattr(batches, "LARGEST", 8)  # 8, 8 and 3 events
    in_batches = xaug.explain.lrp(model, x, engine="native")
    for name, scores in at_once.relevance.items():
        largest = np.abs(scores).max(axis=tuple(range(1, scores.ndim)), keepdims=True)
        assert (largest > 0).all()
        assert np.abs(in_batches.relevance[name] - scores).max() < 1e-5 * largest.max()
        assert (np.abs(in_batches.relevance[name] - scores) <= 1e-4 * largest).all()


@pytest.mark.parametrize(("pixels", "expected"), [(2, 4096), (4, 2048), (16, 128), (32, 32), (128, 8)])
def test_batch_keeps_the_largest_layer_in_the_cache(pixels, expected):
    """32 channels of float32 a pixel: 4 MiB are 32,768 pixels. From 8 to 4096 events."""
    from keras import Input, Model, layers

    image = Input((pixels, pixels, 1), name="image")
    x = layers.GlobalMaxPooling2D()(layers.Conv2D(32, 3, padding="same")(image))
    model = Model(image, layers.Dense(2, activation="softmax")(x))
    _, propagate = batches.propagator(read_output(model), batches.How(choose("preset_a"), "innvestigate"))
    assert batches.batch_size(propagate) == expected


MEMORY = """
import resource
import numpy as np
import xaug
from xaug import variables
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import build
model = build(choose_inputs(variables.table_of("jets"), "cnn2d"))
rng = np.random.default_rng(0)
for n in (512, 6144):
    x = {"image": rng.random((n, 16, 16, 1), np.float32), "xaug": rng.random((n, 36), np.float32)}
    xaug.explain.lrp(model, x, engine="native")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_memory_is_bounded_by_the_batch():
    """Outputs of the layers of 6144 events would take more than 600 MB; inputs and relevance take 14 MB."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    few, many = (float(line) for line in done.stdout.split())
    assert many - few < 60
