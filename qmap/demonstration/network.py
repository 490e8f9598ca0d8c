"""A policy and its value from a stack of frames and what it remembers."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from qmap.agents.layers import MeanFrame

# (channels, kernel, stride)
CONVOLUTIONS = ((16, 8, 4), (32, 4, 2))
HIDDEN = 256


class RecurrentPolicy(keras.Model):
    """Convolutions and a dense layer, a gated recurrent unit (Cho et al. 2014), and two heads.

    What it remembers at a step is made of the memory, (batch, units), from the step before and of
    the features of the observation; the heads see both, features and memory. Weights start
    orthogonal, those of the policy small.

    Args:
        observation_shape: (height, width, channels) of an observation.
        n_actions: number of actions.
        units: numbers that it remembers.
        seed: of the first weights.

    Attributes:
        center: takes away the mean of the observations that it is given to `observe`, which have to
            be all of them before the first update: what the policy was must not change under it.
    """

    def __init__(
        self, observation_shape: tuple[int, int, int], n_actions: int, units: int, seed: int
    ) -> None:
        super().__init__(name="policy")
        self.units = units
        seeds = iter(np.random.SeedSequence(seed).generate_state(8).tolist())

        def orthogonal(gain: float) -> keras.Initializer:
            return keras.initializers.Orthogonal(gain, seed=next(seeds))

        self.center = MeanFrame()
        self.encoder = [
            keras.layers.Conv2D(
                *convolution, "same", activation="relu", kernel_initializer=orthogonal(2**0.5)
            )
            for convolution in CONVOLUTIONS
        ]
        self.flatten = keras.layers.Flatten()
        self.dense = keras.layers.Dense(
            HIDDEN, "relu", kernel_initializer=orthogonal(2**0.5), dtype="float32"
        )
        self.cell = keras.layers.GRUCell(
            units,
            kernel_initializer=orthogonal(1.0),
            recurrent_initializer=orthogonal(1.0),
            dtype="float32",
        )
        self.policy = keras.layers.Dense(
            n_actions, kernel_initializer=orthogonal(0.01), dtype="float32"
        )
        self.value = keras.layers.Dense(1, kernel_initializer=orthogonal(1.0), dtype="float32")
        self(tf.zeros((1, *observation_shape), tf.uint8), tf.zeros((1, units)))

    def call(
        self, observations: tf.Tensor, memory: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """One step.

        Args:
            observations: uint8 (batch, height, width, channels).
            memory: (batch, units), from the step before.

        Returns:
            Logits (batch, actions), values (batch,), and the memory (batch, units) of this step.
        """
        features = self.features(observations)
        memory, _ = self.cell(features, [memory])
        return (*self.heads(features, memory), memory)

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 (batch, height, width, channels) to (batch, features)."""
        x = tf.cast(self.center(observations), self.compute_dtype)
        for layer in self.encoder:
            x = layer(x)
        return self.dense(self.flatten(tf.cast(x, tf.float32)))

    def heads(self, features: tf.Tensor, memory: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Map (..., features) and (..., units) to logits (..., actions) and values (...)."""
        x = tf.concat([features, memory], axis=-1)
        return self.policy(x), self.value(x)[..., 0]

    def along(
        self, observations: tf.Tensor, begins: tf.Tensor, before: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What is seen and remembered along sequences in which episodes begin.

        Args:
            observations: uint8 (steps, batch, height, width, channels).
            begins: bool (steps, batch): an episode begins at this step.
            before: (steps, batch, units): what is then remembered from before, and before the first
                step; elsewhere anything.

        Returns:
            Features (steps, batch, features) and memory (steps, batch, units).
        """
        steps, batch = observations.shape[:2]
        flat = tf.reshape(observations, (steps * batch, *observations.shape[2:]))
        features = tf.reshape(self.features(flat), (steps, batch, HIDDEN))

        def step(memory: tf.Tensor, now: tuple[tf.Tensor, ...]) -> tf.Tensor:
            seen, begin, remembered = now
            return self.cell(seen, [tf.where(begin[:, None], remembered, memory)])[0]

        return features, tf.scan(step, (features, begins, before), initializer=before[0])
