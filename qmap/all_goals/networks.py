"""Networks beside the published ones: with shortcuts, of any size, and for one goal at a time.

All are dueling, and written as those of `qmap.agents.networks`.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from qmap.agents.networks import Convolution, DenseNorm, QNetwork

CHANNELS = 32
ROUNDS = 16


class AnySizeQFrames(QNetwork):
    """A network without dense layers, for observations of any size.

    At half of the observation's size, where a cell stands for a room of a maze and the walls around
    it, one convolution with the same weights is applied again and again, so that what is known
    about a cell spreads to its neighbours as it does in value iteration (Tamar et al. 2016). Gates
    that are computed from the observation let it pass or not, as a wall does (Lee et al. 2018);
    the encoded observation is added each time. With 16 rounds it gets 32 cells far.

    Args:
        observation_shape: (height, width, channels), even; other sizes may be given later.
        n_actions: number of actions.
    """

    def __init__(
        self, observation_shape: tuple[int, int, int], n_actions: int, name: str = "q_map"
    ) -> None:
        super().__init__(name=name)
        self.encode = _convolution(CHANNELS, 4, 2)
        self.gate = keras.layers.Conv2D(CHANNELS, 3, padding="same", activation="sigmoid")
        self.spread = keras.layers.Conv2D(CHANNELS, 3, padding="same")
        self.activation = keras.layers.Activation("elu")
        self.norm = keras.layers.LayerNormalization()
        self.join = keras.layers.Concatenate()
        self.advantage = [_transposed(n_actions, 4, 2)]
        self.value = [_transposed(1, 4, 2)]
        self(tf.zeros((1, *observation_shape), tf.uint8))

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to channels of half their size."""
        encoded = self.encode(self.inputs(observations))
        gates, x = self.gate(encoded), encoded
        for _ in range(ROUNDS):
            x = self.activation(self.norm(gates * self.spread(x) + encoded))
        return self.join([x, encoded])


class GoalQNetwork(QNetwork):
    """A universal value function (Schaul et al. 2015): the Q-values of one goal, an input channel.

    Args:
        observation_shape: (height, width, channels) with the goal's channel.
        n_actions: number of actions.
        encoder: convolutions, ELU after each.
        hidden: sizes of the dense layers, normalized before their ELU.
    """

    def __init__(
        self,
        observation_shape: tuple[int, int, int],
        n_actions: int,
        *,
        encoder: Sequence[Convolution],
        hidden: Sequence[int],
        name: str = "goals",
    ) -> None:
        super().__init__(name=name)
        self.layers_before = [_convolution(*convolution) for convolution in encoder]
        self.layers_before.append(keras.layers.Flatten())
        self.layers_before += [DenseNorm(size, "elu", True) for size in hidden]
        self.advantage = [DenseNorm(n_actions, "linear", False)]
        self.value = [DenseNorm(1, "linear", False)]
        self(tf.zeros((1, *observation_shape), tf.uint8))

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to the last dense layer's output."""
        x = self.inputs(observations)
        for layer in self.layers_before:
            x = layer(x)
        return x


def _convolution(channels: int, kernel: int, stride: int) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(channels, kernel, stride, padding="same", activation="elu")


def _transposed(
    channels: int, kernel: int, stride: int, activation: str | None = None
) -> keras.layers.Conv2DTranspose:
    return keras.layers.Conv2DTranspose(
        channels, kernel, stride, padding="same", activation=activation
    )
