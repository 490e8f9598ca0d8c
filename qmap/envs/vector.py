"""Copies of an environment side by side: one in this process, several in a process each."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import TimeLimit

from qmap.envs.contract import check_contract, name_of
from qmap.utils.errors import UserError

MakeEnv = Callable[[], gymnasium.Env]


def make_vector(make_env: MakeEnv, n_envs: int) -> VectorEnv:
    """Return `n_envs` copies of an environment behind Gymnasium's vector interface.

    Episodes are not started anew by themselves: `reset(options={"reset_mask": mask})` does that.
    Screens are added to `info` where `recording` is set, see `ScreenInInfo`.

    Args:
        make_env: makes one environment, with `render_mode="rgb_array"`.
        n_envs: number of copies. A single one lives in this process; several live in a worker
            process each, because an emulator may allow only one in a process.

    Raises:
        UserError: the environment does not keep the project's contract.
    """
    make = [partial(_make_slot, make_env, index) for index in range(n_envs)]
    if n_envs == 1:
        envs = SyncVectorEnv(make, autoreset_mode=AutoresetMode.DISABLED)
        try:
            check_contract(envs.envs[0])
        except BaseException:
            envs.close()
            raise
        return envs
    probe = make_env()
    try:
        check_contract(probe)
    finally:
        probe.close()
    return AsyncVectorEnv(make, autoreset_mode=AutoresetMode.DISABLED, context="spawn")


class ScreenInInfo(gymnasium.Wrapper):
    """Adds the rendered screen to `info["screen"]` while `recording` is True.

    In a vector environment, some copies can be told to record: `envs.set_attr("recording",
    [True, False])`. The first screen is that of the next `reset` or `step`.

    Args:
        env: An environment made with `render_mode="rgb_array"`.

    Raises:
        UserError: the environment was made with another render mode.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        if env.render_mode != "rgb_array":
            raise UserError(
                f"{name_of(env)} has render_mode={env.render_mode!r}, expected 'rgb_array', to "
                "record its screen: give it to gymnasium.make"
            )
        self.recording = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and, while recording, add its screen."""
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, self._with_screen(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment and, while recording, add its screen."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, self._with_screen(info)

    def _with_screen(self, info: dict[str, Any]) -> dict[str, Any]:
        return {**info, "screen": self.env.render()} if self.recording else info


class Slot(ScreenInInfo):
    """One of several copies: it knows its number, and so which state is meant for it."""

    def __init__(self, env: gymnasium.Env, index: int) -> None:
        super().__init__(env)
        self.index = index

    def save_slot(self) -> dict[str, Any] | None:
        """Return the environment's state, None if it has no `save_state`."""
        env = self.env.unwrapped
        if not hasattr(env, "save_state"):
            return None
        return {
            "env": env.save_state(),
            "generator": env.np_random.bit_generator.state,
            "elapsed": [limit._elapsed_steps for limit in self._time_limits()],
        }

    def restore_slot(self, states: list[dict[str, Any] | None]) -> bool:
        """Continue from this copy's own state in the list of all; False if there is none."""
        state = states[self.index]
        if state is None:
            return False
        env = self.env.unwrapped
        env.restore_state(state["env"])
        env.np_random.bit_generator.state = state["generator"]
        for limit, elapsed in zip(self._time_limits(), state["elapsed"], strict=True):
            limit._elapsed_steps = elapsed
        return True

    def _time_limits(self) -> list[TimeLimit]:
        """Return the time limits, of which Gymnasium offers no way to save how far they are."""
        env, limits = self.env, []
        while isinstance(env, gymnasium.Wrapper):
            limits += [env] * isinstance(env, TimeLimit)
            env = env.env
        return limits

    def screen(self) -> np.ndarray:
        """Return the screen as it is now."""
        return self.env.render()


def close_vector(envs: VectorEnv) -> None:
    """Close the environments; no worker process outlives this, also where one has died."""
    try:
        envs.close()
    except (EOFError, OSError):
        pass  # a worker that has died does not answer
    finally:
        for process in getattr(envs, "processes", ()):
            process.kill()


def _make_slot(make_env: MakeEnv, index: int) -> gymnasium.Env:
    if multiprocessing.parent_process() is not None:
        # What stops the training may reach workers too (Ctrl-C does); they must live until it has
        # saved their state. They end when it does, because then their pipe is closed.
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
    return Slot(make_env(), index)


def masked(info: dict[str, Any], key: str, mask: np.ndarray) -> np.ndarray:
    """Return `info[key]` of the environments in `mask`, as one array."""
    return np.stack([np.asarray(value) for value in np.asarray(info[key])[mask]])
