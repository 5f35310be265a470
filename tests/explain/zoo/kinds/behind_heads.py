"""What stands behind the logits, and functions of the user's own."""

import keras
import tensorflow as tf
from explain.zoo.registry import dense, head, vector, zoo
from keras import layers


@zoo("head: softmax with Dropout behind it", piecewise=True)
def dropout_behind_head():
    inputs = vector(size=5)
    return keras.Model(inputs, layers.Dropout(0.2)(dense(3, "softmax")(dense(4, "relu")(inputs))))


@zoo("head: softmax with a Reshape behind it", piecewise=True)
def reshaped_head():
    inputs = vector(size=5)
    return keras.Model(inputs, layers.Reshape((3,))(dense(3, "softmax")(dense(4, "relu")(inputs))))


@zoo("head: logarithms of probabilities (log_softmax)", piecewise=True)
def log_softmax_head():
    inputs = vector(size=5)
    return keras.Model(inputs, tf.nn.log_softmax(dense(3)(dense(4, "relu")(inputs))))


@zoo("head: logits multiplied by a number, no softmax", piecewise=True)
def scaled_logits():
    inputs = vector(size=5)
    return keras.Model(inputs, dense(3)(dense(4, "relu")(inputs)) / 2.0)


@zoo("head: probabilities averaged over an ensemble, explained as they are", conserves=False, output="value")
def ensemble():
    inputs = vector(size=5)
    members = [dense(2, "softmax")(dense(4, "relu")(inputs)) for _ in range(3)]
    return keras.Model(inputs, layers.Average()(members))


@zoo("head: a base model calibrated by its logit (Platt scaling)")
def calibrated():
    inside = vector(size=5)
    base = keras.Model(inside, dense(1, "sigmoid")(dense(4, "relu")(inside)))
    p = base(inputs := vector(size=5))
    return keras.Model(inputs, dense(1, "sigmoid")(tf.math.log(p / (1.0 - p))))


class OwnClassifier(keras.Model):
    """A classifier of a class of the user's own, with its head."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = dense(4, "relu"), dense(2, "softmax")

    def call(self, inputs):
        return self.out(self.hidden(inputs))


@zoo("a classifier of a class of the user's own inside of a model, its head too", piecewise=True)
def own_classifier():
    return keras.Model(inputs := vector(size=5), OwnClassifier()(inputs))


def squared(x):
    """ReLU squared."""
    return tf.square(tf.nn.relu(x))


@zoo("activations that are functions of the user's own")
def own_activation():
    inputs = vector(size=5)
    h = dense(5, lambda x: x * tf.sigmoid(1.7 * x))(dense(6, squared)(inputs))
    return head(inputs, layers.Activation(squared)(h))
