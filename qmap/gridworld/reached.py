"""Which cells of a level have been reached."""

from __future__ import annotations

import numpy as np

from qmap.envs.gridworld_level import COLS, ROWS, SCREEN_COL, Level, Moves


class ReachedCells:
    """The cells of a level that steps have led to.

    Args:
        level: there are walls around it, which nobody reaches.
    """

    def __init__(self, level: Level) -> None:
        # With what the window shows beyond the level, so that column c of it begins at c.
        self._cells = np.zeros((ROWS, level.walls.shape[1] + COLS - 1), bool)

    def add(self, moves: Moves) -> None:
        """Note where steps have led to."""
        self._cells[moves.rows, moves.level_cols + SCREEN_COL] = True

    def windows(self, moves: Moves) -> np.ndarray:
        """Return which cells of the window before each step were reached: bool (n, 28, 32)."""
        first = moves.level_cols - moves.window_shifts
        return self._cells[:, first[:, None] + np.arange(COLS)].swapaxes(0, 1)

    def state(self) -> np.ndarray:
        """Return what was reached."""
        return self._cells.copy()

    def restore(self, state: np.ndarray) -> None:
        """Continue from what `state` returned."""
        self._cells[:] = state
