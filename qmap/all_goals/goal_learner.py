"""Q-learning with a goal given to the network as one more channel of its input."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from qmap.agents.learner import DoubleOrder, Learner, finite_q, value_of_best
from qmap.envs.walks import Walks


class GoalTransitions(NamedTuple):
    """Steps with a goal each.

    Attributes:
        observations: (batch, rows, cols, channels) uint8.
        actions: (batch,) int32.
        next_observations: uint8, after the step.
        goals: (batch, 2) int32, row and column.
        reached: (batch,) bool, whether the step reached the goal.
    """

    observations: np.ndarray
    actions: np.ndarray
    next_observations: np.ndarray
    goals: np.ndarray
    reached: np.ndarray


class GoalLearner(Learner):
    """Q-learning towards given goals; a goal is reached once, and that is worth 1.

    Targets, double Q-learning, clipping and optimizer are those of the Q-map, for one goal.

    Args:
        make_network: makes a network of observations with a goal's channel; called twice.
        learning_rate: Adam's step size.
        gamma: discount factor of the distance; Q is `gamma ** (steps - 1)`.
        clip_norm: L2 norm to which each variable's gradient is clipped.
        double_order: which network picks the next action, None for no double Q-learning.
    """

    name = "goals"

    def __init__(
        self,
        make_network: Callable[[], keras.Model],
        *,
        learning_rate: float,
        gamma: float,
        clip_norm: float,
        double_order: DoubleOrder | None,
    ) -> None:
        super().__init__(
            make_network,
            learning_rate=learning_rate,
            gamma=gamma,
            clip_norm=clip_norm,
            double_order=double_order,
            single="online",
        )

    def q_values(self, observations: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """Return the Q-values of a goal each; see `AllGoals.q_values`."""
        return finite_q(self.name, self._forward_to(observations, goals))

    def q_frames(self, observations: np.ndarray) -> np.ndarray:
        """Return the Q-values of all goals, one pass for each: (n, rows, cols, actions)."""
        rows, cols = observations.shape[1:3]
        goals = np.indices((rows, cols)).reshape(2, -1).T
        frames = [
            self.q_values(np.repeat(each[None], len(goals), axis=0), goals) for each in observations
        ]
        return np.stack(frames).reshape(len(observations), rows, cols, -1)

    @tf.function(reduce_retracing=True)
    def _forward_to(self, observations: tf.Tensor, goals: tf.Tensor) -> tf.Tensor:
        return self.online(shown(observations, goals))

    def targets(self, batch: GoalTransitions) -> tf.Tensor:
        """Return what the Q-values of the actions are moved towards, (batch,)."""
        next_q = value_of_best(*self.next_values(shown(batch.next_observations, batch.goals)))
        return tf.where(batch.reached, 1.0, self.gamma * tf.clip_by_value(next_q, 0.0, 1.0))


def with_goals(walks: Walks, goals: np.ndarray) -> GoalTransitions:
    """Return the first steps of walks with a goal each, (n, 2)."""
    reached = np.stack((walks.rows[:, 0], walks.cols[:, 0]), axis=-1)
    return GoalTransitions(
        walks.observations,
        walks.actions,
        walks.next_observations,
        goals.astype(np.int32),
        (reached == goals).all(axis=-1),
    )


def shown(observations: tf.Tensor, goals: tf.Tensor) -> tf.Tensor:
    """Add a channel that is 255 at the goal: (batch, rows, cols, channels + 1) uint8."""
    n_rows, n_cols = observations.shape[1:3]
    row = tf.one_hot(goals[:, 0], n_rows, dtype=tf.uint8) * 255
    col = tf.one_hot(goals[:, 1], n_cols, dtype=tf.uint8)
    channel = row[:, :, None] * col[:, None, :]
    return tf.concat([observations, channel[..., None]], axis=-1)
