"""Short random walks, one in each of many worlds, and what mazes and Sokoban have in common."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

ACTION_NAMES = ("UP", "LEFT", "RIGHT", "DOWN")
MOVES = np.array(((-1, 0), (0, -1), (0, 1), (1, 0)))  # (rows, cols) by action
MULTIPLE = 4  # networks halve a screen twice
NOTHING = -1  # row and column where a step reached no goal


class Walks(NamedTuple):
    """The first step of each walk, and the goals that the whole walk reached.

    Attributes:
        observations: (n, side, side, 3) uint8, before the first step.
        actions: (n,) int32, of the first step.
        next_observations: uint8, after the first step.
        rows: (n, length) int32, row of the goal that each step reached, -1 for none.
        cols: (n, length) int32, its column.
    """

    observations: np.ndarray
    actions: np.ndarray
    next_observations: np.ndarray
    rows: np.ndarray
    cols: np.ndarray


def screen_size(size: int) -> int:
    """Return rows and columns of the screen on which a world of a size is shown."""
    return -(-size // MULTIPLE) * MULTIPLE


def random_cells(generator: np.random.Generator, allowed: np.ndarray) -> np.ndarray:
    """Return a random one of the allowed cells of each world, (n, cells) bool: (n,) int64."""
    # Of the numbers in (0, 1] drawn for the allowed cells the largest one decides.
    return ((1 - generator.random(allowed.shape, np.float32)) * allowed).argmax(axis=-1)
