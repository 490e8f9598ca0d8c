"""Sokoban's boards, many at a time: their rules, what is seen, and random ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt
from typing import Literal

import numpy as np

from qmap.envs.walks import MOVES, NOTHING, random_cells, screen_size
from qmap.utils.errors import UserError

Goals = Literal["character", "box"]
GOALS = ("character", "box")

SMALLEST, LARGEST = 7, 12
MOST_BOXES = 4
WALL_SHARE = 0.2  # of the cells inside the border
PLAYED_BACKWARDS = 80  # random steps, of which those that pull a box are rare
PLAYED_ON = 24  # at most, so that boxes that nobody can move any more are seen in training


@dataclass(frozen=True)
class Boards:
    """A batch of boards as they stand at one moment; see `Worlds`.

    Attributes:
        walls: (n, side * side) bool, closed at the border, walls beyond the board.
        targets: (n, side * side) bool, cells where the boxes belong.
        boxes: (n, side * side) bool.
        characters: (n,) int64, places.
        goals: "character": cells where the character comes to stand, also by staying there;
            "box": cells to which a box is pushed.
    """

    walls: np.ndarray
    targets: np.ndarray
    boxes: np.ndarray
    characters: np.ndarray
    goals: Goals = "character"

    def __len__(self) -> int:
        """Return the number of boards."""
        return len(self.characters)

    def __getitem__(self, which: np.ndarray | slice) -> Boards:
        """Return some of the boards."""
        parts = (self.walls, self.targets, self.boxes, self.characters)
        return Boards(*(part[which] for part in parts), self.goals)

    @property
    def side(self) -> int:
        """Rows and columns of the screen."""
        return isqrt(self.walls.shape[1])

    @property
    def solved(self) -> np.ndarray:
        """(n,) bool, whether every box is on a target."""
        return ~(self.boxes & ~self.targets).any(axis=1)

    def step(self, actions: np.ndarray) -> tuple[Boards, np.ndarray]:
        """Go one cell up, left, right or down, pushing a box that has room behind it.

        Returns:
            The boards afterwards, and the place of the goal reached on each, -1 for none.
        """
        each = np.arange(len(self))
        offsets = _offsets(self.side)[actions]
        ahead = self.characters + offsets
        pushing = self.boxes[each, ahead]
        # A box is never at the border, so there is a cell behind it.
        behind = np.where(pushing, ahead + offsets, ahead)
        no_room = self.walls[each, behind] | self.boxes[each, behind]
        blocked = self.walls[each, ahead] | (pushing & no_room)
        pushing &= ~blocked
        boxes = self.boxes.copy()
        boxes[each[pushing], ahead[pushing]] = False
        boxes[each[pushing], behind[pushing]] = True
        characters = np.where(blocked, self.characters, ahead)
        boards = replace(self, boxes=boxes, characters=characters)
        if self.goals == "character":
            return boards, characters
        return boards, np.where(pushing, behind, NOTHING)

    def step_back(self, actions: np.ndarray, pulling: np.ndarray) -> Boards:
        """Undo steps: go one cell where that is free; who pulls takes a box behind along.

        Args:
            actions: (n,) where to go.
            pulling: (n,) bool, whether to pull.
        """
        each = np.arange(len(self))
        offsets = _offsets(self.side)[actions]
        ahead, behind = self.characters + offsets, self.characters - offsets
        free = ~(self.walls[each, ahead] | self.boxes[each, ahead])
        pulling = pulling & free & self.boxes[each, behind]
        boxes = self.boxes.copy()
        boxes[each[pulling], behind[pulling]] = False
        boxes[each[pulling], self.characters[pulling]] = True
        return replace(self, boxes=boxes, characters=np.where(free, ahead, self.characters))

    def observations(self) -> np.ndarray:
        """Return what is seen, uint8 (n, side, side, 3).

        Red is 255 at the character; green at the character and at boxes; blue is 255 at walls and
        128 at targets, whatever stands on them.
        """
        seen = np.zeros((*self.walls.shape, 3), np.uint8)
        seen[..., 1] = self.boxes * np.uint8(255)
        seen[..., 2] = self.walls * np.uint8(255) + self.targets * np.uint8(128)
        seen[np.arange(len(self)), self.characters, :2] = 255
        return seen.reshape(len(self), self.side, self.side, 3)


def random_boards(
    generator: np.random.Generator,
    count: int,
    size: int,
    boxes: int,
    goals: Goals = "character",
    *,
    played_on: bool = False,
) -> Boards:
    """Return random boards that can be solved: played backwards from where they are.

    Walls are scattered, one region of free cells is kept, and targets with boxes on them and the
    character are put into it. From there 80 random steps are taken backwards, pulling a box half
    of the times when there is one to pull. Boards on which all boxes are still on targets are
    drawn anew.

    Args:
        generator: source of randomness.
        count: number of boards.
        size: rows and columns of a board.
        boxes: number of boxes.
        goals: see `Boards`.
        played_on: go on with 0 to 24 random steps forwards; after these a board may be beyond
            solving, as it may be while somebody plays.
    """
    found: list[Boards] = []
    missing = count
    while missing > 0:
        # Some spare, for those that are turned down.
        boards = _solved_boards(generator, missing + missing // 4 + 4, size, boxes, goals)
        shape = (PLAYED_BACKWARDS, len(boards))
        steps = generator.integers(len(MOVES), size=shape)
        for actions, pulling in zip(steps, generator.random(shape) < 0.5, strict=True):
            boards = boards.step_back(actions, pulling)
        found.append(boards[~boards.solved][:missing])
        missing -= len(found[-1])
    boards = joined(found)
    return _played_on(generator, boards) if played_on else boards


def joined(parts: list[Boards]) -> Boards:
    """Return the boards of several batches as one."""
    names = ("walls", "targets", "boxes", "characters")
    arrays = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
    return Boards(*arrays, parts[0].goals)


def region(walls: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the free cells that are joined with a place of each board, boxes left aside.

    Args:
        walls: (n, side * side) bool, closed at the border.
        places: (n,) of a free cell each.

    Returns:
        (n, side * side) bool.
    """
    side = isqrt(walls.shape[1])
    reached = np.zeros_like(walls)
    reached[np.arange(len(walls)), places] = True
    square, free = reached.reshape(-1, side, side), ~walls.reshape(-1, side, side)
    before = 0
    while (now := np.count_nonzero(square)) > before:
        before = now
        square[:, 1:] |= square[:, :-1]
        square &= free
        square[:, :-1] |= square[:, 1:]
        square &= free
        square[:, :, 1:] |= square[:, :, :-1]
        square &= free
        square[:, :, :-1] |= square[:, :, 1:]
        square &= free
    return reached


def check_board(size: int, boxes: int) -> None:
    """Refuse sizes and numbers of boxes of which there are no boards.

    Raises:
        UserError: a number is not allowed.
    """
    if not SMALLEST <= size <= LARGEST:
        raise UserError(f"the size of a Sokoban board is {size}, expected {SMALLEST} to {LARGEST}")
    if not 1 <= boxes <= MOST_BOXES:
        raise UserError(f"there are {boxes} boxes, expected 1 to {MOST_BOXES}: more do not fit")


def _solved_boards(
    generator: np.random.Generator, count: int, size: int, boxes: int, goals: Goals
) -> Boards:
    """Return boards with all boxes on targets."""
    side = screen_size(size)
    walls = np.ones((count, side, side), bool)
    inside = (count, size - 2, size - 2)
    walls[:, 1 : size - 1, 1 : size - 1] = generator.random(inside, np.float32) < WALL_SHARE
    walls = walls.reshape(count, -1)
    free = region(walls, random_cells(generator, ~walls))
    # A small pocket has no room to play.
    free = free[free.sum(axis=1) >= (size - 2) ** 2 // 2]
    left = free.copy()
    each = np.arange(len(free))
    for _ in range(boxes):
        left[each, random_cells(generator, left)] = False
    targets = free & ~left
    return Boards(~free, targets, targets, random_cells(generator, left), goals)


def _played_on(generator: np.random.Generator, boards: Boards) -> Boards:
    steps = generator.integers(len(MOVES), size=(PLAYED_ON, len(boards)))
    lengths = generator.integers(PLAYED_ON + 1, size=len(boards))
    for step, actions in enumerate(steps):
        after, _ = boards.step(actions)
        on = step < lengths
        boards = replace(
            boards,
            boxes=np.where(on[:, None], after.boxes, boards.boxes),
            characters=np.where(on, after.characters, boards.characters),
        )
    return boards


def _offsets(side: int) -> np.ndarray:
    """How much each action adds to a place."""
    return MOVES @ (side, 1)
