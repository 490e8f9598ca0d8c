"""All goals by relabelling each step with every goal: what the Q-map spares."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from qmap.agents.learner import Update
from qmap.all_goals.goal_learner import GoalLearner, GoalTransitions, shown, with_goals
from qmap.envs.walks import Walks

CHUNK = 2048  # pairs of a step and a goal in one pass, for the memory


class Relabelling(GoalLearner):
    """Learns each step for every goal: one update with the mean gradient of all pairs."""

    def learn(self, walks: Walks, generator: np.random.Generator) -> Update:
        """Learn from the first step of each walk, for all goals; nothing is drawn."""
        count, rows, cols = walks.observations.shape[:3]
        cells = np.indices((rows, cols)).reshape(2, -1).T
        steps, goals = np.divmod(np.arange(count * len(cells)), len(cells))
        gradients, errors, best = None, [], []
        for start in range(0, len(steps), CHUNK):
            part = slice(start, start + CHUNK)
            chunk = Walks(*(each[steps[part]] for each in walks))
            more, *found = self.gradients(with_goals(chunk, cells[goals[part]]))
            gradients = more if gradients is None else _added(gradients, more)
            errors.append(found[0].numpy())
            best.append(found[1].numpy())
        errors = np.concatenate(errors)
        loss = float(np.square(errors).mean())
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss of {self.name} is {loss}")
        self._apply(gradients, tf.constant(float(len(steps))))
        by_step = np.abs(errors).reshape(count, -1).mean(axis=1)
        return Update(loss, by_step, float(np.concatenate(best).mean()))

    @tf.function(reduce_retracing=True)
    def gradients(self, batch: GoalTransitions) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """Return the gradients of the sum of the losses, the errors and the best Q-values."""
        targets = self.targets(batch)
        with tf.GradientTape() as tape:
            q_values = self.online(shown(batch.observations, batch.goals))
            errors = tf.gather(q_values, batch.actions, axis=-1, batch_dims=1) - targets
            loss = tf.reduce_sum(tf.square(errors))
        gradients = tape.gradient(loss, self.optimizer.variables)
        return gradients, errors, tf.reduce_max(q_values, axis=-1)

    @tf.function
    def _apply(self, gradients: list[tf.Tensor], count: tf.Tensor) -> None:
        self.optimizer.apply([gradient / count for gradient in gradients])


@tf.function
def _added(gradients: list[tf.Tensor], more: list[tf.Tensor]) -> list[tf.Tensor]:
    return [one + other for one, other in zip(gradients, more, strict=True)]
