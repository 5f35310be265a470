"""Small models of the kinds that particle physicists bring, each a function in `MODELS` by what it is.

Layers have no bias, so that relevance is conserved where `Kind.conserves` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers

STEPS, FEATURES, TOKENS = 6, 3, 7
LENGTHS = np.array([6, 2, 1, 4, 5, 6, 3, 6, 6])
"""Real steps of the nine events: padded ones in many positions of the batch."""


@dataclass(frozen=True)
class Kind:
    """A model of the zoo.

    Attributes
    ----------
    name : str
        what it is, in words
    build : callable
        makes the model
    conserves : bool
        whether relevance adds up to the logit at zero bias: not behind a softmax inside, or normalisation by moments
    """

    name: str
    build: Callable[[], keras.Model]
    conserves: bool = True


MODELS: dict[str, Kind] = {}


def zoo(name, conserves=True):
    """Decorator: the function makes a model of the zoo."""

    def add(build):
        MODELS[build.__name__] = Kind(name, build, conserves)
        return build

    return add


def head(inputs, h, units=2, activation="softmax"):
    h = layers.Flatten()(h) if len(h.shape) > 2 else h
    return keras.Model(inputs, layers.Dense(units, activation, use_bias=False, name="out")(h))


def particles(name="list", steps=STEPS):
    return keras.Input((steps, FEATURES), name=name)


def dense(units, activation=None):
    return layers.Dense(units, activation, use_bias=False)


def events(model, seed=0):
    """Nine events: padded lists, masks beside them, tokens, or normal numbers."""
    rng, found = np.random.default_rng(seed), {}
    real = np.arange(STEPS) < LENGTHS[:, None]
    for tensor, name in zip(model.inputs, model.input_names, strict=True):
        shape = tuple(size or STEPS for size in tensor.shape[1:])
        if tensor.dtype.is_integer:
            found[name] = rng.integers(0, TOKENS, (len(LENGTHS), *shape))
        elif name == "mask":
            found[name] = real.astype(np.float32)
        else:
            values = rng.normal(size=(len(LENGTHS), *shape)).astype(np.float32)
            found[name] = values * real[..., None] if shape == (STEPS, FEATURES) else values
    return found


@zoo("particle flow network of EnergyFlow (TimeDistributed Dense, Lambda mask, Dot)")
def particle_flow():
    inputs = particles()
    backend = keras.backend
    mask = layers.Lambda(
        lambda x: backend.cast(backend.any(backend.not_equal(x, 0.0), axis=-1), backend.dtype(x)), name="mask"
    )(inputs)
    h = inputs
    for units in (8, 5):
        h = layers.Activation("relu")(layers.TimeDistributed(dense(units))(h))
    return head(inputs, layers.Activation("relu")(dense(6)(layers.Dot(1)([mask, h]))))


@zoo("energy flow network (Dot of momentum fractions and directions)")
def energy_flow():
    z, directions = keras.Input((STEPS,), name="z"), particles("directions")
    return head([z, directions], dense(4, "relu")(layers.Dot(1)([z, dense(5, "relu")(directions)])))


@zoo("deep sets: masked mean written in operations")
def masked_mean():
    inputs = particles()
    mask = tf.cast(tf.reduce_any(inputs != 0, axis=-1, keepdims=True), tf.float32)
    return head(inputs, tf.reduce_sum(dense(5, "relu")(inputs) * mask, 1) / tf.reduce_sum(mask, 1))


@zoo("deep sets: Masking and GlobalAveragePooling1D")
def masked_pooling():
    inputs = particles()
    return head(inputs, layers.GlobalAveragePooling1D()(dense(5, "relu")(layers.Masking()(inputs))))


@zoo("deep sets: explicit mask=")
def given_mask():
    inputs, mask = particles(), keras.Input((STEPS,), name="mask")
    return head([inputs, mask], layers.GlobalAveragePooling1D()(dense(5, "relu")(inputs), mask=mask > 0.5))


@zoo("edge convolution over all pairs of particles (tile, concat, reduce_max)")
def edge_convolution():
    inputs = particles()
    one = tf.tile(tf.expand_dims(inputs, 2), [1, 1, STEPS, 1])
    other = tf.tile(tf.expand_dims(inputs, 1), [1, STEPS, 1, 1])
    edges = dense(5, "relu")(tf.concat([one, other - one], -1))
    return head(inputs, layers.GlobalMaxPooling1D()(tf.reduce_max(edges, axis=2)))


@zoo("residual sums and differences by operators")
def residual():
    inputs = particles()
    h = dense(FEATURES, "relu")(inputs) + inputs
    return head(inputs, tf.reduce_mean(h - 0.5 * inputs, axis=1))


@zoo("first particle by a slice, and split columns")
def slices():
    inputs = particles()
    a, b = tf.split(inputs, [1, 2], -1)
    return head(
        inputs, tf.concat([dense(4, "relu")(inputs)[:, 0], layers.Flatten()(dense(2)(tf.concat([b, a], -1)))], -1)
    )


@zoo("two jets by one shared encoder")
def shared_encoder():
    code = keras.Input((FEATURES,))
    encoder = keras.Model(code, dense(4)(dense(5, "relu")(code)), name="encoder")
    jets = [keras.Input((FEATURES,), name=name) for name in ("jet1", "jet2")]
    return head(jets, layers.Concatenate()([encoder(jet) for jet in jets]))


@zoo("one tensor twice in a Concatenate")
def twice():
    inputs = keras.Input((FEATURES,), name="x")
    h = dense(4, "relu")(inputs)
    return head(inputs, layers.Concatenate()([h, h]))


@zoo("masked GRU inside a nested model")
def nested_recurrent():
    inner = particles("inner")
    encoder = keras.Model(inner, layers.GRU(4, use_bias=False)(dense(4)(layers.Masking()(inner))), name="encoder")
    inputs = particles()
    return head(inputs, encoder(inputs))


@zoo("TimeDistributed of a model, behind Masking")
def distributed_model():
    inner = keras.Input((FEATURES,))
    encoder = keras.Model(inner, layers.LeakyReLU()(dense(4)(inner)))
    inputs = particles()
    return head(inputs, layers.GlobalAveragePooling1D()(layers.TimeDistributed(encoder)(layers.Masking()(inputs))))


@zoo("bidirectional GRU and LSTM behind Masking")
def bidirectional():
    h = inputs = particles()
    h = layers.Bidirectional(layers.GRU(4, return_sequences=True, use_bias=False))(layers.Masking()(h))
    return head(inputs, layers.Bidirectional(layers.LSTM(3, use_bias=False), merge_mode="sum")(h))


@zoo("LSTM that reads backwards, and SimpleRNN")
def backwards():
    inputs = particles()
    h = layers.LSTM(4, return_sequences=True, go_backwards=True, use_bias=False)(layers.Masking()(inputs))
    return head(inputs, layers.SimpleRNN(3, use_bias=False)(h))


@zoo("lists of unknown length: masked GRU and convolution")
def unknown_length():
    inputs = particles(steps=None)
    h = layers.GlobalMaxPooling1D()(layers.Conv1D(4, 2, activation="relu", use_bias=False)(inputs))
    return head(inputs, layers.Concatenate()([h, layers.GRU(3, use_bias=False)(layers.Masking()(inputs))]))


@zoo("transformer block (MultiHeadAttention, LayerNormalization, GELU)", conserves=False)
def transformer():
    inputs = particles()
    h = dense(8)(inputs)
    h = layers.LayerNormalization()(h + layers.MultiHeadAttention(2, 4)(h, h))
    h = layers.LayerNormalization()(layers.Add()([h, keras.Sequential([dense(8, "gelu"), dense(8)])(h)]))
    return head(inputs, layers.GlobalAveragePooling1D()(h))


@zoo("attention with a mask of pairs, and a masked sum", conserves=False)
def masked_attention():
    inputs, mask = particles(), keras.Input((STEPS,), name="mask")
    h = dense(8)(inputs)
    h = h + layers.MultiHeadAttention(2, 4)(h, h, attention_mask=tf.expand_dims(mask, 1))
    return head([inputs, mask], tf.reduce_sum(layers.Multiply()([h, layers.Reshape((STEPS, 1))(mask)]), 1))


@zoo("causal attention behind Masking", conserves=False)
def causal_attention():
    inputs = particles()
    h = dense(8)(layers.Masking()(inputs))
    h = layers.Add()([h, layers.MultiHeadAttention(2, 4)(h, h, use_causal_mask=True)])
    return head(inputs, layers.GlobalAveragePooling1D()(h))


@zoo("attention written in operations", conserves=False)
def attention_operations():
    inputs = particles()
    query, key, value = (dense(4)(inputs) for _ in range(3))
    return head(inputs, tf.matmul(tf.nn.softmax(tf.matmul(query, key, transpose_b=True) / 2.0), value))


@zoo("pooling by learned weights (softmax over particles)", conserves=False)
def attention_pooling():
    inputs = particles()
    return head(inputs, tf.reduce_sum(layers.Softmax(axis=1)(dense(1)(inputs)) * dense(4)(inputs), axis=1))


@zoo("gates of channels (squeeze and excitation)")
def squeeze_and_excitation():
    inputs = keras.Input((6, 6, 2), name="image")
    h = layers.Conv2D(4, 3, activation="relu", use_bias=False)(inputs)
    gate = dense(4, "sigmoid")(dense(2, "relu")(layers.GlobalAveragePooling2D(keepdims=True)(h)))
    return head(inputs, layers.GlobalAveragePooling2D()(layers.Multiply()([h, gate])))


@zoo("residual network of images with BatchNormalization and separable convolutions", conserves=False)
def residual_images():
    inputs = keras.Input((8, 8, 1), name="image")
    h = layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    y = layers.ReLU()(layers.BatchNormalization()(h))
    h = layers.ReLU()(layers.Add()([h, layers.Conv2D(4, 3, padding="same", use_bias=False)(y)]))
    h = layers.SeparableConv2D(6, 3, padding="same", strides=2, use_bias=False)(h)
    return head(inputs, layers.GlobalAveragePooling2D()(h))


@zoo("depthwise convolutions, zero padding, ReLU6")
def depthwise():
    inputs = keras.Input((8, 8, 2), name="image")
    h = layers.DepthwiseConv2D(3, use_bias=False)(layers.ZeroPadding2D(1)(inputs))
    return head(inputs, layers.AveragePooling2D(2)(layers.ReLU(6.0)(h)))


@zoo("U-Net (transposed convolution, up-sampling, cropping)")
def u_net():
    inputs = keras.Input((8, 8, 1), name="image")
    down = layers.Conv2D(3, 3, padding="same", activation="relu", use_bias=False)(inputs)
    small = layers.MaxPooling2D(2)(down)
    up = layers.Conv2DTranspose(3, 2, strides=2, use_bias=False)(small)
    both = layers.Concatenate()([down, up, layers.UpSampling2D(2)(small)])
    return head(inputs, layers.GlobalAveragePooling2D()(layers.Cropping2D(1)(both)))


@zoo("dilated causal convolutions of lists")
def dilated():
    h = inputs = particles()
    for rate in (1, 2):
        h = layers.Conv1D(4, 2, padding="causal", dilation_rate=rate, activation="relu", use_bias=False)(h)
    return head(inputs, h)


@zoo("calorimeter cubes (Conv3D, pooling in 3D)")
def cubes():
    inputs = keras.Input((4, 4, 4, 1), name="cells")
    h = layers.Conv3D(3, 2, activation="relu", padding="same", use_bias=False)(inputs)
    return head(inputs, layers.Concatenate()([layers.Flatten()(pool(2)(h)) for pool in POOLS]))


POOLS = (layers.MaxPooling3D, layers.AveragePooling3D)


@zoo("embedded particle types beside momenta")
def embedding():
    kinds, momenta = keras.Input((STEPS,), name="kinds", dtype="int32"), particles("momenta")
    h = layers.Concatenate()([layers.Embedding(TOKENS, 4)(kinds), momenta])
    return head([kinds, momenta], layers.GlobalAveragePooling1D()(dense(4, "relu")(h)))


@zoo("tokens with mask_zero, and a GRU")
def tokens():
    inputs = keras.Input((STEPS,), name="kinds", dtype="int32")
    return head(inputs, layers.GRU(3, use_bias=False)(layers.Embedding(TOKENS, 4, mask_zero=True)(inputs)))


@zoo("activations: ELU, SELU, GELU, PReLU, LeakyReLU, swish, tanh")
def activations():
    h = inputs = particles()
    for name in ("elu", "selu", "gelu", "swish", "tanh"):
        h = dense(4, name)(h)
    return head(inputs, layers.PReLU(shared_axes=[1])(dense(4, layers.LeakyReLU(0.1))(h)))


@zoo("Normalization of the inputs, BatchNormalization along the steps", conserves=False)
def normalised():
    inputs = particles()
    scale = layers.Normalization(mean=[0.1, -0.2, 0.3], variance=[1.5, 0.5, 2.0])
    return head(inputs, layers.BatchNormalization(axis=1)(dense(4, "relu")(scale(inputs))))


@zoo("idle layers in a row (Dropout, noise, ActivityRegularization)")
def idle():
    inputs = particles()
    h = layers.GaussianNoise(0.1)(layers.SpatialDropout1D(0.1)(layers.Dropout(0.1)(dense(4, "relu")(inputs))))
    return head(inputs, layers.Activation("linear")(layers.ActivityRegularization()(h)))


@zoo("head: one sigmoid")
def one_sigmoid():
    inputs = particles()
    return head(inputs, dense(4, "relu")(inputs), 1, "sigmoid")


@zoo("head: several labels, each a sigmoid")
def several_labels():
    inputs = particles()
    return head(inputs, dense(4, "relu")(inputs), 3, "sigmoid")


@zoo("head: plain logits of four classes")
def plain_logits():
    inputs = particles()
    return head(inputs, dense(4, "relu")(inputs), 4, None)


@zoo("refused: an operation without a rule (cumulative product)")
def cumulative_product():
    inputs = particles()
    return head(inputs, tf.math.cumprod(inputs, axis=1))


@zoo("refused: weights of its own at every place (LocallyConnected1D)")
def locally_connected():
    inputs = particles()
    return head(inputs, layers.LocallyConnected1D(3, 2, use_bias=False, name="places")(inputs))


@zoo("refused: a recurrent layer with a given initial state")
def initial_state():
    inputs = particles()
    return head(inputs, layers.GRU(3, use_bias=False, name="memory")(inputs, initial_state=dense(3)(inputs[:, 0])))
