"""Graphs of particles: pairs, neighbours, adjacency."""

import keras
import tensorflow as tf
from explain.zoo.registry import STEPS, dense, head, particles, zoo
from keras import layers


@zoo("edge convolution over all pairs of particles (tile, concat, reduce_max)")
def edge_convolution():
    inputs = particles()
    one = tf.tile(tf.expand_dims(inputs, 2), [1, 1, STEPS, 1])
    other = tf.tile(tf.expand_dims(inputs, 1), [1, STEPS, 1, 1])
    edges = dense(5, "relu")(tf.concat([one, other - one], -1))
    return head(inputs, layers.GlobalMaxPooling1D()(tf.reduce_max(edges, axis=2)))


def neighbours(points, features, number):
    """Features of the nearest neighbours of each particle (n, steps, number, features), as ParticleNet takes them."""
    square = tf.reduce_sum(points * points, axis=-1, keepdims=True)
    product = tf.matmul(points, tf.transpose(points, (0, 2, 1)))
    distance = square - 2 * product + tf.transpose(square, (0, 2, 1))
    _, found = tf.nn.top_k(-distance, k=number + 1)
    return tf.gather(features, found[:, :, 1:], batch_dims=1)


def edge(points, features, number, units, pooling=tf.reduce_mean):
    """One EdgeConv block with a shortcut."""
    found = neighbours(points, features, number)
    centre = tf.tile(tf.expand_dims(features, axis=2), (1, 1, number, 1))
    h = tf.concat([centre, tf.subtract(found, centre)], axis=-1)
    for size in units:
        h = layers.Conv2D(size, (1, 1), use_bias=False)(h)
        h = layers.Activation("relu")(layers.BatchNormalization()(h))
    shortcut = layers.Conv2D(units[-1], (1, 1), use_bias=False)(tf.expand_dims(features, axis=2))
    shortcut = tf.squeeze(layers.BatchNormalization()(shortcut), axis=2)
    return layers.Activation("relu")(shortcut + pooling(h, axis=2))


@zoo("ParticleNet: two EdgeConv blocks of nearest neighbours (top_k, gather), a mask by not_equal")
def particle_net():
    points, features = keras.Input((STEPS, 2), name="points"), particles("features")
    mask = keras.Input((STEPS, 1), name="mask")
    real = tf.cast(tf.not_equal(mask, 0), dtype="float32")
    shift = tf.multiply(999.0, tf.cast(tf.equal(real, 0), dtype="float32"))
    h = tf.squeeze(layers.BatchNormalization()(tf.expand_dims(features, axis=2)), axis=2)
    for i, units in enumerate(((4, 4), (5, 5))):
        h = edge(tf.add(shift, points) if i == 0 else tf.add(shift, h), h, 2, units)
    pooled = tf.reduce_mean(tf.multiply(h, real), axis=1)
    return head([points, features, mask], layers.Dropout(0.1)(dense(6, "relu")(pooled)))


@zoo("EdgeConv by a Lambda with gather_nd and a maximum over neighbours")
def edge_lambda():
    inputs = particles()

    def take(one):
        points, features = one
        distance = tf.reduce_sum(tf.square(tf.expand_dims(points, 2) - tf.expand_dims(points, 1)), -1)
        found = tf.math.top_k(-distance, k=3)[1]
        batch = tf.tile(tf.reshape(tf.range(tf.shape(features)[0]), (-1, 1, 1, 1)), (1, STEPS, 3, 1))
        return tf.gather_nd(features, tf.concat([batch, tf.expand_dims(found, axis=3)], axis=3))

    found = layers.Lambda(take)([inputs[..., 1:], inputs])
    h = layers.Conv2D(5, 1, activation="relu", use_bias=False)(found)
    return head(inputs, layers.GlobalAveragePooling1D()(keras.backend.max(h, axis=2)))


@zoo("interaction network: sender and receiver matrices as constants")
def interaction_network():
    inputs = particles()
    pairs = [(i, j) for i in range(STEPS) for j in range(STEPS) if i != j]
    receive, send = (tf.one_hot([pair[side] for pair in pairs], STEPS) for side in (0, 1))
    sides = [tf.einsum("ep,npf->nef", matrix, inputs) for matrix in (receive, send)]
    effects = dense(5, "relu")(tf.concat(sides, axis=-1))
    received = tf.einsum("ep,nef->npf", receive, effects)
    return head(inputs, tf.reduce_sum(dense(4, "relu")(tf.concat([inputs, received], axis=-1)), axis=1))


@zoo("interaction network: Dot with the transposed matrices, Permute")
def interaction_by_permute():
    inputs = particles()
    matrix = tf.constant([[float(i != j) for i in range(STEPS)] for j in range(STEPS)])
    turned = layers.Permute((2, 1))(inputs)
    others = layers.Permute((2, 1))(tf.matmul(turned, matrix))
    return head(inputs, tf.reduce_sum(dense(5, "relu")(tf.concat([inputs, others], -1)), 1))


@zoo("graph convolution with an adjacency matrix as an input")
def graph_convolution():
    inputs, adjacency = particles(), keras.Input((STEPS, STEPS), name="adjacency")
    h = inputs
    for units in (6, 4):
        h = tf.nn.relu(tf.matmul(adjacency, dense(units)(h)))
    return head([inputs, adjacency], layers.GlobalAveragePooling1D()(h))


@zoo("graph convolution with a normalised adjacency (1 / degree)")
def normalised_adjacency():
    inputs, adjacency = particles(), keras.Input((STEPS, STEPS), name="adjacency")
    degree = tf.reduce_sum(adjacency, axis=-1, keepdims=True)
    h = tf.math.divide_no_nan(layers.Dot(axes=(2, 1))([adjacency, dense(5)(inputs)]), degree)
    return head([inputs, adjacency], layers.GlobalMaxPooling1D()(layers.ReLU()(h)))


@zoo("graph attention: leaky scores of pairs, masked by -1e9 where there is no edge", conserves=False)
def graph_attention():
    inputs, adjacency = particles(), keras.Input((STEPS, STEPS), name="adjacency")
    h = dense(5)(inputs)
    scores = tf.nn.leaky_relu(dense(1)(h) + tf.transpose(dense(1)(h), (0, 2, 1)), alpha=0.2)
    weights = tf.nn.softmax(scores + (1.0 - adjacency) * -1e9, axis=-1)
    return head([inputs, adjacency], tf.reduce_mean(tf.nn.elu(tf.matmul(weights, h)), axis=1))


@zoo("GravNet: neighbours weighted by exp(-10 d^2) of learned coordinates", conserves=False)
def grav_net():
    inputs = particles()
    points, features = dense(2)(inputs), dense(4)(inputs)
    distance = tf.reduce_sum((tf.expand_dims(points, 2) - tf.expand_dims(points, 1)) ** 2, axis=-1)
    distance, found = tf.nn.top_k(-distance, 3)
    weighted = tf.gather(features, found, batch_dims=1) * tf.expand_dims(tf.exp(10.0 * distance), -1)
    both = tf.concat([tf.reduce_max(weighted, axis=2), tf.reduce_mean(weighted, axis=2), inputs], axis=-1)
    return head(inputs, tf.reduce_sum(dense(5, "relu")(both), axis=1))


@zoo("products of pairs of momenta (einsum), as invariant masses")
def pair_products():
    inputs = particles()
    products = tf.einsum("npf,nqf->npq", inputs, inputs)
    return head(inputs, dense(6, "relu")(layers.Flatten()(products)))
