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

from qmap.agents.layers import (
    Convolution,
    DenseNorm,
    MeanFrame,
    convolve_differences,
    decoder_of,
    downscaled,
    duel,
    plus_same_shape,
    start_outputs,
    through,
)


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

    @property
    def streams(self) -> list[list[keras.Layer]]:
        """The layers of A, and with dueling those of V."""
        return [self.advantage, self.value] if self.value else [self.advantage]

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
        return tf.cast(through(layers, features), tf.float32)


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
        encoded = (*downscaled(observation_shape[:2], encoder), encoder[-1][0])
        flat = encoded[0] * encoded[1] * encoded[2]
        self.flatten = keras.layers.Flatten()
        self.hidden = [DenseNorm(size, "elu", layer_norm) for size in (*hidden, flat)]
        self.unflatten = keras.layers.Reshape(encoded)
        self.advantage = decoder_of(decoder, (n_actions, *last))
        self.value = decoder_of(decoder, (1, *last)) if dueling else []
        self(tf.zeros((1, *observation_shape), tf.uint8))
        start_outputs(self.streams, small_start, sigmoid)

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
                x = convolve_differences(layer, x, self.frame_channels)
            else:
                x = layer(x)
            encoded.insert(0, x)
        x = self.unflatten(through(self.hidden, self.flatten(x)))
        return [x, *encoded] if self.skip else [x]

    def stream(self, layers: list[keras.Layer], features: list[tf.Tensor]) -> tf.Tensor:
        """Send features through a decoder; float32."""
        x, *encoded = features
        for layer in layers:
            x = layer(plus_same_shape(x, encoded))
        return tf.cast(x, tf.float32)


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
        start_outputs(self.streams, small_start, sigmoid)

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to the last hidden layer's output."""
        return through(self.hidden, self.flatten(self.inputs(observations)))


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
        return self.flatten(through(self.encoder, self.inputs(observations)))
