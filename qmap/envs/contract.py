"""What an environment must keep so that Q-map can be trained on it, and how that is checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from qmap.utils.errors import UserError


def check_contract(env: gymnasium.Env) -> None:
    """Check that Q-map can be trained on an environment, by one `reset` and one `step`.

    Raises:
        UserError: the environment has no goal grid, its actions or observations are of another
            kind, or its `info` lacks coordinates or has some that are not on the grid.
    """
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
    observation, info = env.reset()
    _check_moment(name, "reset", observation, info, space, coords_shape)
    observation, _, _, _, info = env.step(0)
    _check_moment(name, "step", observation, info, space, coords_shape)


def _check_moment(
    name: str,
    method: str,
    observation: Any,
    info: dict[str, Any],
    space: gymnasium.spaces.Box,
    coords_shape: tuple[int, int],
) -> None:
    where = f"{name}, {method}()"
    if not isinstance(observation, np.ndarray) or observation not in space:
        got = f"{getattr(observation, 'dtype', type(observation).__name__)} {np.shape(observation)}"
        raise UserError(f"{where}: observation is {got}, expected uint8 {space.shape}")
    for key, meaning in (("coords", "(row, col, window)"), ("position", "(row, col)")):
        if key not in info:
            raise UserError(
                f"{where}: info has no '{key}', expected {meaning}; "
                "qmap.envs.wrappers.GoalGrid adds it"
            )
        value = info[key]
        if (
            not isinstance(value, np.ndarray)
            or value.dtype != np.int64
            or value.shape != (1 + meaning.count(","),)
        ):
            raise UserError(f"{where}: info['{key}'] is {value!r}, expected int64 {meaning}")
    row, col, window = info["coords"]
    if not (0 <= row < coords_shape[0] and 0 <= col - window < coords_shape[1]):
        raise UserError(
            f"{where}: info['coords'] is row {row}, column {col}, window {window}, expected to be "
            f"on the grid of {coords_shape}; qmap.envs.wrappers.GoalGrid clips to it"
        )
    if not isinstance(info.get("room"), (int, np.integer)):
        raise UserError(f"{where}: info['room'] is {info.get('room')!r}, expected an int")


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
