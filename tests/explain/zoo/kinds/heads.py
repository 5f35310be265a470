"""Heads: what stands behind the last layer, and which output is explained."""

import keras
import tensorflow as tf
from explain.zoo.registry import dense, head, image, particles, vector, zoo
from keras import layers


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


@zoo("head: softmax as a layer of its own", piecewise=True)
def softmax_layer():
    inputs = vector(size=5)
    return keras.Model(inputs, layers.Softmax()(dense(3)(dense(4, "relu")(inputs))))


@zoo("head: softmax as an Activation, in front of it BatchNormalization")
def softmax_activation():
    inputs = vector(size=5)
    return keras.Model(inputs, layers.Activation("softmax")(layers.BatchNormalization()(dense(3)(inputs))))


@zoo("head: tf.nn.softmax and tf.sigmoid written as operations", piecewise=True)
def softmax_operation():
    inputs = vector(size=5)
    return keras.Model(inputs, tf.nn.softmax(dense(3)(dense(4, "relu")(inputs))))


@zoo("head: a sigmoid as an operation", piecewise=True)
def sigmoid_operation():
    inputs = vector(size=5)
    return keras.Model(inputs, tf.sigmoid(dense(1)(dense(4, "relu")(inputs))))


@zoo("head: logits divided by a temperature", piecewise=True)
def temperature():
    inputs = vector(size=5)
    return keras.Model(inputs, layers.Softmax()(dense(3)(dense(4, "relu")(inputs)) / 1.7))


@zoo("head: logits of single units, concatenated", piecewise=True)
def single_units():
    h = dense(4, "relu")(inputs := vector(size=5))
    return keras.Model(inputs, layers.Softmax()(layers.Concatenate()([dense(1)(h) for _ in range(3)])))


@zoo("head: one number by a global mean, no dense layer (fully convolutional)", piecewise=True)
def fully_convolutional():
    inputs = image()
    h = layers.Conv2D(4, 3, activation="relu", use_bias=False)(inputs)
    h = layers.Conv2D(2, 1, use_bias=False)(h)
    return keras.Model(inputs, layers.Softmax()(layers.GlobalAveragePooling2D()(h)))


@zoo("head: one number an event, of shape (n,)", piecewise=True)
def squeezed():
    return keras.Model(inputs := vector(size=5), tf.squeeze(dense(1)(dense(4, "relu")(inputs)), axis=-1))


@zoo("head: regression of a mass", piecewise=True)
def regression():
    return head(inputs := vector(size=5), dense(4, "relu")(inputs), 1, None)


@zoo("head: regression that ends in a ReLU, explained as it is", output="value", piecewise=True)
def regression_relu():
    return head(inputs := vector(size=5), dense(4, "relu")(inputs), 1, "relu")


@zoo("head: regression that ends in softplus, explained as it is", output="value", conserves=False)
def regression_softplus():
    return head(inputs := vector(size=5), dense(4, "relu")(inputs), 1, "softplus")


@zoo("head: mean and spread of a mass beside each other", output="value", conserves=False)
def mean_and_spread():
    h = dense(4, "relu")(inputs := vector(size=5))
    return keras.Model(inputs, layers.Concatenate()([dense(1)(h), dense(1, "softplus")(h)]))


@zoo("head: a tanh, explained as it is", output="value")
def tanh_head():
    return head(inputs := vector(size=5), dense(4, "relu")(inputs), 1, "tanh")


@zoo("head: several outputs, of which one is named", output="flavour", piecewise=True)
def several_outputs():
    h = dense(4, "relu")(inputs := vector(size=5))
    return keras.Model(inputs, [dense(3, "softmax", name="flavour")(h), dense(1, name="mass")(h)])


@zoo("head: several outputs, the regression is explained", output="mass", piecewise=True)
def regression_of_several():
    h = dense(4, "relu")(inputs := vector(size=5))
    return keras.Model(inputs, [dense(3, "softmax", name="flavour")(h), dense(1, name="mass")(h)])


@zoo("head: outputs in a dict", output="flavour", piecewise=True)
def dict_outputs():
    h = dense(4, "relu")(inputs := vector(size=5))
    return keras.Model(inputs, {"mass": dense(1)(h), "flavour": dense(3, "softmax")(h)})


@zoo("head: an adversary behind a scale of its gradients beside the class", output="class", piecewise=True)
def adversary():
    h = dense(4, "relu")(inputs := vector(size=5))
    other = dense(5, "softmax", name="adversary")(dense(4, "relu")(tf.stop_gradient(h)))
    return keras.Model(inputs, [dense(1, "sigmoid", name="class")(h), other])


@zoo(
    "head: softmax of all particles of a step (one output a particle), one of them chosen",
    output="value",
    conserves=False,
)
def chosen_step():
    h = dense(2)(dense(4, "relu")(inputs := particles()))
    return keras.Model(inputs, layers.Softmax()(h)[:, 0])
