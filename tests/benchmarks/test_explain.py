"""LRP through our worker against iNNvestigate called by hand in a process of its own."""

import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import xaug
from xaug import variables
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import build

pytestmark = pytest.mark.benchmark
EVENTS = 4000

BY_HAND = """
import sys, time
import numpy as np, tensorflow as tf
tf.compat.v1.disable_eager_execution()
import innvestigate, keras
model = keras.models.load_model("model.h5", compile=False)
x = np.load("x.npz")
x = [x[name] for name in model.input_names]
analyzer = innvestigate.create_analyzer("lrp.sequential_preset_a", innvestigate.model_wo_softmax(model))
batch = int(sys.argv[1])
analyzer.analyze([v[:batch] for v in x])
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    for i in range(0, len(x[0]), batch):
        analyzer.analyze([v[i : i + batch] for v in x])
    print(time.perf_counter() - start, flush=True)
"""


@pytest.mark.parametrize("batch", [256, EVENTS], ids=["best batch by hand", "all at once by hand"])
def test_worker_is_as_fast_as_by_hand(tmp_path, capsys, batch):
    """Events per second, arrays sent and results fetched included, on the 2D CNN with 36 XAUGs."""
    keras.utils.set_random_seed(1)
    model = build(choose_inputs(variables.table_of("jets"), "cnn2d"))
    rng = np.random.default_rng(0)
    image = (rng.exponential(0.05, (EVENTS, 16, 16, 1)) * (rng.random((EVENTS, 16, 16, 1)) < 0.1)).astype("f4")
    x = {"image": image, "xaug": rng.random((EVENTS, 36)).astype("f4")}
    model.save(tmp_path / "model.h5")
    np.savez(tmp_path / "x.npz", **x)
    hand = subprocess.Popen(
        [sys.executable, "-c", BY_HAND, str(batch)], cwd=tmp_path, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert hand.stdout.readline().strip() == "ready"
    xaug.explain.lrp(model, {name: values[:256] for name, values in x.items()}, rule="preset_a")
    ratios, rates = [], []
    for _ in range(5):
        start = time.perf_counter()
        xaug.explain.lrp(model, x, rule="preset_a")
        ours = time.perf_counter() - start
        hand.stdin.write("go\n")
        hand.stdin.flush()
        theirs = float(hand.stdout.readline())
        ratios.append(theirs / ours)
        rates.append((EVENTS / ours, EVENTS / theirs))
    hand.kill()
    ours, theirs = np.median(rates, axis=0)
    with capsys.disabled():
        print(
            f"\nLRP through the worker: {ours:.0f} events/s, by hand (batch {batch}): {theirs:.0f}; "
            f"ratio {np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    assert np.median(ratios) >= 0.97
