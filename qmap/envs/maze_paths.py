"""Shortest paths in mazes, of many at once."""

from __future__ import annotations

import numpy as np

from qmap.envs.gridworld_paths import flood
from qmap.envs.mazes import Mazes
from qmap.envs.walks import MOVES

CHUNK = 1024  # mazes whose arrays fit in the cache together


def distances_after(mazes: Mazes) -> np.ndarray:
    """Return how many steps away every cell is once an action was taken.

    Returns:
        (n, side, side, 4) uint16, by maze, cell and action. The cell to which the action leads has
        distance 0; `UNREACHABLE` at walls and where there is no way.
    """
    side = mazes.side
    # A row is one integer, no longer than need be.
    row_type = next(each for each in (np.uint16, np.uint32, np.uint64) if side <= 8 * each().nbytes)
    bits = row_type(1) << np.arange(side, dtype=row_type)
    distances = np.empty((len(mazes), len(MOVES), side, side), np.uint16)
    for start in range(0, len(mazes), CHUNK):
        part = mazes[start : start + CHUNK]
        free = (~part.walls.reshape(-1, side, side) * bits).sum(axis=-1, dtype=row_type)
        for action in range(len(MOVES)):
            rows, cols = np.divmod(part.step(np.full(len(part), action))[1], side)
            sources = np.zeros_like(free)
            sources[np.arange(len(part)), rows] = bits[cols]
            distances[start : start + CHUNK, action] = flood(sources, free)[..., :side]
    return np.moveaxis(distances, 1, -1)
