"""Goals that lead to a place where few steps were spent, before exploring goes on from there.

Ecoffet et al. 2021, *First return, then explore*, with a Q-map to return by.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qmap.agents.goal_counts import GoalCounts

# Of the candidates for a goal, those that lead there.
NEAREST = 0.25
# Of a screen's width, how far from the column one has returned to it.
THERE = 0.25


class ReturnFirst:
    """Leads the goals of an episode to a column first, drawn by its steps with the first of them.

    Args:
        counts: of the steps that each cell has had.
        generator: source of random numbers.

    Attributes:
        destination: the (room, column) to return to, None while there is none.
    """

    def __init__(self, counts: GoalCounts, generator: np.random.Generator) -> None:
        self.counts = counts
        self.generator = generator
        self.destination: tuple[int, int] | None = None
        self._departing = True

    def end_episode(self) -> None:
        """Return to another column in the next one."""
        self.destination, self._departing = None, True

    def on_the_way(self, candidates: np.ndarray, *, room: int, col: int, window: int) -> np.ndarray:
        """Return those candidates for a goal that lead to the destination; all if there is none.

        Who has come to it or to another room has none for the rest of the episode.

        Args:
            candidates: (rows, cols) bool, cells of the screen; at least one is True.
            room: in which the character is.
            col: its column in the room.
            window: the screen's first column.
        """
        if self._departing:
            column = self.counts.draw_column(room, self.generator)
            self._departing = False
            self.destination = None if column is None else (room, column)
        if self.destination is None:
            return candidates
        cols = candidates.shape[1]
        its_room, column = self.destination
        if its_room != room or abs(column - col) < THERE * cols:
            self.destination = None
            return candidates
        away = np.broadcast_to(np.abs(window + np.arange(cols) - column), candidates.shape)
        return candidates & (away <= np.quantile(away[candidates], NEAREST))

    def state(self) -> dict[str, Any]:
        """Return what the next goals depend on, without the generator."""
        destination = None if self.destination is None else list(self.destination)
        return {"departing": self._departing, "destination": destination}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self._departing = state.get("departing", True)  # not in snapshots of earlier versions
        destination = state.get("destination")
        self.destination = None if destination is None else tuple(destination)
