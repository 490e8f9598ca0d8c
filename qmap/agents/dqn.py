"""The task learner: a deep Q-network; published, it is double and dueling and has a Huber loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from qmap.agents.learner import Learner, finite_q, mean_of_best, value_of_best
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


LOSSES = {"huber": huber, "mse": tf.square}


class DQNLearner(Learner):
    """Learns the task's Q-values (Mnih et al. 2015) from the rewards it is given.

    Double Q-learning in its usual order; without it the target network picks and gives, and
    without a target network the online one, which is never double.

    Args:
        make_network: makes a Q-network; called twice, online and target.
        learning_rate: Adam's step size.
        gamma: discount factor.
        clip_norm: L2 norm to which each variable's gradient is clipped.
        double_q: double Q-learning.
        target_network: whether there is a target network.
        loss: of an error, "huber" or "mse", its square.
    """

    name = "dqn"

    def __init__(
        self,
        make_network: Callable[[], keras.Model],
        *,
        learning_rate: float,
        gamma: float,
        clip_norm: float,
        double_q: bool = True,
        target_network: bool = True,
        loss: Literal["huber", "mse"] = "huber",
    ) -> None:
        super().__init__(
            make_network,
            learning_rate=learning_rate,
            gamma=gamma,
            clip_norm=clip_norm,
            double_order="usual" if double_q else None,
            single="target",
            target_network=target_network,
        )
        self.loss = LOSSES[loss]

    def q_values(self, observations: np.ndarray) -> np.ndarray:
        """Q-values of uint8 observations (batch, h, w, c): (batch, actions).

        Raises:
            FloatingPointError: they are not finite.
        """
        return finite_q(self.name, self._forward(observations))

    @tf.function
    def _train(
        self, batch: Transitions, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the loss, the errors Q - target, (batch,), and the mean of the best Q-values."""
        next_q = value_of_best(*self.next_values(batch.next_observations))
        targets = n_step_targets(next_q, batch.rewards, batch.terminals, batch.lengths, self.gamma)

        with tf.GradientTape() as tape:
            q_values = self.online(batch.observations)
            errors = tf.gather(q_values, batch.actions, axis=-1, batch_dims=1) - targets
            loss = tf.reduce_mean(tf.cast(weights, tf.float32) * self.loss(errors))
        self._descend(tape, loss)
        return loss, errors, mean_of_best(q_values)
