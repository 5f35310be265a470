"""LRP against every peer: one process a contestant, one thread each, rounds in turn, ratios of the same round.

    XAUG_PEERS=peers/bin/python python -m pytest -m benchmark tests/benchmarks/test_lrp_speed.py

XAUG_PEERS names a Python interpreter with torch, zennit and captum; without it their rows are left out.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from xaug import variables
from xaug.explain.targets import logits_of
from xaug.networks.choice import choose_inputs
from xaug.networks.registry import build

pytestmark = pytest.mark.benchmark
HERE = Path(__file__).parent
PEERS = os.environ.get("XAUG_PEERS")
EVENTS, MANY, PEER_EVENTS, ROUNDS = 2048, 100_000, 512, 9
ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3",
}  # fmt: skip
UNGUARDED = "unguarded"
"""The native engine in the same process once more, for what the guard costs."""
OURS = ("gradient", "forward", "native")
CONTESTANTS = {
    "cnn2d": (*OURS, "innvestigate", "zennit", "captum"),
    # iNNvestigate needs some 450 s before its first number
    "cnn1d": (*OURS, "zennit", "captum"),
    "mlp": (*OURS, "innvestigate", "zennit", "captum"),
    "mlp_many": OURS,
    # no peer has a rule for recurrent layers, nor for attention with its normalisation
    "rnn": OURS,
    "lstm": OURS,
    "attention": OURS,
}
NAMES = {
    "gradient": "Keras forward and backward", "forward": "Keras forward", "native": "xaug, native",
    "unguarded": "xaug, native, without the guard", "innvestigate": "xaug, iNNvestigate", "zennit": "Zennit",
    "captum": "Captum",
}  # fmt: skip
GUARDED = 1 / 1.05
"""The guard costs at most 5%."""
GOALS = {
    "cnn2d": {"gradient": 0.75, "unguarded": GUARDED, "innvestigate": 1.8, "zennit": 2.0, "captum": 2.0},
    "cnn1d": {"gradient": 0.6, "unguarded": GUARDED, "zennit": 2.0, "captum": 2.0},
    # a call has a fixed cost, as high as that of the layers of so small a network for 2,048 events
    "mlp": {"zennit": 2.0, "captum": 2.0},
    "mlp_many": {"gradient": 0.6, "unguarded": GUARDED},
    "rnn": {"gradient": 0.6, "unguarded": GUARDED},
    "lstm": {"gradient": 0.6, "unguarded": GUARDED},
    "attention": {"gradient": 0.6, "unguarded": GUARDED},
}
"""Smallest ratio of events/s, native to another."""
FIRST = 15.0
"""Seconds within which the native engine must have given its first result."""


def lstm(inputs):
    """Two LSTMs over a list of particles without those that are padded, joined with the XAUGs."""
    tensors = {name: keras.Input(shape, name=name) for name, shape in inputs.shapes.items()}
    h = layers.LSTM(64, return_sequences=True)(layers.Masking()(tensors["list"]))
    h = layers.Concatenate()([layers.LSTM(32)(h), tensors["xaug"]])
    return keras.Model(list(tensors.values()), layers.Dense(2, "softmax")(layers.Dense(64, "relu")(h)))


def attention(inputs):
    """Two transformer blocks over a list of particles without those that are padded, joined with the XAUGs."""
    tensors = {name: keras.Input(shape, name=name) for name, shape in inputs.shapes.items()}
    h = layers.Dense(32, "relu")(layers.Masking()(tensors["list"]))
    for _ in range(2):
        h = layers.LayerNormalization()(layers.Add()([h, layers.MultiHeadAttention(4, 8)(h, h)]))
        h = layers.LayerNormalization()(layers.Add()([h, layers.Dense(32)(layers.Dense(64, "relu")(h))]))
    h = layers.Concatenate()([layers.GlobalAveragePooling1D()(h), tensors["xaug"]])
    return keras.Model(list(tensors.values()), layers.Dense(2, "softmax")(layers.Dense(64, "relu")(h)))


OWN = {"lstm": lstm, "attention": attention}
"""Networks that are not of the package, on the inputs of its RNN."""


def sample(inputs, n, rng):
    """Random inputs: images with a tenth of their pixels lit, lists of 5 to 20 particles, XAUGs in [0, 1]."""
    found, real = {}, np.arange(20) < rng.integers(5, 21, (n, 1))
    for name, shape in inputs.shapes.items():
        if name == "image":
            values = rng.exponential(0.05, (n, *shape)) * (rng.random((n, *shape)) < 0.1)
        elif len(shape) == 2:
            values = rng.uniform(-1, 1, (n, *shape)) * real[..., None]
        else:
            values = rng.random((n, *shape))
        found[name] = values.astype(np.float32)
    return found


def logits(model, x):
    """Output of the model before its softmax."""
    copy = logits_of(model)
    bare = keras.Model.from_config(copy.config["config"])
    for layer in bare.layers:
        if copy.weights.get(layer.name):
            layer.set_weights(copy.weights[layer.name])
    return bare.predict([x[name] for name in model.input_names], verbose=0)


def command(contestant, network):
    """Command line of a contestant."""
    if contestant in ("zennit", "captum"):
        return [PEERS, HERE / "lrp_torch.py", contestant, network, "weights.npz", "peers.npz"]
    return [sys.executable, HERE / "lrp_tensorflow.py", contestant, "model.h5", "inputs.npz"]


def race(network, folder):
    """Seconds of processor time per event of every contestant, round by round, and what each said when it was ready."""
    keras.utils.set_random_seed(1)
    rng, contestants = np.random.default_rng(0), CONTESTANTS[network]
    events, network = (MANY if network.endswith("_many") else EVENTS), network.removesuffix("_many")
    inputs = choose_inputs(variables.table_of("jets"), "rnn" if network in OWN else network)
    model = OWN[network](inputs) if network in OWN else build(inputs)
    for layer in model.layers:  # biases of a trained size
        layer.set_weights([w + (0.05 * rng.normal(size=w.shape) if w.ndim == 1 else 0) for w in layer.get_weights()])
    x = sample(inputs, events, rng)
    model.save(folder / "model.h5")
    np.savez(folder / "inputs.npz", **x)
    if "captum" in contestants:
        few = {name: x[name][:PEER_EVENTS] for name in model.input_names}
        np.savez(folder / "peers.npz", **few, logits=logits(model, few))
        weights = {f"{layer.name}/{i}": w for layer in model.layers for i, w in enumerate(layer.get_weights())}
        np.savez(folder / "weights.npz", **weights)
    running, said = {}, {}
    times = {}
    try:
        for name in contestants:
            if name in ("zennit", "captum") and not PEERS:
                continue
            running[name] = subprocess.Popen(
                command(name, network), cwd=folder, env={**os.environ, **ONE_THREAD}, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(folder / f"{name}.log").open("w"),
            )  # fmt: skip
            line = running[name].stdout.readline()
            assert line, (folder / f"{name}.log").read_text()[-2000:]
            said[name] = json.loads(line)
        turns = [name for name in running if name != "native"]
        running[UNGUARDED], said[UNGUARDED] = running["native"], said["native"]
        for i in range(ROUNDS):
            ours = ("native", UNGUARDED) if i % 2 else (UNGUARDED, "native")
            for name in (*turns, *ours):
                running[name].stdin.write(f"{name}\n")
                running[name].stdin.flush()
                times.setdefault(name, []).append(float(running[name].stdout.readline()) / said[name]["events"])
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    return {name: np.array(values) for name, values in times.items()}, said


@pytest.mark.parametrize("network", CONTESTANTS)
def test_native_lrp_is_the_fastest(network, tmp_path, capsys):
    """Prints rows of the table of speeds on the page `performance.md`."""
    times, said = race(network, tmp_path)
    gradient = times["gradient"]
    with capsys.disabled():
        print(
            "\n| network | | events/s | of forward and backward | batch | first result |\n|---|---|---:|---:|---:|---:|"
        )
        for name, own in times.items():
            print(
                f"| {network} | {NAMES[name]} | {1 / np.median(own):,.0f} | {np.median(gradient / own):.2f} "
                f"| {said[name]['batch']} | {said[name]['first']:.1f} s |"
            )
        if not PEERS:
            print("Zennit and Captum left out: set XAUG_PEERS to a Python with torch, zennit and captum.")
    assert said["native"]["first"] < FIRST
    for name, goal in GOALS[network].items():
        if name in times:
            ratio = float(np.median(times[name] / times["native"]))
            assert ratio >= goal, f"native LRP has {ratio:.2f} of the speed of {NAMES[name]}, not {goal}"
