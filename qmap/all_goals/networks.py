"""The network for one goal at a time, dueling, written as those of `qmap.agents.networks`."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from qmap.agents.layers import Convolution, DenseNorm, start_outputs
from qmap.agents.networks import QNetwork


class GoalQNetwork(QNetwork):
    """A universal value function (Schaul et al. 2015): the Q-values of one goal, an input channel.

    Args:
        observation_shape: (height, width, channels) with the goal's channel.
        n_actions: number of actions.
        encoder: convolutions, ELU after each.
        hidden: sizes of the dense layers, normalized before their ELU.
        small_start: start with outputs a tenth as large.
    """

    def __init__(
        self,
        observation_shape: tuple[int, int, int],
        n_actions: int,
        *,
        encoder: Sequence[Convolution],
        hidden: Sequence[int],
        small_start: bool = False,
        name: str = "goals",
    ) -> None:
        super().__init__(name=name)
        self.layers_before = [
            keras.layers.Conv2D(*convolution, padding="same", activation="elu")
            for convolution in encoder
        ]
        self.layers_before.append(keras.layers.Flatten())
        self.layers_before += [DenseNorm(size, "elu", True) for size in hidden]
        self.advantage = [DenseNorm(n_actions, "linear", False)]
        self.value = [DenseNorm(1, "linear", False)]
        self(tf.zeros((1, *observation_shape), tf.uint8))
        start_outputs(self.streams, small_start, low=False)

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to the last dense layer's output."""
        x = self.inputs(observations)
        for layer in self.layers_before:
            x = layer(x)
        return x
