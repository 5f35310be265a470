"""Jet images, calorimeter cubes and convolutions of lists."""

import keras
from explain.zoo.registry import dense, head, image, particles, zoo
from keras import layers


@zoo("gates of channels (squeeze and excitation)")
def squeeze_and_excitation():
    inputs = keras.Input((6, 6, 2), name="image")
    h = layers.Conv2D(4, 3, activation="relu", use_bias=False)(inputs)
    gate = dense(4, "sigmoid")(dense(2, "relu")(layers.GlobalAveragePooling2D(keepdims=True)(h)))
    return head(inputs, layers.GlobalAveragePooling2D()(layers.Multiply()([h, gate])))


@zoo("residual network of images with BatchNormalization and separable convolutions", conserves=False)
def residual_images():
    inputs = keras.Input((8, 8, 1), name="image")
    h = layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    y = layers.ReLU()(layers.BatchNormalization()(h))
    h = layers.ReLU()(layers.Add()([h, layers.Conv2D(4, 3, padding="same", use_bias=False)(y)]))
    h = layers.SeparableConv2D(6, 3, padding="same", strides=2, use_bias=False)(h)
    return head(inputs, layers.GlobalAveragePooling2D()(h))


@zoo("depthwise convolutions, zero padding, ReLU6")
def depthwise():
    inputs = keras.Input((8, 8, 2), name="image")
    h = layers.DepthwiseConv2D(3, use_bias=False)(layers.ZeroPadding2D(1)(inputs))
    return head(inputs, layers.AveragePooling2D(2)(layers.ReLU(6.0)(h)))


@zoo("U-Net (transposed convolution, up-sampling, cropping)")
def u_net():
    inputs = keras.Input((8, 8, 1), name="image")
    down = layers.Conv2D(3, 3, padding="same", activation="relu", use_bias=False)(inputs)
    small = layers.MaxPooling2D(2)(down)
    up = layers.Conv2DTranspose(3, 2, strides=2, use_bias=False)(small)
    both = layers.Concatenate()([down, up, layers.UpSampling2D(2)(small)])
    return head(inputs, layers.GlobalAveragePooling2D()(layers.Cropping2D(1)(both)))


@zoo("dilated causal convolutions of lists")
def dilated():
    h = inputs = particles()
    for rate in (1, 2):
        h = layers.Conv1D(4, 2, padding="causal", dilation_rate=rate, activation="relu", use_bias=False)(h)
    return head(inputs, h)


@zoo("calorimeter cubes (Conv3D, pooling in 3D)")
def cubes():
    inputs = keras.Input((4, 4, 4, 1), name="cells")
    h = layers.Conv3D(3, 2, activation="relu", padding="same", use_bias=False)(inputs)
    return head(inputs, layers.Concatenate()([layers.Flatten()(pool(2)(h)) for pool in POOLS]))


POOLS = (layers.MaxPooling3D, layers.AveragePooling3D)


def conv(units, size=3, activation="relu", **options):
    """A convolution without bias."""
    return layers.Conv2D(units, size, activation=activation, use_bias=False, **options)


@zoo("jet images: two blocks of convolutions and MaxPooling", piecewise=True)
def plain_images():
    h = inputs = image(size=10)
    for units in (4, 6):
        h = layers.MaxPooling2D(2)(layers.Dropout(0.1)(conv(units, padding="same")(h)))
    return head(inputs, dense(6, "relu")(layers.Flatten()(h)))


@zoo("VGG: convolutions, BatchNormalization and ReLU in a row, GlobalAveragePooling2D")
def vgg():
    h = inputs = image(channels=3)
    for units in (4, 6):
        h = layers.ReLU()(layers.BatchNormalization()(conv(units, activation=None, padding="same")(h)))
        h = layers.MaxPooling2D(2)(h)
    return head(inputs, layers.GlobalAveragePooling2D()(h))


@zoo("inception: branches of different windows", piecewise=True)
def inception():
    inputs = image()
    branches = [conv(3, size, padding="same")(inputs) for size in (1, 3, (1, 5), (5, 1))]
    branches.append(conv(2, 1)(layers.MaxPooling2D(3, 1, padding="same")(inputs)))
    return head(inputs, layers.AveragePooling2D(2, padding="same")(layers.Concatenate()(branches)))


@zoo("ResNeXt: grouped convolutions with a shortcut", piecewise=True)
def grouped():
    inputs = image()
    h = conv(4, 1)(inputs)
    y = conv(4, 1, activation=None)(conv(4, 3, groups=2, padding="same")(h))
    return head(inputs, layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([h, y]))))


@zoo("ResNet with strided shortcuts of 1x1 convolutions")
def strided_shortcut():
    h = inputs = image()
    for units in (4, 6):
        y = layers.BatchNormalization()(conv(units, activation=None, strides=2, padding="same")(h))
        shortcut = layers.BatchNormalization()(conv(units, 1, None, strides=2)(h))
        h = layers.Activation("relu")(layers.add([shortcut, y]))
    return head(inputs, layers.GlobalAveragePooling2D()(h))


@zoo("ConvNeXt: depthwise windows, LayerNormalization, GELU, a scale of layers", conserves=False)
def conv_next():
    h = conv(4, 2, None, strides=2)(inputs := image())
    y = layers.LayerNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(h))
    y = dense(4)(dense(8, "gelu")(y))
    return head(inputs, layers.GlobalAveragePooling2D()(h + 0.1 * y))


@zoo("MobileNet: inverted residuals with ReLU6 and swish")
def mobile_net():
    h = conv(3, 3, "swish", strides=2, padding="same")(inputs := image())
    y = layers.ReLU(6.0)(layers.BatchNormalization()(conv(6, 1, None)(h)))
    y = layers.ReLU(6.0)(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)))
    return head(inputs, layers.GlobalMaxPooling2D()(layers.Add()([h, conv(3, 1, None)(y)])))


@zoo("up-sampling by interpolation, transposed convolutions with stride 2 and padding")
def decoder():
    h = conv(3, 3, strides=2, padding="same")(inputs := image())
    a = layers.UpSampling2D(2, interpolation="bilinear")(h)
    b = layers.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=1, use_bias=False)(h)
    return head(inputs, layers.AveragePooling2D(4)(layers.Add()([a, b])))


@zoo("dilated convolutions of images, zero padding on one side", piecewise=True)
def dilated_images():
    h = layers.ZeroPadding2D(((1, 0), (2, 0)))(inputs := image())
    return head(inputs, conv(3, dilation_rate=2)(h))


@zoo("PReLU and LeakyReLU between convolutions")
def leaky_images():
    h = layers.PReLU(shared_axes=[1, 2])(conv(3, activation=None)(inputs := image()))
    return head(inputs, layers.LeakyReLU(0.2)(conv(3, activation=None)(h)))


@zoo("convolutions of lists: separable, depthwise, transposed, strided")
def list_convolutions():
    inputs = particles()
    h = layers.SeparableConv1D(4, 3, padding="same", activation="relu", use_bias=False)(inputs)
    h = layers.DepthwiseConv1D(2, use_bias=False)(h)
    return head(inputs, layers.Conv1DTranspose(3, 2, strides=2, activation="relu", use_bias=False)(h))


@zoo("temporal convolutional network: causal, dilated, with shortcuts")
def temporal():
    h = inputs = particles()
    for rate in (1, 2, 4):
        y = layers.Conv1D(4, 2, padding="causal", dilation_rate=rate, activation="relu", use_bias=False)(h)
        h = layers.Add()([layers.Conv1D(4, 1, use_bias=False)(h), layers.SpatialDropout1D(0.1)(y)])
    return head(inputs, h[:, -1])


@zoo("average and maximum pooling of lists with padding, UpSampling1D, cropping")
def list_pooling():
    h = layers.ZeroPadding1D(1)(inputs := particles())
    h = layers.Concatenate()([layers.AveragePooling1D(2, padding="same")(h), layers.MaxPooling1D(3, 2, "same")(h)])
    return head(inputs, layers.Cropping1D(1)(layers.UpSampling1D(2)(h)))


@zoo("cubes: transposed and strided Conv3D, cropping and padding")
def cube_decoder():
    inputs = keras.Input((4, 4, 4, 1), name="cells")
    h = layers.Conv3D(3, 2, strides=2, activation="relu", use_bias=False)(layers.ZeroPadding3D(0)(inputs))
    h = layers.Conv3DTranspose(2, 2, strides=2, use_bias=False)(h)
    return head(inputs, layers.GlobalAveragePooling3D()(layers.UpSampling3D(2)(layers.Cropping3D(1)(h))))


@zoo("images over layers of the calorimeter (TimeDistributed convolutions, LSTM)")
def image_sequence():
    inputs = keras.Input((3, 6, 6, 1), name="cells")
    encoder = keras.Sequential([keras.Input((6, 6, 1)), conv(3), layers.MaxPooling2D(2), layers.Flatten()])
    return head(inputs, layers.LSTM(4, use_bias=False)(layers.TimeDistributed(encoder)(inputs)))


@zoo("images of unknown size", piecewise=True)
def any_size():
    inputs = keras.Input((None, None, 2), name="image")
    return head(inputs, layers.GlobalAveragePooling2D()(conv(3)(conv(4, padding="same")(inputs))))


@zoo("images cropped, flipped and rescaled inside of the model")
def augmented_images():
    h = layers.Rescaling(1 / 255.0)(inputs := image())
    h = layers.RandomFlip()(layers.CenterCrop(6, 6)(h))
    return head(inputs, conv(3)(layers.RandomRotation(0.1)(h)))


@zoo("images resized inside of the model (Resizing)")
def resized():
    return head(inputs := image(), layers.Flatten()(conv(3)(layers.Resizing(6, 6)(inputs))))


@zoo("spectral normalisation of a convolution, at inference")
def spectral():
    wrap = getattr(layers, "SpectralNormalization", None)
    h = conv(3)(inputs := image())
    return head(inputs, wrap(conv(2))(h) if wrap else conv(2)(h))


@zoo("weights of their own at every place (LocallyConnected), images and lists", piecewise=True)
def locally_connected():
    a, b = image(), particles()
    h = layers.LocallyConnected2D(3, (3, 2), strides=2, activation="relu", use_bias=False, name="places")(a)
    g = layers.LocallyConnected1D(4, 2, activation="relu", use_bias=False)(b)
    return head([a, b], layers.Concatenate()([layers.Flatten()(h), layers.Flatten()(g)]))
