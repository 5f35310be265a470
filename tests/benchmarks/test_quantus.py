"""Definitions of the tests of faithfulness against those of Quantus, on the same network and arrays.

Quantus runs in a Python of its own, named by the environment variable XAUG_QUANTUS; it needs neither torch nor
TensorFlow there, since the network is given to it as two products of matrices.
"""

import json
import os
import subprocess

import keras
import numpy as np
import pytest
from keras import layers

from xaug.explain.attribution import Attribution
from xaug.explain.faithfulness import deletion_curves
from xaug.explain.faithfulness.agreement import rank_correlation

pytestmark = pytest.mark.benchmark
FEATURES, HIDDEN, EVENTS = 12, 16, 40

PEER = """
import json, sys
import numpy as np
import quantus
from quantus.helpers import utils
from quantus.helpers.model.model_interface import ModelInterface

data = np.load(sys.argv[1])

class Network(ModelInterface):
    # log-odds of the second class in column 1, those of the first in column 0
    def predict(self, x, **options):
        h = np.maximum(np.asarray(x).reshape(len(x), -1) @ data["w0"] + data["b0"], 0)
        z = h @ data["w1"] + data["b1"]
        odds = z[:, 1] - z[:, 0]
        return np.stack([-odds, odds], axis=1)
    def shape_input(self, x, shape, channel_first=None, batched=False):
        return x if batched else x[None]
    def get_model(self): return None
    def state_dict(self): return []
    def load_state_dict(self, parameters): pass
    def get_softmax_arg_model(self): return None
    def add_mean_shift_to_first_layer(self, shift, shape): raise NotImplementedError
    def get_hidden_representations(self, x, *names): raise NotImplementedError
    def get_random_layer_generator(self, order="top_down", seed=42): raise NotImplementedError
    @property
    def random_layer_generator_length(self): return 0

network = Network(None)
utils.get_wrapped_model = lambda *arguments, **options: network
x, a = (data[name][:, None, :] for name in ("x", "a"))
y = data["y"]
options = dict(normalise=False, abs=False, disable_warnings=True, display_progressbar=False, return_aggregate=False)
given = dict(model=network, x_batch=x, y_batch=y, channel_first=True, softmax=False)
found = {}
for name, order in (("deletion", a), ("insertion", -a)):
    metric = quantus.PixelFlipping(features_in_step=1, perturb_baseline=0.0, **options)
    curves = np.array(metric(a_batch=order, **given), dtype=float)
    found[name] = curves.tolist()
    found[name + "_area"] = [float(utils.calculate_auc(curve)) for curve in curves]
found["spearman"] = [
    float(quantus.similarity_func.correlation_spearman(one, other)) for one, other in zip(data["x"], data["a"])
]
found["version"] = quantus.__version__
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def quantus_python():
    python = os.environ.get("XAUG_QUANTUS")
    if not python:
        pytest.skip("set XAUG_QUANTUS to a Python with quantus")
    if subprocess.run([python, "-c", "import quantus"], capture_output=True).returncode:
        pytest.skip(f"XAUG_QUANTUS={python} cannot import quantus")
    return python


def test_definitions_are_those_of_quantus(quantus_python, tmp_path, capsys):
    """Deletion and insertion curves event by event, their areas, and Spearman's correlation."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((FEATURES,), name="event")
    hidden = layers.Dense(HIDDEN, "relu", bias_initializer="random_normal")(inputs)
    model = keras.Model(inputs, layers.Dense(2, "softmax", bias_initializer="random_normal")(hidden))
    rng = np.random.default_rng(2)
    x = rng.normal(size=(EVENTS, FEATURES)).astype(np.float32)
    w0, b0, w1, b1 = (w.astype(np.float64) for w in model.get_weights())
    z = np.maximum(x @ w0 + b0, 0) @ w1 + b1
    odds = z[:, 1] - z[:, 0]
    predicted, sign = (odds > 0).astype(int), np.where(odds > 0, 1.0, -1.0)
    signed = rng.normal(size=x.shape)  # towards signal; the order is that of what supports the predicted class
    arrays = tmp_path / "data.npz"
    np.savez(arrays, w0=w0, b0=b0, w1=w1, b1=b1, x=x.astype(float), a=signed * sign[:, None], y=predicted)
    done = subprocess.run([quantus_python, "-c", PEER, str(arrays)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = json.loads(done.stdout.strip().splitlines()[-1])

    names = {"event": [f"x{i}" for i in range(FEATURES)]}
    attribution = Attribution({"event": signed}, odds, names, {"target": "signal"})
    zero = {"event": np.zeros((1, FEATURES), np.float32)}
    curves = deletion_curves(model, x, attribution, zero, replacement="blank", groups="elements", points=FEATURES)
    deletion, insertion = (np.array(theirs[name]) for name in ("deletion", "insertion"))
    worst = np.abs(curves.deletion[:, 1:] - deletion).max()
    np.testing.assert_allclose(curves.deletion[:, 1:], deletion, atol=1e-4)
    # to insert the k first is to delete all others, the last first
    np.testing.assert_allclose(curves.insertion[:, ::-1][:, 1:], insertion, atol=1e-4)
    # the areas of Quantus begin with the first deletion, and count steps
    whole = np.abs(odds)
    for i, name in enumerate(("deletion", "insertion")):
        first = np.array(theirs[name])[:, 0]
        area = (np.array(theirs[f"{name}_area"]) + 0.5 * (whole + first)) / FEATURES
        np.testing.assert_allclose(curves.areas[:, i] + curves.deletion[:, -1], area, atol=1e-4)
    own = [rank_correlation(one, other) for one, other in zip(x, signed * sign[:, None], strict=True)]
    np.testing.assert_allclose(own, theirs["spearman"], atol=1e-9)
    with capsys.disabled():
        print(
            f"\nQuantus {theirs['version']}: {EVENTS} events, largest difference of a deletion curve {worst:.1g} of "
            f"outputs of {whole.mean():.2g}"
        )
