"""What the networks are made of: layers of our own, streams that duel, and where outputs start."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from qmap.agents.one_channel import OneChannelConv2DTranspose

# (channels, kernel, stride)
Convolution = tuple[int, int, int]

NORM_EPSILON = 1e-12
# What the last layers' weights are multiplied with for a small start.
SMALL = 0.1
# A sigmoid of this, 0.02, is what cross-entropy starts from: most cells are far away.
LOW = -4.0


class MeanFrame(keras.Layer):
    """Takes the mean of the observations away, pixel by pixel, and divides the rest by 32.

    A screen is bright all over and nearly the same at every step; divided by 255, the character
    is a few small numbers among thousands of large ones that never change. What is left without
    the mean frame is what differs from screen to screen.

    The mean is that of all observations that `observe` was given. It is not trained, but belongs
    to the network's weights: a checkpoint has it, and the target network its copy.
    """

    CONTRAST = 32.0

    def __init__(self) -> None:
        super().__init__(dtype="float32")

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make room for the mean of observations (batch, height, width, channels)."""
        zeros = {"initializer": "zeros", "trainable": False, "dtype": "float32"}
        self.mean = self.add_weight(name="mean", shape=shape[1:], **zeros)
        self.count = self.add_weight(name="count", shape=(1,), **zeros)

    def call(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to float32 around 0."""
        return (tf.cast(observations, tf.float32) - self.mean) / self.CONTRAST

    def observe(self, observations: tf.Tensor) -> None:
        """Take a batch of uint8 observations into the mean."""
        count = self.count + float(observations.shape[0])
        change = tf.reduce_sum(tf.cast(observations, tf.float32) - self.mean, axis=0)
        self.mean.assign_add(change / count)
        self.count.assign(count)

    def forget(self) -> None:
        """Begin with what is observed next; until then the mean stays as it is."""
        self.count.assign(tf.zeros(1))

    def follow(self, other: MeanFrame) -> None:
        """Take the other's mean over."""
        self.mean.assign(other.mean)
        self.count.assign(other.count)


class DenseNorm(keras.Layer):
    """A dense layer, normalized over its outputs if asked, then its activation."""

    def __init__(self, units: int, activation: str, layer_norm: bool) -> None:
        # Not in bfloat16: converting the weights takes longer than multiplying them faster saves,
        # and Q-values of 40 would be a quarter apart.
        super().__init__(dtype="float32")
        self.dense = keras.layers.Dense(units, dtype="float32")
        self.norm = (
            keras.layers.LayerNormalization(epsilon=NORM_EPSILON, dtype="float32")
            if layer_norm
            else None
        )
        self.activation = keras.layers.Activation(activation, dtype="float32")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Map (batch, inputs) to (batch, units)."""
        x = self.dense(x)
        if self.norm is not None:
            x = self.norm(x)
        return self.activation(x)


def duel(value: tf.Tensor, advantage: tf.Tensor) -> tf.Tensor:
    """V + A - mean over actions of A (Wang et al. 2016, equation 9)."""
    return value + advantage - tf.reduce_mean(advantage, axis=-1, keepdims=True)


def start_outputs(streams: Sequence[Sequence[keras.Layer]], small: bool, low: bool) -> None:
    """Set where the outputs of the streams start, A's and with dueling V's.

    Args:
        streams: the layers of each, built.
        small: a tenth as large as Glorot's weights make them. Else the first updates unlearn large
            random Q-values. Their gradients, a hundred times as long as later ones, fill Adam's
            second moments, which take thousands of updates to forget them.
        low: at `LOW`, for a sigmoid; V alone, if there is one, because V + A is to be low.
    """
    outputs = [_scale_and_bias(stream) for stream in streams]
    if small:
        for scale, _ in outputs:
            scale.assign(scale * SMALL)
    if low:
        _, bias = outputs[-1]
        bias.assign(tf.fill(bias.shape, LOW))


def _scale_and_bias(stream: Sequence[keras.Layer]) -> tuple[keras.Variable, keras.Variable]:
    """What the size of a stream's output is proportional to, and what is added to it."""
    last = next(layer for layer in reversed(stream) if layer.trainable_weights)
    if isinstance(last, DenseNorm):
        norm, dense = last.norm, last.dense
        return (dense.kernel, dense.bias) if norm is None else (norm.gamma, norm.beta)
    return last.kernel, last.bias


def convolve_differences(layer: keras.layers.Conv2D, x: tf.Tensor, channels: int) -> tf.Tensor:
    """Apply a convolution to the differences from frame to frame and the newest frame.

    The frames stay as they are, for subtracting weights is faster: with frames a, b, c and weights
    u, v, w, it is u (b - a) + v (c - b) + w c = -u a + (u - v) b + (v + w) c.

    Args:
        layer: the convolution.
        x: (batch, height, width, stack * channels), stacked frames, oldest first.
        channels: of a frame.
    """
    differences, newest = layer.kernel[:, :, :-channels], layer.kernel[:, :, -channels:]
    before = tf.concat((tf.zeros_like(newest), differences), axis=2)
    kernel = tf.cast(before - tf.concat((differences, -newest), axis=2), x.dtype)
    outputs = tf.nn.conv2d(x, kernel, layer.strides, "SAME")
    return layer.activation(outputs + tf.cast(layer.bias, x.dtype))


def plus_same_shape(x: tf.Tensor, others: list[tf.Tensor]) -> tf.Tensor:
    """Add the first of `others` that has the same shape, and take it out of them."""
    for index, other in enumerate(others):
        if other.shape == x.shape:
            return x + others.pop(index)
    return x


def decoder_of(
    convolutions: Sequence[Convolution], last: Convolution
) -> list[keras.layers.Conv2DTranspose]:
    """Return transposed convolutions, ELU after each, and a last one without."""
    layers = [
        keras.layers.Conv2DTranspose(*convolution, padding="same", activation="elu")
        for convolution in convolutions
    ]
    channels, _, stride = last
    one_channel = channels == 1 and stride == 1
    layer = OneChannelConv2DTranspose if one_channel else keras.layers.Conv2DTranspose
    return [*layers, layer(*last, padding="same")]


def through(layers: Sequence[keras.Layer], x: tf.Tensor) -> tf.Tensor:
    """Send `x` through the layers, one after the other."""
    for layer in layers:
        x = layer(x)
    return x


def downscaled(shape: tuple[int, int], convolutions: Sequence[Convolution]) -> tuple[int, int]:
    """Return what 'same' convolutions with these strides leave of (height, width)."""
    for _, _, stride in convolutions:
        shape = (-(-shape[0] // stride), -(-shape[1] // stride))
    return shape
