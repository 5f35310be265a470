"""How layers are put together: shared, nested, repeated, many inputs; and layers that do little."""

import keras
import tensorflow as tf
from explain.zoo.registry import FEATURES, STEPS, dense, head, image, particles, vector, zoo
from keras import layers


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


@zoo("TimeDistributed of a model, behind Masking")
def distributed_model():
    inner = keras.Input((FEATURES,))
    encoder = keras.Model(inner, layers.LeakyReLU()(dense(4)(inner)))
    inputs = particles()
    return head(inputs, layers.GlobalAveragePooling1D()(layers.TimeDistributed(encoder)(layers.Masking()(inputs))))


@zoo("lists of unknown length: masked GRU and convolution")
def unknown_length():
    inputs = particles(steps=None)
    h = layers.GlobalMaxPooling1D()(layers.Conv1D(4, 2, activation="relu", use_bias=False)(inputs))
    return head(inputs, layers.Concatenate()([h, layers.GRU(3, use_bias=False)(layers.Masking()(inputs))]))


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


@zoo("Sequential model of dense layers", piecewise=True)
def sequential():
    return keras.Sequential([vector(size=6), dense(5, "relu"), dense(4, "relu"), dense(2, "softmax", name="out")])


@zoo("Sequential inside of Sequential inside of a functional model", piecewise=True)
def nested_sequential():
    inner = keras.Sequential([dense(5, "relu"), keras.Sequential([dense(4, "relu"), layers.Dropout(0.1)])])
    return head(inputs := vector(size=6), inner(inputs))


@zoo("nested model whose head is inside", piecewise=True)
def nested_head():
    inner = keras.Sequential([keras.Input((4,)), dense(5, "relu"), dense(2, "softmax")], name="classifier")
    inputs = vector(size=6)
    return keras.Model(inputs, inner(dense(4, "relu")(inputs)))


@zoo("nested model of two inputs and two outputs", piecewise=True)
def nested_outputs():
    a, b = keras.Input((4,)), keras.Input((3,))
    inner = keras.Model([a, b], [dense(4, "relu")(a), dense(3, "relu")(layers.Concatenate()([a, b]))])
    inputs = [vector("one", 4), vector("two", 3)]
    return head(inputs, layers.Concatenate()(inner(inputs)))


@zoo("siamese towers: |a - b| of one encoder")
def siamese():
    encoder = keras.Sequential([dense(5, "relu"), dense(4)])
    inputs = [vector("one", 4), vector("two", 4)]
    return head(inputs, tf.abs(layers.Subtract()([encoder(one) for one in inputs])), 1, "sigmoid")


@zoo("a shared layer in a row, three times", piecewise=True)
def repeated():
    layer = dense(5, "relu")
    inputs = vector(size=5)
    return head(inputs, layer(layer(layer(inputs))))


@zoo("one encoder for the particles of three lists, with masks", conserves=True)
def shared_lists():
    encoder = layers.TimeDistributed(keras.Sequential([keras.Input((FEATURES,)), dense(5, "relu"), dense(4)]))
    inputs = [particles(f"list{i}") for i in range(3)]
    ends = [layers.GlobalAveragePooling1D()(encoder(layers.Masking()(one))) for one in inputs]
    return head(inputs, layers.Average()(ends))


@zoo("an image, a list and a vector joined")
def three_blocks():
    pictures, inputs, jet = image(), particles(), vector("xaug", 5)
    a = layers.Flatten()(layers.MaxPooling2D(2)(layers.Conv2D(3, 3, activation="relu", use_bias=False)(pictures)))
    b = layers.GRU(3, use_bias=False)(layers.Masking()(inputs))
    return head([pictures, inputs, jet], dense(6, "relu")(layers.Concatenate()([a, b, jet])))


@zoo("a tower for each column of the list (20 inputs of one column)", piecewise=True)
def towers():
    inputs = [keras.Input((STEPS, 1), name=f"column{i}") for i in range(8)]
    ends = []
    for one in inputs:
        h = layers.Conv1D(4, 3, activation="relu", padding="same", use_bias=False)(one)
        ends.append(layers.Flatten()(layers.MaxPooling1D(2)(layers.Conv1D(2, 1, activation="relu", use_bias=False)(h))))
    return head(inputs, layers.Concatenate()(ends))


@zoo("inputs as a dict", piecewise=True)
def dict_inputs():
    inputs = {"b": vector("b", 4), "a": vector("a", 4)}
    h = dense(4, "relu")(layers.Concatenate()([inputs["b"], inputs["a"]]))
    return keras.Model(inputs, dense(2, "softmax")(h))


@zoo("dense layers with shortcuts to all that came before (DenseNet)", piecewise=True)
def dense_net():
    h = inputs = vector(size=5)
    for _ in range(3):
        h = layers.Concatenate()([h, dense(4, "relu")(h)])
    return head(inputs, h)


@zoo("residual blocks of dense layers before activation", piecewise=True)
def residual_dense():
    inputs = vector(size=6)
    h = dense(5)(inputs)
    for _ in range(3):
        h = layers.add([h, dense(5)(layers.ReLU()(dense(5)(layers.ReLU()(h))))])
    return head(inputs, h)


@zoo("self-normalising network: SELU and AlphaDropout")
def self_normalising():
    h = inputs = vector(size=6)
    for _ in range(3):
        h = layers.AlphaDropout(0.1)(dense(5, "selu", kernel_initializer="lecun_normal")(h))
    return head(inputs, h)


@zoo("softplus, softsign, mish-like products, exponential", conserves=False)
def rare_activations():
    h = inputs = vector(size=6)
    h = dense(5, "softplus")(h)
    h = dense(5, "softsign")(h)
    h = dense(5, "hard_sigmoid")(h)
    h = layers.Activation("exponential")(dense(5)(h))
    return head(inputs, h * tf.tanh(tf.nn.softplus(h)))


@zoo("ReLU with a slope, a threshold and an upper bound", in_steps=True)
def relu_options():
    h = inputs = vector(size=6)
    h = layers.ReLU(max_value=6.0, negative_slope=0.1, threshold=0.05)(dense(5)(h))
    return head(inputs, layers.ThresholdedReLU(0.1)(dense(5)(h)))


@zoo("GroupNormalization and LayerNormalization over both axes", conserves=False)
def group_normalised():
    inputs = particles()
    h = layers.GroupNormalization(2)(dense(4, "relu")(inputs))
    return head(inputs, layers.LayerNormalization(axis=[1, 2])(h))


@zoo("UnitNormalization and l2_normalize of the code", conserves=False)
def unit_normalised():
    inputs = vector(size=6)
    h = layers.UnitNormalization()(dense(5, "relu")(inputs))
    return head(inputs, tf.math.l2_normalize(dense(4)(h), axis=-1))


@zoo("Rescaling and Normalization layers before the first dense layer", conserves=False)
def preprocessing():
    inputs = vector(size=3)
    scale = layers.Normalization(mean=[0.1, -0.2, 0.3], variance=[1.5, 0.5, 2.0])
    return head(inputs, dense(5, "relu")(layers.Rescaling(0.5, 0.1)(scale(inputs))))


@zoo("an unused input, and one that is used three times", piecewise=True)
def unused():
    a, b = vector("a", 4), vector("b", 3)
    h = layers.Concatenate()([a, a, dense(4, "relu")(a)])
    return head([a, b], h)


@zoo("scalar inputs of shape (n,)", piecewise=True)
def scalars():
    a, b = keras.Input((), name="mass"), keras.Input((), name="pt")
    return head([a, b], dense(4, "relu")(tf.stack([a, b], axis=-1)))


@zoo("mixed precision (float16 inside, float32 head)", piecewise=True)
def mixed_precision():
    inputs = vector(size=6)
    h = dense(5, "relu", dtype="mixed_float16")(inputs)
    return head(inputs, dense(5, "relu", dtype="mixed_float16")(h))


@zoo("float64 from end to end", piecewise=True)
def double_precision():
    inputs = keras.Input((6,), name="x", dtype="float64")
    h = dense(5, "relu", dtype="float64")(inputs)
    return keras.Model(inputs, dense(2, "softmax", dtype="float64", name="out")(h))


@zoo("a fixed number of events in a batch (batch_shape)", piecewise=True)
def fixed_batch():
    inputs = keras.Input((6,), batch_size=9, name="x")
    return head(inputs, dense(5, "relu")(inputs))


@zoo("autoencoder whose reconstruction loss is the output", conserves=False, output="value")
def autoencoder():
    inputs = vector(size=6)
    h = dense(6)(dense(2, "relu")(inputs))
    return keras.Model(inputs, tf.reduce_mean(tf.square(h - inputs), axis=-1, keepdims=True))


class OwnLayer(layers.Layer):
    """A layer of a class of the user's own, with weights, layers and a mask."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.dense, self.norm, self.units = dense(units, "relu"), layers.LayerNormalization(), units
        self.supports_masking = True

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], self.units))
        super().build(shape)

    def call(self, inputs, mask=None, training=None):
        h = self.dense(inputs) + tf.matmul(inputs, self.kernel)
        return h if mask is None else h * tf.cast(mask, h.dtype)[..., None]


@zoo("a layer of a class of the user's own, with weights and a mask")
def own_masked():
    inputs = particles()
    h = OwnLayer(5)(layers.Masking()(inputs))
    return head(inputs, layers.GlobalAveragePooling1D()(OwnLayer(4)(h)))


class OwnModel(keras.Model):
    """A model of a class of the user's own."""

    def __init__(self):
        super().__init__()
        self.dense = dense(4, "relu")

    def call(self, inputs):
        return self.dense(inputs)


@zoo("a model of a class of the user's own inside of a model")
def own_model():
    return head(inputs := particles(), OwnModel()(inputs))
