"""All goals in one update: the Q-map."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from qmap.agents.learner import Update
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Transitions
from qmap.envs.walks import Walks


class AllGoals(QMapLearner):
    """One pass gives the Q-values of all goals, one update moves them all (see `QMapLearner`)."""

    def learn(self, walks: Walks, generator: np.random.Generator) -> Update:
        """Learn from the first step of each walk; nothing is drawn."""
        return self.train(transitions(walks), np.ones(len(walks.actions), np.float32))

    def q_values(self, observations: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """Return the Q-values of a goal each.

        Args:
            observations: (n, side, side, channels) uint8.
            goals: (n, 2) int, row and column.

        Returns:
            (n, actions).
        """
        # Who looks from the same place to many goals needs one pass.
        numbers: dict[bytes, int] = {}
        index = [numbers.setdefault(each.tobytes(), len(numbers)) for each in observations]
        _, first = np.unique(index, return_index=True)
        return self.q_frames(observations[first])[index, goals[:, 0], goals[:, 1]]

    @tf.function(reduce_retracing=True)  # for any number of observations, of any size
    def _forward(self, observations: tf.Tensor) -> tf.Tensor:
        return self.online(observations)


def transitions(walks: Walks) -> Transitions:
    """Return the first steps of walks, which end no episode."""
    count = len(walks.actions)
    return Transitions(
        observations=walks.observations,
        actions=walks.actions,
        rewards=np.zeros((count, 1), np.float32),
        next_observations=walks.next_observations,
        # Outside the grid, where a step reached nothing, nothing is marked as reached.
        rows=walks.rows[:, :1],
        cols=walks.cols[:, :1],
        window_shifts=np.zeros((count, 1), np.int32),
        terminals=np.zeros((count, 1), bool),
        lengths=np.ones(count, np.int32),
    )
