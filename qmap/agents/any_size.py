"""A Q-map for observations of any size, written as the networks of `qmap.agents.networks`."""

from __future__ import annotations

import keras
import tensorflow as tf

from qmap.agents.layers import MeanFrame, decoder_of, start_outputs
from qmap.agents.networks import QNetwork


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
        self.advantage = decoder_of((), (n_actions, 4, 2))
        self.value = decoder_of((), (1, 4, 2)) if dueling else []
        self(tf.zeros((1, *observation_shape), tf.uint8))
        start_outputs(self.streams, small_start, sigmoid)

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to channels of half their size."""
        encoded = self.encode(self.inputs(observations))
        gates, x = self.gate(encoded), encoded
        for _ in range(self.ROUNDS):
            x = self.activation(self.norm(gates * self.spread(x) + encoded))
        return self.join([x, encoded])
