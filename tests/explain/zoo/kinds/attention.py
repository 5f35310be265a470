"""Attention over particles."""

import keras
import tensorflow as tf
from explain.zoo.registry import FEATURES, STEPS, TOKENS, dense, head, image, particles, zoo
from keras import layers


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


def block(h, width=8, heads=2, norm_first=True, **options):
    """A transformer block, with its normalisation before or behind."""
    attention = layers.MultiHeadAttention(heads, width // heads, use_bias=False)
    feed = keras.Sequential([dense(2 * width, "gelu"), dense(width)])
    if norm_first:
        h = h + attention(layers.LayerNormalization()(h), h, **options)
        return h + feed(layers.LayerNormalization()(h))
    h = layers.LayerNormalization(epsilon=1e-6)(h + layers.Dropout(0.1)(attention(h, h, **options)))
    return layers.LayerNormalization(epsilon=1e-6)(h + layers.Dropout(0.1)(feed(h)))


@zoo("Particle Transformer: masked blocks, the logarithms of pairs, a class token", conserves=False)
def particle_transformer():
    inputs, mask = particles(), keras.Input((STEPS,), name="mask")
    h, width = dense(8)(inputs), 8
    pairs = tf.expand_dims(inputs, 2) - tf.expand_dims(inputs, 1)
    bias = dense(2)(tf.math.log(tf.reduce_sum(pairs**2, -1, keepdims=True) + 1e-3))
    bias = tf.transpose(bias, (0, 3, 1, 2)) + (1.0 - mask[:, None, None, :]) * -1e9
    for _ in range(2):
        normed = layers.LayerNormalization()(h)
        q, k, v = (tf.transpose(layers.Reshape((STEPS, 2, 4))(dense(width)(normed)), (0, 2, 1, 3)) for _ in range(3))
        mixed = tf.matmul(tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / 2.0 + bias), v)
        h = h + dense(width)(layers.Reshape((STEPS, width))(tf.transpose(mixed, (0, 2, 1, 3))))
        h = h + dense(width)(dense(width, "gelu")(layers.LayerNormalization()(h)))
    token = layers.Dense(width, kernel_initializer="zeros", bias_initializer="random_normal")(h[:, :1])
    everything = tf.concat([token, h], axis=1)
    real = tf.pad(mask, [[0, 0], [1, 0]], constant_values=1.0)
    out = layers.MultiHeadAttention(2, 4, use_bias=False)(token, everything, attention_mask=real[:, None, :])
    return head([inputs, mask], tf.squeeze(token + out, axis=1), 3)


@zoo("transformer for classification of a list (attention, convolutions, mean), as in Keras' examples", conserves=False)
def timeseries_transformer():
    h = inputs = particles()
    for _ in range(2):
        x = layers.LayerNormalization(epsilon=1e-6)(h)
        x = layers.Dropout(0.1)(layers.MultiHeadAttention(2, 4, dropout=0.1, use_bias=False)(x, x))
        res = x + h
        x = layers.LayerNormalization(epsilon=1e-6)(res)
        x = layers.Dropout(0.1)(layers.Conv1D(4, 1, activation="relu", use_bias=False)(x))
        h = layers.Conv1D(FEATURES, 1, use_bias=False)(x) + res
    h = layers.GlobalAveragePooling1D(data_format="channels_last")(h)
    return head(inputs, layers.Dropout(0.1)(dense(6, "relu")(h)))


@zoo("transformer of tokens: embeddings of tokens and of positions", conserves=False)
def token_transformer():
    inputs = keras.Input((STEPS,), name="tokens", dtype="int32")
    h = layers.Embedding(TOKENS, 8)(inputs)
    h = h + layers.Embedding(STEPS, 8)(tf.range(0, STEPS))
    return head(inputs, layers.GlobalAveragePooling1D()(block(h, norm_first=False)))


@zoo("vision transformer: patches by a convolution, positions by a constant", conserves=False)
def vision_transformer():
    inputs = image()
    h = layers.Reshape((16, 8))(layers.Conv2D(8, 2, strides=2, use_bias=False)(inputs))
    h = block(block(h + tf.random.stateless_normal((1, 16, 8), (1, 2))))
    return head(inputs, layers.LayerNormalization()(h)[:, 0])


@zoo("attention behind Masking of two different lists", conserves=False)
def cross_attention():
    a, b = particles("a"), particles("b")
    one, other = dense(8)(layers.Masking()(a)), dense(8)(layers.Masking()(b))
    h = layers.MultiHeadAttention(2, 4, value_dim=3, output_shape=5, use_bias=False)(one, other)
    return head([a, b], layers.GlobalAveragePooling1D()(h))


@zoo("scaled attention by the Keras layer Attention, masked", conserves=False)
def luong_attention():
    h = layers.Masking()(inputs := particles())
    query, value = dense(4)(h), dense(4)(h)
    return head(inputs, layers.GlobalAveragePooling1D()(layers.Attention()([query, value])))


@zoo("additive attention (AdditiveAttention)", conserves=False)
def additive_attention():
    inputs = particles()
    query, value = dense(4)(inputs), dense(4)(inputs)
    return head(inputs, layers.Flatten()(layers.AdditiveAttention()([query, value])))


@zoo("attention of an LSTM over its steps (tanh scores, softmax, Dot)", conserves=False)
def lstm_attention():
    inputs = particles()
    h = layers.LSTM(4, return_sequences=True, use_bias=False)(inputs)
    weights = layers.Activation("softmax")(layers.Flatten()(dense(1, "tanh")(h)))
    return head(inputs, layers.Dot(axes=1)([weights, h]))


@zoo("attention of an LSTM: Permute, RepeatVector, Multiply, and a sum in a Lambda", conserves=False)
def attention_by_repeat():
    inputs = particles()
    h = layers.Bidirectional(layers.LSTM(3, return_sequences=True, use_bias=False))(inputs)
    weights = layers.Softmax()(layers.Flatten()(dense(1, "tanh")(h)))
    weights = layers.Permute([2, 1])(layers.RepeatVector(6)(weights))
    summed = layers.Lambda(lambda one: keras.backend.sum(one, axis=1))(layers.Multiply()([h, weights]))
    return head(inputs, summed)


@zoo("masked softmax layer with the mask as an argument", conserves=False)
def masked_softmax():
    inputs, mask = particles(), keras.Input((STEPS,), name="mask")
    weights = layers.Softmax()(layers.Flatten()(dense(1)(inputs)), mask=mask > 0.5)
    return head([inputs, mask], layers.Dot(axes=1)([weights, dense(4)(inputs)]))


@zoo("linear attention: no softmax, products of keys and values")
def linear_attention():
    inputs = particles()
    q, k, v = dense(4, "relu")(inputs), dense(4, "relu")(inputs), dense(4)(inputs)
    return head(inputs, tf.reduce_sum(tf.matmul(q, tf.matmul(k, v, transpose_a=True)), 1))


@zoo("mixer: dense layers across particles and across columns", conserves=False)
def mixer():
    h = dense(8)(inputs := particles())
    y = layers.Permute((2, 1))(layers.LayerNormalization()(h))
    h = h + layers.Permute((2, 1))(dense(STEPS)(dense(8, "gelu")(y)))
    return head(inputs, layers.GlobalAveragePooling1D()(h + dense(8)(dense(8, "gelu")(layers.LayerNormalization()(h)))))


@zoo("scores of attention returned beside its output", conserves=False)
def returned_scores():
    h = dense(8)(inputs := particles())
    h, scores = layers.MultiHeadAttention(2, 4, use_bias=False)(h, h, return_attention_scores=True)
    return head(inputs, layers.Concatenate()([layers.Flatten()(h), layers.Flatten()(scores)]))


@zoo("set transformer: seeds from an embedding ask the particles", conserves=False)
def set_transformer():
    h = dense(8)(inputs := particles())
    seeds = layers.Embedding(2, 8)(tf.cast(tf.zeros_like(inputs[:, :2, 0]), tf.int32) + tf.range(2))
    return head(inputs, layers.MultiHeadAttention(2, 4, use_bias=False)(seeds, h))


class Time2Vec(layers.Layer):
    """Learned sines of the columns, beside them."""

    def build(self, shape):
        self.frequency = self.add_weight(name="frequency", shape=(shape[-1], 4))
        self.phase = self.add_weight(name="phase", shape=(4,), initializer="zeros")

    def call(self, x):
        return tf.concat([x, tf.sin(tf.einsum("nsf,fk->nsk", x, self.frequency) + self.phase)], axis=-1)


@zoo("time series transformer with learned sines (a layer of a class of one's own)", conserves=False)
def learned_sines():
    h = dense(8)(Time2Vec()(inputs := particles()))
    return head(inputs, layers.GlobalAveragePooling1D()(block(h)))


@zoo("attention behind Masking with padded queries, whose shortcut drops the mask", conserves=False)
def padded_queries():
    inputs = particles()
    h = dense(8)(layers.Masking()(inputs))
    return head(inputs, tf.reduce_max(h + layers.MultiHeadAttention(2, 4, use_bias=False)(h, h), axis=1))
