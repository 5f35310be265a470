"""Sets of particles: each by itself, then a sum (Deep Sets)."""

import keras
import tensorflow as tf
from explain.zoo.registry import STEPS, TOKENS, dense, head, particles, vector, zoo
from keras import layers


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


@zoo("embedded particle types beside momenta")
def embedding():
    kinds, momenta = keras.Input((STEPS,), name="kinds", dtype="int32"), particles("momenta")
    h = layers.Concatenate()([layers.Embedding(TOKENS, 4)(kinds), momenta])
    return head([kinds, momenta], layers.GlobalAveragePooling1D()(dense(4, "relu")(h)))


@zoo("particle flow network with a mask by not_equal on pT, sum of the real ones")
def mask_of_momentum():
    inputs = particles()
    mask = tf.cast(tf.not_equal(inputs[..., :1], 0.0), tf.float32)
    return head(inputs, dense(6, "relu")(layers.Lambda(lambda h: tf.reduce_sum(h[0] * h[1], 1))([code(inputs), mask])))


def code(inputs):
    """Two dense layers on each particle."""
    return dense(5, "relu")(dense(8, "relu")(inputs))


@zoo("energy flow network with momentum fractions of its own, masked")
def energy_fractions():
    inputs = particles()
    momentum, directions = tf.abs(inputs[..., 0]), inputs[..., 1:]
    z = tf.math.divide_no_nan(momentum, tf.reduce_sum(momentum, 1, keepdims=True))
    return head(inputs, layers.Dot(axes=(1, 1))([z, code(directions)]))


@zoo("deep sets: sum, mean and maximum of the particles beside each other", piecewise=True)
def three_pools():
    h = code(inputs := particles())
    pools = [tf.reduce_sum(h, 1), layers.GlobalAveragePooling1D()(h), layers.GlobalMaxPooling1D()(h)]
    return head(inputs, layers.Concatenate()(pools))


@zoo("deep sets: maximum of the real particles (where, -1e9)")
def masked_maximum():
    inputs = particles()
    real = tf.reduce_any(tf.not_equal(inputs, 0.0), axis=-1, keepdims=True)
    h = dense(5, "relu")(inputs)
    return head(inputs, tf.reduce_max(tf.where(real, h, tf.ones_like(h) * -1e9), axis=1))


@zoo("deep sets: permutation-equivariant layers (h - mean of h)", piecewise=True)
def equivariant():
    h = inputs = particles()
    for _ in range(2):
        h = tf.nn.relu(dense(5)(h) + dense(5)(tf.reduce_mean(h, axis=1, keepdims=True)))
    return head(inputs, tf.reduce_mean(h, axis=1))


@zoo("deep sets of tracks and of vertices, joined with jet variables")
def two_lists():
    tracks, vertices, jet = particles("tracks"), particles("vertices"), vector("jet")
    sums = [layers.GlobalAveragePooling1D()(code(layers.Masking()(one))) for one in (tracks, vertices)]
    return head([tracks, vertices, jet], dense(5, "relu")(layers.Concatenate()([*sums, jet])))


@zoo("DeepJet: 1x1 convolutions and an LSTM for each list, joined with jet variables")
def deep_jet():
    lists, jet = [particles("charged"), particles("neutral"), particles("vertices")], vector("jet")
    ends = []
    for one in lists:
        h = one
        for units in (8, 4):
            h = layers.Dropout(0.1)(layers.Conv1D(units, 1, activation="relu", use_bias=False)(h))
        ends.append(layers.LSTM(3, go_backwards=True, use_bias=False)(h))
    h = layers.Concatenate()([*ends, jet])
    for _ in range(2):
        h = layers.Dropout(0.1)(layers.BatchNormalization()(dense(6, "relu")(h)))
    return head([*lists, jet], h, 6)


@zoo("DIPS: TimeDistributed dense layers behind Masking, a sum that knows the mask by a Lambda")
def dips():
    inputs = particles()
    h = layers.Masking(0.0)(inputs)
    for units in (8, 5):
        h = layers.TimeDistributed(dense(units, "relu"))(h)
        h = layers.TimeDistributed(layers.BatchNormalization())(h)
    summed = layers.Lambda(lambda one: keras.backend.sum(one, axis=1))(h)
    return head(inputs, dense(6, "relu")(summed), 3)


@zoo("DL1r: dense layers and BatchNormalization, Maxout written in operations")
def maxout():
    inputs = vector("jet", 8)
    h = layers.BatchNormalization()(dense(6, "relu")(inputs))
    h = tf.reduce_max(layers.Reshape((4, 3))(dense(12)(h)), axis=-1)
    return head(inputs, h, 3)


@zoo("event network of dense layers, BatchNormalization and swish")
def event_network():
    h = inputs = vector("event", 10)
    for _ in range(2):
        h = layers.Dropout(0.2)(layers.Activation("swish")(layers.BatchNormalization()(dense(8)(h))))
    return head(inputs, h, 1, "sigmoid")


@zoo("particles weighted by a learned gate (sigmoid)")
def gated_sum():
    inputs = particles()
    gate = dense(1, "sigmoid")(inputs)
    return head(inputs, tf.reduce_sum(gate * code(inputs), axis=1))


@zoo("particle types as one-hot columns beside momenta", piecewise=True)
def one_hot_columns():
    inputs, kinds = particles(), keras.Input((STEPS, 4), name="onehot")
    return head([inputs, kinds], tf.reduce_sum(code(layers.concatenate([inputs, kinds])), 1))


@zoo("two kinds of tokens, embedded and added, masked")
def two_embeddings():
    charge = keras.Input((STEPS,), name="charge", dtype="int32")
    kind = keras.Input((STEPS,), name="kind", dtype="int32")
    embedded = [layers.Embedding(TOKENS, 4, mask_zero=True)(one) for one in (charge, kind)]
    return head([charge, kind], layers.GlobalAveragePooling1D()(dense(5, "relu")(layers.Add()(embedded))))


@zoo("types of particles as one-hot vectors made inside (one_hot)", conserves=False)
def one_hot_types():
    inputs, types = particles(), keras.Input((STEPS,), name="types", dtype="int32")
    h = layers.Concatenate()([inputs, tf.one_hot(types, TOKENS)])
    return head([inputs, types], layers.GlobalAveragePooling1D()(dense(5, "relu")(h)))


@zoo("types of particles in a column of the list, rounded, cast and embedded", conserves=False)
def types_in_a_column():
    inputs = particles()
    types = tf.cast(tf.round(tf.clip_by_value(tf.abs(inputs[..., 2]), 0.0, 5.0)), tf.int32)
    h = layers.Concatenate()([inputs[..., :2], layers.Embedding(TOKENS, 3)(types)])
    return head(inputs, layers.GlobalAveragePooling1D()(dense(5, "relu")(h)))


@zoo("type of the jet and trigger bits, encoded inside (CategoryEncoding: one_hot, count, multi_hot)")
def encoded_categories():
    x, kind = vector(), keras.Input((1,), name="kind", dtype="int32")
    bits = keras.Input((4,), name="bits", dtype="int32")
    read = {"one_hot": kind, "count": bits, "multi_hot": bits}
    encoded = [layers.CategoryEncoding(TOKENS, output_mode=mode)(one) for mode, one in read.items()]
    return head([x, kind, bits], dense(5, "relu")(layers.Concatenate()([x, *encoded])))
