"""What an environment must keep so that Q-map can be trained on it, and how that is checked.

`reset` and `step` return one frame, uint8 (height, width, channels), rewards that are finite
numbers, also in 32 bits, and flags that are booleans. `info` holds:

- `coords`, int64 (3,): row and column on the goal grid of the whole world, and the column of the
  grid at which the screen starts;
- `position`, int64 (2,): row and column at full resolution;
- `qmap`, a dictionary that may be missing, and all of whose keys may be: `room`, an int from 0 to
  2**20 - 1 (default 0); `distance`, an int: the farthest pixel column of the episode;
  `completed`, a bool: the level was finished (default False); `clipped`, a bool: the coordinates
  were off the grid and had to be moved to it (default False).

Other keys of `info` are never read. An environment whose runs are to go on exactly where they
stopped also has `save_state()` and `restore_state(state)`; what may be in a state is told by
`qmap.envs.saving.pack`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from qmap.envs import saving
from qmap.utils.errors import UserError

MAX_ROOM = 2**20 - 1
MIN_INT64, MAX_INT64 = -(2**63), 2**63 - 1
MAX_REWARD = float(np.finfo(np.float32).max)
OURS = {"room", "distance", "completed", "clipped"}
UINT8, INT64 = np.dtype(np.uint8), np.dtype(np.int64)


class EnvironmentFailure(UserError):
    """An environment raised an exception, never answered, or its process died.

    Attributes:
        copy: number of the copy, from 0.
    """

    def __init__(self, message: str, copy: int = 0, traceback: str = "") -> None:
        super().__init__(message, traceback)
        self.copy = copy


class World(NamedTuple):
    """What is the same in all copies of an environment, and at every moment.

    Attributes:
        name: by which the user knows it.
        frame_shape: (height, width, channels) of an observation.
        coords_shape: (rows, cols) of the goal grid.
        action_names: one for each action.
        cell_shape: (height, width) of a goal cell in pixels of the screen.
        forgetful: names of the wrappers that have a state which is not saved.
    """

    name: str
    frame_shape: tuple[int, int, int]
    coords_shape: tuple[int, int]
    action_names: tuple[str, ...]
    cell_shape: tuple[float, float] = (1.0, 1.0)
    forgetful: tuple[str, ...] = ()


class Moment(NamedTuple):
    """What one copy shows at one moment, checked; see `View` for the meanings."""

    frame: np.ndarray
    coords: tuple[int, int, int]
    position: tuple[int, int]
    room: int
    distance: int | None
    completed: bool
    clipped: bool


def check_contract(env: gymnasium.Env) -> World:
    """Check that Q-map can be trained on an environment, by playing a step or two in it.

    Its state is saved and restored too, so that this is not tried for the first time hours later.
    The environment has been disturbed then: train in another one.

    Raises:
        UserError: the environment has no goal grid, its actions or observations are of another
            kind, what it returns is not as expected, or its state cannot be saved or restored.
    """
    world = _described(env)
    before = saving.traces(env)
    observation, info = env.reset(seed=0)
    check_moment(f"{world.name}, reset()", world, observation, info)
    ended = _play(env, world)
    _check_states(env, world, ended)
    return world._replace(forgetful=saving.changed(before, saving.traces(env)))


def check_screen(env: gymnasium.Env) -> tuple[float, float]:
    """Check that an environment that has been reset renders its screen.

    Returns:
        (height, width) of a goal cell in pixels of the screen: the environment's `cell_shape` if
        it has one, else as if the goal grid covered the screen.

    Raises:
        UserError: it was made with another render mode, or renders something else.
    """
    if env.render_mode != "rgb_array":
        raise UserError(
            f"{name_of(env)} has render_mode={env.render_mode!r}, expected 'rgb_array', to show "
            "and record its screen: give it to gymnasium.make"
        )
    height, width = checked_screen(name_of(env), env.render()).shape[:2]
    rows, cols = env.get_wrapper_attr("coords_shape")
    try:
        return env.get_wrapper_attr("cell_shape")
    except AttributeError:
        return (height / rows, width / cols)


def checked_screen(where: object, screen: Any) -> np.ndarray:
    """Return what `render` returned, if it is an RGB screen; else raise `UserError`."""
    if (
        not isinstance(screen, np.ndarray)
        or screen.dtype != np.uint8
        or screen.ndim != 3
        or screen.shape[2] != 3
    ):
        raise UserError(
            f"{where}: render() returned {_kind(screen)}, expected an RGB screen: uint8 (height, "
            "width, 3)"
        )
    return screen


def check_moment(where: object, world: World, observation: Any, info: Any) -> Moment:
    """Return what Q-map needs of an observation and its `info`.

    What is as it nearly always is passes without a call: this is done at every step.

    Args:
        where: what the message begins with, as text: the world's name and when this was.
        world: what it must agree with.
        observation: what `reset` or `step` returned.
        info: likewise.

    Raises:
        UserError: something is missing or not as `World` and the contract say.
    """
    if (
        type(observation) is not np.ndarray
        or observation.dtype != UINT8
        or observation.shape != world.frame_shape
    ):
        raise UserError(
            f"{where}: observation is {_kind(observation)}, expected uint8 {world.frame_shape}"
        )
    if not isinstance(info, dict):
        raise UserError(f"{where}: info is {_short(info)}, expected a dictionary")
    coords, position = info.get("coords"), info.get("position")
    if type(coords) is not np.ndarray or coords.dtype != INT64 or coords.shape != (3,):
        raise _not_whole(where, info, "coords", "(row, col, window)")
    if type(position) is not np.ndarray or position.dtype != INT64 or position.shape != (2,):
        raise _not_whole(where, info, "position", "(row, col)")
    row, col, window = coords = tuple(coords.tolist())
    rows, cols = world.coords_shape
    if not (0 <= row < rows and 0 <= col - window < cols):
        raise UserError(
            f"{where}: info['coords'] is row {row}, column {col}, window {window}, expected to be "
            f"on the grid of {world.coords_shape}; qmap.envs.wrappers.GoalGrid clips to it"
        )
    position = tuple(position.tolist())
    if (ours := info.get("qmap")) is None:
        return Moment(observation, coords, position, 0, None, False, False)
    if type(ours) is dict and len(ours) == 1:
        room = ours.get("room")
        if type(room) is int and 0 <= room <= MAX_ROOM:
            return Moment(observation, coords, position, room, None, False, False)
    return Moment(observation, coords, position, *_extras(where, ours))


def check_reward(where: object, reward: Any) -> float:
    """Return a reward as a float; raise `UserError` if it is no finite number in 32 bits."""
    if type(reward) is float and -MAX_REWARD <= reward <= MAX_REWARD:
        return reward
    number = reward
    if isinstance(reward, (np.ndarray, np.generic)):
        number = float(reward) if reward.ndim == 0 and reward.dtype.kind in "biuf" else None
    if isinstance(number, (float, int)) and -MAX_REWARD <= number <= MAX_REWARD:
        return float(number)
    raise UserError(
        f"{where}: reward is {_short(reward)}, expected a number that is finite in 32 bits"
    )


def check_flag(where: object, name: str, flag: Any) -> bool:
    """Return a flag of a step as a bool; raise `UserError` if it is of another type."""
    if flag is True or flag is False:
        return flag
    if isinstance(flag, np.bool_):
        return bool(flag)
    raise UserError(f"{where}: {name} is {_short(flag)}, expected True or False")


def is_grid(coords_shape: Any) -> bool:
    """Whether `coords_shape` is (rows, cols), whole numbers of at least 1."""
    return (
        isinstance(coords_shape, (tuple, list))
        and len(coords_shape) == 2
        and all(isinstance(size, (int, np.integer)) and size >= 1 for size in coords_shape)
    )


def action_names(env: gymnasium.Env, default: Sequence[str]) -> tuple[str, ...]:
    """Return the names that an environment gives its actions, `default` if it gives none."""
    try:
        return tuple(env.get_wrapper_attr("action_names"))
    except AttributeError:
        return tuple(default)


def name_of(env: gymnasium.Env) -> str:
    """Return the name by which the user knows an environment."""
    return env.spec.id if env.spec is not None else type(env.unwrapped).__name__


def _described(env: gymnasium.Env) -> World:
    """Return what the environment says of itself, checked."""
    name = name_of(env)
    try:
        coords_shape = env.get_wrapper_attr("coords_shape")
    except AttributeError:
        raise UserError(
            f"{name} has no coordinates: expected coords_shape, the (rows, cols) of a goal grid, "
            "and info['coords']; qmap.envs.wrappers.GoalGrid adds both"
        ) from None
    if not is_grid(coords_shape):
        raise UserError(f"{name}: coords_shape is {coords_shape!r}, expected (rows, cols)")
    if not isinstance(env.action_space, gymnasium.spaces.Discrete) or env.action_space.start != 0:
        raise UserError(f"{name}: actions are {env.action_space}, expected Discrete, from 0")
    names = action_names(env, default=())
    if len(names) != env.action_space.n:
        raise UserError(
            f"{name}: action_names has {len(names)} names, expected {env.action_space.n}, one for "
            "each action; qmap.envs.wrappers.GoalGrid adds them"
        )
    space = env.observation_space
    if (
        not isinstance(space, gymnasium.spaces.Box)
        or space.dtype != np.uint8
        or len(space.shape) != 3
    ):
        raise UserError(
            f"{name}: observations are {space}, expected a Box of uint8 (height, width, channels); "
            "qmap.envs.wrappers.GoalGrid makes such frames"
        )
    rows, cols = coords_shape
    return World(name, tuple(space.shape), (int(rows), int(cols)), names)


def _play(env: gymnasium.Env, world: World) -> bool:
    """Check a step; return whether the episode has ended with it."""
    observation, reward, terminated, truncated, info = env.step(0)
    where = f"{world.name}, step()"
    check_moment(where, world, observation, info)
    check_reward(where, reward)
    flags = (("terminated", terminated), ("truncated", truncated))
    return any([check_flag(where, name, flag) for name, flag in flags])


def _check_states(env: gymnasium.Env, world: World, ended: bool) -> None:
    """Check that a saved state brings the environment back from where it went on to."""
    if not saving.has_states(env):
        return
    try:
        state = saving.save_world(env)
        if not ended:
            _play(env, world)
        saving.restore_world(env, state)
        again = saving.save_world(env)
    except UserError as error:
        raise UserError(f"{world.name}: {error}") from error
    except Exception as error:
        raise UserError(
            f"{world.name}: saving and restoring its state raised {type(error).__name__}: "
            f"{one_line(error)}; expected save_state(), and restore_state(state) that goes on "
            "from there"
        ) from error
    if not saving.same(state, again):
        raise UserError(
            f"{world.name}: save_state() after restore_state(state) returned another state; "
            "expected the restored one"
        )


def _extras(where: object, ours: Any) -> tuple[int, int | None, bool, bool]:
    """Return room, distance, completed and clipped of `info["qmap"]`."""
    if not isinstance(ours, dict):
        raise UserError(f"{where}: info['qmap'] is {_short(ours)}, expected a dictionary")
    room, distance, completed, clipped = 0, None, False, False
    for key, value in ours.items():
        if key == "room":
            if not (type(value) is int or _is_int(value)) or not 0 <= value <= MAX_ROOM:
                raise UserError(
                    f"{where}: info['qmap']['room'] is {_short(value)}, expected an int from 0 to "
                    f"{MAX_ROOM}"
                )
            room = int(value)
        elif key == "distance":
            if not _is_int(value) or not MIN_INT64 <= value <= MAX_INT64:
                raise UserError(
                    f"{where}: info['qmap']['distance'] is {_short(value)}, expected an int; leave "
                    "it out where there is none"
                )
            distance = int(value)
        elif key == "completed":
            completed = check_flag(where, "info['qmap']['completed']", value)
        elif key == "clipped":
            clipped = check_flag(where, "info['qmap']['clipped']", value)
        else:
            unknown = ", ".join(repr(key) for key in ours if key not in OURS)
            expected = ", ".join(sorted(OURS))
            raise UserError(f"{where}: info['qmap'] has {unknown}, expected none but {expected}")
    return room, distance, completed, clipped


def _not_whole(where: object, info: dict[str, Any], key: str, meaning: str) -> UserError:
    """Say that `info[key]` is missing or no array of whole numbers."""
    if key not in info:
        return UserError(
            f"{where}: info has no '{key}', expected {meaning}; qmap.envs.wrappers.GoalGrid adds it"
        )
    return UserError(f"{where}: info['{key}'] is {_short(info[key])}, expected int64 {meaning}")


def _is_int(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    """Return the type and shape of something, for a message."""
    kind = type(value).__name__
    if isinstance(value, (np.ndarray, np.generic)):
        return f"{value.dtype} {value.shape}"
    return f"{kind} of length {len(value)}" if isinstance(value, (list, tuple)) else kind


def _short(value: Any) -> str:
    """Return something as a message shows it: one line, not too long."""
    text = one_line(repr(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def one_line(text: Any) -> str:
    """Return the text of something in one line."""
    return " ".join(str(text).split())
