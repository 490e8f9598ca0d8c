"""The networks: screens in, the Q-frames of every action or the Q-values of a task out.

All take a batch of uint8 observations, (batch, height, width, channels), and scale it themselves:
they divide it by 255 or, centred, take the mean frame away first. Convolutions use 'same' padding;
weights start Glorot uniform, biases at zero. A convolution is written (channels, kernel, stride).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from qmap.agents.one_channel import OneChannelConv2DTranspose

Convolution = tuple[int, int, int]

NORM_EPSILON = 1e-12
# What the last layers' weights are multiplied with for a small start.
SMALL = 0.1
# A sigmoid of this, 0.02, is what cross-entropy starts from: most cells are far away.
LOW = -4.0


class QNetwork(keras.Model):
    """What the networks share: features of an observation, then one stream or two dueling ones.

    Attributes:
        features: maps uint8 observations to what both streams begin with.
        advantage: layers from the features to A, one channel an action.
        value: layers from the features to V, one channel; empty without dueling.
        mean_frame: what is taken away from observations, None for nothing.
        sigmoid: whether Q-values are the sigmoid of what the streams give.
    """

    features: Callable[[tf.Tensor], Any]
    advantage: list[keras.Layer]
    value: list[keras.Layer]
    mean_frame: MeanFrame | None = None
    sigmoid = False

    def call(self, observations: tf.Tensor) -> tf.Tensor:
        """Map (batch, height, width, channels) uint8 to Q-values (batch, ..., actions) float32."""
        outputs = self.logits(observations)
        return tf.sigmoid(outputs) if self.sigmoid else outputs

    def logits(self, observations: tf.Tensor) -> tf.Tensor:
        """Map observations to what Q-values are made of: themselves, or their logits."""
        x = self.features(observations)
        outputs = self.stream(self.advantage, x)
        return duel(self.stream(self.value, x), outputs) if self.value else outputs

    def advantages(self, observations: tf.Tensor) -> tf.Tensor:
        """Map observations to A alone: V and the mean are the same for all actions.

        Which action is best can be told without computing V, which takes half of the decoders.
        """
        return self.stream(self.advantage, self.features(observations))

    def inputs(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to what the first layer gets."""
        if self.mean_frame is None:
            return tf.cast(observations, self.compute_dtype) / 255
        return tf.cast(self.mean_frame(observations), self.compute_dtype)

    def stream(self, layers: list[keras.Layer], features: tf.Tensor) -> tf.Tensor:
        """Send features through the layers of one stream; float32."""
        return tf.cast(_through(layers, features), tf.float32)


class ConvQFrames(QNetwork):
    """The Q-map: a convolutional encoder, a dense bottleneck and transposed convolutions.

    One pass gives, for each action, the Q-values towards all goal cells of the screen
    (Q-map paper, section 3). The output grid follows from the strides:
    `rows = height / product(encoder strides) * product(decoder strides)`.

    Args:
        observation_shape: (height, width, channels) of an observation.
        n_actions: number of actions A, the Q-frames in the output.
        encoder: convolutions, ELU after each.
        hidden: sizes of the dense layers; a last one brings back the encoder's flat size.
        decoder: transposed convolutions, ELU after each.
        last: (kernel, stride) of one more, which gives the Q-frames.
        dueling: add a second decoder with one output channel V and return V + A - mean(A).
        layer_norm: normalize the dense layers before their ELU.
        center: take the mean frame away, see `MeanFrame`.
        sigmoid: Q-values are the sigmoid of the output, and start near 0.
        small_start: start with outputs a tenth as large.
        skip: add the encoder's outputs to those in the decoders that have the same shape, so that
            what is seen where need not pass the bottleneck.
        frame_channels: channels of one frame of the stack, to show the network the newest frame
            and the differences from each frame to the next; 0 shows it the stack.
    """

    def __init__(
        self,
        observation_shape: tuple[int, int, int],
        n_actions: int,
        *,
        encoder: Sequence[Convolution],
        hidden: Sequence[int],
        decoder: Sequence[Convolution],
        last: tuple[int, int],
        dueling: bool = True,
        layer_norm: bool = True,
        center: bool = False,
        sigmoid: bool = False,
        small_start: bool = False,
        skip: bool = False,
        frame_channels: int = 0,
        name: str = "q_map",
    ) -> None:
        super().__init__(name=name)
        self.mean_frame = MeanFrame() if center else None
        self.sigmoid = sigmoid
        self.skip = skip
        self.frame_channels = frame_channels
        self.encoder = [
            keras.layers.Conv2D(*convolution, padding="same", activation="elu")
            for convolution in encoder
        ]
        if frame_channels:  # its kernel is used apart from the layer
            self.encoder[0].build((None, *observation_shape))
        encoded = (*_downscaled(observation_shape[:2], encoder), encoder[-1][0])
        flat = encoded[0] * encoded[1] * encoded[2]
        self.flatten = keras.layers.Flatten()
        self.hidden = [DenseNorm(size, "elu", layer_norm) for size in (*hidden, flat)]
        self.unflatten = keras.layers.Reshape(encoded)
        self.advantage = _decoder(decoder, (n_actions, *last))
        self.value = _decoder(decoder, (1, *last)) if dueling else []
        self(tf.zeros((1, *observation_shape), tf.uint8))
        lasts = [stream[-1] for stream in (self.advantage, self.value) if stream]
        _start(
            [layer.kernel for layer in lasts], [layer.bias for layer in lasts], small_start, sigmoid
        )

    def features(self, observations: tf.Tensor) -> list[tf.Tensor]:
        """Map uint8 observations to the bottleneck's output and what is to be added later.

        Returns:
            The bottleneck's output, as large as the encoder's; with skip connections also the
            outputs of the encoder's layers, last first.
        """
        x = self.inputs(observations)
        encoded = []
        for index, layer in enumerate(self.encoder):
            if index == 0 and self.frame_channels:
                x = _of_differences(layer, x, self.frame_channels)
            else:
                x = layer(x)
            encoded.insert(0, x)
        x = self.unflatten(_through(self.hidden, self.flatten(x)))
        return [x, *encoded] if self.skip else [x]

    def stream(self, layers: list[keras.Layer], features: list[tf.Tensor]) -> tf.Tensor:
        """Send features through a decoder; float32."""
        x, *encoded = features
        for layer in layers:
            x = layer(_plus_same_shape(x, encoded))
        return tf.cast(x, tf.float32)


class AnySizeQFrames(QNetwork):
    """A Q-map without dense layers, for observations of any size.

    At half of the observation's size one convolution with the same weights is applied again and
    again, so that what is known about a cell spreads to its neighbours as it does in value
    iteration (Tamar et al. 2016). Gates that are computed from the observation let it pass or not,
    as a wall does (Lee et al. 2018); the encoded observation is added each time. With 16 rounds it
    gets 32 pixels far.

    Args:
        observation_shape: (height, width, channels), even; other sizes may be given later, unless
            frames are centered.
        n_actions: number of actions.
        dueling, layer_norm, center, sigmoid, small_start: see `ConvQFrames`.
    """

    CHANNELS = 32
    ROUNDS = 16

    def __init__(
        self,
        observation_shape: tuple[int, int, int],
        n_actions: int,
        *,
        dueling: bool = True,
        layer_norm: bool = True,
        center: bool = False,
        sigmoid: bool = False,
        small_start: bool = False,
        name: str = "q_map",
    ) -> None:
        super().__init__(name=name)
        self.mean_frame = MeanFrame() if center else None
        self.sigmoid = sigmoid
        channels = self.CHANNELS
        self.encode = keras.layers.Conv2D(channels, 4, 2, padding="same", activation="elu")
        self.gate = keras.layers.Conv2D(channels, 3, padding="same", activation="sigmoid")
        self.spread = keras.layers.Conv2D(channels, 3, padding="same")
        self.activation = keras.layers.Activation("elu")
        self.norm = keras.layers.LayerNormalization() if layer_norm else keras.layers.Identity()
        self.join = keras.layers.Concatenate()
        self.advantage = _decoder((), (n_actions, 4, 2))
        self.value = _decoder((), (1, 4, 2)) if dueling else []
        self(tf.zeros((1, *observation_shape), tf.uint8))
        lasts = [stream[-1] for stream in (self.advantage, self.value) if stream]
        _start(
            [layer.kernel for layer in lasts], [layer.bias for layer in lasts], small_start, sigmoid
        )

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to channels of half their size."""
        encoded = self.encode(self.inputs(observations))
        gates, x = self.gate(encoded), encoded
        for _ in range(self.ROUNDS):
            x = self.activation(self.norm(gates * self.spread(x) + encoded))
        return self.join([x, encoded])


class DenseQFrames(QNetwork):
    """The Q-map without convolutions, a baseline: dense layers, the Q-frames as a flat vector.

    Args:
        observation_shape: (height, width, channels) of an observation.
        n_actions: number of actions.
        coords_shape: (rows, cols) of the goal grid.
        hidden: sizes of the dense layers, ELU after each.
        dueling: add a second dense output V and return V + A - mean(A).
        layer_norm: normalize the hidden layers before their ELU, and the outputs.
        center: take the mean frame away, see `MeanFrame`.
        sigmoid: Q-values are the sigmoid of the output, and start near 0.
        small_start: start with outputs a tenth as large.
    """

    def __init__(
        self,
        observation_shape: tuple[int, int, int],
        n_actions: int,
        *,
        coords_shape: tuple[int, int],
        hidden: Sequence[int],
        dueling: bool = True,
        layer_norm: bool = True,
        center: bool = False,
        sigmoid: bool = False,
        small_start: bool = False,
        name: str = "q_map",
    ) -> None:
        super().__init__(name=name)
        self.mean_frame = MeanFrame() if center else None
        self.sigmoid = sigmoid
        rows, cols = coords_shape
        self.flatten = keras.layers.Flatten()
        self.hidden = [DenseNorm(size, "elu", layer_norm) for size in hidden]
        self.advantage = [
            DenseNorm(rows * cols * n_actions, "linear", layer_norm),
            keras.layers.Reshape((rows, cols, n_actions)),
        ]
        self.value = []
        if dueling:
            self.value = [
                DenseNorm(rows * cols, "linear", layer_norm),
                keras.layers.Reshape((rows, cols, 1)),
            ]
        self(tf.zeros((1, *observation_shape), tf.uint8))
        lasts = [stream[0] for stream in (self.advantage, self.value) if stream]
        _start(
            [each.norm.gamma if layer_norm else each.dense.kernel for each in lasts],
            [each.norm.beta if layer_norm else each.dense.bias for each in lasts],
            small_start,
            sigmoid,
        )

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to the last hidden layer's output."""
        return _through(self.hidden, self.flatten(self.inputs(observations)))


class ConvDQN(QNetwork):
    """The task's Q-network: convolutions, then dense layers.

    Args:
        observation_shape: (height, width, channels) of an observation.
        n_actions: number of actions.
        encoder: convolutions, ReLU after each.
        hidden: sizes of the dense layers of each stream, ReLU after each.
        dueling: add a second stream with one output V and return V + A - mean(A).
    """

    def __init__(
        self,
        observation_shape: tuple[int, int, int],
        n_actions: int,
        *,
        encoder: Sequence[Convolution],
        hidden: Sequence[int],
        dueling: bool = True,
        name: str = "dqn",
    ) -> None:
        super().__init__(name=name)
        self.encoder = [
            keras.layers.Conv2D(*convolution, padding="same", activation="relu")
            for convolution in encoder
        ]
        self.flatten = keras.layers.Flatten()
        self.advantage = [DenseNorm(size, "relu", False) for size in hidden]
        self.advantage.append(DenseNorm(n_actions, "linear", False))
        self.value = []
        if dueling:
            self.value = [DenseNorm(size, "relu", False) for size in hidden]
            self.value.append(DenseNorm(1, "linear", False))
        self(tf.zeros((1, *observation_shape), tf.uint8))

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to the encoder's flat output."""
        return self.flatten(_through(self.encoder, self.inputs(observations)))


class MeanFrame(keras.Layer):
    """Takes the mean of the observations away, pixel by pixel, and divides the rest by 32.

    A screen is bright all over and nearly the same at every step; divided by 255, the character
    is a few small numbers among thousands of large ones that never change. What is left without
    the mean frame is what differs from screen to screen.

    The mean is that of all observations that `observe` was given. It is not trained, but belongs
    to the network's weights: a checkpoint has it, and the target network its copy.
    """

    CONTRAST = 32.0

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

    def follow(self, other: MeanFrame) -> None:
        """Take the other's mean over."""
        self.mean.assign(other.mean)
        self.count.assign(other.count)


class DenseNorm(keras.Layer):
    """A dense layer, normalized over its outputs if asked, then its activation."""

    def __init__(self, units: int, activation: str, layer_norm: bool) -> None:
        super().__init__()
        # Not in bfloat16: converting the weights takes longer than multiplying them faster saves.
        self.dense = keras.layers.Dense(units, dtype="float32")
        self.norm = keras.layers.LayerNormalization(epsilon=NORM_EPSILON) if layer_norm else None
        self.activation = keras.layers.Activation(activation)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Map (batch, inputs) to (batch, units)."""
        x = self.dense(x)
        if self.norm is not None:
            x = self.norm(x)
        return self.activation(x)


def duel(value: tf.Tensor, advantage: tf.Tensor) -> tf.Tensor:
    """V + A - mean over actions of A (Wang et al. 2016, equation 9)."""
    return value + advantage - tf.reduce_mean(advantage, axis=-1, keepdims=True)


def _start(
    scales: Sequence[keras.Variable],
    biases: Sequence[keras.Variable],
    small: bool,
    low: bool,
) -> None:
    """Set where the outputs of the streams start, A's and with dueling V's.

    Args:
        scales: the weights that the size of each output is proportional to.
        biases: the biases of each output.
        small: a tenth as large as Glorot's weights make them. Else the first updates unlearn large
            random Q-values. Their gradients, a hundred times as long as later ones, fill Adam's
            second moments, which take thousands of updates to forget them.
        low: at `LOW`, for a sigmoid; V alone, if there is one, because V + A is to be low.
    """
    if small:
        for scale in scales:
            scale.assign(scale * SMALL)
    if low:
        biases[-1].assign(tf.fill(biases[-1].shape, LOW))


def _of_differences(layer: keras.layers.Conv2D, x: tf.Tensor, channels: int) -> tf.Tensor:
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


def _plus_same_shape(x: tf.Tensor, others: list[tf.Tensor]) -> tf.Tensor:
    """Add the first of `others` that has the same shape, and take it out of them."""
    for index, other in enumerate(others):
        if other.shape == x.shape:
            return x + others.pop(index)
    return x


def _decoder(
    convolutions: Sequence[Convolution], last: Convolution
) -> list[keras.layers.Conv2DTranspose]:
    layers = [
        keras.layers.Conv2DTranspose(*convolution, padding="same", activation="elu")
        for convolution in convolutions
    ]
    channels, _, stride = last
    one_channel = channels == 1 and stride == 1
    layer = OneChannelConv2DTranspose if one_channel else keras.layers.Conv2DTranspose
    return [*layers, layer(*last, padding="same")]


def _through(layers: Sequence[keras.Layer], x: tf.Tensor) -> tf.Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _downscaled(shape: tuple[int, int], convolutions: Sequence[Convolution]) -> tuple[int, int]:
    for _, _, stride in convolutions:
        shape = (-(-shape[0] // stride), -(-shape[1] // stride))
    return shape
