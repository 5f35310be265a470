"""LRP against an independent NumPy formula, against iNNvestigate called by hand, and its invariants."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

import xaug
from xaug.core.errors import ConfigurationError, ModelError, XaugError


def numpy_epsilon(model, x, unit, epsilon):
    """LRP-epsilon through a chain of dense layers in float64: R_j = sum_k x_j w_jk R_k / (z_k + sign(z_k) eps)."""
    activations, a = [], x.astype(np.float64)
    dense = [layer for layer in model.layers if layer.weights]
    for i, layer in enumerate(dense):
        w, b = (v.astype(np.float64) for v in layer.get_weights())
        z = a @ w + b
        activations.append((a, w, z))
        a = z if i == len(dense) - 1 else np.maximum(z, 0.0)
    relevance = np.zeros_like(a)
    relevance[np.arange(len(x)), unit] = a[np.arange(len(x)), unit]
    for a_in, w, z in reversed(activations):
        s = relevance / (z + np.where(z >= 0, epsilon, -epsilon))
        relevance = a_in * (s @ w.T)
    return relevance, a


def relative_error(found, expected):
    """Largest error of each event over its largest score; an event without relevance must have none."""
    largest = np.abs(expected).max(axis=1)
    return np.abs(found - expected).max(axis=1) / np.where(largest > 0, largest, 1.0)


@pytest.fixture
def x():
    return np.random.default_rng(1).random((50, 7)).astype(np.float32)


@pytest.mark.parametrize("epsilon", [1e-7, 0.1])
def test_epsilon_equals_matrix_formula(mlp, x, epsilon):
    model = mlp()
    found = xaug.explain.lrp(model, x, rule="epsilon", target="predicted", epsilon=epsilon)
    _, logits = numpy_epsilon(model, x, 0, epsilon)
    expected, _ = numpy_epsilon(model, x, logits.argmax(axis=1), epsilon)
    # float32 against float64; a small preactivation amplifies rounding, hence median and bulk
    error = relative_error(found.relevance["xaug"], expected)
    assert np.median(error) < 1e-5
    assert np.quantile(error, 0.9) < 1e-3
    np.testing.assert_allclose(found.logit, logits.max(axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("rule", "asked", "used"),
    [("epsilon", None, 1e-7), ("epsilon", 0.25, 0.25), ("preset_a", None, 0.1), ("flat", None, None)],
)
def test_settings_say_the_stabiliser_that_was_used(mlp, x, rule, asked, used):
    found = xaug.explain.lrp(mlp(), x[:3], rule=rule, epsilon=asked, engine="native")
    assert found.settings["epsilon"] == used


@pytest.mark.parametrize(("target", "unit"), [("signal", 1), ("background", 0), (0, 0), (1, 1)])
def test_targets_of_two_outputs(mlp, x, target, unit):
    model = mlp(seed=4)
    found = xaug.explain.lrp(model, x, rule="epsilon", target=target)
    expected, logits = numpy_epsilon(model, x, unit, 1e-7)
    np.testing.assert_allclose(found.logit, logits[:, unit], rtol=1e-4, atol=1e-5)
    error = relative_error(found.relevance["xaug"], expected)
    assert np.median(error) < 1e-5


def test_one_output_is_signal_for_plus_and_background_for_minus(mlp, x):
    model = mlp(outputs=1, activation="sigmoid", seed=2)
    score = model.predict(x, verbose=0)[:, 0].astype(np.float64)
    logit = np.log(score / (1 - score))
    signal, background, predicted = (
        xaug.explain.lrp(model, x, rule="epsilon", target=t) for t in ("signal", "background", "predicted")
    )
    np.testing.assert_allclose(signal.logit, logit, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(background.logit, -logit, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(predicted.logit, np.abs(logit), rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(background.relevance["xaug"], -signal.relevance["xaug"])


def test_relevance_sums_to_the_logit_at_zero_bias(mlp, cnn, cnn_inputs, x):
    for model, inputs in ((mlp(bias=0.0), {"xaug": x}), (cnn(bias=0.0), cnn_inputs)):
        found = xaug.explain.lrp(model, inputs, rule="epsilon", target="signal", epsilon=1e-7)
        scale = np.maximum(np.abs(found.logit), 0.01)
        assert np.median(np.abs(found.residual) / scale) < 1e-4
        total = sum(r.reshape(len(r), -1).sum(axis=1) for r in found.relevance.values())
        np.testing.assert_allclose(found.residual, total - found.logit, atol=1e-5)


def test_preset_a_conserves_down_to_the_first_convolution_only_in_part(cnn, cnn_inputs):
    """Epsilon 0.1 of Preset A absorbs relevance even without biases: |sum R| < |f| for every event."""
    found = xaug.explain.lrp(cnn(bias=0.0), cnn_inputs, rule="preset_a", target="predicted")
    assert (found.conserved < 1).all()
    assert found.settings["rule"] == "preset_a"


DIRECT = """
import json, sys
import numpy as np, tensorflow as tf
tf.compat.v1.disable_eager_execution()
import innvestigate, keras
model = keras.models.load_model(sys.argv[1], compile=False)
x = np.load(sys.argv[2])
analyzer = innvestigate.create_analyzer(sys.argv[3], innvestigate.model_wo_softmax(model))
result = analyzer.analyze([x[name] for name in model.input_names])
np.savez(sys.argv[4], **dict(zip(model.input_names, result)))
"""


@pytest.mark.parametrize(
    ("rule", "analyzer"), [("preset_a", "lrp.sequential_preset_a"), ("epsilon", "lrp.epsilon"), (None, "preset")]
)
def test_worker_equals_innvestigate_by_hand(cnn, cnn_inputs, tmp_path, rule, analyzer):
    """The worker, with its model taken apart and put together again, changes nothing of iNNvestigate's numbers.

    H5 rather than .keras here: iNNvestigate's own `model_wo_softmax` fails on models in the newer format.
    """
    model = cnn()
    model.save(tmp_path / "model.h5")
    np.savez(tmp_path / "x.npz", **cnn_inputs)
    (tmp_path / "direct.py").write_text(DIRECT)
    name = "lrp.sequential_preset_a" if analyzer == "preset" else analyzer  # the default of a CNN
    command = [sys.executable, "direct.py", "model.h5", "x.npz", name, "result.npz"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    expected = np.load(tmp_path / "result.npz")
    found = xaug.explain.lrp(model, cnn_inputs, rule=rule)
    for key in cnn_inputs:
        np.testing.assert_allclose(found.relevance[key], expected[key], rtol=1e-5, atol=1e-7)


def test_explaining_leaves_eager_keras_alone(mlp, x):
    """iNNvestigate in this process would break it: predict, explain, predict, train."""
    model = mlp()
    before = model.predict(x, verbose=0)
    weights = [w.copy() for w in model.get_weights()]
    xaug.explain.lrp(model, x)
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, np.arange(50) % 2, verbose=0)


def test_inputs_as_dict_list_or_array_are_the_same(cnn, cnn_inputs, mlp, x):
    model = cnn()
    by_name = xaug.explain.lrp(model, cnn_inputs)
    by_order = xaug.explain.lrp(model, [cnn_inputs[name] for name in [t.name for t in model.inputs]])
    for name in cnn_inputs:
        np.testing.assert_array_equal(by_name.relevance[name], by_order.relevance[name])
    one = mlp()
    np.testing.assert_array_equal(
        xaug.explain.lrp(one, x).relevance["xaug"], xaug.explain.lrp(one, {"xaug": x}).relevance["xaug"]
    )


def test_batches_do_not_matter(mlp):
    from xaug.explain.propagation.innvestigate.client import BATCH

    x = np.random.default_rng(5).random((2 * BATCH + 3, 7)).astype(np.float32)
    model = mlp()
    seen = []
    whole = xaug.explain.lrp(model, x, on_events=seen.append)
    last = xaug.explain.lrp(model, x[-3:])
    np.testing.assert_allclose(whole.relevance["xaug"][-3:], last.relevance["xaug"], rtol=1e-4, atol=1e-6)
    assert sum(seen) == len(x)


def model_with(*middle, outputs=2, activation="softmax", shape=(5, 3)):
    x = inputs = keras.Input(shape, name="list")
    for layer in middle:
        x = layer(x)
    return keras.Model(inputs, layers.Dense(outputs, activation=activation, name="out")(x), name="odd")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: model_with(layers.GRU(4, name="memory")), ["'memory'", "GRU", "recurrent"]),
        (
            lambda: model_with(layers.Flatten(), layers.BatchNormalization(name="norm")),
            ["'norm'", "BatchNormalization", "wrong formula", "engine='native'"],
        ),
        (lambda: model_with(layers.Flatten(), layers.Dense(4, "tanh", name="wavy")), ["'wavy'", "tanh"]),
        (lambda: model_with(layers.Flatten(), activation="linear"), ["'out'", "linear", "Softmax()"]),
        (lambda: model_with(layers.Flatten(), activation="relu"), ["'out'", "relu", "output='value'"]),
    ],
)
def test_models_that_cannot_be_explained_are_named(model, words):
    with pytest.raises(ModelError) as error:
        xaug.explain.lrp(model(), np.zeros((2, 5, 3), np.float32), engine="innvestigate")
    for word in words:
        assert word in str(error.value)


def test_softmax_as_a_layer_of_its_own(mlp, x):
    whole = mlp()
    logits = keras.layers.Dense(2, name="raw")
    apart = keras.Model(
        whole.inputs, keras.layers.Softmax(name="end")(logits(whole.layers[-2].output)), name="softmax_apart"
    )
    logits.set_weights(whole.layers[-1].get_weights())
    for target in ("predicted", "signal"):
        np.testing.assert_allclose(
            xaug.explain.lrp(apart, x, target=target).relevance["xaug"],
            xaug.explain.lrp(whole, x, target=target).relevance["xaug"],
            rtol=1e-5,
            atol=1e-7,
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rule": "epsilom"}, ["epsilom", "epsilon"]),
        ({"engine": "magic"}, ["magic", "innvestigate"]),
        ({"epsilon": -1.0}, ["-1.0", "positive"]),
    ],
)
def test_bad_arguments_are_named(mlp, x, change, words):
    with pytest.raises(ConfigurationError) as error:
        xaug.explain.lrp(mlp(), **{"x": x, **change})
    for word in words:
        assert word in str(error.value)


def test_a_dead_worker_is_replaced(mlp, x):
    from xaug.explain.propagation.innvestigate import client as innvestigate_engine

    model = mlp()
    first = xaug.explain.lrp(model, x)
    innvestigate_engine._worker.process.kill()
    innvestigate_engine._worker.process.wait()
    again = xaug.explain.lrp(model, x)
    np.testing.assert_array_equal(first.relevance["xaug"], again.relevance["xaug"])


SCRIPT = """
import numpy as np, keras, xaug, os, json
x = inputs = keras.Input((3,), name="xaug")
model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
xaug.explain.lrp(model, np.ones((2, 3)))
from xaug.explain.propagation.innvestigate import client as innvestigate_engine
print(json.dumps(innvestigate_engine._worker.process.pid), flush=True)
"""


def test_works_from_a_script_without_main_guard_and_leaves_no_process(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    pid = json.loads(done.stdout.splitlines()[-1])
    import psutil

    assert not psutil.pid_exists(pid)


def test_all_errors_are_of_one_family():
    assert issubclass(ModelError, XaugError)
    assert issubclass(ConfigurationError, XaugError)
