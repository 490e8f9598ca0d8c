"""A Q-map that unrolls value iteration, for worlds in which a step leads to a neighbouring cell."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from qmap.agents.layers import MeanFrame, start_outputs
from qmap.agents.networks import QNetwork


class ValueIterationQFrames(QNetwork):
    """A Q-map without dense layers, for observations of any size, a cell of the world a pixel.

    The distances from a place are what value iteration finds when it starts there. Tamar et al.
    (2016) make it a part of the network: a convolution is what an action does, a maximum over its
    channels takes the best. Here an action leads to one of the four neighbours, so what is spread
    is the maximum over those. What the network learns is where to begin, from the observation
    around a cell, how much passes each cell, in each of the channels, and how Q-values are made
    of what arrived. In 32 rounds it gets 32 steps far.

    Args:
        observation_shape: (height, width, channels); other sizes may be given later, unless frames
            are centered.
        n_actions: number of actions.
        dueling, center, sigmoid, small_start: see `ConvQFrames`.
    """

    FEATURES = 32
    CHANNELS = 8
    ROUNDS = 32

    def __init__(
        self,
        observation_shape: tuple[int, int, int],
        n_actions: int,
        *,
        dueling: bool = True,
        center: bool = False,
        sigmoid: bool = False,
        small_start: bool = False,
        name: str = "q_map",
    ) -> None:
        super().__init__(name=name)
        self.mean_frame = MeanFrame() if center else None
        self.sigmoid = sigmoid
        self.encode = [
            keras.layers.Conv2D(self.FEATURES, 3, padding="same", activation="elu")
            for _ in range(2)
        ]
        self.start = keras.layers.Conv2D(self.CHANNELS, 1)
        self.gate = keras.layers.Conv2D(self.CHANNELS, 3, padding="same", activation="sigmoid")
        self.join = keras.layers.Concatenate()
        self.advantage = self._read_out(n_actions)
        self.value = self._read_out(1) if dueling else []
        self(tf.zeros((1, *observation_shape), tf.uint8))
        start_outputs(self.streams, small_start, sigmoid)

    def _read_out(self, outputs: int) -> list[keras.layers.Layer]:
        return [
            keras.layers.Conv2D(self.FEATURES, 3, padding="same", activation="elu"),
            keras.layers.Conv2D(outputs, 1),
        ]

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 observations to what arrived at each cell, and what was seen around it."""
        encoded = self.inputs(observations)
        for layer in self.encode:
            encoded = layer(encoded)
        gates, arrived = self.gate(encoded), self.start(encoded)
        for _ in range(self.ROUNDS):
            arrived = spread(arrived, gates)
        return self.join([arrived, encoded])


@tf.custom_gradient
def spread(values: tf.Tensor, gates: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Return max(v, g * the maximum of v over the four neighbours), outside of which v is 0.

    The gradient is that of the definition, where several are the maximum in equal shares, and is
    written out because TensorFlow's own takes several times as long. Where nothing is in the way
    such ties are the rule: were each to get all of it, the gradient would grow with the number of
    shortest ways, exponentially in the rounds.

    Args:
        values: v, (batch, height, width, channels).
        gates: g, of the same shape.
    """
    around = neighbours(values)
    largest = tf.maximum(tf.maximum(around[0], around[1]), tf.maximum(around[2], around[3]))
    passed = gates * largest

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        through_gates = upstream * tf.cast(passed > values, upstream.dtype)
        are_largest = [tf.cast(each == largest, upstream.dtype) for each in around]
        share = through_gates * gates / tf.add_n(are_largest)
        padded = tf.add_n(
            [
                tf.pad(share * is_largest, margins)
                for is_largest, margins in zip(are_largest, MARGINS, strict=True)
            ]
        )
        return upstream - through_gates + padded[:, 1:-1, 1:-1], through_gates * largest

    return tf.maximum(values, passed), gradient


# How a frame is padded so that, without the outermost cells, each is where its neighbour above,
# below, on the left and on the right was.
MARGINS = [
    [(0, 0), rows, cols, (0, 0)]
    for rows, cols in (
        ((0, 2), (1, 1)),
        ((2, 0), (1, 1)),
        ((1, 1), (0, 2)),
        ((1, 1), (2, 0)),
    )
]


def neighbours(values: tf.Tensor) -> list[tf.Tensor]:
    """Return the value of the neighbour above, below, on the left and on the right of each cell."""
    padded = tf.pad(values, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return [
        padded[:, :-2, 1:-1],
        padded[:, 2:, 1:-1],
        padded[:, 1:-1, :-2],
        padded[:, 1:-1, 2:],
    ]
