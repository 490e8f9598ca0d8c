"""A square of cells to cross from corner to corner, diagonally too: the grid of the textbooks."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from qmap.envs.board_picture import board_picture
from qmap.envs.walks import MULTIPLE
from qmap.utils.errors import UserError

ACTION_NAMES = ("UP", "UP+RIGHT", "RIGHT", "DOWN+RIGHT", "DOWN", "DOWN+LEFT", "LEFT", "UP+LEFT")
MOVES = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
CHARACTER, GOAL, FLOOR, OUTSIDE = 255, 170, 85, 0
LARGEST = 64


class DiagonalGridEnv(gymnasium.Env[np.ndarray, np.int64]):
    """n x n cells; episodes go from the lower left corner to the upper right one, where they end.

    Actions go to one of the 8 cells around; the border leaves everything as it was. Each step costs
    1, with noise 1 on average: the reward is -1 + noise or -1 - noise, evenly at random. With a
    noise of 11 on 3 x 3 cells that is what double Q-learning was shown on (van Hasselt 2010), where
    there were no diagonal moves.

    Observations are uint8 (2 * side, 2 * side, 1), where side is the size rounded up to a multiple
    of 4, as the networks need it: 2 x 2 pixels a cell, 255 in the character's cell, else 170 at the
    goal, 85 in the grid and 0 beyond it.

    `info` holds `coords`, int64 (3,): row, column and 0, for nothing scrolls; `position`, int64
    (2,): row and column, whose pixels are the cells; `qmap`: whether the goal was reached as
    `completed`.

    Args:
        size: rows and columns, 2 to 64.
        noise: what is added to a reward or taken from it.
        render_mode: "rgb_array" makes `render` return a picture.

    Raises:
        UserError: an option has a value that is not allowed.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}
    action_names = ACTION_NAMES

    def __init__(self, size: int = 3, noise: float = 0.0, render_mode: str | None = None) -> None:
        if not 2 <= size <= LARGEST:
            raise UserError(f"size is {size}, expected 2 to {LARGEST}")
        if not 0 <= noise < np.inf:
            raise UserError(f"noise is {noise}, expected a number of at least 0")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UserError(f"render_mode is {render_mode!r}, expected None or 'rgb_array'")
        self.size = size
        self.noise = noise
        self.render_mode = render_mode
        side = -(-size // MULTIPLE) * MULTIPLE
        self.coords_shape = (side, side)
        self.observation_space = gymnasium.spaces.Box(0, 255, (2 * side, 2 * side, 1), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(ACTION_NAMES))
        self._cells = np.full((side, side), OUTSIDE, np.uint8)
        self._cells[:size, :size] = FLOOR
        self._cells[0, size - 1] = GOAL
        self._place = (size - 1, 0)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start in the lower left corner."""
        super().reset(seed=seed)
        self._place = (self.size - 1, 0)
        return self.observation(self._place), self._info()

    def step(
        self, action: int | np.integer
    ) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Go to the cell in the direction of `action`, clockwise from up (0)."""
        row, col = np.add(self._place, MOVES[action]).tolist()
        if 0 <= row < self.size and 0 <= col < self.size:
            self._place = (row, col)
        reward = -1.0
        if self.noise:
            reward += self.noise if self.np_random.random() < 0.5 else -self.noise
        info = self._info()
        return self.observation(self._place), reward, info["qmap"]["completed"], False, info

    def observation(self, place: tuple[int, int]) -> np.ndarray:
        """Return what is seen with the character at (row, column)."""
        cells = self._cells.copy()
        cells[place] = CHARACTER
        return cells.repeat(2, axis=0).repeat(2, axis=1)[..., None]

    def render(self) -> np.ndarray | None:
        """Return a picture, uint8 (16 * side, 16 * side, 3) in RGB, None without a render mode."""
        if self.render_mode is None:
            return None
        return board_picture(self._cells == OUTSIDE, self._place, targets=self._cells == GOAL)

    def save_state(self) -> dict[str, int]:
        """Return what `restore_state` needs to go on from here, beside the random stream."""
        row, col = self._place
        return {"row": row, "col": col}

    def restore_state(self, state: dict[str, int]) -> None:
        """Go on exactly from where `save_state` was called.

        Args:
            state: What `save_state` returned.
        """
        self._place = (int(state["row"]), int(state["col"]))

    def _info(self) -> dict[str, Any]:
        return {
            "coords": np.array((*self._place, 0), np.int64),
            "position": np.array(self._place, np.int64),
            "qmap": {"completed": self._place == (0, self.size - 1)},
        }
