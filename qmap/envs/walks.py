"""What mazes and Sokoban have in common: batches of small worlds, and random walks in them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

ACTION_NAMES = ("UP", "LEFT", "RIGHT", "DOWN")
MOVES = np.array(((-1, 0), (0, -1), (0, 1), (1, 0)))  # (rows, cols) by action
MULTIPLE = 4  # networks halve a screen twice
NOTHING = -1  # row and column where a step reached no goal


class Worlds(Protocol):
    """A batch of worlds as they stand at one moment, on screens of side x side cells.

    A *place* is the index of a cell in the flattened screen.

    Attributes:
        walls: (n, side * side) bool, closed at the border.
        characters: (n,) int64, the places where the characters are.
        side: rows and columns of the screen, which is also the grid of goals.
    """

    walls: np.ndarray
    characters: np.ndarray
    side: int

    def __len__(self) -> int:
        """Return the number of worlds."""

    def __getitem__(self, which: np.ndarray | slice) -> Worlds:
        """Return some of the worlds."""

    def step(self, actions: np.ndarray) -> tuple[Worlds, np.ndarray]:
        """Return the worlds after an action in each, and the goals reached: places, -1 for none."""

    def observations(self) -> np.ndarray:
        """Return what is seen, uint8 (n, side, side, 3)."""


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


def random_walks(worlds: Worlds, generator: np.random.Generator, length: int = 1) -> Walks:
    """Return a walk of random actions in each world."""
    actions = generator.integers(len(MOVES), size=(length, len(worlds)))
    after_first, first = worlds.step(actions[0])
    reached, after = [first], after_first
    for action in actions[1:]:
        after, places = after.step(action)
        reached.append(places)
    goals = np.stack(reached, axis=1)
    rows, cols = np.where(goals == NOTHING, NOTHING, np.divmod(goals, worlds.side))
    return Walks(
        worlds.observations(),
        actions[0].astype(np.int32),
        after_first.observations(),
        rows.astype(np.int32),
        cols.astype(np.int32),
    )


def screen_size(size: int) -> int:
    """Return rows and columns of the screen on which a world of a size is shown."""
    return -(-size // MULTIPLE) * MULTIPLE


def random_cells(generator: np.random.Generator, allowed: np.ndarray) -> np.ndarray:
    """Return a random one of the allowed cells of each world, (n, cells) bool: (n,) int64."""
    # Of the numbers in (0, 1] drawn for the allowed cells the largest one decides.
    return ((1 - generator.random(allowed.shape, np.float32)) * allowed).argmax(axis=-1)
