"""The way that a Q-map believes in: what lies between the character and a goal."""

from __future__ import annotations

import numpy as np

FARTHEST = 3  # cells that a step may cross: jumps and falls pass several


def way_to(
    steps: np.ndarray, place: tuple[int, int], goal: tuple[int, int], *, by_cells: bool = False
) -> np.ndarray:
    """Return the way from a place to a goal, as the steps to all cells tell.

    It is found from its end: from the goal to the nearby cell that is fewest steps away, and so on,
    until no nearby cell is nearer. Cells beside each other come first, then those farther off.
    Where a Q-map is not sure of the character's place, the way begins elsewhere.

    Args:
        steps: (rows, cols), how many steps away each cell is believed to be.
        place: row and column of the character on the screen.
        goal: of the goal.
        by_cells: a step leads to one of the four cells beside it, so that the way only goes around
            a corner where the agent would; where none of them is nearer, it is as everywhere.

    Returns:
        (n, 2) int, cells to `goal`, each nearer than the next one, from `place` if it is found.
    """
    way = [goal]
    while way[-1] != place and (cell := _nearer(steps, way[-1], place, by_cells)):
        way.append(cell)
    return np.array(way[::-1])


def _nearer(
    steps: np.ndarray, cell: tuple[int, int], place: tuple[int, int], by_cells: bool
) -> tuple[int, int] | None:
    """Return the cell near `cell` that is fewest steps away, None if none is nearer than it."""
    row, col = cell
    if by_cells and (beside := _beside(steps, cell, place)):
        return beside
    for reach in range(1, FARTHEST + 1):
        top, left = max(row - reach, 0), max(col - reach, 0)
        around = steps[top : row + reach + 1, left : col + reach + 1]
        rows, cols = np.indices(around.shape)
        rows, cols = rows + top, cols + left
        if abs(place[0] - row) <= reach and abs(place[1] - col) <= reach:
            return place
        # Of equally near cells the one straight ahead, not around a corner.
        aside = np.abs(rows - row) + np.abs(cols - col)
        best = np.lexsort((aside.ravel(), around.ravel()))[0]
        if around.flat[best] < steps[cell]:
            return int(rows.flat[best]), int(cols.flat[best])
    return None


def _beside(
    steps: np.ndarray, cell: tuple[int, int], place: tuple[int, int]
) -> tuple[int, int] | None:
    """Return the nearest of the four cells beside `cell`, None if none is nearer than it."""
    row, col = cell
    four = ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1))
    if place in four:
        return place
    rows, cols = steps.shape
    inside = [(row, col) for row, col in four if 0 <= row < rows and 0 <= col < cols]
    nearest = min(inside, key=lambda each: steps[each])
    return nearest if steps[nearest] < steps[cell] else None
