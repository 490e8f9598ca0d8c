"""What acting asks of the networks, both in one pass."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from qmap.agents.dqn import DQNLearner
from qmap.agents.learner import finite_q, preferences
from qmap.agents.q_map import QMapLearner


class OnlineNetworks:
    """The networks that choose actions.

    A pass for one observation takes so little that two graphs beside or after each other take
    much longer than one with both networks in it.

    Args:
        q_map: the goal learner, None for none.
        dqn: the task learner, None for none.
    """

    def __init__(self, q_map: QMapLearner | None, dqn: DQNLearner | None) -> None:
        self.q_map = q_map
        self.dqn = dqn

    def evaluate(
        self, observations: np.ndarray, *, q_frames: bool, greedy_actions: bool
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Compute what is needed.

        Args:
            observations: (batch, height, width, channels) uint8.
            q_frames: whether Q-frames are needed.
            greedy_actions: whether the task's best actions are.

        Returns:
            (batch, rows, cols, actions) and (batch,), None for what is not needed.

        Raises:
            FloatingPointError: Q-values are not finite.
        """
        values = self._pass(observations, q_frames, greedy_actions)
        arrays = {name: finite_q(name, value) for name, value in values.items()}
        return (
            arrays["q_map"] if q_frames else None,
            arrays["dqn"].argmax(axis=-1) if greedy_actions else None,
        )

    @tf.function
    def _pass(
        self, observations: tf.Tensor, q_frames: bool, greedy_actions: bool
    ) -> dict[str, tf.Tensor]:
        values = {}
        if q_frames:
            values["q_map"] = self.q_map.online(observations)
        if greedy_actions:
            values["dqn"] = preferences(self.dqn.online, observations)
        return values
