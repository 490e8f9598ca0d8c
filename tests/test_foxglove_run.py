"""Foxglove Run as an environment: how it is died in, scored in and finished, on the real ROM."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from qmap.agents.q_map import all_goals_targets
from qmap.envs.foxglove_run import FOXGLOVE_RUN as GAME
from qmap.envs.game import all_hold
from qmap.envs.mario import MarioEnv

DATA = Path(__file__).parent / "data"
ACTIONS = tuple(GAME.actions)

# The state before something happened, and the action with which it did.
Moment = tuple[dict[str, np.ndarray], int]


@pytest.fixture
def env() -> Iterator[MarioEnv]:
    env = MarioEnv("foxglove", render_mode="rgb_array")
    env.reset()
    yield env
    env.close()


def script(name: str) -> list[int]:
    """Return the actions of a player who was told what to do, one an agent step."""
    return np.load(DATA / f"foxglove_level_{name}_actions.npy", allow_pickle=False).tolist()


def what_happened(before: dict[str, int], after: dict[str, int], over: bool, row: int) -> str:
    if over and row >= 224:
        return "pit"
    if over:
        return "enemy"
    if after["coins"] > before["coins"]:
        return "coin"
    if after["score"] > before["score"]:
        return "stomp"
    return ""


@pytest.fixture(scope="module")
def moments() -> dict[str, Moment]:
    """When each thing happens for the first time to players who were told what to do."""
    found: dict[str, Moment] = {}
    env = MarioEnv("foxglove")
    try:
        for name in ("1_1_pit", "1_1_enemy", "1_1_stomp"):
            env.reset()
            for action in script(name):
                state, before = env.save_state(), env.emulator.values()
                _, _, over, _, info = env.step(action)
                happened = what_happened(
                    before, env.emulator.values(), over, int(info["position"][0])
                )
                found.setdefault(happened, (state, action))
                if over:
                    break
    finally:
        env.close()
    return found


def live(env: MarioEnv, moment: Moment) -> tuple[np.ndarray, float, bool, bool, dict]:
    state, action = moment
    env.restore_state(state)
    return env.step(action)


def test_falling_into_a_pit_ends_the_episode(env: MarioEnv, moments: dict[str, Moment]) -> None:
    _, reward, terminated, truncated, info = live(env, moments["pit"])
    assert (reward, terminated, truncated, info["qmap"]["completed"]) == (0.0, True, False, False)
    assert info["position"][0] >= 224
    assert info["coords"][0] == 27


def test_falling_out_of_the_grid_ends_the_episode_whatever_the_game_says(
    env: MarioEnv, moments: dict[str, Moment]
) -> None:
    env.game = dataclasses.replace(GAME, dead={})
    _, _, terminated, _, info = live(env, moments["pit"])
    assert terminated
    assert 224 <= info["position"][0] < 232, "it did not end in the frame in which it fell out"


def test_touching_an_enemy_ends_the_episode(env: MarioEnv, moments: dict[str, Moment]) -> None:
    _, _, terminated, truncated, info = live(env, moments["enemy"])
    assert (terminated, truncated, info["qmap"]["completed"]) == (True, False, False)
    assert env.emulator.values()["engine_state"] == 1
    assert info["position"][0] < 224


def test_jumping_on_an_enemy_scores_and_bounces(env: MarioEnv, moments: dict[str, Moment]) -> None:
    env.restore_state(moments["stomp"][0])
    score = env.emulator.values()["score"]
    _, reward, terminated, _, before = env.step(moments["stomp"][1])
    assert reward == pytest.approx((before["score"] - score) / 100)
    assert reward > 0
    assert not terminated
    _, _, terminated, _, after = env.step(ACTIONS.index("NOOP"))
    assert not terminated
    assert after["position"][0] < before["position"][0], "the fox does not bounce"


def test_a_coin_is_worth_its_points(env: MarioEnv, moments: dict[str, Moment]) -> None:
    env.restore_state(moments["coin"][0])
    before = env.emulator.values()
    _, reward, _, _, _ = env.step(moments["coin"][1])
    after = env.emulator.values()
    assert after["coins"] > before["coins"]
    assert reward == pytest.approx((after["score"] - before["score"]) / 100)
    assert reward > 0


@pytest.mark.parametrize("level", list(GAME.levels))
def test_a_scripted_player_finishes_the_level(level: str) -> None:
    env = MarioEnv("foxglove", level=level)
    try:
        _, info = env.reset()
        rewards, terminated = [], False
        for action in script(level.replace(".", "_")):
            assert not info["qmap"]["completed"]
            score = info["score"]
            _, reward, terminated, truncated, info = env.step(action)
            rewards.append(reward)
            if terminated or truncated:
                break
        assert (terminated, truncated, info["qmap"]["completed"]) == (True, False, True), info
        assert rewards[-1] == pytest.approx((info["score"] - score + 5000) / 100)
        assert sum(rewards) == pytest.approx((info["score"] + 5000) / 100)
        assert info["qmap"]["distance"] > 1900
    finally:
        env.close()


def test_targets_keep_a_goal_where_it_is_in_the_level(env: MarioEnv) -> None:
    """A goal in the next window is learned about at the same place in the window before it."""
    _, info = env.reset()
    scrolled = 0
    for action in script("1_1")[:200]:
        window = info["coords"][2]
        _, _, terminated, _, info = env.step(action)
        row, column, next_window = (int(value) for value in info["coords"])
        shift = next_window - int(window)
        goal_row, goal_column = 3, next_window + 14
        next_q = np.zeros((1, *env.coords_shape), np.float32)
        next_q[0, goal_row, goal_column - next_window] = 0.5
        targets, _ = all_goals_targets(
            *(
                tf.constant(each)
                for each in (
                    next_q,
                    np.array([[row]], np.int32),
                    np.array([[column - next_window]], np.int32),
                    np.array([[shift]], np.int32),
                    np.array([[terminated]], np.float32),
                    np.array([1], np.int32),
                )
            ),
            0.9,
        )
        (target,) = targets.numpy()
        assert target[goal_row, goal_column - window] == pytest.approx(0.45)
        assert target[row, column - window] == 1.0
        scrolled += shift
    assert scrolled > 10


@pytest.mark.parametrize("level", list(GAME.levels))
def test_every_level_can_be_run_into(level: str) -> None:
    env = MarioEnv("foxglove", level=level)
    try:
        _, info = env.reset()
        values = env.emulator.values()
        assert f"{values['world']}.{values['level']}" == level
        assert all_hold(values, GAME.recording.playing)
        assert info["coords"][2] == 0
        start = info["qmap"]["distance"]
        for step in range(60):
            action = "JUMP+RIGHT" if step % 12 < 6 else "RIGHT"
            _, _, over, _, info = env.step(ACTIONS.index(action))
            if over:
                break
        assert info["qmap"]["distance"] > start + 50
    finally:
        env.close()


def test_levels_look_different() -> None:
    screens = []
    for level in GAME.levels:
        env = MarioEnv("foxglove", level=level, render_mode="rgb_array")
        env.reset()
        screens.append(env.render())
        env.close()
    for one in range(4):
        for other in range(one):
            assert np.mean(screens[one] != screens[other]) > 0.2


def test_the_rom_is_at_most_128_kib() -> None:
    assert GAME.find_rom(GAME.find_folder()).stat().st_size <= 128 * 1024
