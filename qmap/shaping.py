"""Rewards of somebody's own making, for who learns the task; the logs keep those of the game."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from qmap.envs.vector import Step
    from qmap.game_options import GameOptions


class ShapedRewards:
    """The game's reward, moving right and dying, each with a weight.

    Moving right is seen in pixels of the level, step by step; a death is an end of the episode that
    does not finish a level, and a time limit is no end.

    Args:
        config: the weights, and how many copies of the world there are.
    """

    def __init__(self, config: GameOptions) -> None:
        self.config = config
        self._columns = np.zeros(config.envs, np.int64)

    def begin(self, begun: np.ndarray, positions: np.ndarray) -> None:
        """Begin an episode in each copy of the mask `begun`, (n_envs,), at positions (k, 2)."""
        self._columns[begun] = positions[:, 1]

    def __call__(self, step: Step) -> np.ndarray:
        """Return the rewards of a step of all copies, float64 (n_envs,)."""
        columns = step.view.positions[:, 1]
        moved, self._columns = columns > self._columns, columns.copy()
        died = step.terminals & ~step.view.completed
        config = self.config
        shaped = config.right_reward * moved + config.death_reward * died
        return config.game_reward * step.rewards + shaped

    def state(self) -> dict[str, Any]:
        """Return where the characters are."""
        return {"columns": self._columns}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self._columns[:] = state["columns"]
