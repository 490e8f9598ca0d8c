"""The networks: screens in, the Q-frames of every action or the Q-values of a task out.

All take a batch of uint8 observations, (batch, height, width, channels), and divide it by 255
themselves. Convolutions use 'same' padding; weights start Glorot uniform, biases at zero. A
convolution is written (channels, kernel, stride).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from qmap.agents.one_channel import OneChannelConv2DTranspose

Convolution = tuple[int, int, int]

NORM_EPSILON = 1e-12


class QNetwork(keras.Model):
    """What the networks share: features of an observation, then one stream or two dueling ones.

    Attributes:
        features: maps uint8 observations to what both streams begin with.
        advantage: layers from the features to A, one channel an action.
        value: layers from the features to V, one channel; empty without dueling.
    """

    features: Callable[[tf.Tensor], tf.Tensor]
    advantage: list[keras.Layer]
    value: list[keras.Layer]

    def call(self, observations: tf.Tensor) -> tf.Tensor:
        """Map (batch, height, width, channels) uint8 to Q-values (batch, ..., actions) float32."""
        x = self.features(observations)
        q_values = tf.cast(_through(self.advantage, x), tf.float32)
        if self.value:
            q_values = duel(tf.cast(_through(self.value, x), tf.float32), q_values)
        return q_values

    def advantages(self, observations: tf.Tensor) -> tf.Tensor:
        """Map observations to A alone: V and the mean are the same for all actions.

        Which action is best can be told without computing V, which takes half of the decoders.
        """
        return tf.cast(_through(self.advantage, self.features(observations)), tf.float32)


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
        name: str = "q_map",
    ) -> None:
        super().__init__(name=name)
        self.encoder = [
            keras.layers.Conv2D(*convolution, padding="same", activation="elu")
            for convolution in encoder
        ]
        encoded = (*_downscaled(observation_shape[:2], encoder), encoder[-1][0])
        flat = encoded[0] * encoded[1] * encoded[2]
        self.flatten = keras.layers.Flatten()
        self.hidden = [DenseNorm(size, "elu", layer_norm) for size in (*hidden, flat)]
        self.unflatten = keras.layers.Reshape(encoded)
        self.advantage = _decoder(decoder, (n_actions, *last))
        self.value = _decoder(decoder, (1, *last)) if dueling else []
        self(tf.zeros((1, *observation_shape), tf.uint8))

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to the bottleneck's output, as large as the encoder's."""
        x = _through(self.encoder, scaled(observations, self.compute_dtype))
        return self.unflatten(_through(self.hidden, self.flatten(x)))


class DenseQFrames(QNetwork):
    """The Q-map without convolutions, a baseline: dense layers, the Q-frames as a flat vector.

    Args:
        observation_shape: (height, width, channels) of an observation.
        n_actions: number of actions.
        coords_shape: (rows, cols) of the goal grid.
        hidden: sizes of the dense layers, ELU after each.
        dueling: add a second dense output V and return V + A - mean(A).
        layer_norm: normalize the hidden layers before their ELU, and the outputs.
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
        name: str = "q_map",
    ) -> None:
        super().__init__(name=name)
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

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to the last hidden layer's output."""
        return _through(self.hidden, self.flatten(scaled(observations, self.compute_dtype)))


class DuelingDQN(QNetwork):
    """The task's Q-network: convolutions and two dense streams, V + A - mean(A).

    Args:
        observation_shape: (height, width, channels) of an observation.
        n_actions: number of actions.
        encoder: convolutions, ReLU after each.
        hidden: sizes of the dense layers of each stream, ReLU after each.
    """

    def __init__(
        self,
        observation_shape: tuple[int, int, int],
        n_actions: int,
        *,
        encoder: Sequence[Convolution],
        hidden: Sequence[int],
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
        self.value = [DenseNorm(size, "relu", False) for size in hidden]
        self.value.append(DenseNorm(1, "linear", False))
        self(tf.zeros((1, *observation_shape), tf.uint8))

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to the encoder's flat output."""
        return self.flatten(_through(self.encoder, scaled(observations, self.compute_dtype)))


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


def scaled(observations: tf.Tensor, dtype: str) -> tf.Tensor:
    """Bring uint8 observations from 0..255 to 0..1."""
    return tf.cast(observations, dtype) / 255


def duel(value: tf.Tensor, advantage: tf.Tensor) -> tf.Tensor:
    """V + A - mean over actions of A (Wang et al. 2016, equation 9)."""
    return value + advantage - tf.reduce_mean(advantage, axis=-1, keepdims=True)


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
