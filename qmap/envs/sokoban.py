"""Sokoban: boxes that can be pushed, one at a time, and never pulled."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from qmap.envs.board_picture import board_picture
from qmap.envs.sokoban_boards import GOALS, Boards, Goals, check_board, random_boards
from qmap.envs.sokoban_search import distances_after
from qmap.envs.sokoban_text import read_boards
from qmap.envs.walks import ACTION_NAMES, NOTHING, screen_size
from qmap.utils.errors import UserError

QUICK = 50_000  # states of a search that is quick


class SokobanEnv(gymnasium.Env[np.ndarray, np.int64]):
    """A random board that can be solved, or one of a file; a new one in every episode.

    Observations are uint8 (side, side, 3), where side is the size rounded up to a multiple of 4:
    red is 255 at the character; green at the character and at boxes; blue is 255 at walls, also
    beyond the board, and 128 at targets, whatever stands on them. Actions go one cell up, left,
    right or down and push a box that has room behind it. The reward is 1 in the step after which
    all boxes are on targets; that ends the episode.

    `info` holds `coords`, int64 (3,): row, column and 0, for nothing scrolls: with goals of the
    character where it is, with those of a box where one was last pushed (the upper left corner, a
    wall, before the first push); `position`, int64 (2,): row and column of the character;
    `qmap`: `completed`, whether the board is solved.

    Args:
        size: rows and columns of a random board, 7 to 12.
        boxes: number of boxes of a random board, 1 to 4.
        goals: whose cells the coordinates are: "character" or "box".
        boards: text file (see `read_boards`) whose boards are drawn from in place of random ones.
        render_mode: "rgb_array" makes `render` return a picture.
        max_steps: Episodes are truncated after as many steps; None: never.

    Raises:
        UserError: an option has a value that is not allowed, or the file cannot be used.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}
    action_names = ACTION_NAMES

    def __init__(
        self,
        size: int = 10,
        boxes: int = 2,
        goals: Goals = "character",
        boards: str | Path | None = None,
        render_mode: str | None = None,
        max_steps: int | None = None,
    ) -> None:
        check_board(size, boxes)
        if goals not in GOALS:
            raise UserError(f"goals is {goals!r}, expected 'character' or 'box'")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UserError(f"render_mode is {render_mode!r}, expected None or 'rgb_array'")
        if max_steps is not None and max_steps < 1:
            raise UserError(f"max_steps is {max_steps}, expected at least 1, or None for no limit")
        self.size, self.boxes, self.goals = size, boxes, goals
        self.render_mode = render_mode
        self.max_steps = max_steps
        self._given = read_boards(boards, goals) if boards is not None else None
        side = screen_size(size) if self._given is None else self._given.side
        self.coords_shape = (side, side)
        self.observation_space = gymnasium.spaces.Box(0, 255, (side, side, 3), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(ACTION_NAMES))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start on a new random board, or on a random one of the file."""
        super().reset(seed=seed)
        if self._given is None:
            self._board = random_boards(self.np_random, 1, self.size, self.boxes, self.goals)
        else:
            self._board = self._given[self.np_random.integers(len(self._given), size=1)]
        self._goal = int(self._board.characters[0]) if self.goals == "character" else 0
        self._steps = 0
        return self._board.observations()[0], self._info()

    def step(
        self, action: int | np.integer
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Go or push up (0), left (1), right (2) or down (3)."""
        self._board, (goal,) = self._board.step(np.array([action]))
        if goal != NOTHING:
            self._goal = int(goal)
        self._steps += 1
        solved = bool(self._board.solved[0])
        truncated = self.max_steps is not None and self._steps >= self.max_steps
        return self._board.observations()[0], float(solved), solved, truncated, self._info()

    def render(self) -> np.ndarray | None:
        """Return a picture, uint8 (16 * side, 16 * side, 3) in RGB, None without a render mode."""
        if self.render_mode is None:
            return None
        parts = (self._board.walls, self._board.boxes, self._board.targets)
        walls, boxes, targets = (part.reshape(self.coords_shape) for part in parts)
        return board_picture(walls, self._cell(self._board.characters[0]), boxes, targets)

    def set_wall(self, row: int, col: int, wall: bool) -> np.ndarray | None:
        """Build a wall or take it away while the episode goes on.

        Returns:
            What is seen then; None where it cannot be: at the border, on the character, on a box
            and on a target.
        """
        last, place = self.coords_shape[0] - 1, row * self._board.side + col
        if not (0 < row < last and 0 < col < last) or place == self._board.characters[0]:
            return None
        if self._board.boxes[0, place] or self._board.targets[0, place]:
            return None
        walls = self._board.walls.copy()
        walls[0, place] = wall
        self._board = replace(self._board, walls=walls)
        return self._board.observations()[0]

    def true_distances(self) -> np.ndarray | None:
        """Return the steps to every cell once an action was taken; see `distances_after`.

        None where that would take more than about a second to find out.
        """
        distances, exact = distances_after(self._board, QUICK)
        return distances[0] if exact[0] else None

    def save_state(self) -> dict[str, np.ndarray]:
        """Return all that `restore_state` needs to go on from here."""
        generator = json.dumps(self.np_random.bit_generator.state)
        return {
            "walls": self._board.walls.copy(),
            "targets": self._board.targets.copy(),
            "boxes": self._board.boxes.copy(),
            "characters": self._board.characters.copy(),
            "goal": np.array(self._goal),
            "steps": np.array(self._steps),
            "generator": np.frombuffer(generator.encode(), np.uint8),
        }

    def restore_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on exactly from where `save_state` was called.

        Args:
            state: What `save_state` returned.
        """
        names = ("walls", "targets", "boxes", "characters")
        self._board = Boards(*(state[name].copy() for name in names), self.goals)
        self._goal = int(state["goal"])
        self._steps = int(state["steps"])
        self.np_random.bit_generator.state = json.loads(state["generator"].tobytes())

    def _cell(self, place: int) -> tuple[int, int]:
        return divmod(int(place), self._board.side)

    def _info(self) -> dict[str, Any]:
        return {
            "coords": np.array((*self._cell(self._goal), 0), np.int64),
            "position": np.array(self._cell(self._board.characters[0]), np.int64),
            "qmap": {"completed": bool(self._board.solved[0])},
        }
