"""Copies of an environment that are saved: how they go on."""

from __future__ import annotations

import random
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from dice import Dice, SavedDice, go, open_envs, places, written
from gymnasium import wrappers

from qmap.envs.vector import Envs, warn_of_losses

pytestmark = pytest.mark.usefixtures("no_worker_stays")


class GlobalDice(SavedDice):
    """Draws from the generators that everybody shares, the number of its sides to begin with."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = random.randrange(10**6)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        frame, info = super().reset(seed=seed)
        return frame, {**info, "position": self.throw()}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        *rest, info = super().step(action)
        return (*rest, {**info, "position": self.throw()})

    def throw(self) -> np.ndarray:
        return np.array((self.sides, random.randrange(10**6) + np.random.randint(10**6)))  # noqa: NPY002


class LateTrouble(SavedDice):
    """A world whose state can be saved for two steps."""

    def save_state(self) -> dict[str, Any]:
        if self.t > 2:
            raise OSError("the simulator's disk is full")
        return super().save_state()


def limited(kind: type[Dice]) -> gymnasium.Env:
    return wrappers.TimeLimit(wrappers.NormalizeReward(kind()), 9)


@pytest.mark.parametrize("n_envs", [1, 2])
def test_saved_worlds_go_on_with_their_luck_and_their_wrappers(tmp_path: Path, n_envs: int) -> None:
    make = partial(limited, SavedDice)
    with closing(open_envs(make, n_envs, seeds=range(3, 3 + n_envs))) as one:
        one.reset()
        go(one, 4)
        state = written(one.state(), tmp_path)
        expected = go(one, 5)
        with closing(open_envs(make, n_envs, seeds=[0] * n_envs)) as other:
            restored = other.restore(state)
            assert not restored.begun.any()
            assert restored.view is None
            got = go(other, 5)
        for step, wanted in zip(got, expected, strict=True):
            assert step.view.coords.tolist() == wanted.view.coords.tolist()
            assert step.rewards.tolist() == wanted.rewards.tolist()
            assert step.truncations.tolist() == wanted.truncations.tolist()
        assert expected[-1].truncations.all(), "the limit is reached"
        assert not expected[-2].truncations.any()


@pytest.mark.parametrize("n_envs", [1, 2])
def test_an_episode_that_cannot_be_saved_any_more_costs_itself_and_not_the_snapshot(
    tmp_path: Path, n_envs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_envs(LateTrouble, n_envs)) as one:
        one.reset()
        go(one, 2)
        assert all(state["world"] is not None for state in one.state().values())
        go(one, 1)
        state = written(one.state(), tmp_path)
        told = capsys.readouterr().err
        assert told.count("the episode cannot be saved, OSError: the simulator's disk") == n_envs
        expected = one.restart(np.ones(n_envs, bool))
    with closing(open_envs(LateTrouble, n_envs, seeds=[9] * n_envs)) as other:
        restored = other.restore(state)
        assert restored.begun.all()
        assert places([restored.view]) == places([expected])


@pytest.mark.parametrize("n_envs", [1, 2])
def test_worlds_that_draw_from_global_generators_have_luck_of_their_own_that_goes_on(
    tmp_path: Path, n_envs: int
) -> None:
    seeds = range(3, 3 + n_envs)

    def luck(envs: Envs, steps: int) -> list[list[list[int]]]:
        return [step.view.positions.tolist() for step in go(envs, steps)]

    with closing(open_envs(GlobalDice, n_envs, seeds=seeds)) as one:
        one.reset()
        first = luck(one, 4)
        state = written(one.state(), tmp_path)
        expected = luck(one, 5)
    with closing(open_envs(GlobalDice, n_envs, seeds=seeds)) as other:
        random.random()  # somebody else draws
        other.restore(state)
        assert luck(other, 5) == expected
    for number, seed in enumerate(seeds):
        with closing(open_envs(GlobalDice, seeds=[seed])) as alone:
            alone.reset()
            assert [step[0] for step in luck(alone, 4)] == [step[number] for step in first]
    assert len({sides for sides, _ in first[0]}) == n_envs


def test_worlds_that_cannot_be_saved_begin_the_next_episode_of_their_luck(tmp_path: Path) -> None:
    make = partial(limited, Dice)
    with closing(open_envs(make)) as one:
        one.reset()
        go(one, 4)
        state = written(one.state(), tmp_path)
        expected = [one.restart(np.array([True])), *(step.view for step in go(one, 9))]
        truncated = go(one, 1)[-1].truncations
    with closing(open_envs(make, seeds=[8])) as other:
        restored = other.restore(state)
        assert restored.begun.tolist() == [True]
        assert places([restored.view, *(step.view for step in go(other, 8))]) == places(
            expected[:9]
        )
        assert go(other, 1)[-1].truncations.all()
    assert truncated.all()


class Counter(gymnasium.Wrapper):
    """Keeps what nobody saves."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self.steps = 0
        self.scale = 3.0

    def step(self, action: int) -> Any:
        self.steps += 1
        return self.env.step(action)


class Scale(gymnasium.RewardWrapper):
    """Keeps nothing but a constant."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self.scale = np.array([2.0])

    def reward(self, reward: float) -> float:
        return 2 * reward


class SavedCounter(Counter):
    def save_state(self) -> int:
        return self.steps

    def restore_state(self, state: int) -> None:
        self.steps = state


def wrapped() -> gymnasium.Env:
    env = wrappers.OrderEnforcing(wrappers.PassiveEnvChecker(Dice()))
    return Scale(SavedCounter(Counter(wrappers.RecordEpisodeStatistics(env))))


def test_wrappers_whose_state_is_not_saved_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(open_envs(wrapped)) as envs:
        assert envs.forgetful == ("Counter",)
        warn_of_losses(envs)
        assert "Counter of Dice cannot be saved" in capsys.readouterr().err
        envs.reset()
        go(envs, 4)
        state = envs.state()
    with closing(open_envs(wrapped)) as envs:
        envs.restore(state)
        again = envs.state()
    assert again["00"]["wrappers"]["1"] == 4
