"""Operations on tensors that stand in a model as they are written."""

import keras
import tensorflow as tf
from explain.zoo.registry import FEATURES, dense, head, image, particles, vector, zoo
from keras import layers


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


@zoo("stack, unstack, reverse, roll and pad of particles", piecewise=True)
def moved():
    inputs = particles()
    first, *_, last = tf.unstack(inputs, axis=1)
    both = tf.stack([first, last], axis=1)
    padded = tf.pad(tf.reverse(tf.roll(inputs, 1, axis=1), axis=[1]), [[0, 0], [1, 0], [0, 0]])
    return head(inputs, tf.concat([dense(4, "relu")(both), dense(4, "relu")(padded)], axis=1))


@zoo("particles sorted by pT inside the model (argsort, gather)")
def sorted_particles():
    inputs = particles()
    order = tf.argsort(inputs[..., 0], axis=1, direction="DESCENDING")
    return head(inputs, dense(4, "relu")(tf.gather(inputs, order, batch_dims=1)))


@zoo("columns sorted inside the model (sort, top_k)")
def sorted_columns():
    inputs = vector(size=6)
    largest, _ = tf.math.top_k(inputs, 3)
    return head(inputs, dense(4, "relu")(tf.concat([tf.sort(inputs, axis=-1), largest], -1)))


@zoo("logarithms and ratios made inside of the model")
def engineered():
    inputs = particles()
    momentum = tf.math.log1p(tf.abs(inputs[..., :1]))
    total = tf.reduce_sum(tf.abs(inputs[..., :1]), axis=1, keepdims=True)
    ratio = tf.abs(inputs[..., :1]) / (total + 1e-6)
    return head(inputs, dense(4, "relu")(tf.concat([inputs, momentum, ratio], axis=-1)))


@zoo("squares, absolute values, powers and norms of columns", conserves=False)
def norms():
    inputs = particles()
    length = tf.norm(inputs, axis=-1, keepdims=True)
    h = tf.concat([tf.square(inputs), tf.abs(inputs), inputs**3, length, tf.sqrt(length + 1.0)], axis=-1)
    return head(inputs, tf.reduce_sum(dense(4, "tanh")(h), axis=1))


@zoo("mean and spread of particles (reduce_std, reduce_variance, moments)", conserves=False)
def moments():
    inputs = particles()
    mean, variance = tf.nn.moments(inputs, axes=[1])
    spread = [tf.math.reduce_std(inputs, axis=1), tf.math.reduce_variance(inputs, axis=1)]
    return head(inputs, tf.concat([mean, variance, *spread], axis=-1))


@zoo("highway layer: t * h + (1 - t) * x")
def highway():
    h = inputs = vector(size=5)
    for _ in range(2):
        t = dense(5, "sigmoid")(h)
        h = t * dense(5, "relu")(h) + (1.0 - t) * h
    return head(inputs, h)


@zoo("sums with factors, division by a number, and a sign: -h / 2 + 3 * x", piecewise=True)
def factors():
    inputs = vector(size=5)
    h = dense(5, "relu")(inputs)
    return head(inputs, -h / 2.0 + 3.0 * inputs - tf.subtract(h, 0.5 * inputs))


@zoo("bilinear layer: products of two vectors (Dot, outer product)")
def bilinear():
    a, b = vector("a", 4), vector("b", 3)
    outer = layers.Flatten()(tf.expand_dims(a, 2) * tf.expand_dims(b, 1))
    inner = layers.Dot(axes=1)([dense(5)(a), dense(5)(b)])
    return head([a, b], layers.Concatenate()([outer, inner]))


@zoo("gated linear unit: a product with a sigmoid or swish of the other half")
def gated_linear_unit():
    inputs = particles()
    a, b = tf.split(dense(8)(inputs), 2, axis=-1)
    c, d = tf.split(dense(8)(a * tf.sigmoid(b)), 2, axis=-1)
    return head(inputs, tf.reduce_sum(tf.nn.swish(c) * d, axis=1))


@zoo("functions of keras.backend in Lambda layers (sum, max, permute, concatenate)", piecewise=True)
def backend_functions():
    inputs, b = particles(), keras.backend
    turned = layers.Lambda(lambda h: b.permute_dimensions(h, (0, 2, 1)))(inputs)
    pools = [layers.Lambda(lambda h, f=f: f(h, axis=-1))(dense(4, "relu")(turned)) for f in (b.sum, b.max, b.mean)]
    return head(inputs, layers.Lambda(lambda h: b.concatenate(h, axis=-1))(pools))


@zoo("a Lambda with arguments, and one that picks columns", piecewise=True)
def lambda_arguments():
    inputs = vector(size=6)
    scaled = layers.Lambda(lambda h, factor: h * factor, arguments={"factor": 0.1})(inputs)
    return head(inputs, dense(4, "relu")(layers.Lambda(lambda h: tf.gather(h, [0, 2, 5], axis=1))(scaled)))


@zoo("clipped inputs (clip_by_value), maximum and minimum of two towers")
def clipped():
    inputs = vector(size=6)
    h = tf.clip_by_value(inputs, -1.0, 1.0)
    a, b = dense(5)(h), dense(5)(h)
    return head(inputs, tf.concat([tf.maximum(a, b), tf.minimum(a, b), layers.Maximum()([a, b])], -1))


@zoo("pooling and convolution by tf.nn", piecewise=True)
def nn_functions():
    inputs = image()
    h = layers.Conv2D(3, 3, padding="same", activation="relu", use_bias=False)(inputs)
    pooled = tf.nn.max_pool2d(h, 2, 2, "VALID") + tf.nn.avg_pool2d(h, 2, 2, "VALID")
    return head(inputs, tf.nn.space_to_depth(pooled, 2))


@zoo("cumulative sums of particles, differences of neighbours")
def cumulative():
    inputs = particles()
    h = tf.concat([tf.cumsum(inputs, axis=1)[:, :-1], inputs[:, 1:] - inputs[:, :-1]], axis=-1)
    return head(inputs, tf.reduce_mean(dense(4, "relu")(h), axis=1))


@zoo("slices of all forms: steps, ellipsis, new axes, negative ends", piecewise=True)
def all_slices():
    inputs = particles()
    parts = [inputs[:, ::2], inputs[:, -3:], inputs[:, 1:4]]
    h = tf.concat(parts, axis=1)[..., tf.newaxis]
    return head(inputs, dense(3, "relu")(layers.Flatten()(h[..., 0])))


@zoo("columns in sine and cosine of the azimuth")
def angles():
    inputs = particles()
    phi = inputs[..., 2:]
    return head(inputs, tf.reduce_sum(dense(4, "relu")(tf.concat([inputs, tf.sin(phi), tf.cos(phi)], -1)), 1))


@zoo("powers and thresholds of columns by a list of numbers (broadcast)", conserves=False)
def broadcast_functions():
    inputs = vector(size=4)
    powers = tf.pow(tf.abs(inputs[:, :, None]), [1.0, 2.0, 3.0])
    steps = tf.maximum(inputs[:, :, None], [-1.0, 0.0, 1.0])
    return head(inputs, layers.Concatenate()([powers, steps]))


@zoo("log of a sum of exponentials over particles", conserves=False)
def soft_maximum():
    return head(inputs := particles(), tf.reduce_logsumexp(dense(4)(inputs), axis=1))


@zoo("product over particles (reduce_prod)")
def products_of_particles():
    return head(inputs := particles(), tf.reduce_prod(dense(4)(inputs), axis=1))


@zoo("azimuth from two components (atan2)")
def azimuths():
    inputs = particles()
    return head(inputs, tf.math.atan2(inputs[..., 0], inputs[..., 1]))


@zoo("weights and numbers rounded inside of the model, passed straight through", in_steps=True)
def rounded():
    inputs = vector(size=5)
    h = dense(5, "relu")(inputs)
    return head(inputs, h + tf.stop_gradient(tf.round(h * 16) / 16 - h))


@zoo("fake quantisation of TensorFlow", in_steps=True)
def fake_quantised():
    inputs = vector(size=5)
    return head(inputs, tf.quantization.fake_quant_with_min_max_args(dense(5, "relu")(inputs), -6, 6))


@zoo("local response normalisation", conserves=False)
def local_response():
    inputs = image()
    return head(inputs, tf.nn.local_response_normalization(dense(4)(inputs)))


@zoo("cosines of angles between vectors (Dot with normalize)", conserves=False)
def cosines():
    a, b = vector("a", 4), vector("b", 4)
    return head([a, b], layers.Dot(1, normalize=True, name="cosine")([dense(3)(a), dense(3)(b)]))
