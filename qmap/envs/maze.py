"""Mazes: a new one in every episode, all of it on the screen."""

from __future__ import annotations

import json
from typing import Any

import gymnasium
import numpy as np

from qmap.envs.board_picture import board_picture
from qmap.envs.maze_paths import distances_after
from qmap.envs.mazes import Mazes, check_maze, random_mazes
from qmap.envs.walks import ACTION_NAMES, screen_size
from qmap.utils.errors import UserError


class MazeEnv(gymnasium.Env[np.ndarray, np.int64]):
    """A random maze, seen as a whole; its cells are the goals.

    Observations are uint8 (side, side, 3), where side is the size rounded up to a multiple of 4:
    red and green are 255 in the character's cell, blue is 255 at walls, also in the rows and
    columns beyond the maze. Actions go one cell up, left, right or down; a wall leaves everything
    as it was.
    There is no reward and no end: the world is for learning to reach goals.

    `info` holds `coords`, int64 (3,): row, column and 0, for nothing scrolls; `position`, int64
    (2,): row and column, whose pixels are the cells.

    Args:
        size: rows and columns of a maze, odd, 5 to 63.
        open_walls: share of the inner walls of a perfect maze that are taken away.
        render_mode: "rgb_array" makes `render` return a picture.
        max_steps: Episodes are truncated after as many steps; None: never.

    Raises:
        UserError: an option has a value that is not allowed.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}
    action_names = ACTION_NAMES

    def __init__(
        self,
        size: int = 15,
        open_walls: float = 0.1,
        render_mode: str | None = None,
        max_steps: int | None = None,
    ) -> None:
        check_maze(size, open_walls)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UserError(f"render_mode is {render_mode!r}, expected None or 'rgb_array'")
        if max_steps is not None and max_steps < 1:
            raise UserError(f"max_steps is {max_steps}, expected at least 1, or None for no limit")
        self.size = size
        self.open_walls = open_walls
        self.render_mode = render_mode
        self.max_steps = max_steps
        side = screen_size(size)
        self.coords_shape = (side, side)
        self.observation_space = gymnasium.spaces.Box(0, 255, (side, side, 3), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(ACTION_NAMES))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start in a random free cell of a new random maze."""
        super().reset(seed=seed)
        self._maze = random_mazes(self.np_random, 1, self.size, self.open_walls)
        self._steps = 0
        return self._maze.observations()[0], self._info()

    def step(
        self, action: int | np.integer
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Go one cell up (0), left (1), right (2) or down (3)."""
        self._maze, _ = self._maze.step(np.array([action]))
        self._steps += 1
        truncated = self.max_steps is not None and self._steps >= self.max_steps
        return self._maze.observations()[0], 0.0, False, truncated, self._info()

    def render(self) -> np.ndarray | None:
        """Return a picture, uint8 (16 * side, 16 * side, 3) in RGB, None without a render mode."""
        if self.render_mode is None:
            return None
        return board_picture(self._maze.walls.reshape(self.coords_shape), self._cell())

    def set_wall(self, row: int, col: int, wall: bool) -> np.ndarray | None:
        """Build a wall or take it away while the episode goes on.

        Returns:
            What is seen then; None where it cannot be: at the border, and on the character.
        """
        if not (0 < row < self.size - 1 and 0 < col < self.size - 1) or (row, col) == self._cell():
            return None
        walls = self._maze.walls.copy()
        walls[0, row * self._maze.side + col] = wall
        self._maze = Mazes(walls, self._maze.characters)
        return self._maze.observations()[0]

    def true_distances(self) -> np.ndarray:
        """Return the steps to every cell once an action was taken; see `distances_after`."""
        return distances_after(self._maze)[0]

    def save_state(self) -> dict[str, np.ndarray]:
        """Return all that `restore_state` needs to go on from here."""
        generator = json.dumps(self.np_random.bit_generator.state)
        return {
            "walls": self._maze.walls.copy(),
            "characters": self._maze.characters.copy(),
            "steps": np.array(self._steps),
            "generator": np.frombuffer(generator.encode(), np.uint8),
        }

    def restore_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on exactly from where `save_state` was called.

        Args:
            state: What `save_state` returned.
        """
        self._maze = Mazes(state["walls"].copy(), state["characters"].copy())
        self._steps = int(state["steps"])
        self.np_random.bit_generator.state = json.loads(state["generator"].tobytes())

    def _cell(self) -> tuple[int, int]:
        return divmod(int(self._maze.characters[0]), self._maze.side)

    def _info(self) -> dict[str, Any]:
        row, col = self._cell()
        return {
            "coords": np.array((row, col, 0), np.int64),
            "position": np.array((row, col), np.int64),
        }
