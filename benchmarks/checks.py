"""What the checks of the contract cost at each step of Montezuma's Revenge, the fastest game.

After every step what it returned is taken over, once with the checks and once without, in turns:
so the ratio means something on a machine that is shared with others.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from qmap.config import TrainingConfig
from qmap.envs.contract import Moment, check_contract
from qmap.envs.vector import Envs
from qmap.envs.worker import Copy, Seen, Stepped
from qmap.train_montezuma import make_experiment

# What a step of the environment returned.
Returned = tuple[np.ndarray, Any, bool, bool, dict[str, Any]]


class Replayed:
    """An environment whose step has been taken already."""

    returned: Returned

    def step(self, action: int) -> Returned:
        """Return what was returned."""
        return self.returned

    def close(self) -> None:
        """There is nothing to close."""


class Unchecked(Copy):
    """Takes over what a step returns, whatever it may be."""

    def step(self, action: int, screen: bool) -> Stepped:
        """Take an action."""
        self.steps += 1
        observation, reward, terminated, truncated, info = self.env.step(action)
        return Stepped(self._seen(observation, info, screen), reward, terminated, truncated)

    def _seen(self, observation: Any, info: Any, screen: bool) -> Seen:
        coords, position = tuple(info["coords"].tolist()), tuple(info["position"].tolist())
        room = info["qmap"]["room"]
        return Seen(Moment(observation, coords, position, room, None, False, False), None)


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(steps: int) -> dict[str, float]:
    """Return medians over the steps in microseconds: of the step, and of what is done with it."""
    make_env = make_experiment(TrainingConfig()).make_env
    envs = Envs(make_env, 1, seeds=[0], timeout=60.0)
    env, replayed = make_env(), Replayed()
    world = check_contract(env)
    copies = {"checked": Copy(replayed, world, ""), "unchecked": Unchecked(replayed, world, "")}
    measured: dict[str, list[float]] = {name: [] for name in ("step", *copies, "alarm")}
    action = np.zeros(1, np.int64)
    alarm = envs._alarm

    def step() -> None:
        replayed.returned = env.step(len(measured["step"]) % envs.n_actions)

    def ring() -> None:
        with alarm:
            pass

    env.reset(seed=0)
    for number in range(steps):
        measured["step"].append(seconds(step))
        # A second one finds everything in the processor's caches: there is only one a step.
        name = list(copies)[number % 2]
        envs._copy = copies[name]
        measured[name].append(seconds(lambda: envs.step(action)))
        measured["alarm"].append(seconds(ring))
        if any(replayed.returned[2:4]):
            env.reset()
    envs.close()
    return {name: 1e6 * float(np.median(each)) for name, each in measured.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checks", description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000, help="steps (default 20000)")
    found = measure(parser.parse_args().steps)
    checks = found["checked"] - found["unchecked"]
    print(f"a step {found['step']:.1f} us; checked {found['checked']:.2f} us, unchecked ", end="")
    print(f"{found['unchecked']:.2f} us: {checks / found['step']:.2%} of a step; ", end="")
    print(f"the alarm {found['alarm']:.2f} us: {found['alarm'] / found['step']:.2%}")


if __name__ == "__main__":
    main()
