"""Random mazes, many at a time: their walls, what is seen in them, and random walks through them.

A maze has odd size: its rooms are at odd rows and columns, the cells between two rooms are passages
or inner walls. A screen is a maze padded with walls to a multiple of 4 rows and columns, which is
what networks with strides need; the maze is in its upper left corner.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from qmap.envs.walks import MOVES, Walks, random_cells, screen_size
from qmap.utils.errors import UserError

SMALLEST, LARGEST = 5, 63
WALL, CHARACTER = (0, 0, 255), (255, 255, 0)  # channels of an observation


class Mazes:
    """A batch of mazes of one size.

    A *place* is the index of a cell in the flattened screen.

    Args:
        walls: (n, size, size) bool, closed at the border.
    """

    def __init__(self, walls: np.ndarray) -> None:
        self.size = walls.shape[-1]
        self.side = screen_size(self.size)
        padding = (0, self.side - self.size)
        self.walls = np.pad(walls, ((0, 0), padding, padding), constant_values=True)
        self._flat = self.walls.reshape(len(walls), -1)
        self._steps = MOVES @ (self.side, 1)

    def __len__(self) -> int:
        """Return the number of mazes."""
        return len(self.walls)

    def step(self, places: np.ndarray, actions: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Return where actions (n,) lead from places (n,) of mazes `which`; walls stop them."""
        moved = places + self._steps[actions]
        return np.where(self._flat[which, moved], places, moved)

    def free(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the maze and the place of every free cell, (n,) each."""
        return np.nonzero(~self._flat)

    def observations(self, places: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Return what is seen from places (n,) of mazes `which` (n,).

        Returns:
            (n, side, side, 3) uint8: red and green are 255 at the character, blue is 255 at walls.
        """
        seen = np.zeros((len(places), self.side**2, 3), np.uint8)
        seen[..., 2] = self._flat[which] * np.uint8(255)
        seen[np.arange(len(places)), places] = CHARACTER
        return seen.reshape(len(places), self.side, self.side, 3)

    def walks(self, generator: np.random.Generator, length: int = 1) -> Walks:
        """Return a random walk in each maze: from a random free cell with random actions."""
        each = np.arange(len(self))
        start = random_cells(generator, ~self._flat)
        actions = generator.integers(len(MOVES), size=(length, len(self)))
        here, reached = start, np.empty((len(self), length), np.int64)
        for step, action in enumerate(actions):
            here = reached[:, step] = self.step(here, action, each)
        rows, cols = np.divmod(reached, self.side)
        return Walks(
            self.observations(start, each),
            actions[0].astype(np.int32),
            self.observations(reached[:, 0], each),
            rows.astype(np.int32),
            cols.astype(np.int32),
        )


def random_mazes(
    generator: np.random.Generator, count: int, size: int, open_walls: float
) -> np.ndarray:
    """Return the walls of random mazes.

    A perfect maze, in which one way joins any two rooms, is a tree: the inner walls of all mazes
    are looked at in a random order, each maze with its own, and opened where they part two rooms
    that no way joins so far (Kruskal's algorithm). Afterwards every inner wall that is left is
    opened with probability `open_walls`. All of it is drawn anew for every maze.

    Args:
        generator: source of randomness.
        count: number of mazes.
        size: rows and columns of a maze, odd.
        open_walls: share of the inner walls of the perfect maze that are taken away.

    Returns:
        (count, size, size) bool.
    """
    rooms, first, second, between = _inner_walls(size)
    # The order is the outer axis, so that each turn of the loop reads memory in one piece.
    order = generator.random((count, len(between))).argsort(axis=-1).T
    offsets = np.arange(count) * len(rooms)
    firsts, seconds = first[order] + offsets, second[order] + offsets
    # Two rooms with the same label are joined.
    labels = np.tile(np.arange(len(rooms), dtype=np.uint16), (count, 1))
    flat = labels.reshape(-1)
    closed = np.empty(order.shape, bool)
    for turn, (one, other) in enumerate(zip(firsts, seconds, strict=True)):
        label, replaced = flat[one], flat[other]
        closed[turn] = label == replaced
        np.copyto(labels, label[:, None], where=labels == replaced[:, None])
    if open_walls > 0:
        closed &= generator.random(closed.shape) >= open_walls
    walls = np.ones((count, size * size), bool)
    walls[:, rooms] = False
    walls[np.arange(count), between[order]] = closed
    return walls.reshape(count, size, size)


def check_maze(size: int, open_walls: float) -> None:
    """Refuse a size that no maze has, and a share that is none.

    Raises:
        UserError: size or share are not allowed.
    """
    if not SMALLEST <= size <= LARGEST or size % 2 == 0:
        raise UserError(
            f"the size of a maze is {size}, expected an odd number from {SMALLEST} to {LARGEST}"
        )
    if not 0 <= open_walls <= 1:
        raise UserError(f"the share of open walls is {open_walls}, expected 0 to 1")


@lru_cache
def _inner_walls(size: int) -> tuple[np.ndarray, ...]:
    """Cells of the rooms; of each inner wall the two rooms that it parts and its own cell."""
    side = size // 2
    numbers = np.arange(side**2).reshape(side, side)
    rooms = (2 * np.arange(side) + 1)[:, None] * size + 2 * np.arange(side) + 1
    first = np.concatenate((numbers[:, :-1].ravel(), numbers[:-1].ravel()))
    second = np.concatenate((numbers[:, 1:].ravel(), numbers[1:].ravel()))
    between = np.concatenate((rooms[:, :-1].ravel() + 1, rooms[:-1].ravel() + size))
    return rooms.ravel(), first, second, between
