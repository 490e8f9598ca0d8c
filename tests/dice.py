"""Worlds of dice for the tests of copies, and what these tests do with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import psutil

from qmap.envs.vector import Envs, Step, View
from qmap.utils import checkpoint

N_SIDES = 4


class Dice(gymnasium.Env):
    """A world whose future is in its generator alone; `trouble` changes what a step returns."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    observation_space = gymnasium.spaces.Box(0, 255, (8, 8, 1), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)
    coords_shape = (N_SIDES, N_SIDES)
    action_names = ("a", "b")
    render_mode = "rgb_array"

    def __init__(self, trouble: Callable[[Dice], Any] | None = None, at: int = 3) -> None:
        self.trouble = trouble
        self.at = at
        self.t = 0

    def look(self) -> tuple[np.ndarray, dict[str, Any]]:
        row, col = self.np_random.integers(N_SIDES, size=2)
        place = {"coords": np.array((row, col, 0)), "position": np.array((row, col))}
        return np.full((8, 8, 1), row * 8 + col, np.uint8), place

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        return self.look()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.t += 1
        frame, info = self.look()
        reward = float(action)
        if self.trouble and self.t == self.at:
            reward = self.trouble(self)
        return frame, reward, False, False, info

    def render(self) -> np.ndarray:
        return np.full((8, 8, 3), self.t, np.uint8)


class SavedDice(Dice):
    def save_state(self) -> dict[str, Any]:
        return {"t": self.t}

    def restore_state(self, state: dict[str, Any]) -> None:
        self.t = state["t"]


def hangs(world: Dice) -> float:
    time.sleep(10_000)
    return 0.0


def open_envs(make: Callable[[], gymnasium.Env], n_envs: int = 1, **options: Any) -> Envs:
    return Envs(make, n_envs, **{"seeds": range(n_envs), "timeout": 60, **options})


def go(envs: Envs, steps: int) -> list[Step]:
    return [envs.step(np.arange(envs.n_envs) % 2) for _ in range(steps)]


def places(views: list[View]) -> list[list[list[int]]]:
    return [view.coords.tolist() for view in views]


def written(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    checkpoint.save(folder / "file", "snapshot", state)
    return checkpoint.load(folder / "file", "snapshot")


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    return [child for child in process.children() if "spawn_main" in command(child)]


def command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
