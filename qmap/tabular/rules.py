"""What a step teaches a table: three rules, and which of two entries each believes."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from qmap.tabular.table import ABSENT, Table

BEST_REWARD, Q_LEARNING, DOUBLE_Q_LEARNING = "best-reward", "q-learning", "double-q-learning"
RULES = (BEST_REWARD, Q_LEARNING, DOUBLE_Q_LEARNING)


class Rule(Protocol):
    """How the value of an action on a screen changes.

    Attributes:
        n_tables: values that each action has on a screen.
    """

    n_tables: int

    def update(
        self, table: Table, row: int, action: int, reward: float, following: int, terminal: bool
    ) -> float:
        """Learn from a step.

        Args:
            table: what is known.
            row: of the screen on which the action was taken; not `ABSENT`.
            action: that was taken.
            reward: what it brought.
            following: row of the screen that came next, `ABSENT` for one without a row.
            terminal: whether the episode ended there, so that nothing can follow.

        Returns:
            By how much the value changed.
        """

    def better(
        self, values: np.ndarray, visits: np.ndarray, others: np.ndarray, other_visits: np.ndarray
    ) -> np.ndarray:
        """Tell where another table knows better, see `qmap.tabular.table.merged`."""


class BestReward:
    """Keeps the best reward that each action ever brought on a screen, whatever came later."""

    n_tables = 1

    def update(
        self, table: Table, row: int, action: int, reward: float, following: int, terminal: bool
    ) -> float:
        """Keep the reward if it is the best or the first one."""
        values = table.values[row, 0]
        before = values[action]
        if table.visits[row, action] == 0 or reward > before:
            values[action] = reward
        return float(values[action] - before)

    def better(
        self, values: np.ndarray, visits: np.ndarray, others: np.ndarray, other_visits: np.ndarray
    ) -> np.ndarray:
        """Believe the higher of two rewards."""
        higher = (visits == 0) | (others[:, 0] > values[:, 0])
        return (other_visits > 0) & higher


class QLearning:
    """Moves a value towards the reward and the best value that follows (Watkins 1989).

    Args:
        learning_rate: share of the way.
        gamma: discount factor.
    """

    n_tables = 1

    def __init__(self, learning_rate: float, gamma: float) -> None:
        self.learning_rate = learning_rate
        self.gamma = gamma

    def update(
        self, table: Table, row: int, action: int, reward: float, following: int, terminal: bool
    ) -> float:
        """Learn from a step; on a screen without a row the best value counts as 0."""
        target = reward
        if not terminal and following != ABSENT:
            target += self.gamma * table.values[following, 0].max()
        change = self.learning_rate * (target - table.values[row, 0, action])
        table.values[row, 0, action] += change
        return float(change)

    def better(
        self, values: np.ndarray, visits: np.ndarray, others: np.ndarray, other_visits: np.ndarray
    ) -> np.ndarray:
        """Believe who has tried more often."""
        return other_visits > visits


class DoubleQLearning(QLearning):
    """Two tables: one picks the best action that follows, the other says its worth (van Hasselt
    2010). Which one learns is drawn at each step. Neither overestimates what luck made look good.

    Args:
        learning_rate: share of the way.
        gamma: discount factor.
        generator: source of random numbers.
    """

    n_tables = 2

    def __init__(self, learning_rate: float, gamma: float, generator: np.random.Generator) -> None:
        super().__init__(learning_rate, gamma)
        self.generator = generator

    def update(
        self, table: Table, row: int, action: int, reward: float, following: int, terminal: bool
    ) -> float:
        """Learn from a step; on a screen without a row the best value counts as 0."""
        learning = int(self.generator.random() < 0.5)
        target = reward
        if not terminal and following != ABSENT:
            picked = table.values[following, learning].argmax()
            target += self.gamma * table.values[following, 1 - learning, picked]
        change = self.learning_rate * (target - table.values[row, learning, action])
        table.values[row, learning, action] += change
        return float(change)


def make_rule(
    name: str, learning_rate: float, gamma: float, generator: np.random.Generator
) -> Rule:
    """Make the rule of a name in `RULES`, with as many of the arguments as it needs."""
    if name == BEST_REWARD:
        return BestReward()
    if name == Q_LEARNING:
        return QLearning(learning_rate, gamma)
    return DoubleQLearning(learning_rate, gamma, generator)
