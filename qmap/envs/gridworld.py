"""The grid world: a character among walls, the window scrolling with it (Q-map paper,
section 4.1).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import gymnasium
import numpy as np

from qmap.envs.episode import step_refused
from qmap.envs.gridworld_level import (
    ACTION_NAMES,
    COLS,
    COORDS_SHAPE,
    ROWS,
    SCREEN_COL,
    Level,
    load_level,
)
from qmap.envs.gridworld_paths import distances_after
from qmap.utils.errors import UserError

CELL = 16  # pixels of a rendered cell
WALL_COLOR, EDGE_COLOR = (52, 58, 72), (92, 101, 122)
FLOOR_COLORS = (244, 241, 234), (237, 233, 224)
CHARACTER_COLOR, OUTLINE_COLOR = (236, 110, 44), (122, 48, 12)


class GridWorldEnv(gymnasium.Env[np.ndarray, np.int64]):
    """A level of 28 rows seen through a window of 32 columns, the character at its column 15.

    Observations are uint8 (28, 32, 3): red and green are 255 in the character's cell, blue is 255
    at walls. Actions go one cell up, left, right or down; a wall leaves everything as it was.
    There is no reward and no end: the world is for learning to reach goals. After `max_steps` steps
    `step` raises `UserError` until `reset`.

    `info` holds `coords`, int64 (3,): row and column in the level and the column at which the
    window starts (from -15: outside the level is wall); `position`, int64 (2,): row and column in
    the level, whose pixels are its cells.

    Args:
        level: name of a shipped level, an image file (see `load_level`) or a `Level`.
        render_mode: "rgb_array" makes `render` return a picture of the window.
        max_steps: Episodes are truncated after as many steps; None: never.

    Raises:
        UserError: an option has a value that is not allowed, or the level cannot be used.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}
    action_names = ACTION_NAMES
    coords_shape = COORDS_SHAPE

    def __init__(
        self,
        level: str | Path | Level = "level1",
        render_mode: str | None = None,
        max_steps: int | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UserError(f"render_mode is {render_mode!r}, expected None or 'rgb_array'")
        if max_steps is not None and max_steps < 1:
            raise UserError(f"max_steps is {max_steps}, expected at least 1, or None for no limit")
        self.level = level if isinstance(level, Level) else load_level(level)
        self.render_mode = render_mode
        self.max_steps = max_steps
        self.observation_space = gymnasium.spaces.Box(0, 255, (ROWS, COLS, 3), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(ACTION_NAMES))
        self._place = 0
        self._steps = 0
        self._over = True  # until the first reset

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start in a random free cell, or in that of `options={"position": (row, col)}`.

        Raises:
            UserError: the position is not a free cell.
        """
        super().reset(seed=seed)
        position = (options or {}).get("position")
        if position is None:
            self._place = int(self.np_random.integers(len(self.level.positions)))
        else:
            self._place = self._place_at(position)
        self._steps = 0
        self._over = False
        return self._observation(), self._info()

    def step(
        self, action: int | np.integer
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Go one cell up (0), left (1), right (2) or down (3).

        Raises:
            UserError: the episode has ended, or none has begun.
        """
        if self._over:
            raise step_refused()
        self._place = int(self.level.next_places[self._place, action])
        self._steps += 1
        self._over = self._ended()
        return self._observation(), 0.0, False, self._over, self._info()

    def render(self) -> np.ndarray | None:
        """Return the window, uint8 (448, 512, 3) in RGB, or None without a render mode."""
        if self.render_mode is None:
            return None
        row, col = self.level.positions[self._place]
        return _picture(self.level.windows[col], row, col)

    def set_wall(self, row: int, col: int, wall: bool) -> np.ndarray | None:
        """Build a wall or take it away while the episode goes on, in this environment alone.

        Returns:
            What is seen then; None where it cannot be: at the border, and on the character.
        """
        height, width = self.level.walls.shape
        place = self.level.positions[self._place]
        inside = 0 < row < height - 1 and 0 < col < width - 1
        if not inside or (row, col) == tuple(place):
            return None
        walls = self.level.walls.copy()
        walls[row, col] = wall
        self.level = Level(walls, self.level.name)
        self._place = self._place_at(tuple(place))
        return self._observation()

    def true_distances(self) -> np.ndarray:
        """Return the steps to every cell once an action was taken; see `distances_after`."""
        return distances_after(self.level, np.array([self._place]))[0]

    def save_state(self) -> dict[str, np.ndarray]:
        """Return all that `restore_state` needs to go on from here."""
        generator = json.dumps(self.np_random.bit_generator.state)
        return {
            "place": np.array(self._place),
            "steps": np.array(self._steps),
            "generator": np.frombuffer(generator.encode(), np.uint8),
        }

    def restore_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on exactly from where `save_state` was called, in this level.

        Args:
            state: What `save_state` returned.
        """
        self._place = int(state["place"])
        self._steps = int(state["steps"])
        self._over = self._ended()
        self.np_random.bit_generator.state = json.loads(state["generator"].tobytes())

    def _ended(self) -> bool:
        return self.max_steps is not None and self._steps >= self.max_steps

    def _place_at(self, position: tuple[int, int]) -> int:
        row, col = position
        height, width = self.level.walls.shape
        if not (0 <= row < height and 0 <= col < width) or self.level.walls[row, col]:
            raise UserError(
                f"level {self.level.name} has no free cell at row {row}, column {col}; expected "
                "one that is not a wall"
            )
        return int(self.level.places[row, col])

    def _observation(self) -> np.ndarray:
        return self.level.observations(np.array([self._place]))[0]

    def _info(self) -> dict[str, Any]:
        row, col = self.level.positions[self._place]
        return {
            "coords": np.array((row, col, col - SCREEN_COL), np.int64),
            "position": np.array((row, col), np.int64),
        }


def _picture(walls: np.ndarray, row: int, col: int) -> np.ndarray:
    """Return a picture of a window: walls with a lit upper edge, a checkered floor, a disk."""
    # The squares of the floor belong to the world: they scroll with it.
    odd = np.indices(walls.shape).sum(axis=0) + col - SCREEN_COL & 1
    cells = np.array(FLOOR_COLORS, np.uint8)[odd]
    cells[walls] = WALL_COLOR
    picture = cells.repeat(CELL, axis=0).repeat(CELL, axis=1)
    for top, left in np.argwhere(walls[1:] & ~walls[:-1]) + (1, 0):
        picture[top * CELL : top * CELL + 2, left * CELL : (left + 1) * CELL] = EDGE_COLOR
    center = (SCREEN_COL * CELL + CELL // 2, int(row) * CELL + CELL // 2)
    cv2.circle(picture, center, CELL // 2 - 1, OUTLINE_COLOR, -1, cv2.LINE_AA)
    cv2.circle(picture, center, CELL // 2 - 3, CHARACTER_COLOR, -1, cv2.LINE_AA)
    return picture
