"""Random small networks: the native engine in float64 against LRP written with explicit matrices in NumPy.

The formulas share no code with xaug: each Keras layer, on one event, becomes one matrix from all its inputs to all
its outputs, filled in from the definition of the layer (which output reads which input with which weight).
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from keras import layers

from xaug.explain.propagation.composites import COMPOSITES, Composite
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.rules import BIAS, Role


def output_shape(layer):
    """Shape of a layer's output without the event axis."""
    shape = layer.output_shape[0] if isinstance(layer.output_shape, list) else layer.output_shape
    return tuple(shape[1:])


def windows(length, size, stride, padding):
    """First input of each window along one axis; below 0 it begins in the padding. As TensorFlow defines "same"."""
    if padding == "valid":
        return [i * stride for i in range((length - size) // stride + 1)]
    count = -(-length // stride)
    before = max((count - 1) * stride + size - length, 0) // 2
    return [i * stride - before for i in range(count)]


def positions(shape, size, strides, padding):
    """For every place of a window: the (offset in the window, place in the input) that it reads."""
    starts = [windows(*one, padding) for one in zip(shape, size, strides, strict=True)]
    for start in itertools.product(*starts):
        reads = []
        for offset in itertools.product(*map(range, size)):
            place = tuple(s + o for s, o in zip(start, offset, strict=True))
            if all(0 <= p < n for p, n in zip(place, shape, strict=True)):
                reads.append((offset, place))
        yield reads


def convolution_matrix(layer, shape):
    """(inputs, outputs) of a Conv1D or Conv2D: w[window offset, channel in, channel out]; and which entries exist."""
    kernel = layer.get_weights()[0].astype(np.float64)
    *space, channels = shape
    index = np.arange(np.prod(shape)).reshape(shape)
    columns, exists = [], []
    for reads in positions(space, layer.kernel_size, layer.strides, layer.padding):
        column, there = np.zeros((2, index.size, kernel.shape[-1]))
        for offset, place in reads:
            for c in range(channels):
                column[index[(*place, c)]] += kernel[(*offset, c)]
                there[index[(*place, c)]] = 1
        columns.append(column)
        exists.append(there)
    return np.concatenate(columns, axis=1), np.concatenate(exists, axis=1)


def pooling_reads(layer, shape):
    """For every output of a pooling layer, in order: the flat inputs it reads."""
    *space, channels = shape
    index = np.arange(np.prod(shape)).reshape(shape)
    if "Global" in type(layer).__name__:
        return [index[..., c].ravel() for c in range(channels)]
    places = positions(space, layer.pool_size, layer.strides, layer.padding)
    return [np.array([index[(*place, c)] for _, place in reads]) for reads in places for c in range(channels)]


def linear(layer, inputs, shape, how):
    """Output of a dense layer or a convolution, and shares of its inputs by the formula of the rule."""
    kernel, *bias = (w.astype(np.float64) for w in layer.get_weights())
    a = inputs[0].ravel()
    if isinstance(layer, layers.Dense):
        blocks, role = np.eye(len(a) // len(kernel)), Role.DENSE
        w, exists = np.kron(blocks, kernel), np.kron(blocks, np.ones_like(kernel))
    else:
        (w, exists), role = convolution_matrix(layer, inputs[0].shape), Role.CONVOLUTION
    b = np.tile(bias[0] if bias else np.zeros(shape[-1]), w.shape[1] // shape[-1])
    z, rule = a @ w + b, how.composite.rule_of(role, False)
    activated = np.maximum(z, 0) if layer.activation.__name__ == "relu" else z
    return activated, lambda r: [how.share(rule, a, w, exists, b, r, how.bias)]


def largest(layer, inputs, shape, how):
    """A window goes to its first winner, as in the gradient of the pooling; a global maximum is shared by winners."""
    a = inputs[0].ravel()
    w = np.zeros((len(a), int(np.prod(shape))))
    for k, reads in enumerate(pooling_reads(layer, inputs[0].shape)):
        winners = reads[a[reads] == a[reads].max()]
        winners = winners if "Global" in type(layer).__name__ else winners[:1]
        w[winners, k] = 1 / len(winners)
    return a @ w, lambda r: [w @ r]


def safe(z):
    """Stands for a denominator of exactly zero."""
    return np.where(z == 0, 1e-7, z)


def mean(layer, inputs, shape, how):
    """Inputs of a window share by their contributions."""
    a = inputs[0].ravel()
    w = np.zeros((len(a), int(np.prod(shape))))
    for k, reads in enumerate(pooling_reads(layer, inputs[0].shape)):
        w[reads, k] = 1 / len(reads)
    z = a @ w
    return z, lambda r: [a * (w @ (r / safe(z)))]


def add(layer, inputs, shape, how):
    """Terms share by their part of the sum."""
    parts = [v.ravel() for v in inputs]
    z = sum(parts)
    return z, lambda r: [part * r / safe(z) for part in parts]


def join(layer, inputs, shape, how):
    """Values go back to where they came from."""
    cuts = np.cumsum([v.shape[-1] for v in inputs])[:-1]
    joined = np.concatenate(inputs, axis=-1)
    return joined, lambda r: [part.ravel() for part in np.split(r.reshape(shape), cuts, -1)]


def same(layer, inputs, shape, how):
    """A layer through which relevance passes as it is."""
    a = inputs[0].ravel()
    return np.maximum(a, 0) if isinstance(layer, layers.ReLU) else a, lambda r: [r]


FORMULAS = {
    (layers.Dense, layers.Conv1D, layers.Conv2D): linear,
    (layers.MaxPooling1D, layers.MaxPooling2D, layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D): largest,
    (layers.AveragePooling1D, layers.AveragePooling2D, layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D):
        mean,
    (layers.Add,): add,
    (layers.Concatenate,): join,
    (layers.Flatten, layers.Dropout, layers.ReLU): same,
}  # fmt: skip
"""For each kind of layer: its flat output for one event, and a function from the relevance of that to its inputs'."""


@dataclass(frozen=True)
class How:
    """Rules and convention of one comparison, and the formulas of the rules."""

    composite: Composite
    bias: str
    share: Callable


def numpy_lrp(model, x, how):
    """Relevance by input name of ONE event, for the predicted class; `x` by input name, without the event axis."""
    values, back = {name: v.astype(np.float64) for name, v in x.items()}, []
    for layer in model.layers:
        if layer.name in values:
            continue
        inbound = layer.inbound_nodes[0].inbound_layers
        read = [source.name for source in (inbound if isinstance(inbound, list) else [inbound])]
        formula = next(found for kinds, found in FORMULAS.items() if isinstance(layer, kinds))
        flat, shares = formula(layer, [values[source] for source in read], output_shape(layer), how)
        values[layer.name] = flat.reshape(output_shape(layer))
        back.append((layer.name, shares, read))
    output = model.layers[-1].name
    logits = values[output]
    waiting = {name: np.zeros(v.size) for name, v in values.items()}
    waiting[output][logits.argmax()] = logits.max()
    for name, shares, read in reversed(back):
        for source, found in zip(read, shares(waiting[name]), strict=True):
            waiting[source] += found
    return {name: waiting[name].reshape(v.shape) for name, v in x.items()}, logits.max()


def stack(draw, tensor):
    """A random stack of convolutions and pooling on an input of two or three axes, flattened."""
    two = len(tensor.shape) == 4
    dimensions = 2 if two else 1
    for _ in range(draw(st.integers(1, 2))):
        length = min(tensor.shape[1:-1])
        what = draw(st.sampled_from(["conv", "conv", "max", "mean", "branches", "dense"]))
        size = [draw(st.integers(1, min(3, length))) for _ in range(dimensions)]
        strides = [draw(st.integers(1, 2))] * dimensions
        padding = draw(st.sampled_from(["same", "valid"]))
        if what == "conv":
            conv = layers.Conv2D if two else layers.Conv1D
            options = {"activation": draw(st.sampled_from(["relu", "linear"])), "use_bias": draw(st.booleans())}
            tensor = conv(draw(st.integers(1, 3)), size, strides=strides, padding=padding, **options)(tensor)
        elif what == "dense":
            tensor = layers.Dense(draw(st.integers(1, 3)), "relu")(tensor)
        elif what == "branches":
            conv = layers.Conv2D if two else layers.Conv1D
            one, other = (conv(2, n, padding="same", activation="relu")(tensor) for n in (1, 2))
            tensor = draw(st.sampled_from([layers.Add, layers.Concatenate]))()([one, other])
        else:
            kind = {"max": "Max", "mean": "Average"}[what]
            pool = getattr(layers, f"{kind}Pooling{dimensions}D")
            tensor = pool(size, strides=strides, padding=padding)(tensor)
    end = draw(st.sampled_from(["Flatten", "GlobalMaxPooling", "GlobalAveragePooling"]))
    return getattr(layers, end if end == "Flatten" else f"{end}{dimensions}D")()(tensor)


def network(draw):
    """A model of one to three named inputs of one to three axes each, joined, and dense layers behind."""
    inputs, joined = [], []
    for i in range(draw(st.integers(1, 3))):
        shape = [draw(st.integers(2, 5)) for _ in range(draw(st.integers(0, 2)))]
        tensor = keras.Input((*shape, draw(st.integers(1, 3))), name=f"input_{i}")
        inputs.append(tensor)
        joined.append(stack(draw, tensor) if shape else tensor)
    x = layers.Concatenate()(joined) if len(joined) > 1 else joined[0]
    for _ in range(draw(st.integers(0, 2))):
        x = layers.Dense(draw(st.integers(1, 6)), draw(st.sampled_from(["relu", "linear"])))(x)
        if draw(st.booleans()):
            x = layers.ReLU()(layers.Dropout(0.3)(x))
    return keras.Model(inputs, layers.Dense(draw(st.integers(2, 3)), "softmax")(x))


def compare(data, randomised, graph_of, share):
    """Draw a network, a rule, a bias convention and two events; compare."""
    keras.backend.clear_session()
    model = randomised(network(data.draw), seed=data.draw(st.integers(0, 2**16)), bias=0.2)
    name, bias = data.draw(st.sampled_from(list(COMPOSITES))), data.draw(st.sampled_from(BIAS))
    positive = data.draw(st.booleans())
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    x = {t.name: rng.normal(size=(2, *t.shape[1:])) for t in model.inputs}
    x = {key: np.abs(v) if positive else v for key, v in x.items()}
    engine = Propagator(graph_of(model), COMPOSITES[name], bias, "float64", frozenset(x) if positive else frozenset())
    found, explained, _ = engine(x)
    for event in range(2):
        expected, logit = numpy_lrp(model, {key: v[event] for key, v in x.items()}, How(COMPOSITES[name], bias, share))
        assert explained[event] == pytest.approx(logit, rel=1e-9, abs=1e-12)
        largest = max(np.abs(v).max() for v in expected.values())
        for key, v in expected.items():
            # sums in another order: a denominator that nearly cancels amplifies the rounding of float64
            np.testing.assert_allclose(found[key][event], v, rtol=1e-6, atol=1e-8 * largest + 1e-12, err_msg=key)


SETTINGS = {  # the networks are small as they are drawn; to make a failing one smaller takes minutes
    "phases": [Phase.explicit, Phase.generate],
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}


@settings(max_examples=8, **SETTINGS)
@given(data=st.data())
def test_random_networks_equal_numpy(data, randomised, graph_of, share):
    compare(data, randomised, graph_of, share)


@pytest.mark.slow
@settings(max_examples=500, **SETTINGS)
@given(data=st.data())
def test_many_random_networks_equal_numpy(data, randomised, graph_of, share):
    compare(data, randomised, graph_of, share)
