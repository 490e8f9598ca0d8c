"""What makes any Gymnasium environment one that Q-map can be trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np

from qmap.envs.contract import action_names as _action_names
from qmap.envs.contract import is_grid as _is_grid
from qmap.envs.contract import name_of as _name
from qmap.envs.screen import ScreenProcessor
from qmap.utils.errors import UserError

# From (environment, observation, info) to where the character is.
Locate = Callable[[gymnasium.Env, Any, dict[str, Any]], Sequence[float]]


class GoalGrid(gymnasium.Wrapper):
    """Adds a grid of goals, the character's place on it and frames of the screen.

    Frozen Lake (its screen needs pygame), with one goal for each of its 4 x 4 tiles:

        def tile(env, observation, info):
            return divmod(observation, 4)

        env = gymnasium.make("FrozenLake-v1", render_mode="rgb_array")
        env = GoalGrid(env, coords_shape=(4, 4), coords=tile)
        frame, info = env.reset()  # frame: uint8 (8, 8, 1); info["coords"]: (0, 0, 0)

    Observations become what `ScreenProcessor` makes of the rendered screen, 2 x 2 pixels for each
    cell, and `info` gets `coords`, `position` and `room`. Read `coords_shape` of an environment
    with `env.get_wrapper_attr("coords_shape")`, which finds it here as well as in the games.

    Args:
        env: An environment with discrete actions.
        coords_shape: (rows, cols) of the on-screen goal grid. The Q-frame networks of the games
            need multiples of 4.
        coords: Returns the character's (row, col) on the grid, or (row, col, window) where the
            screen scrolls: column on the whole level and the column at which the screen starts.
            Fractions are rounded down; what is off the grid is clipped to its border.
        position: Returns the full-resolution (row, col) for visit maps; by default the middle of
            the character's cell, in pixels of the screen (in cells if `use_screen` is off).
        use_screen: Make observations from the screen. Without it the environment's observations
            are used as they are, which must then be uint8 (height, width, channels).
        color: Observations have 3 color channels.
        position_channel: Observations have a last channel with 255 in the character's cell.

    Raises:
        UserError: the environment or an option cannot be used, now or when `reset` or `step` sees
            a screen or coordinates that are not what they should be.
    """

    def __init__(
        self,
        env: gymnasium.Env,
        coords_shape: tuple[int, int],
        coords: Locate,
        position: Locate | None = None,
        use_screen: bool = True,
        color: bool = False,
        position_channel: bool = False,
    ) -> None:
        super().__init__(env)
        if not _is_grid(coords_shape):
            raise UserError(f"coords_shape is {coords_shape!r}, expected (rows, cols), at least 1")
        if use_screen and env.render_mode != "rgb_array":
            raise UserError(
                f"{_name(env)} has render_mode={env.render_mode!r}, expected 'rgb_array', from "
                "which observations are made: give it to gymnasium.make, or use_screen=False"
            )
        self.coords_shape = (int(coords_shape[0]), int(coords_shape[1]))
        if not isinstance(env.action_space, gymnasium.spaces.Discrete):
            raise UserError(f"{_name(env)}: actions are {env.action_space}, expected Discrete")
        numbers = [str(action) for action in range(env.action_space.n)]
        self.action_names = _action_names(env, default=numbers)
        self._locate = coords
        self._locate_position = position
        self._use_screen = use_screen
        self._options = {"color": color, "position_channel": position_channel}
        # The screen's size is known from the first one on, the frames' already here.
        self._processor = ScreenProcessor(self.coords_shape, self.coords_shape, **self._options)
        self._screen: np.ndarray | None = None
        if use_screen:
            self.observation_space = self._processor.observation_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Reset the environment; return a frame and the completed info."""
        observation, info = self.env.reset(seed=seed, options=options)
        return self._frame_and_info(observation, info)

    def step(self, action: Any) -> tuple[np.ndarray, Any, bool, bool, dict[str, Any]]:
        """Step the environment; return a frame, what it returned and the completed info."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        frame, info = self._frame_and_info(observation, info)
        return frame, reward, terminated, truncated, info

    def render(self) -> Any:
        """Return the screen that the last frame was made from, without rendering it again."""
        return self.env.render() if self._screen is None else self._screen.copy()

    def _frame_and_info(
        self, observation: Any, info: dict[str, Any]
    ) -> tuple[np.ndarray, dict[str, Any]]:
        if self._use_screen:
            self._screen = self._rendered()
            if self._screen.shape[:2] != self._processor.screen_shape:
                shape = self._screen.shape[:2]
                self._processor = ScreenProcessor(shape, self.coords_shape, **self._options)
        coords = self._coords(observation, info)
        completed = {
            **info,
            "coords": coords,
            "position": self._position(observation, info, coords),
            "room": int(info.get("room", 0)),
        }
        if self._use_screen:
            return self._processor(self._screen, coords), completed
        return observation, completed

    def _rendered(self) -> np.ndarray:
        screen = np.array(self.env.render(), order="C")
        if screen.dtype != np.uint8 or screen.ndim != 3 or screen.shape[2] != 3:
            raise UserError(
                f"render() of {_name(self.env)} returned {screen.dtype} {screen.shape}, expected "
                "an RGB screen: uint8 (height, width, 3)"
            )
        return screen

    def _coords(self, observation: Any, info: dict[str, Any]) -> np.ndarray:
        place = self._numbers("coords", self._locate(self.env, observation, info), (2, 3))
        rows, cols = self.coords_shape
        window = place[2] if len(place) == 3 else 0
        row = min(max(place[0], 0), rows - 1)
        col = min(max(place[1], window), window + cols - 1)
        return np.array((row, col, window), np.int64)

    def _position(self, observation: Any, info: dict[str, Any], coords: np.ndarray) -> np.ndarray:
        if self._locate_position is not None:
            place = self._locate_position(self.env, observation, info)
            return np.array(self._numbers("position", place, (2,)), np.int64)
        sizes = np.array(self._processor.screen_shape) / self.coords_shape
        return np.floor((coords[:2] + 0.5) * sizes).astype(np.int64)

    def _numbers(self, what: str, place: Sequence[float], lengths: tuple[int, ...]) -> list[int]:
        try:
            numbers = [math.floor(number) for number in place]
        except (TypeError, ValueError, OverflowError):
            numbers = []
        if len(numbers) not in lengths:
            expected = "(row, col) or (row, col, window)" if 3 in lengths else "(row, col)"
            raise UserError(f"{what} of {_name(self.env)}: got {place!r}, expected {expected}")
        return numbers
