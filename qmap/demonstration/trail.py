"""A demonstration that was replayed: what was seen on the way, and states to begin from."""

from __future__ import annotations

import math
import pickle
import zlib
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from qmap.demonstration.actions_file import Demonstration, Step, checksum
from qmap.envs.chosen_actions import find_actions
from qmap.envs.contract import EnvironmentFailure
from qmap.envs.vector import Envs
from qmap.experiment import Experiment
from qmap.utils.errors import UserError
from qmap.utils.terminal import say

# Demonstrations are played in a world that was reset with this seed.
SEED = 0
# States from which the way is gone again, and for how many steps, to see that they are exact.
CHECKS, CHECKED_STEPS = 5, 20
# Rewards in files may be rounded, to nine digits in those of earlier versions.
TOLERANCE, RELATIVE_TOLERANCE = 1e-5, 1e-8


@dataclass(frozen=True)
class Trail:
    """A demonstration of some steps, each of which can be begun from.

    Attributes:
        frames: uint8 (steps, height, width, channels): on which each action was taken.
        coords: int64 (steps, 3): where the character was; row, column and window.
        actions: int64 (steps,).
        rewards: float64 (steps,).
        steps: actions and rewards as a file says them.
        states: of the world before each action, packed.
        screen_shape: (height, width, 3) of the screen.
    """

    frames: np.ndarray
    coords: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    steps: tuple[Step, ...]
    states: list[bytes]
    screen_shape: tuple[int, int, int]

    @cached_property
    def returns(self) -> np.ndarray:
        """Sum of the rewards before each action, and of all: float64 (steps + 1,)."""
        return np.concatenate([[0.0], self.rewards.cumsum()])

    def __len__(self) -> int:
        return len(self.actions)

    def state(self, step: int) -> dict[str, Any]:
        """Return what `Envs.jump` needs to go on from before an action, from 0."""
        return unpack(self.states[step])

    def behind(self, start: int, step: int, score: float, lag: int) -> bool:
        """Whether a rollout has less than the demonstration had got `lag` steps earlier.

        Args:
            start: the action before which it began.
            step: how many steps it has taken.
            score: sum of its rewards.
            lag: steps that it may be later.
        """
        at = min(start + step - lag, len(self))
        return at > start and score < self._score(start, at) - TOLERANCE

    def matched(self, start: int, score: float) -> bool:
        """Whether a rollout has scored at least as well as the demonstration from there."""
        return score >= self._score(start, len(self)) - TOLERANCE

    def check_gains(self) -> None:
        """Refuse a demonstration that from some step on gets nothing, or loses more than it gets.

        Raises:
            UserError: rollouts from there would do as well before they have begun.
        """
        left = self.returns[-1] - self.returns[:-1]
        nothing = np.flatnonzero(left <= TOLERANCE)
        if not len(nothing):
            return
        first, best = int(nothing[0]), int(self.returns.argmax())
        instead = "expected one that scores"
        if self.returns[best] > TOLERANCE:
            instead = f"end it after action {best:,}, where its score is highest"
        raise UserError(
            f"the demonstration gets {left[first]:g} from action {first + 1:,} on: there is "
            f"nothing to do as well; {instead}"
        )

    def check_deficit(self, deficit: float) -> None:
        """Refuse so many points less where the demonstration gets no more from some step on.

        Raises:
            UserError: rollouts from there would do as well before they have begun.
        """
        least = float((self.returns[-1] - self.returns[:-1]).min())
        if deficit and deficit >= least - TOLERANCE:
            raise UserError(
                f"--deficit {deficit:g}: expected less than {least:g}, the least that the "
                "demonstration gets from one of its steps on"
            )

    def _score(self, start: int, stop: int) -> float:
        return float(self.returns[stop] - self.returns[start])


def replay(demonstration: Demonstration, world: Experiment, timeout: float) -> Trail:
    """Play a demonstration in a world of its own, and check that it goes as it went.

    Args:
        demonstration: what to play.
        world: where.
        timeout: seconds that the environment may take for anything it does.

    Raises:
        UserError: it is of another world, does not replay, gets no reward, or the world cannot be
            saved and restored exactly.
    """
    path = demonstration.path
    if demonstration.world not in (None, world.name):
        raise UserError(
            f"{path} is a demonstration of {demonstration.world}, expected one of {world.name}: "
            "give --env the world that it was played in"
        )
    try:
        with closing(Envs(world.make_env, 1, seeds=[SEED], timeout=timeout)) as envs:
            trail = _walk(demonstration, envs)
            _check_states(trail, envs)
    except EnvironmentFailure as error:
        raise UserError(f"{path} does not replay: {error}") from error
    if not trail.rewards.any():
        raise UserError(
            f"{path} gets no reward in its {len(trail):,} actions: there is nothing to do as well; "
            "expected a demonstration that scores"
        )
    return _shortened(trail, path.name)


def action_numbers(demonstration: Demonstration, names: tuple[str, ...]) -> list[int]:
    """Return the number of each action: by its name, its number, or its buttons in another order.

    Args:
        demonstration: what is to be played.
        names: of the world's actions.

    Raises:
        UserError: there is no such action, or there are several.
    """
    known: dict[str, int] = {}
    for number, step in enumerate(demonstration.steps, 1):
        if step.action in known:
            continue
        found = _numbers(step.action, names)
        if len(found) != 1:
            what = f"{demonstration.path} does not replay: action {number:,} is {step.action!r}, "
            if not found:
                raise UserError(f"{what}expected one of {', '.join(names)}")
            same = " or ".join(names[each] for each in found)
            numbers = " or ".join(map(str, found))
            raise UserError(f"{what}which is {same}; give its number: {numbers}")
        known[step.action] = found[0]
    return [known[step.action] for step in demonstration.steps]


def _numbers(action: str, names: tuple[str, ...]) -> list[int]:
    """Return the numbers of the actions that a file may mean."""
    numbers = [f"{number}" for number in range(len(names))]
    if action not in names and action in numbers:
        return [numbers.index(action)]
    return find_actions(action, names)


def check_saves(envs: Envs) -> None:
    """Refuse a world without states, as it is after `reset`.

    Raises:
        UserError: it has no `save_state` and `restore_state`.
    """
    if envs.state()["00"]["world"] is None:
        raise UserError(
            f"{envs.name} has no save_state and restore_state: no episode can begin along a "
            "demonstration; expected both, see docs/environments.md"
        )


def pack(state: dict[str, Any]) -> bytes:
    """Return a state of a copy in less memory: of an SNES 25 kB in place of 600."""
    return zlib.compress(pickle.dumps(state), 1)


def unpack(packed: bytes) -> dict[str, Any]:
    """Return what was given to `pack`."""
    return pickle.loads(zlib.decompress(packed))


def _walk(demonstration: Demonstration, envs: Envs) -> Trail:
    actions = action_numbers(demonstration, envs.action_names)
    envs.recording = True
    view = envs.reset()
    frames, coords, rewards, steps, states = [], [], [], [], []
    check_saves(envs)

    def fail(number: int, step: Step, what: str) -> UserError:
        return UserError(
            f"{demonstration.path} does not replay: action {number:,} ({step.action}) {what}"
        )

    for number, (action, step) in enumerate(zip(actions, demonstration.steps, strict=True), 1):
        screen = checksum(view.screen)
        if step.screen not in (None, screen):
            raise fail(number, step, "sees another screen than it did")
        frames.append(view.frames[0])
        coords.append(view.coords[0])
        states.append(pack(envs.state()["00"]))
        view, (reward,), terminals, truncations = envs.step(np.array([action]))
        if step.reward is not None and not _same(reward, step.reward):
            raise fail(number, step, f"gets {reward:.9g}, expected {step.reward:.9g}")
        rewards.append(reward)
        steps.append(Step(envs.action_names[action], float(reward), screen))
        if (terminals | truncations).any() and number < len(actions):
            raise fail(number, step, f"ends the episode, expected {len(actions):,} actions")
    return Trail(
        np.array(frames),
        np.array(coords),
        np.array(actions),
        np.array(rewards),
        tuple(steps),
        states,
        view.screen.shape,
    )


def _same(reward: float, written: float) -> bool:
    """Whether a reward is the one in a file."""
    return math.isclose(reward, written, rel_tol=RELATIVE_TOLERANCE, abs_tol=TOLERANCE)


def _check_states(trail: Trail, envs: Envs) -> None:
    """Go some of the way again from saved states."""
    for start in np.unique(np.linspace(0, len(trail) - 1, CHECKS).astype(int)):
        envs.jump({0: trail.state(start)})
        last = min(start + CHECKED_STEPS, len(trail))
        for step in range(start, last):
            view, (reward,), *_ = envs.step(trail.actions[step : step + 1])
            seen = step + 1 == len(trail) or np.array_equal(view.frames[0], trail.frames[step + 1])
            if reward != trail.rewards[step] or not seen:
                raise UserError(
                    f"{envs.name} does not go on exactly from a saved state: action {step + 1:,} "
                    f"differs when the episode begins at action {start + 1:,}; expected "
                    "restore_state to bring back all that save_state saw"
                )


def _shortened(trail: Trail, name: str) -> Trail:
    """Return the demonstration up to its last reward."""
    length = int(np.flatnonzero(trail.rewards)[-1]) + 1
    if length < len(trail):
        say(f"{name}: the {len(trail) - length:,} actions after the last reward are left out")
    parts = ("frames", "coords", "actions", "rewards", "steps", "states")
    return replace(trail, **{name: getattr(trail, name)[:length] for name in parts})
