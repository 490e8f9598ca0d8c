"""Levels of the grid world: images whose dark pixels are walls, and what follows from them."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qmap.utils.errors import UserError
from qmap.utils.image_file import read_image

ROWS, COLS = COORDS_SHAPE = (28, 32)
MIN_WIDTH = COLS + 1
LARGEST = (1024, 2**16)  # pixels of an image that is looked at at all
SCREEN_COL = 15  # screen column of the character, always
ACTION_NAMES = ("UP", "LEFT", "RIGHT", "DOWN")
MOVES = np.array(((-1, 0), (0, -1), (0, 1), (1, 0)))  # (rows, cols) by action
WALL, CHARACTER = (0, 0, 255), (255, 255, 0)  # channels of an observation
FOLDER = Path(__file__).parent / "levels"


class Moves(NamedTuple):
    """A batch of single steps; the arrays of places are int32, (batch,).

    Attributes:
        observations: (batch, 28, 32, 3) uint8.
        actions: (batch,) int32.
        next_observations: (batch, 28, 32, 3) uint8.
        rows: row of the character after the step.
        cols: its column in the window as it stands after the step.
        level_cols: its column in the level then.
        window_shifts: columns by which the window moved during the step.
    """

    observations: np.ndarray
    actions: np.ndarray
    next_observations: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    level_cols: np.ndarray
    window_shifts: np.ndarray


class Level:
    """The walls of a level and, made once when they are first needed, tables about its cells.

    A *place* is the index of a free cell in `positions`; working with places makes stepping and
    looking up a matter of indexing arrays.

    Args:
        walls: (28, width) bool, width at least 33; everything outside is wall too.
        name: what the level is called in tables and file names.

    Raises:
        UserError: the walls have another shape, leave no free cell or are open at the border.
    """

    def __init__(self, walls: np.ndarray, name: str = "level") -> None:
        self.walls = np.ascontiguousarray(walls, bool)
        self.name = name
        height, width = self.walls.shape
        if height != ROWS or width < MIN_WIDTH:
            raise UserError(
                f"level {name} has {height} rows and {width} columns, expected {ROWS} rows and at "
                f"least {MIN_WIDTH} columns, one pixel a cell"
            )
        if self.walls.all():
            raise UserError(f"level {name} has no free cell; black is wall, white is free")
        border = np.ones_like(self.walls)
        border[1:-1, 1:-1] = False
        if (openings := np.argwhere(border & ~self.walls)).size:
            row, col = openings[0]
            raise UserError(
                f"level {name} is open at its border (row {row}, column {col}); expected black "
                "pixels all around"
            )

    @cached_property
    def positions(self) -> np.ndarray:
        """(places, 2) int64, row and column of every free cell, ordered by column, then row."""
        return np.argwhere(~self.walls.T)[:, ::-1].copy()

    @cached_property
    def places(self) -> np.ndarray:
        """(28, width) int32, the place of every free cell, -1 at walls."""
        places = np.full(self.walls.shape, -1, np.int32)
        places[tuple(self.positions.T)] = np.arange(len(self.positions))
        return places

    @cached_property
    def next_places(self) -> np.ndarray:
        """(places, 4) int32, where each action leads from each place; walls stop it."""
        rows, cols = (self.positions[:, None] + MOVES).transpose(2, 0, 1)
        reached = self.places[rows, cols]
        return np.where(reached >= 0, reached, np.arange(len(reached), dtype=np.int32)[:, None])

    @cached_property
    def windows(self) -> np.ndarray:
        """(width, 28, 32) bool, the walls on the screen when the character is in a column."""
        padding = ((0, 0), (SCREEN_COL, COLS - 1 - SCREEN_COL))
        padded = np.pad(self.walls, padding, constant_values=True)
        views = np.lib.stride_tricks.sliding_window_view(padded, COLS, axis=1)
        return np.ascontiguousarray(views.swapaxes(0, 1))

    def observations(self, places: np.ndarray) -> np.ndarray:
        """Return what is seen from places (n,), uint8 (n, 28, 32, 3)."""
        rows, cols = self.positions[places].T
        observations = self._screens[cols]
        observations[np.arange(len(rows)), rows, SCREEN_COL] = CHARACTER
        return observations

    def sample_moves(self, generator: np.random.Generator, count: int) -> Moves:
        """Return single steps from uniformly random free cells with uniformly random actions."""
        places = generator.integers(len(self.positions), size=count)
        return self.moves(places, generator.integers(len(MOVES), size=count))

    def moves(self, places: np.ndarray, actions: np.ndarray) -> Moves:
        """Return the steps that take actions (n,) at places (n,)."""
        next_places = self.next_places[places, actions]
        rows, cols = self.positions[next_places].T
        return Moves(
            self.observations(places),
            actions.astype(np.int32),
            self.observations(next_places),
            rows.astype(np.int32),
            np.full(len(rows), SCREEN_COL, np.int32),
            cols.astype(np.int32),
            (cols - self.positions[places, 1]).astype(np.int32),
        )

    @cached_property
    def _screens(self) -> np.ndarray:
        return self.windows[..., None] * np.array(WALL, np.uint8)


def load_level(level: str | Path) -> Level:
    """Load a level that is shipped, by its name, or any image file that Pillow reads.

    Raises:
        UserError: there is no such level or file, it is no image, or not a level (see `Level`).
    """
    path = Path(level)
    if str(level) in shipped_levels():
        path = FOLDER / f"{level}.png"
    elif not path.is_file():
        shipped = ", ".join(shipped_levels())
        raise UserError(f"there is no level {level}; expected an image file or one of {shipped}")
    image = read_image(path, "L", LARGEST).pixels
    # The name becomes a column of a CSV file and a part of file names.
    return Level(image < 128, re.sub(r"[^\w.-]+", "_", path.stem))


def shipped_levels() -> list[str]:
    """Return the names of the levels that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.png"))
