"""One goal an update: how it is chosen makes the difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from qmap.agents.learner import Update, mean_of_best
from qmap.all_goals.goal_learner import GoalLearner, GoalTransitions, shown, with_goals
from qmap.envs.walks import Walks

# From walks to a goal for the first step of each: (n, 2) int, row and column.
Choose = Callable[[Walks, np.random.Generator], np.ndarray]


class OneGoal(GoalLearner):
    """Learns each step for one goal.

    Args:
        make_network: see `GoalLearner`, for the other options too.
        choose: chooses the goals.
    """

    def __init__(
        self, make_network: Callable[[], keras.Model], choose: Choose, **options: Any
    ) -> None:
        super().__init__(make_network, **options)
        self.choose = choose

    def learn(self, walks: Walks, generator: np.random.Generator) -> Update:
        """Learn from the first step of each walk, for the goals that `choose` gives."""
        batch = with_goals(walks, self.choose(walks, generator))
        return self.train(batch, np.ones(len(batch.actions), np.float32))

    @tf.function
    def _train(
        self, batch: GoalTransitions, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return the loss, the errors, (batch,), and the mean of the best Q-values."""
        targets = self.targets(batch)
        with tf.GradientTape() as tape:
            q_values = self.online(shown(batch.observations, batch.goals))
            errors = tf.gather(q_values, batch.actions, axis=-1, batch_dims=1) - targets
            loss = tf.reduce_mean(weights * tf.square(errors))
        self._descend(tape, loss)
        return loss, errors, mean_of_best(q_values)
