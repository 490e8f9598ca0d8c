"""Random mazes, many at a time: their walls, how one walks in them and what is seen.

A maze has odd size: its rooms are at odd rows and columns, the cells between two rooms are passages
or inner walls. A screen is a maze padded with walls to a multiple of 4 rows and columns, which is
what networks with strides need; the maze is in its upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isqrt

import numpy as np

from qmap.envs.walks import MOVES, random_cells, screen_size
from qmap.utils.errors import UserError

SMALLEST, LARGEST = 5, 63


@dataclass(frozen=True)
class Mazes:
    """A batch of mazes of one size, with a character in each; see `Worlds`.

    Attributes:
        walls: (n, side * side) bool, closed at the border, walls beyond the maze.
        characters: (n,) int64, places.
    """

    walls: np.ndarray
    characters: np.ndarray

    def __len__(self) -> int:
        """Return the number of mazes."""
        return len(self.characters)

    def __getitem__(self, which: np.ndarray | slice) -> Mazes:
        """Return some of the mazes."""
        return Mazes(self.walls[which], self.characters[which])

    @property
    def side(self) -> int:
        """Rows and columns of the screen."""
        return isqrt(self.walls.shape[1])

    def step(self, actions: np.ndarray) -> tuple[Mazes, np.ndarray]:
        """Go one cell up, left, right or down, where no wall is, and return where that led."""
        ahead = self.characters + (MOVES @ (self.side, 1))[actions]
        blocked = self.walls[np.arange(len(self)), ahead]
        reached = np.where(blocked, self.characters, ahead)
        return Mazes(self.walls, reached), reached

    def observations(self) -> np.ndarray:
        """Return what is seen, uint8 (n, side, side, 3).

        Red and green are 255 at the character, blue is 255 at walls.
        """
        seen = np.zeros((*self.walls.shape, 3), np.uint8)
        seen[..., 2] = self.walls * np.uint8(255)
        seen[np.arange(len(self)), self.characters, :2] = 255
        return seen.reshape(len(self), self.side, self.side, 3)

    def everywhere(self) -> Mazes:
        """Return the mazes with the character in each of their free cells, one after another."""
        which, places = np.nonzero(~self.walls)
        return Mazes(self.walls[which], places)


def random_mazes(generator: np.random.Generator, count: int, size: int, open_walls: float) -> Mazes:
    """Return random mazes, the character in a random free cell of each.

    Args:
        generator: source of randomness.
        count: number of mazes.
        size: rows and columns of a maze, odd.
        open_walls: share of the inner walls of the perfect maze that are taken away.
    """
    side = screen_size(size)
    walls = np.ones((count, side, side), bool)
    walls[:, :size, :size] = random_walls(generator, count, size, open_walls)
    walls = walls.reshape(count, -1)
    return Mazes(walls, random_cells(generator, ~walls))


def random_walls(
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
