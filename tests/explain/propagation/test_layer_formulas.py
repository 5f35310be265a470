"""Relevance of every kind of layer by a formula in NumPy, event by event, which shares no code with xaug.

Each layer reads the inputs of a network and a dense layer reads it. What a layer does is read off Keras by its outputs;
how relevance is shared is written here. A kind of layer without an entry in `FORMULAS` makes a test fail.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from explain.propagation.test_layers import EXAMPLES, INNER, LIST, OTHER_VERSION, TOKENS
from keras import layers

from xaug.explain.propagation.composites import choose
from xaug.explain.propagation.engine import Propagator
from xaug.explain.propagation.expansions import EXPANSIONS
from xaug.explain.propagation.layers.base import known_layers
from xaug.explain.propagation.unroll import OWN as ANY

TINY = 1e-12
EVENTS = 3


@pytest.fixture(autouse=True)
def _without_tracing():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def ratio(r, z):
    """r / z; where nothing arrives, nothing is shared."""
    return np.where(np.abs(z) < TINY, 0.0, r / np.where(np.abs(z) < TINY, 1.0, z))


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def of_softmax(s, p, r):
    """Taylor expansion of the softmax (arXiv:2402.05602, proposition 3.1)."""
    return s * (r - p * r.sum(axis=-1, keepdims=True))


class Watched:
    """A layer or a chain of layers as a function of inputs, by Keras."""

    def __init__(self, inputs, output, layer):
        self.model, self.layer = keras.Model(inputs, output), layer

    def __call__(self, *x):
        """Outputs of inputs with events first, in float64."""
        return np.asarray(self.model([one.astype(np.float32) for one in x], training=False), np.float64)

    def linear(self, *x):
        """Outputs without the activation."""
        before = self.layer.activation
        self.layer.activation = keras.activations.linear
        try:
            return self(*x)
        finally:
            self.layer.activation = before

    @property
    def weights(self):
        return [w.astype(np.float64) for w in self.layer.get_weights()]


# Formulas: of the watched layer, the inputs of one event, its output and the relevance of that, the relevance of each
# input ---------------------------------------------------------------------------------------------------


def linear(layer, x, y, r):
    """R_j = sum_k x_j w_jk R_k / z_k, with w read off unit vectors and the bias in z."""
    apply = layer.linear if hasattr(layer.layer, "activation") else layer
    sizes = [one.size for one in x]
    unit = np.split(np.eye(sum(sizes)), np.cumsum(sizes)[:-1], axis=1)
    rows = [one.reshape(-1, *own.shape) for one, own in zip(unit, x, strict=True)]
    zero = apply(*[np.zeros((1, *own.shape)) for own in x])
    w = (apply(*rows) - zero).reshape(sum(sizes), -1)
    z = apply(*[own[None] for own in x]).ravel()
    flat = np.concatenate([own.ravel() for own in x])
    shares = np.split(flat * (w @ ratio(r.ravel(), z)), np.cumsum(sizes)[:-1])
    return [one.reshape(own.shape) for one, own in zip(shares, x, strict=True)]


def unchanged(layer, x, y, r):
    """What acts element by element passes relevance on."""
    return [r]


def winner(layer, x, y, r):
    """All to the input that is the output: the one whose change changes it."""
    shares = []
    for i, own in enumerate(x):
        places = [tuple(place) for place in np.ndindex(own.shape)]
        rows = [np.repeat(other[None], len(places), axis=0) for other in x]
        for row, place in enumerate(places):
            rows[i][(row, *place)] -= 1e-2
        moved = np.abs(layer(*rows) - y) > 1e-4
        shares.append((moved * r).reshape(len(places), -1).sum(axis=1).reshape(own.shape))
    return shares


def softmax_layer(layer, x, y, r):
    return [of_softmax(x[0], y, r)]


def embedding(layer, x, y, r):
    return [r.sum(axis=-1)]


def halves(layer, x, y, r):
    """Both factors of a product of signals get half of the relevance."""
    return [r / 2, r / 2]


def dot(layer, x, y, r):
    """y_kl = sum_j a_jk b_jl, each summand by its part, and half of it for each factor."""
    parts = np.einsum("jk,jl,kl->jkl", *x, ratio(r, y))
    return [parts.sum(axis=2) / 2, parts.sum(axis=1) / 2]


def attention(layer, x, y, r):
    """Query and value (which is the key too), with a scale."""
    q, v = x
    (scale,) = layer.weights
    s = scale * q @ v.T
    p = softmax(s)
    share = ratio(r, y)
    r_v, r_p = v * (p.T @ share) / 2, p * (share @ v.T) / 2
    t = scale * ratio(of_softmax(s, p, r_p), s)
    return [q * (t @ v) / 2, v * (t.T @ q) / 2 + r_v]


def additive_attention(layer, x, y, r):
    """Scores sum_d scale_d tanh(q_d + k_d)."""
    q, v = x
    (scale,) = layer.weights
    joined = q[:, None] + v[None]
    bent = scale * np.tanh(joined)
    s = bent.sum(axis=-1)
    p = softmax(s)
    share = ratio(r, y)
    r_v, r_p = v * (p.T @ share) / 2, p * (share @ v.T) / 2
    t = bent * ratio(of_softmax(s, p, r_p), s)[..., None]
    return [(q[:, None] * ratio(t, joined)).sum(axis=1), (v[None] * ratio(t, joined)).sum(axis=0) + r_v]


def multi_head(layer, x, y, r):
    """AttnLRP on one input that is query, key and value."""
    wq, bq, wk, bk, wv, bv, wo, bo = layer.weights
    (one,) = x
    q, k, v = (np.einsum("pf,fhd->phd", one, w) + b for w, b in ((wq, bq), (wk, bk), (wv, bv)))
    root = np.sqrt(q.shape[-1])
    s = np.einsum("qhd,khd->hqk", q, k) / root
    p = softmax(s)
    mixed = np.einsum("hqk,khd->qhd", p, v)
    share = np.einsum("hdf,qf->qhd", wo, ratio(r, np.einsum("qhd,hdf->qf", mixed, wo) + bo))
    r_v, r_p = v * np.einsum("hqk,qhd->khd", p, share) / 2, p * np.einsum("khd,qhd->hqk", v, share) / 2
    t = ratio(of_softmax(s, p, r_p), s) / root
    r_q, r_k = q * np.einsum("hqk,khd->qhd", t, k) / 2, k * np.einsum("hqk,qhd->khd", t, q) / 2
    parts = ((wq, r_q, q), (wk, r_k, k), (wv, r_v, v))
    return [sum(one * np.einsum("fhd,phd->pf", w, ratio(own, z)) for w, own, z in parts)]


def categories(layer, x, y, r):
    """Tokens of a category have equal parts of its relevance."""
    tokens = x[0].astype(int)
    return [np.array([r[token] / (tokens == token).sum() for token in tokens])]


def lstm(x, weights, r, begin=None, of_cell=0.0):
    """Relevance of steps x, of h_0 and of c_0, from that of all states (steps, units) and of the last cell state: none
    to the gates."""
    w, u, b = weights
    units = len(u)
    h, c = np.zeros((2, units)) if begin is None else begin
    steps = []
    for step in x:
        i, f, a, o = np.split(step @ w + h @ u + b, 4)
        kept, added = sigmoid(f) * c, sigmoid(i) * np.tanh(a)
        steps.append((h, kept, added, a))
        c = kept + added
        h = sigmoid(o) * np.tanh(c)
    found, of_state = np.zeros_like(x), np.zeros(units)
    for t in reversed(range(len(x))):
        before, kept, added, a = steps[t]
        share = ratio(of_cell + of_state + r[t], kept + added)
        s = ratio(added * share, a)
        found[t] = x[t] * (w[:, 2 * units : 3 * units] @ s)
        of_state, of_cell = before * (u[:, 2 * units : 3 * units] @ s), kept * share
    return found, of_state, of_cell


def gru(x, weights, r, begin=None):
    """The same of a GRU with reset_after: h = z h' + (1 - z) tanh(candidate)."""
    w, u, b = weights
    units = len(u)
    h, steps = np.zeros(units) if begin is None else begin[0], []
    for step in x:
        wz, wr, wc = np.split(step @ w + b[0], 3)
        uz, ur, uc = np.split(h @ u + b[1], 3)
        z, reset = sigmoid(wz + uz), sigmoid(wr + ur)
        a = wc + reset * uc
        new = z * h + (1 - z) * np.tanh(a)
        steps.append((h, z, reset, a, new))
        h = new
    found, carried = np.zeros_like(x), np.zeros(units)
    for t in reversed(range(len(x))):
        before, z, reset, a, new = steps[t]
        share = ratio(carried + r[t], new)
        s = ratio((1 - z) * np.tanh(a) * share, a)
        found[t] = x[t] * (w[:, 2 * units :] @ s)
        carried = z * before * share + before * (u[:, 2 * units :] @ (reset * s))
    return found, carried


def simple(x, weights, r, begin=None):
    """h = tanh(x w + h' u + b)."""
    w, u, b = weights
    states, sums = [np.zeros(len(u)) if begin is None else begin[0]], []
    for step in x:
        sums.append(step @ w + states[-1] @ u + b)
        states.append(np.tanh(sums[-1]))
    found, carried = np.zeros_like(x), np.zeros(len(u))
    for t in reversed(range(len(x))):
        s = ratio(carried + r[t], sums[t])
        found[t], carried = x[t] * (w @ s), states[t] * (u @ s)
    return found, carried


def at_the_end(r, steps):
    """Relevance of all states where the last one alone is read."""
    return np.concatenate([np.zeros((steps - 1, len(r))), r[None]])


def sequence(function):
    return lambda layer, x, y, r: [function(x[0], layer.weights, r)[0]]


def last(function):
    return lambda layer, x, y, r: [function(x[0], layer.weights, at_the_end(r, len(x[0])))[0]]


def both_directions(layer, x, y, r):
    forward, backward = layer.weights[:3], layer.weights[3:]
    steps, half = len(x[0]), len(r) // 2
    reverse = lstm(x[0][::-1], backward, at_the_end(r[half:], steps))[0][::-1]
    return [lstm(x[0], forward, at_the_end(r[:half], steps))[0] + reverse]


def of_cells(layer, x, y, r):
    """An LSTM below a GRU, all of whose states are read."""
    below, above = layer.weights[:3], layer.weights[3:]
    h = c = np.zeros(len(below[1]))
    states = []
    for step in x[0]:
        i, f, a, o = np.split(step @ below[0] + h @ below[1] + below[2], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(a)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return [lstm(x[0], below, gru(np.array(states), above, r)[0])[0]]


def kinks(layer, x, y, r):
    """relu(2 x) - x, whose parts share by their contributions and end in the same input."""
    return [ratio(r, y) * np.maximum(2 * x[0], 0) - ratio(r, y) * x[0]]


FORMULAS = {
    **dict.fromkeys((
        "Add", "Average", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "BatchNormalization",
        "CenterCrop", "Concatenate", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D",
        "Conv3DTranspose",
        "Cropping1D", "Cropping2D", "Cropping3D", "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "EinsumDense",
        "Flatten", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D", "Lambda",
        "Normalization", "Permute", "RepeatVector", "Rescaling", "Reshape", "Resizing", "SeparableConv1D",
        "LocallyConnected1D", "LocallyConnected2D",
        "SeparableConv2D", "SlicingOpLambda", "SpectralNormalization", "Subtract", "TimeDistributed", "UpSampling1D",
        "UpSampling2D", "UpSampling3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
    ), linear),
    **dict.fromkeys((
        "Activation", "ActivityRegularization", "AlphaDropout", "Dropout", "ELU", "GaussianDropout", "GaussianNoise",
        "GroupNormalization", "InputLayer", "LayerNormalization", "LeakyReLU", "Masking", "PReLU", "RandomBrightness",
        "RandomContrast", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "ReLU", "SpatialDropout1D",
        "SpatialDropout2D", "SpatialDropout3D", "ThresholdedReLU",
    ), unchanged),
    **dict.fromkeys((
        "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "MaxPooling1D", "MaxPooling2D",
        "MaxPooling3D", "Maximum", "Minimum",
    ), winner),
    "AdditiveAttention": additive_attention,
    "Attention": attention,
    "Bidirectional": both_directions,
    "CategoryEncoding": categories,
    "Dot": dot,
    "Embedding": embedding,
    "GRU": last(gru),
    "LSTM": sequence(lstm),
    "MultiHeadAttention": multi_head,
    "Multiply": halves,
    "RNN": of_cells,
    "SimpleRNN": last(simple),
    "Softmax": softmax_layer,
    "TFOpLambda": kinks,
}  # fmt: skip
"""The formula of each kind of layer."""
PAIRS = {
    "Add": layers.Add, "AdditiveAttention": layers.AdditiveAttention,
    "Attention": lambda: layers.Attention(use_scale=True), "Average": layers.Average,
    "Concatenate": lambda: layers.Concatenate(axis=1), "Dot": lambda: layers.Dot(1), "Maximum": layers.Maximum,
    "Minimum": layers.Minimum, "Multiply": layers.Multiply, "Subtract": layers.Subtract,
}  # fmt: skip
"""Layers of two inputs."""
OWN = {
    "BatchNormalization": (LIST, layers.BatchNormalization),
    "SpectralNormalization": (LIST, lambda: layers.SpectralNormalization(layers.Dense(4))),
    "TimeDistributed": (LIST, lambda: layers.TimeDistributed(layers.Dense(4))),
}
"""Layers that are other ones than in the examples, so that they are linear."""


def test_every_kind_of_layer_has_a_formula():
    known = {kind for kind, entry in known_layers().items() if entry.layer is not None}
    known = (known - INNER - {"Operation", "GetItem", "ClassMethod"}) | (set(EXPANSIONS) - {ANY})
    assert set(FORMULAS) - OTHER_VERSION == known - OTHER_VERSION


def network(kind):
    """A network of the layer and a dense one, its inputs, and the layer alone."""
    if kind in PAIRS:
        inputs = [keras.Input((4, 3), name=name) for name in ("a", "b")]
        own = PAIRS[kind]()
        y = own(inputs)
    else:
        shape, make = OWN.get(kind) or EXAMPLES[kind]
        inputs, own = [keras.Input(shape, name="a")], make()
        y = own(inputs[0])
        if not isinstance(own, layers.Layer):  # a function of a tensor
            own = next((layer for layer in keras.Model(inputs, y).layers if type(layer).__name__ == kind), None)
    flat = layers.Flatten()(y) if len(y.shape) > 2 else y
    model = keras.Model(inputs, layers.Dense(2, "softmax", name="out")(flat))
    return model, Watched(inputs, y, own)


def events(model):
    rng = np.random.default_rng(7)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    if shapes == [TOKENS]:
        return [rng.integers(0, 5, (EVENTS, *TOKENS)).astype(float)]
    return [rng.normal(size=(EVENTS, *shape)).astype(np.float32).astype(float) for shape in shapes]


@pytest.mark.parametrize("kind", sorted(set(FORMULAS) & (set(EXAMPLES) | set(PAIRS))))
def test_relevance_is_that_of_the_formula(randomised, graph_of, kind):
    model, layer = network(kind)
    if kind != "Normalization":
        randomised(model, seed=4, bias=0.3)
    x = events(model)
    named = dict(zip(("a", "b"), x, strict=False))
    engine = Propagator(graph_of(model), choose("epsilon", 1e-10), dtype="float64")
    found, logit, _ = engine(named, np.array([1.0, 0.0]))
    w, b = (own.astype(np.float64) for own in model.get_layer("out").get_weights())
    y = layer(*x)
    np.testing.assert_allclose(logit, y.reshape(EVENTS, -1) @ w[:, 0] + b[0], rtol=1e-4, atol=1e-4)
    for n in range(EVENTS):
        relevance = (y[n].ravel() * w[:, 0]).reshape(y[n].shape)
        expected = FORMULAS[kind](layer, [one[n] for one in x], y[n], relevance)
        largest = max(np.abs(one).max() for one in expected)
        assert largest > 1e-3
        for name, one in zip(named, expected, strict=True):
            np.testing.assert_allclose(
                found[name][n], one, rtol=2e-3, atol=1e-4 * largest, err_msg=f"{name}, event {n}"
            )
