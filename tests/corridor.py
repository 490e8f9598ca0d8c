"""A corridor for the tests of demonstrations: coins on the way, and a pit at the left end."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

LENGTH = 12
COINS = (4, 8, 11)
LIMIT = 200


class Corridor(gymnasium.Env):
    """Twelve cells; stepping on a coin for the first time gets 2, on the last one ends it."""

    metadata = {"render_modes": ["rgb_array"]}
    action_space = spaces.Discrete(3)
    action_names = ("LEFT", "NOOP", "RIGHT")
    observation_space = spaces.Box(0, 255, (8, 2 * LENGTH, 1), np.uint8)
    coords_shape = (4, LENGTH)

    def __init__(self, render_mode: str | None = "rgb_array") -> None:
        self.render_mode = render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.cell, self.coins, self.steps = 1, set(COINS), 0
        return self.frame(), self.info()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.cell += action - 1
        self.steps += 1
        reward = 2.0 * (self.cell in self.coins)
        self.coins.discard(self.cell)
        over = self.cell in (0, LENGTH - 1)
        return self.frame(), reward, over, self.steps >= LIMIT, self.info()

    def frame(self) -> np.ndarray:
        frame = np.zeros((8, 2 * LENGTH, 1), np.uint8)
        frame[2:4, 2 * self.cell : 2 * self.cell + 2] = 255
        return frame

    def info(self) -> dict[str, Any]:
        return {
            "coords": np.array((1, self.cell, 0)),
            "position": np.array((1, self.cell)),
            "qmap": {"completed": self.cell == LENGTH - 1},
        }

    def render(self) -> np.ndarray:
        return self.frame().repeat(3, axis=2)

    def save_state(self) -> dict[str, Any]:
        return {"cell": self.cell, "coins": sorted(self.coins), "steps": self.steps}

    def restore_state(self, state: dict[str, Any]) -> None:
        self.cell, self.coins, self.steps = state["cell"], set(state["coins"]), state["steps"]


class Forgetful(Corridor):
    """Restores everything but the coins that were taken."""

    def restore_state(self, state: dict[str, Any]) -> None:
        super().restore_state({**state, "coins": COINS})

    def save_state(self) -> dict[str, Any]:
        return {**super().save_state(), "coins": list(COINS)}


class Stateless(Corridor):
    """Cannot be saved."""

    save_state = property()
    restore_state = property()


def make(render_mode: str | None = None) -> gymnasium.Env:
    return Corridor(render_mode)


def forgetful(render_mode: str | None = None) -> gymnasium.Env:
    return Forgetful(render_mode)


def stateless(render_mode: str | None = None) -> gymnasium.Env:
    return Stateless(render_mode)


class Lucky(Corridor):
    """Coins are worth what chance says."""

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        frame, reward, *rest = super().step(action)
        return frame, reward and reward + float(self.np_random.integers(9)), *rest


class Rich(Corridor):
    """Coins are worth more, to more digits."""

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        frame, reward, *rest = super().step(action)
        return frame, reward and 1234567.8912, *rest


class Brittle(Corridor):
    """Breaks at its third step."""

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if self.steps == 2:
            raise RuntimeError("it broke")
        return super().step(action)


def brittle(render_mode: str | None = None) -> gymnasium.Env:
    return Brittle(render_mode)


def rich(render_mode: str | None = None) -> gymnasium.Env:
    return Rich(render_mode)


def lucky(render_mode: str | None = None) -> gymnasium.Env:
    return Lucky(render_mode)
