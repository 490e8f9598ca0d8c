"""What makes any Gymnasium environment one that Q-map can be trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np

from qmap.envs import contract
from qmap.envs.contract import MAX_ROOM, name_of
from qmap.envs.screen import PIXELS_PER_CELL, ScreenProcessor
from qmap.utils.errors import UserError

# From (environment, observation, info) to where the character is.
Locate = Callable[[gymnasium.Env, Any, dict[str, Any]], Sequence[float]]
# The same to a number, or to whether something holds; None where there is nothing to tell.
Tell = Callable[[gymnasium.Env, Any, dict[str, Any]], Any]

# The Q-frame network halves frames of 2 pixels a cell three times and doubles them back twice.
MULTIPLE = 4
MAX_NUMBER = 2**31 - 1
EXPECTED = {
    "coords": "(row, col) or (row, col, window)",
    "position": "(row, col)",
    "room": f"a whole number from 0 to {MAX_ROOM:,}",
    "distance": "a number of pixels, or None",
}


class GoalGrid(gymnasium.Wrapper):
    """Adds a grid of goals, the character's place on it and frames of the screen.

    Frozen Lake (its screen needs pygame), with one goal for each of its 4 x 4 tiles:

        def tile(env, observation, info):
            return divmod(observation, 4)

        env = gymnasium.make("FrozenLake-v1", render_mode="rgb_array")
        env = GoalGrid(env, (4, 4), coords=tile, action_names=("LEFT", "DOWN", "RIGHT", "UP"))
        frame, info = env.reset()  # frame: uint8 (8, 8, 1); info["coords"]: (0, 0, 0)

    Observations become what `ScreenProcessor` makes of the rendered screen, 2 x 2 pixels for each
    cell, and `info` gets `coords`, `position` and `qmap`: whether the coordinates were `clipped`,
    and what `room`, `distance` and `completed` return.

    The grid may have any size. For the networks it is filled up to multiples of 4, at the bottom
    and at the right, where frames are black: 19 x 19 cells become a `coords_shape` of 20 x 20.
    Nobody gets to the cells that were added, so that a Q-map learns a value of 0 for them, as for
    those inside a wall, and never takes them for near. Where the screen scrolls, columns that were
    added at the right are those of the level just beyond it. Read `coords_shape` and `grid_shape`
    with `env.get_wrapper_attr("coords_shape")`, which finds it here as well as in the games.

    The screen of a step is rendered once, and kept for `render` until the next one. If there is
    nothing to render once an episode is over, its last screen is shown again. Who restores a state
    of the environment also calls `restore_state` here, so that `render` shows what is there then.

    Args:
        env: An environment with discrete actions.
        coords_shape: (rows, cols) of the on-screen goal grid: the cells that the screen shows.
        coords: Returns the character's (row, col) on the grid, or (row, col, window) where the
            screen scrolls: column on the whole level and the column at which the screen starts.
            Fractions are rounded down; what is off the grid is clipped to its border.
        position: Returns the full-resolution (row, col) for visit maps; by default the middle of
            the character's cell, in pixels of the screen (in cells if `use_screen` is off).
        use_screen: Make observations from the screen. Without it the environment's observations
            are used, which must then be uint8, with 2 x 2 pixels for each cell and any channels.
        color: Observations have 3 color channels.
        position_channel: Observations have a last channel with 255 in the character's cell.
        action_names: A name for each action; by default those that the environment has, or numbers.
        room: Returns the number of the room, 0 to 2**20 - 1, where coordinates alone do not tell
            places apart: each room has a visit map of its own.
        distance: Returns how far the character got in this episode, a column in pixels, or None.
        completed: Returns whether a level was finished in this step.

    Attributes:
        coords_shape: (rows, cols) of the grid for the networks, multiples of 4.
        grid_shape: (rows, cols) of the cells that the screen shows.
        cell_shape: (height, width) of one of them in pixels of the screen, maybe fractions.

    Raises:
        UserError: the environment or an option cannot be used, now or when `reset` or `step` sees
            a screen, coordinates or other values that are not what they should be.
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
        action_names: Sequence[str] | None = None,
        room: Tell | None = None,
        distance: Tell | None = None,
        completed: Tell | None = None,
    ) -> None:
        super().__init__(env)
        if not contract.is_grid(coords_shape):
            raise UserError(f"coords_shape is {coords_shape!r}, expected (rows, cols), at least 1")
        if use_screen and env.render_mode != "rgb_array":
            raise UserError(
                f"{name_of(env)} has render_mode={env.render_mode!r}, expected 'rgb_array', from "
                "which observations are made: give it to gymnasium.make, or use_screen=False"
            )
        self.grid_shape = (int(coords_shape[0]), int(coords_shape[1]))
        self.coords_shape = tuple(-(-size // MULTIPLE) * MULTIPLE for size in self.grid_shape)
        if not isinstance(env.action_space, gymnasium.spaces.Discrete):
            raise UserError(f"{name_of(env)}: actions are {env.action_space}, expected Discrete")
        numbers = [str(action) for action in range(env.action_space.n)]
        self.action_names = tuple(action_names or contract.action_names(env, default=numbers))
        if len(self.action_names) != env.action_space.n:
            raise UserError(
                f"{name_of(env)}: action_names has {len(self.action_names)} names, expected "
                f"{env.action_space.n}, one for each action"
            )
        self._locate = coords
        self._locate_position = position
        self._tell_room, self._tell_distance, self._tell_completed = room, distance, completed
        self._use_screen = use_screen
        self._options = {
            "color": color,
            "position_channel": position_channel,
            "multiple": MULTIPLE,
        }
        # The screen's size is known from the first one on, the frames' already here.
        self._processor = ScreenProcessor(self.grid_shape, self.grid_shape, **self._options)
        self._screen: np.ndarray | None = None
        if use_screen:
            self.observation_space = self._processor.observation_space
        else:
            self.observation_space = self._padded_space()

    @property
    def cell_shape(self) -> tuple[float, float]:
        """Height and width of a cell in pixels of the screen; 1 without or before the first."""
        (height, width), (rows, cols) = self._processor.screen_shape, self.grid_shape
        return height / rows, width / cols

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Reset the environment; return a frame and the completed info."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._screen = None
        return self._frame_and_info(observation, info)

    def step(self, action: Any) -> tuple[np.ndarray, Any, bool, bool, dict[str, Any]]:
        """Step the environment; return a frame, what it returned and the completed info."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        # Forgotten unless the episode is over: only then may there be nothing new to see.
        if not (terminated or truncated):
            self._screen = None
        frame, info = self._frame_and_info(observation, info)
        return frame, reward, terminated, truncated, info

    def render(self) -> Any:
        """Return the screen that the last frame was made from, without rendering it again."""
        return self.env.render() if self._screen is None else self._screen.copy()

    def save_state(self) -> None:
        """Return the wrapper's own state: there is none to keep, the screen is rendered again."""

    def restore_state(self, state: None) -> None:
        """Forget the screen, after a state of the environment's own has been restored."""
        self._screen = None

    def _frame_and_info(
        self, observation: Any, info: dict[str, Any]
    ) -> tuple[np.ndarray, dict[str, Any]]:
        for name, value in (("info", info), ("info['qmap']", _ours(info))):
            if not isinstance(value, dict):
                raise UserError(f"{name_of(self.env)}: {name} is {value!r}, expected a dictionary")
        if self._use_screen:
            self._screen = self._rendered()
            if self._screen.shape[:2] != self._processor.screen_shape:
                self._processor = self._new_processor(self._screen.shape[:2])
        coords, clipped = self._coords(observation, info)
        completed = {
            **info,
            "coords": coords,
            "position": self._position(observation, info, coords),
            "qmap": {**self._told(observation, info), "clipped": clipped},
        }
        if self._use_screen:
            return self._processor(self._screen, coords), completed
        return self._padded(observation), completed

    def _rendered(self) -> np.ndarray:
        rendered = self.env.render()
        if rendered is None and self._screen is not None:
            return self._screen
        screen = np.array(rendered, order="C")
        if screen.dtype != np.uint8 or screen.ndim != 3 or screen.shape[2] != 3:
            got = "None" if rendered is None else f"{screen.dtype} {screen.shape}"
            raise UserError(
                f"render() of {name_of(self.env)} returned {got}, expected an RGB screen: uint8 "
                "(height, width, 3)"
            )
        return screen

    def _new_processor(self, screen_shape: tuple[int, int]) -> ScreenProcessor:
        try:
            return ScreenProcessor(screen_shape, self.grid_shape, **self._options)
        except ValueError as error:
            (height, width), (rows, cols) = screen_shape, self.grid_shape
            raise UserError(
                f"the screen of {name_of(self.env)} has {height} x {width} pixels, too few for a "
                f"grid of {rows} x {cols} cells: expected at least one for each cell"
            ) from error

    def _padded_space(self) -> gymnasium.spaces.Box:
        """Return the space of the environment's own frames, filled up as the grid is."""
        space = self.env.observation_space
        shape = tuple(PIXELS_PER_CELL * size for size in self.grid_shape)
        if (
            not isinstance(space, gymnasium.spaces.Box)
            or space.dtype != np.uint8
            or len(space.shape) != 3
            or space.shape[:2] != shape
        ):
            rows, cols = self.grid_shape
            raise UserError(
                f"{name_of(self.env)}: observations are {space}, expected a Box of uint8 "
                f"({shape[0]}, {shape[1]}, channels), 2 x 2 pixels for each cell of the {rows} x "
                f"{cols} grid, or use_screen=True"
            )
        rows, cols = self.coords_shape
        padded = (PIXELS_PER_CELL * rows, PIXELS_PER_CELL * cols, space.shape[2])
        return gymnasium.spaces.Box(0, 255, padded, np.uint8)

    def _padded(self, observation: np.ndarray) -> np.ndarray:
        space = self.env.observation_space
        if not isinstance(observation, np.ndarray) or observation not in space:
            got = getattr(observation, "dtype", type(observation).__name__)
            raise UserError(
                f"{name_of(self.env)}: observation is {got} {np.shape(observation)}, expected "
                f"uint8 {space.shape}"
            )
        if observation.shape == self.observation_space.shape:
            return observation
        frame = np.zeros(self.observation_space.shape, np.uint8)
        frame[: observation.shape[0], : observation.shape[1]] = observation
        return frame

    def _coords(self, observation: Any, info: dict[str, Any]) -> tuple[np.ndarray, bool]:
        """Return (row, col, window) on the grid, and whether it had to be clipped."""
        place = self._numbers("coords", self._locate(self.env, observation, info), (2, 3))
        rows, cols = self.grid_shape
        window = place[2] if len(place) == 3 else 0
        row = min(max(place[0], 0), rows - 1)
        col = min(max(place[1], window), window + cols - 1)
        return np.array((row, col, window), np.int64), [row, col] != place[:2]

    def _position(self, observation: Any, info: dict[str, Any], coords: np.ndarray) -> np.ndarray:
        if self._locate_position is not None:
            place = self._locate_position(self.env, observation, info)
            return np.array(self._numbers("position", place, (2,)), np.int64)
        pixels, cells, place = self._processor.screen_shape, self.grid_shape, coords[:2].tolist()
        # In cells of hardly more than a pixel the middle is rounded down to its first pixel.
        middle = [
            max((2 * index + 1) * size // (2 * count), -(-index * size // count))
            for index, size, count in zip(place, pixels, cells, strict=True)
        ]
        return np.array(middle, np.int64)

    def _told(self, observation: Any, info: dict[str, Any]) -> dict[str, Any]:
        """Return what the environment tells of room, distance and completion."""
        told: dict[str, Any] = dict(_ours(info))
        if self._tell_room is not None:
            room = self._tell_room(self.env, observation, info)
            (told["room"],) = self._numbers("room", (room,), (1,), 0, MAX_ROOM)
        if self._tell_distance is not None:
            distance = self._tell_distance(self.env, observation, info)
            if distance is not None:
                (told["distance"],) = self._numbers("distance", (distance,), (1,))
        if self._tell_completed is not None:
            completed = self._tell_completed(self.env, observation, info)
            if not isinstance(completed, (bool, np.bool_)):
                raise UserError(
                    f"completed of {name_of(self.env)}: got {completed!r}, expected True or False"
                )
            told["completed"] = bool(completed)
        return told

    def _numbers(
        self,
        what: str,
        values: Sequence[float],
        lengths: tuple[int, ...],
        minimum: int = -MAX_NUMBER,
        maximum: int = MAX_NUMBER,
    ) -> list[int]:
        try:
            numbers = [math.floor(value) for value in values]
        except (TypeError, ValueError, OverflowError):
            numbers = []
        if len(numbers) not in lengths or not all(minimum <= n <= maximum for n in numbers):
            got = values[0] if lengths == (1,) else values
            raise UserError(
                f"{what} of {name_of(self.env)}: got {got!r}, expected {EXPECTED[what]}"
            )
        return numbers


def _ours(info: Any) -> Any:
    """Return what a world's `info` has for Q-map, an empty dictionary where it has nothing."""
    ours = info.get("qmap") if isinstance(info, dict) else None
    return {} if ours is None else ours
