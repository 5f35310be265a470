"""Make the files in `keras2_models` or `keras3_models`: small models, each with inputs and what it predicts for them.

`python tests/networks/make_models.py` writes those of the Keras of its environment, without xaug. The tests open the
files of both with the Keras that they run with, and compare.
"""

import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import Input, Model, layers

IS_3 = keras.__version__ >= "3"
HERE = Path(__file__).parent / f"keras{3 if IS_3 else 2}_models"


def convolutions():
    """Two inputs, convolutions, batch norm, activations as layers, and operators between tensors."""
    image, xaug = Input((6, 6, 1), name="image"), Input((3,), name="xaug")
    x = layers.Conv2D(4, 3, activation="relu", padding="same")(image)
    x = layers.BatchNormalization()(x)
    x = layers.LeakyReLU(**{"negative_slope" if IS_3 else "alpha": 0.2})(x)
    x = layers.SeparableConv2D(3, 2)(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.Dropout(0.2)(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    y = layers.Dense(12, activation="gelu")(layers.Rescaling(2.0, offset=-1.0)(xaug))
    h = x + y
    h = layers.Concatenate()([h, xaug, h[:, :2] * h[:, 2:4]])
    return Model([image, xaug], layers.Dense(2, activation="softmax")(h), name="convolutions")


def recurrent():
    """Masked recurrent layers: GRU, LSTM in both directions, time-distributed."""
    x = Input((5, 3), name="list")
    h = layers.Masking(0.0)(x)
    h = layers.GRU(4, return_sequences=True)(h)
    h = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(h)
    h = layers.TimeDistributed(layers.Dense(3, activation="tanh"))(h)
    h = layers.SimpleRNN(3)(h)
    return Model(x, layers.Dense(1, activation="sigmoid")(h), name="recurrent")


def attention():
    """A transformer block: layer norm, self-attention, residuals, pooling over particles; two outputs."""
    x = Input((4, 3), name="list")
    h = layers.Dense(6)(x)
    a = layers.MultiHeadAttention(2, 3)(layers.LayerNormalization()(h), h)
    h = layers.Add()([h, a])
    h = layers.LayerNormalization(epsilon=1e-3)(h)
    pooled = layers.GlobalAveragePooling1D()(h)
    classes = layers.Dense(3, activation="softmax", name="classes")(pooled)
    mass = layers.Dense(1, name="mass")(layers.Conv1D(2, 2, padding="causal", activation="swish")(h)[:, -1])
    return Model(x, [classes, mass], name="attention")


def nested():
    """A shared layer, a model inside a model that is called twice, and a sequential model inside."""
    inner_in = Input((4,))
    inner_h = layers.Dense(4, activation="elu")(inner_in)
    inner = Model(inner_in, layers.Add()([inner_in, inner_h]), name="block")
    head = keras.Sequential([Input((4,)), layers.Dense(3, activation="selu"), layers.Dense(2)], name="head")
    a, b = Input((4,), name="a"), Input((4,), name="b")
    shared = layers.Dense(4, activation="relu", name="shared")
    h = layers.Average()([inner(shared(a)), inner(inner(shared(b)))])
    return Model({"b": b, "a": a}, layers.Softmax()(head(h)), name="nested")


def wrapped():
    """Keras 2: layers that Keras 3 writes in another way, as transposed convolutions, wrapped models, cells, states."""
    import tensorflow as tf

    image, x = Input((6, 6, 2), name="image"), Input((5, 3), name="list")
    i = layers.ThresholdedReLU(0.3)(layers.Conv2DTranspose(2, 3, strides=2)(image))
    i = layers.GlobalMaxPooling2D()(i)
    inner = keras.Sequential([Input((3,)), layers.Dense(4, activation="relu"), layers.Dense(3)], name="inner")
    h = layers.SpatialDropout1D(0.2)(layers.TimeDistributed(inner)(x))
    h = layers.Conv1DTranspose(3, 2)(tf.where(h > 0, h, 0.2 * h))
    cells = layers.RNN([layers.LSTMCell(3), layers.GRUCell(2), layers.LSTMCell(2)])(layers.Masking()(x))
    state = layers.GRU(3)(h, initial_state=layers.Dense(3)(i))
    pairs = layers.Flatten()(tf.linalg.matmul(h, h, transpose_b=True))
    einsum = layers.Flatten()(layers.EinsumDense("abc,cd->abd", (None, 2), bias_axes="d")(h))
    ends = layers.Concatenate()([i, cells, state, layers.Dense(2)(pairs), layers.Dense(2)(einsum)])
    return Model([image, x], layers.Dense(2)(ends), name="wrapped")


def operations():
    """Keras 3: operations between tensors with options, as a masked softmax over steps."""
    from keras import ops

    x, mask = Input((5, 3), name="list"), Input((5,), name="mask")
    weight = ops.softmax(layers.Dense(1)(x) + 1e3 * (ops.expand_dims(mask, -1) - 1.0), axis=1)
    pooled = ops.sum(weight * layers.Dense(4)(x), axis=1)
    kept = ops.cast(ops.not_equal(x, 0.0), "float32") * ops.clip(x, -1.0, 1.0)
    ordered = ops.reshape(ops.sort(ops.transpose(kept, (0, 2, 1)), axis=-1), (-1, 15))
    spread = ops.concatenate([ops.std(x, axis=1), ops.var(x, axis=1), ops.log1p(ops.abs(x[:, 0]))], axis=-1)
    pairs = ops.mean(ops.einsum("bij,bkj->bik", x, x), axis=1)
    bent = ops.gelu(pairs) + ops.leaky_relu(pairs, 0.3) + ops.silu(pairs) + ops.squeeze(weight, axis=-1)
    largest = ops.top_k(ops.prod(ops.stack([bent, pairs], axis=1), axis=1), 2)[0]
    ends = layers.Concatenate()([pooled, ordered, spread, bent, largest, ops.cumsum(pairs, axis=1)])
    return Model([x, mask], ops.log_softmax(layers.Dense(2)(ends), axis=-1), name="operations")


def holding():
    """Layers that hold cells or models."""
    x = Input((5, 3), name="list")
    cells = layers.StackedRNNCells([layers.LSTMCell(3), layers.GRUCell(2)])
    h = layers.SpatialDropout1D(0.2)(layers.RNN(cells, return_sequences=True)(x))
    chain = keras.Sequential([Input((2,)), layers.Dense(4, activation="relu"), layers.Dense(3)], name="chain")
    inner = Input((3,))
    graph = Model(inner, layers.Add()([inner, layers.Dense(3, activation="tanh")(inner)]), name="graph")
    h = layers.TimeDistributed(graph)(layers.TimeDistributed(chain)(h))
    return Model(x, layers.Dense(2)(layers.Flatten()(h)), name="holding")


def joined_masks():
    """A sum of lists of which one has a mask."""
    x = Input((5, 3))
    h = layers.Add(name="sum")([layers.Masking()(x), layers.Dense(3)(x)])
    return Model(x, layers.GRU(2, name="reader")(layers.Dropout(0.1)(h)))


def multiplied_masks():
    """A product of lists with one mask, whose padded steps Keras 3 leaves out."""
    x = Input((5, 3))
    h = layers.Masking()(x)
    return Model(x, layers.Flatten()(layers.Multiply(name="product")([h, layers.Dense(3)(h)])))


def hard_sigmoid():
    """A function that has the same name in both versions, and another formula."""
    x = Input((2,))
    return Model(x, layers.Dense(1, activation="hard_sigmoid", name="hard")(x))


def lambda_layer():
    """A Lambda layer, which holds code."""
    x = Input((2,))
    return Model(x, layers.Lambda(lambda t: 2 * t, name="double")(x))


@keras.utils.register_keras_serializable("mine")
class Twice(layers.Layer):
    """A layer of its own."""

    def call(self, x):
        return 2 * x


def custom_layer():
    """A layer that is not part of Keras."""
    x = Input((2,))
    return Model(x, Twice(name="twice")(x))


def randomised(model, seed):
    """Give every weight a random value, also those that begin as 0 or 1; variances are positive."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        values = rng.normal(0, 0.5, weight.shape)
        weight.assign(np.abs(values) + 0.1 if "variance" in (weight.path if IS_3 else weight.name) else values)
    return model


def inputs_of(model, seed):
    """Three events; the last steps of lists are empty in the first."""
    rng = np.random.default_rng(seed)
    found = {t.name: rng.normal(size=(3, *t.shape[1:])).astype("f4") for t in model.inputs}
    for values in found.values():
        if values.shape[1:] == (5, 3):
            values[0, 3:] = 0
    return found


def save(model, name):
    """Save a model, and compress the archive."""
    model.save(HERE / name)
    with zipfile.ZipFile(HERE / name) as archive:
        files = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(HERE / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in files.items():
            archive.writestr(member, content)


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    makers = convolutions, recurrent, attention, nested, operations if IS_3 else wrapped, holding
    for seed, make in enumerate(makers):
        model = randomised(make(), seed)
        x = inputs_of(model, seed)
        y = model.predict(x, verbose=0)
        save(model, f"{make.__name__}.keras")
        if make in (recurrent, wrapped, operations, holding):
            model.save(HERE / f"{make.__name__}.h5")
        outputs = {f"output_{i}": one for i, one in enumerate(y if isinstance(y, list) else [y])}
        np.savez_compressed(HERE / f"{make.__name__}.npz", **x, **outputs)
    for make in (hard_sigmoid, lambda_layer, custom_layer, joined_masks, multiplied_masks):
        save(make(), f"refused_{make.__name__}.keras")
