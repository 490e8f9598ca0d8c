"""The task learner: a double, dueling deep Q-network with Huber loss."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from qmap.agents.learner import Learner, finite_q, preferences
from qmap.agents.replay import Transitions


def n_step_targets(
    next_q: tf.Tensor,
    rewards: tf.Tensor,
    terminals: tf.Tensor,
    lengths: tf.Tensor,
    gamma: float,
) -> tf.Tensor:
    """Discounted rewards of the steps, then the value of where they led.

    Args:
        next_q: (batch,) value of the last observation.
        rewards: (batch, n) reward of each step.
        terminals: (batch, n) 1 where the step ended the episode.
        lengths: (batch,) number of steps that are there, 1 to n; the others are padding.
        gamma: discount factor.

    Returns:
        (batch,) targets.
    """
    value = next_q
    for step in reversed(range(rewards.shape[1])):
        terminal = tf.cast(terminals[:, step], value.dtype)
        stepped = rewards[:, step] + gamma * (1.0 - terminal) * value
        value = tf.where(lengths > step, stepped, value)
    return value


def huber(errors: tf.Tensor) -> tf.Tensor:
    """Squared up to an error of 1, linear from there (Huber 1964)."""
    size = tf.abs(errors)
    return tf.where(size < 1.0, 0.5 * tf.square(errors), size - 0.5)


class DQNLearner(Learner):
    """Learns the task's Q-values (Mnih et al. 2015) from the environment's own reward.

    Double Q-learning in its usual order (van Hasselt et al. 2016): the online network picks the
    next action, the target network gives its value.

    Args:
        make_network: makes a Q-network; called twice, online and target.
        learning_rate: Adam's step size.
        gamma: discount factor.
        clip_norm: L2 norm to which each variable's gradient is clipped.
        double_q: without it the target network also picks.
    """

    name = "dqn"

    def __init__(
        self,
        make_network: Callable[[], keras.Model],
        *,
        learning_rate: float = 1e-4,
        gamma: float = 0.99,
        clip_norm: float = 1000.0,
        double_q: bool = True,
    ) -> None:
        super().__init__(make_network, learning_rate, clip_norm)
        self.gamma = gamma
        self.double_q = double_q

    def q_values(self, observations: np.ndarray) -> np.ndarray:
        """Q-values of uint8 observations (batch, h, w, c): (batch, actions).

        Raises:
            FloatingPointError: they are not finite.
        """
        return finite_q(self.name, self._forward(observations))

    def train(self, batch: Transitions, weights: np.ndarray) -> tuple[float, np.ndarray]:
        """One update.

        Args:
            batch: transitions, see `Transitions`.
            weights: (batch,) importance weights.

        Returns:
            The loss and the temporal-difference error Q - target of each transition, (batch,).

        Raises:
            FloatingPointError: the loss is not finite.
        """
        loss, errors = self._train(
            batch.observations,
            batch.actions,
            batch.rewards,
            batch.next_observations,
            batch.terminals,
            batch.lengths,
            weights,
        )
        return self._finite(loss), errors.numpy()

    @tf.function
    def _train(
        self,
        observations: tf.Tensor,
        actions: tf.Tensor,
        rewards: tf.Tensor,
        next_observations: tf.Tensor,
        terminals: tf.Tensor,
        lengths: tf.Tensor,
        weights: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        target_q = self.target(next_observations)
        picking = preferences(self.online, next_observations) if self.double_q else target_q
        chosen = tf.argmax(picking, axis=-1, output_type=tf.int32)
        next_q = tf.gather(target_q, chosen, axis=-1, batch_dims=1)
        targets = n_step_targets(next_q, rewards, terminals, lengths, self.gamma)

        with tf.GradientTape() as tape:
            q_values = tf.gather(self.online(observations), actions, axis=-1, batch_dims=1)
            errors = q_values - targets
            loss = tf.reduce_mean(tf.cast(weights, tf.float32) * huber(errors))
        self._descend(tape, loss)
        return loss, errors
