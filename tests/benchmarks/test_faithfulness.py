"""Deletion and insertion curves beside the bare forward passes that they need; `XAUG_EVENTS` for fewer events."""

import os

import numpy as np
import pytest

from xaug import variables
from xaug.explain.attribution import Attribution
from xaug.explain.faithfulness import deletion_curves
from xaug.explain.faithfulness.scoring import BATCH, WatchedOutput
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import build

EVENTS, POINTS = int(os.environ.get("XAUG_EVENTS", 10_000)), 20


@pytest.mark.benchmark
@pytest.mark.timeout(7200)
def test_curves_take_less_than_twice_their_forward_passes(ratio):
    """The 2D CNN with 36 expert variables; the events of a curve change at every point."""
    import tensorflow as tf

    spec = choose_inputs(variables.table_of("jets"), "cnn2d", "all")
    model = build(spec)
    rng = np.random.default_rng(0)
    x = {
        "image": rng.exponential(0.05, (EVENTS, 16, 16, 1)).astype(np.float32),
        "xaug": rng.random((EVENTS, 36), np.float32),
    }
    shown = WatchedOutput.for_target(model, x, "signal")
    scores = {name: rng.normal(size=values.shape) for name, values in x.items()}
    attribution = Attribution(scores, shown.values * shown.sign, spec.variables, {"target": "signal"})
    background = {name: values[:200] for name, values in x.items()}
    forward = tf.function(lambda image, xaug: model([image, xaug], training=False))
    passes = 2 * POINTS  # both curves, and the events as they are; their ends are shared

    def bare():
        for _ in range(passes):
            for i in range(0, EVENTS, BATCH):
                forward(*(tf.constant(x[name][i : i + BATCH]) for name in model.input_names)).numpy()

    def curves():
        deletion_curves(model, x, attribution, background, points=POINTS)

    assert ratio("deletion and insertion over forward passes", curves, bare, 1, EVENTS * passes) < 2
