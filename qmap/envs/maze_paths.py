"""Shortest paths in mazes, from many places of many mazes at once."""

from __future__ import annotations

import numpy as np

from qmap.envs.gridworld_paths import flood
from qmap.envs.mazes import Mazes
from qmap.envs.walks import MOVES

CHUNK = 1024  # places whose arrays fit in the cache together


def distances_after(mazes: Mazes, which: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return how many steps away every cell of a maze is once an action was taken.

    Args:
        mazes: the mazes.
        which: (n,) index of a maze.
        places: (n,) place in it, see `Mazes`.

    Returns:
        (n, size, size, 4) uint16, by place, cell and action. The cell to which the action leads
        has distance 0; `UNREACHABLE` at walls and where there is no way.
    """
    reached = np.stack([mazes.step(places, action, which) for action in range(len(MOVES))], axis=-1)
    # What one place's action leads to is where another place's begins.
    sources, index = np.unique(which[:, None] * mazes.side**2 + reached, return_inverse=True)
    found = _distances(mazes, *np.divmod(sources, mazes.side**2))
    return np.moveaxis(found[index.reshape(reached.shape)], 1, -1)


def _distances(mazes: Mazes, which: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the steps from a place to every cell of its maze, (n, size, size) uint16."""
    bits = np.uint64(1) << np.arange(mazes.size, dtype=np.uint64)
    free = (~mazes.walls[:, : mazes.size, : mazes.size] * bits).sum(axis=-1, dtype=np.uint64)
    rows, cols = np.divmod(places, mazes.side)
    distances = np.empty((len(places), mazes.size, mazes.size), np.uint16)
    for start in range(0, len(places), CHUNK):
        part = slice(start, start + CHUNK)
        sources = np.zeros((len(rows[part]), mazes.size), np.uint64)
        sources[np.arange(len(sources)), rows[part]] = bits[cols[part]]
        distances[part] = flood(sources, free[which[part]])[..., : mazes.size]
    return distances
