"""Networks as the examples of Keras' documentation write them: layers of classes of one's own, with layers inside."""

import keras
import tensorflow as tf
from explain.zoo.registry import STEPS, TOKENS, dense, head, image, particles, vector, zoo
from keras import layers

from xaug.networks.keras_versions import is_keras_3

ops = keras.ops if is_keras_3() else tf
arange = keras.ops.arange if is_keras_3() else tf.range
WIDTH = 8


class TokenAndPositionEmbedding(layers.Layer):
    """A vector for each token, and one for its place."""

    def __init__(self, maxlen, vocab_size, embed_dim, **options):
        super().__init__(**options)
        self.token_emb = layers.Embedding(vocab_size, embed_dim)
        self.pos_emb = layers.Embedding(maxlen, embed_dim)

    def call(self, x):
        positions = self.pos_emb(arange(0, ops.shape(x)[-1], 1))
        return self.token_emb(x) + positions


class TransformerBlock(layers.Layer):
    """Attention and a feed-forward network, each with dropout, a shortcut, and the normalisation behind it."""

    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1, **options):
        super().__init__(**options)
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])
        self.norms = [layers.LayerNormalization(epsilon=1e-6) for _ in range(2)]
        self.dropouts = [layers.Dropout(rate) for _ in range(2)]

    def call(self, inputs, training=False):
        h = self.norms[0](inputs + self.dropouts[0](self.att(inputs, inputs), training=training))
        return self.norms[1](h + self.dropouts[1](self.ffn(h), training=training))


@zoo("text classification with a transformer (layers of classes of one's own)", conserves=False)
def keras_example():
    inputs = layers.Input(shape=(STEPS,), name="tokens", dtype="int32")
    x = TransformerBlock(WIDTH, 2, WIDTH)(TokenAndPositionEmbedding(STEPS, TOKENS, WIDTH)(inputs))
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(x))
    x = layers.Dropout(0.1)(layers.Dense(5, activation="relu")(x))
    return keras.Model(inputs=inputs, outputs=layers.Dense(2, activation="softmax")(x))


class Patches(layers.Layer):
    """An image as a list of patches."""

    def __init__(self, patch_size, **options):
        super().__init__(**options)
        self.patch_size = patch_size

    def call(self, images):
        size = self.patch_size
        if is_keras_3():
            found = keras.ops.image.extract_patches(images, size=size)
            return keras.ops.reshape(found, (-1, found.shape[1] * found.shape[2], found.shape[3]))
        window = [1, size, size, 1]
        found = tf.image.extract_patches(
            images=images, sizes=window, strides=window, rates=[1, 1, 1, 1], padding="VALID"
        )
        return tf.reshape(found, [tf.shape(images)[0], -1, found.shape[-1]])


class PatchEncoder(layers.Layer):
    """A projection of each patch, and a vector for its place."""

    def __init__(self, num_patches, projection_dim, **options):
        super().__init__(**options)
        self.num_patches = num_patches
        self.projection = layers.Dense(projection_dim)
        self.position_embedding = layers.Embedding(num_patches, projection_dim)

    def call(self, patch):
        return self.projection(patch) + self.position_embedding(arange(0, self.num_patches, 1))


def feed_forward(x, units, rate=0.1):
    for width in units:
        x = layers.Dropout(rate)(layers.Dense(width, activation="gelu")(x))
    return x


@zoo(
    "vision transformer: Patches and PatchEncoder of classes of one's own, blocks that normalise first", conserves=False
)
def patches_of_images():
    inputs = image()
    h = PatchEncoder(16, WIDTH)(Patches(2)(inputs))
    for _ in range(2):
        x = layers.LayerNormalization(epsilon=1e-6)(h)
        h = layers.Add()([layers.MultiHeadAttention(num_heads=2, key_dim=WIDTH, dropout=0.1)(x, x), h])
        x = feed_forward(layers.LayerNormalization(epsilon=1e-6)(h), (2 * WIDTH, WIDTH))
        h = layers.Add()([x, h])
    h = layers.Dropout(0.5)(layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(h)))
    return keras.Model(inputs, layers.Dense(3, name="out")(feed_forward(h, (16, 8), 0.5)))


class StochasticDepth(layers.Layer):
    """A shortcut that drops its branch at random, in training alone."""

    def __init__(self, drop_prop, **options):
        super().__init__(**options)
        self.drop_prob = drop_prop

    def call(self, x, training=False):
        if training:
            keep = 1 - self.drop_prob
            return x / keep * tf.floor(keep + tf.random.uniform((tf.shape(x)[0],) + (1,) * (len(x.shape) - 1)))
        return x


class SequencePooling(layers.Layer):
    """The mean of all places, by learned weights."""

    def __init__(self, **options):
        super().__init__(**options)
        self.attention = layers.Dense(1)

    def call(self, x):
        softmax = keras.ops.softmax if is_keras_3() else tf.nn.softmax
        weights = ops.transpose(softmax(self.attention(x), axis=1), (0, 2, 1))
        return ops.squeeze(ops.matmul(weights, x), axis=1)


@zoo("compact convolutional transformer: stochastic depth, a pooling of the sequence", conserves=False)
def compact_transformer():
    inputs = image()
    h = layers.ZeroPadding2D(1)(layers.Conv2D(WIDTH, 3, padding="valid", use_bias=False, activation="relu")(inputs))
    h = layers.Reshape((-1, WIDTH))(layers.MaxPooling2D(3, 2, "same")(h))
    for rate in (0.0, 0.1):
        x = layers.LayerNormalization(epsilon=1e-5)(h)
        x = layers.MultiHeadAttention(num_heads=2, key_dim=WIDTH, dropout=0.1)(x, x)
        h = layers.Add()([StochasticDepth(rate)(x), h])
        x = feed_forward(layers.LayerNormalization(epsilon=1e-5)(h), (WIDTH, WIDTH))
        h = layers.Add()([h, StochasticDepth(rate)(x)])
    return head(inputs, SequencePooling()(layers.LayerNormalization(epsilon=1e-5)(h)), 3)


class ClassToken(layers.Layer):
    """A learned vector in front of a list, the same for all events."""

    def build(self, shape):
        self.token = self.add_weight(name="token", shape=(1, 1, shape[-1]), initializer="random_normal")

    def call(self, x):
        join = keras.ops.concatenate if is_keras_3() else tf.concat
        return join([ops.tile(self.token, [ops.shape(x)[0], 1, 1]), x], axis=1)


@zoo("transformer with a class token (a weight of a class of one's own) that is read at the end", conserves=False)
def class_token():
    inputs = particles()
    h = TransformerBlock(WIDTH, 2, WIDTH)(ClassToken()(dense(WIDTH)(inputs)))
    return head(inputs, layers.LayerNormalization()(h[:, 0]))


@zoo("table transformer: embedded categories, blocks over columns, numbers beside them", conserves=False)
def table_transformer():
    categories, numbers = keras.Input((STEPS,), name="categories", dtype="int32"), vector("numbers")
    columns = [layers.Embedding(TOKENS, WIDTH)(categories[:, i]) for i in range(3)]
    h = ops.stack(columns, axis=1)
    for _ in range(2):
        h = layers.Add()([h, layers.MultiHeadAttention(2, WIDTH, dropout=0.1)(h, h)])
        h = layers.LayerNormalization(epsilon=1e-6)(h)
        h = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([feed_forward(h, (WIDTH,)), h]))
    h = layers.Concatenate()([layers.Flatten()(h), layers.LayerNormalization(epsilon=1e-6)(numbers)])
    return head([categories, numbers], dense(8, "selu")(layers.BatchNormalization()(h)))


def transformed(inputs, features):
    """Points turned by a matrix that a network makes of them all."""
    h = layers.BatchNormalization()(layers.Conv1D(WIDTH, 1, activation="relu")(inputs))
    h = layers.Dense(features * features)(layers.GlobalMaxPooling1D()(h))
    return layers.Dot(axes=(2, 1))([inputs, layers.Reshape((features, features))(h)])


@zoo("PointNet: points turned by a matrix that the network makes, shared layers, a maximum", conserves=False)
def point_net():
    inputs = particles()
    h = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv1D(WIDTH, 1)(transformed(inputs, 3))))
    h = layers.Activation("relu")(layers.BatchNormalization()(layers.Conv1D(WIDTH, 1)(transformed(h, WIDTH))))
    return head(inputs, layers.Dropout(0.3)(dense(8, "relu")(layers.GlobalMaxPooling1D()(h))), 3)


class SpatialGate(layers.Layer):
    """Half of the channels, multiplied by what a dense layer across places makes of the other half."""

    def __init__(self, places, **options):
        super().__init__(**options)
        self.norm = layers.LayerNormalization(epsilon=1e-6)
        self.projection = layers.Dense(places, bias_initializer="ones")

    def call(self, x):
        u, v = ops.split(x, 2, axis=2)
        v = ops.transpose(self.projection(ops.transpose(self.norm(v), (0, 2, 1))), (0, 2, 1))
        return u * v


@zoo("gated network of dense layers across places (gMLP)", conserves=False)
def spatial_gate():
    inputs = particles()
    h = dense(WIDTH)(inputs)
    for _ in range(2):
        x = layers.Dense(2 * WIDTH, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(h))
        h = h + layers.Dense(WIDTH)(SpatialGate(STEPS)(x))
    return head(inputs, layers.GlobalAveragePooling1D()(h))


class WindowAttention(layers.Layer):
    """Attention inside windows of an image, with a learned number for each difference of places, windows shifted."""

    def __init__(self, width, shift, **options):
        super().__init__(**options)
        self.width, self.shift = width, shift
        self.qkv, self.proj = layers.Dense(3 * width), layers.Dense(width)

    def build(self, shape):
        self.bias = self.add_weight(name="bias", shape=(7, 1), initializer="random_normal")

    def call(self, x):
        softmax = keras.ops.softmax if is_keras_3() else tf.nn.softmax
        x = ops.roll(x, -self.shift, axis=1)
        windows = ops.reshape(x, (-1, 4, 4, self.width))  # of four places each
        q, k, v = ops.split(self.qkv(windows), 3, axis=-1)
        q = q * self.width**-0.5
        places = arange(0, 4, 1)
        differences = ops.reshape(places[:, None] - places[None] + 3, (-1,))
        gather = keras.ops.take if is_keras_3() else tf.gather
        bias = ops.reshape(gather(self.bias, differences, axis=0), (4, 4))
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) + bias[None, None]
        h = self.proj(ops.matmul(softmax(scores, axis=-1), v))
        return ops.roll(ops.reshape(h, (-1, 16, self.width)), self.shift, axis=1)


@zoo("shifted windows (Swin): attention in parts of an image, a learned number for each distance", conserves=False)
def shifted_windows():
    inputs = image()
    h = layers.Dense(WIDTH)(Patches(2)(inputs))
    for shift in (0, 2):
        h = h + WindowAttention(WIDTH, shift)(layers.LayerNormalization(epsilon=1e-5)(h))
        h = h + feed_forward(layers.LayerNormalization(epsilon=1e-5)(h), (WIDTH,))
    return head(inputs, layers.GlobalAveragePooling1D()(h), 3)
