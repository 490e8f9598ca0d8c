"""A policy and its value from a stack of frames and what it remembers."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

# (channels, kernel, stride)
CONVOLUTIONS = ((16, 8, 4), (32, 4, 2))
HIDDEN = 256


class RecurrentPolicy(keras.Model):
    """Convolutions and a dense layer, then a gated recurrent unit (Cho et al. 2014) and two heads.

    What it remembers at a step is the memory, (batch, units), from the step before and the
    observation; the heads see nothing else. Weights start orthogonal, those of the policy small.

    Args:
        observation_shape: (height, width, channels) of an observation.
        n_actions: number of actions.
        units: numbers that it remembers.
        seed: of the first weights.
    """

    def __init__(
        self, observation_shape: tuple[int, int, int], n_actions: int, units: int, seed: int
    ) -> None:
        super().__init__(name="policy")
        self.units = units
        seeds = iter(np.random.SeedSequence(seed).generate_state(8).tolist())

        def orthogonal(gain: float) -> keras.Initializer:
            return keras.initializers.Orthogonal(gain, seed=next(seeds))

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
        memory, _ = self.cell(self.features(observations), [memory])
        return (*self.heads(memory), memory)

    def features(self, observations: tf.Tensor) -> tf.Tensor:
        """Map uint8 (batch, height, width, channels) to (batch, features)."""
        x = tf.cast(observations, self.compute_dtype) / 255
        for layer in self.encoder:
            x = layer(x)
        return self.dense(self.flatten(tf.cast(x, tf.float32)))

    def heads(self, memories: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Map (batch, units) to logits (batch, actions) and values (batch,)."""
        return self.policy(memories), self.value(memories)[:, 0]

    def memories(
        self, observations: tf.Tensor, memory: tf.Tensor, begins: tf.Tensor, first: tf.Tensor
    ) -> tf.Tensor:
        """What is remembered along sequences in which episodes begin.

        Args:
            observations: uint8 (steps, batch, height, width, channels).
            memory: (batch, units), from the step before the first.
            begins: bool (steps, batch): an episode begins at this step.
            first: (steps, batch, units): what it then remembers from before; elsewhere anything.

        Returns:
            (steps, batch, units).
        """
        steps, batch = observations.shape[:2]
        flat = tf.reshape(observations, (steps * batch, *observations.shape[2:]))
        features = tf.reshape(self.features(flat), (steps, batch, HIDDEN))

        def step(before: tf.Tensor, now: tuple[tf.Tensor, ...]) -> tf.Tensor:
            seen, begin, remembered = now
            return self.cell(seen, [tf.where(begin[:, None], remembered, before)])[0]

        return tf.scan(step, (features, begins, first), initializer=memory)
