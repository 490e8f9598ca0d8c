"""Coordinates that keep every rule and are wrong all the same."""

from __future__ import annotations

import numpy as np

PERIOD = 1000  # steps, of all copies together


class CoordinatesWatch:
    """Notices coordinates that never change, or are off the grid in most steps.

    Looked at every 1,000 steps: whether any coordinate has changed since the first, and how many
    of the last 1,000 steps were clipped. It keeps a few numbers, however long a run is.
    """

    def __init__(self) -> None:
        self._first: np.ndarray | None = None
        self._changed = False
        self._steps = self._clipped = 0
        self._message: str | None = None
        self._said = False

    def add(self, coords: np.ndarray, clipped: np.ndarray | None = None) -> None:
        """Look at a step of all copies.

        Args:
            coords: int (n, 3): row, column and window of each.
            clipped: bool (n,): whether `GoalGrid` had to clip them; None where nobody knows.
        """
        if self._said or self._message:
            return
        if self._first is None:
            self._first = np.array(coords)
        self._changed = self._changed or not np.array_equal(coords, self._first)
        self._steps += len(coords)
        if clipped is not None:
            self._clipped += int(np.count_nonzero(clipped))
        if self._steps >= PERIOD:
            self._message = self._judge()
            self._steps = self._clipped = 0

    def message(self) -> str | None:
        """Return what is wrong, in one line and only once; None if there is nothing to say."""
        message, self._message = self._message, None
        self._said = self._said or message is not None
        return message

    def _judge(self) -> str | None:
        look = "python -m qmap.utils.observe shows where they are on the screen"
        if not self._changed:
            row, col = self._first[0, :2].tolist()
            return (
                f"coordinates have not changed in the first {self._steps:,} steps (row {row}, "
                f"column {col}): {look}"
            )
        if 2 * self._clipped > self._steps:
            return (
                f"coordinates were off the grid, and clipped, in {self._clipped:,} of the last "
                f"{self._steps:,} steps: {look}"
            )
        return None
