"""Models that LRP refuses, for the reason that is given."""

import keras
import tensorflow as tf
from explain.zoo.registry import dense, head, particles, vector, zoo
from keras import layers


@zoo("refused: an operation without a rule (cumulative product)", refused="which has no rule")
def cumulative_product():
    inputs = particles()
    return head(inputs, tf.math.cumprod(inputs, axis=1))


@zoo("refused: a recurrence of convolutions (ConvLSTM2D)", refused="recurrence of convolutions")
def convolutional_recurrence():
    inputs = keras.Input((3, 6, 6, 1), name="cells")
    return head(inputs, layers.ConvLSTM2D(2, 3, use_bias=False, name="memory")(inputs))


class Own(layers.Layer):
    """A layer of a class of the user's own."""

    def call(self, inputs):
        return tf.scan(lambda a, b: a + b, tf.transpose(inputs, (1, 0, 2)))[-1]


@zoo("refused: a layer of a class of the user's own that loops over particles", refused="no rule")
def own_layer():
    return head(inputs := particles(), dense(4, "relu")(Own(name="own")(inputs)))


@zoo("refused: a loop over particles (tf.map_fn)", refused="cannot be followed")
def mapped():
    inputs = particles()
    return head(inputs, layers.Lambda(lambda x: tf.map_fn(lambda one: tf.reduce_sum(one, 0), x), name="loop")(inputs))


@zoo(
    "refused: called with training=True, so that it is random",
    refused="is random",
    remedy="make the same model without it",
)
def dropout_at_inference():
    inputs = vector(size=5)
    return head(inputs, layers.Dropout(0.5, name="drop")(dense(4, "relu")(inputs), training=True))


@zoo("refused: a random sample inside (variational)", refused="is random", remedy="make the same model without it")
def variational():
    h = dense(4, "relu")(inputs := vector(size=5))
    mean, spread = dense(3)(h), dense(3)(h)
    return head(inputs, mean + tf.exp(0.5 * spread) * tf.random.normal(tf.shape(mean)))


class OwnCell(layers.Layer):
    """A cell of the user's own."""

    state_size = 3

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3), name="kernel")

    def call(self, inputs, states):
        state = tf.tanh(tf.matmul(inputs, self.kernel)) + 0.5 * states[0]
        return state, [state]


@zoo("refused: a recurrence of a cell of the user's own", refused="has a cell OwnCell")
def own_cell():
    return head(inputs := particles(), layers.RNN(OwnCell(), name="memory")(inputs))


@zoo("refused: channels first", refused="channels_first", remedy="copy.set_weights")
def channels_first():
    inputs = keras.Input((1, 8, 8), name="image")
    pooled = layers.MaxPooling2D(2, data_format="channels_first", name="pool")(inputs)
    return head(inputs, pooled)
