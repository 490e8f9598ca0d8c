"""Goals where few steps were spent, as exploration from archives of places has them.

Ecoffet et al. 2021, *First return, then explore*.
"""

from __future__ import annotations

import numpy as np

from qmap.agents.policy import Goal
from qmap.utils.visits import Visits


class GoalCounts:
    """How many steps each cell has had, for goals that are drawn where those were few.

    A cell has the steps in which the character was there, and those that went towards it as a goal
    that was not reached in the end: what is believed to be near and cannot be reached would be
    rare for ever.

    Args:
        power: the probability of a cell is proportional to (1 + steps) ** -power.

    Attributes:
        visits: the counts.
    """

    def __init__(self, power: float) -> None:
        self.power = power
        self.visits = Visits()

    def visited(self, rooms: np.ndarray, coords: np.ndarray) -> None:
        """Count a step each where characters are: rooms (n,) and `coords` (n, 3)."""
        self.visits.add(rooms, coords[:, 0], coords[:, 1])

    def missed(self, room: int, goal: Goal, steps: int) -> None:
        """Count the steps that went towards a goal that was not reached."""
        self.visits.add(room, goal.row, goal.col, steps)

    def probabilities(
        self, room: int, window: int, shape: tuple[int, int], cells: np.ndarray
    ) -> np.ndarray:
        """Return the probability of each of `cells`, flat indices (n,) of a screen.

        Args:
            room: that is on the screen.
            window: its first column.
            shape: its (rows, cols).
            cells: among which is drawn; at least one.
        """
        return self._shares(self.visits.on_screen(room, window, shape).ravel()[cells])

    def draw_column(self, room: int, generator: np.random.Generator) -> int | None:
        """Draw a column of a room by the steps that its cells had together; None if it had none."""
        rows = self.visits.rows()
        rows = rows[rows[:, 0] == room]
        columns, which = np.unique(rows[:, 2], return_inverse=True)
        if len(columns) == 0:
            return None
        steps = np.bincount(which, weights=rows[:, 3])
        return int(generator.choice(columns, p=self._shares(steps)))

    def _shares(self, steps: np.ndarray) -> np.ndarray:
        """Probabilities, (n,), of what has had so many steps each."""
        logits = -self.power * np.log1p(steps)
        weights = np.exp(logits - logits.max())  # at any power not all of them are 0
        return weights / weights.sum()
