"""Montezuma's Revenge: the golden trace, determinism, exact continuation, Gymnasium's rules."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from ale_py import Action, ALEInterface, roms
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from qmap.envs.contract import check_contract
from qmap.envs.montezuma import MontezumaEnv
from qmap.utils.errors import UserError

Golden = Callable[[str], dict[str, np.ndarray]]


def play(env: MontezumaEnv, actions: np.ndarray) -> list[tuple[Any, ...]]:
    """Return what each step gave, and after the end of an episode what the reset gave."""
    moments = []
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        moments.append((observation, reward, terminated, truncated, info, env.render()))
        if terminated or truncated:
            observation, info = env.reset()
            moments.append((observation, 0.0, False, False, info, env.render()))
    return moments


def assert_same(first: list[tuple[Any, ...]], second: list[tuple[Any, ...]]) -> None:
    assert len(first) == len(second)
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[5], two[5])
        assert one[1:4] == two[1:4]
        assert one[4].keys() == two[4].keys()
        for key, value in one[4].items():
            np.testing.assert_array_equal(value, two[4][key])


def random_actions(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 7, count)


def test_the_golden_trace_is_reproduced_exactly(golden: Golden) -> None:
    trace = golden("montezuma_trace.npz")
    env = MontezumaEnv()
    assert env.action_names == tuple(trace["action_names"])
    assert env.coords_shape == tuple(trace["coords_shape"])
    observation, info = env.reset()
    assert observation.shape[:2] == tuple(trace["screen_shape"])
    starts = [(0, *info["coords"], *info["position"])]
    for step, action in enumerate(trace["actions"]):
        _, reward, terminated, truncated, info = env.step(action)
        assert info["coords"].tolist() == trace["coords"][step].tolist(), step
        assert info["position"].tolist() == trace["position"][step].tolist(), step
        assert reward == trace["reward"][step], step
        assert (terminated, truncated) == (trace["done"][step], False), step
        if terminated and step + 1 < len(trace["actions"]):
            _, info = env.reset()
            starts.append((step + 1, *info["coords"], *info["position"]))
    np.testing.assert_array_equal(starts, trace["episode_starts"])


def test_gymnasium_finds_nothing_to_complain_about() -> None:
    env = gymnasium.make("qmap/Montezuma-v0", render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


@pytest.mark.parametrize(
    ("options", "channels"),
    [({}, 1), ({"color": True}, 3), ({"position_channel": True}, 2)],
)
def test_the_contract_is_kept_with_every_option(options: dict[str, bool], channels: int) -> None:
    env = gymnasium.make("qmap/Montezuma-v0", **options)
    check_contract(env)
    observation, info = env.reset()
    assert observation.shape == (56, 40, channels)
    assert info["qmap"]["room"] == 1
    assert info["lives"] == 6
    assert env.unwrapped.coords_shape == (28, 20)


def test_the_gray_frame_is_the_luma_of_the_screen() -> None:
    env = MontezumaEnv(render_mode="rgb_array")
    env.reset()
    for action in random_actions(30):
        observation = env.step(action)[0]
    luma = env.render() @ np.array([0.299, 0.587, 0.114])
    blocks = np.pad(luma, ((7, 7), (0, 0))).reshape(56, 4, 40, 4).mean((1, 3))
    assert np.abs(observation[..., 0] - blocks).max() <= 1.01
    assert observation.max() > 50


def test_the_position_channel_is_where_the_character_is_drawn() -> None:
    env = MontezumaEnv(render_mode="rgb_array", position_channel=True)
    observation, info = env.reset()
    marked = np.argwhere(observation[..., 1])
    np.testing.assert_array_equal(marked.min(0) // 2, info["coords"][:2])
    # In the upper half of the first room nothing but the character moves.
    before = env.step(env.action_names.index("NOOP"))[0]
    after = env.step(env.action_names.index("LEFT"))[0]
    moved = np.argwhere(before[:28, :, 0] != after[:28, :, 0])
    assert (moved.min(0) <= marked.max(0)).all()
    assert (marked.min(0) <= moved.max(0)).all()
    assert (moved.max(0) - moved.min(0)).max() <= 6


def test_two_games_with_the_same_actions_are_the_same() -> None:
    actions = random_actions(600, seed=3)
    games = []
    for seed in (0, 1):
        env = MontezumaEnv(render_mode="rgb_array")
        env.reset(seed=seed)
        play(env, random_actions(50 * seed, seed=9))
        env.reset()
        games.append(play(env, actions))
    assert_same(*games)
    assert any(moment[2] for moment in games[0])


def test_a_restored_state_goes_on_exactly_from_the_middle_of_an_episode() -> None:
    env = MontezumaEnv(render_mode="rgb_array", color=True, max_steps=60)
    env.reset()
    for seed in range(8):
        play(env, random_actions(5 + 13 * seed, seed))
        state = env.save_state()
        screen = env.render()
        expected = play(env, random_actions(120, seed + 100))

        other = MontezumaEnv(render_mode="rgb_array", color=True, max_steps=60)
        other.reset()
        play(other, random_actions(31, seed + 200))
        other.restore_state(state)
        np.testing.assert_array_equal(other.render(), screen)
        again = other.save_state()
        assert again.keys() == state.keys()
        np.testing.assert_array_equal(again["screen"], state["screen"])
        assert_same(play(other, random_actions(120, seed + 100)), expected)


def test_a_lost_life_can_be_restored_and_lost_again(golden: Golden) -> None:
    env = MontezumaEnv()
    env.reset()
    state = env.save_state()
    lengths = []
    for _ in range(2):
        ends = (env.step(action)[2] for action in golden("montezuma_trace.npz")["actions"])
        lengths.append(next(step for step, end in enumerate(ends) if end))
        env.restore_state(state)
    assert lengths[0] == lengths[1]


def test_a_saved_state_survives_a_file_without_pickle(tmp_path: Path) -> None:
    env = MontezumaEnv(render_mode="rgb_array")
    env.reset()
    play(env, random_actions(20))
    np.savez(tmp_path / "state.npz", **env.save_state())
    expected = play(env, random_actions(50, 1))
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        env.restore_state(dict(file))
    assert_same(play(env, random_actions(50, 1)), expected)


def test_a_lost_life_ends_the_episode_and_the_next_one_is_a_new_game(golden: Golden) -> None:
    env = MontezumaEnv()
    env.reset()
    for action in golden("montezuma_trace.npz")["actions"]:
        terminated, _, info = env.step(action)[2:]
        if terminated:
            break
    assert info["lives"] == 5
    assert env.reset()[1]["lives"] == 6


def test_a_step_is_4_frames_and_stops_at_the_frame_that_loses_the_life(golden: Golden) -> None:
    env = MontezumaEnv(render_mode="rgb_array")
    ale = ALEInterface()
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(roms.get_rom_path("montezuma_revenge"))
    frames_of_last_steps = set()
    env.reset()
    ale.reset_game()
    for action in golden("montezuma_trace.npz")["actions"]:
        frames = 0
        while frames < 4 and ale.lives() == 6:
            ale.act(getattr(Action, env.action_names[action]))
            frames += 1
        terminated = env.step(action)[2]
        assert terminated == (ale.lives() < 6)
        np.testing.assert_array_equal(env.render(), ale.getScreenRGB())
        if terminated:
            frames_of_last_steps.add(frames)
            env.reset()
            ale.reset_game()
    assert min(frames_of_last_steps) < 4


def test_episodes_are_truncated_after_max_steps_only() -> None:
    env = MontezumaEnv(max_steps=5)
    noop = env.action_names.index("NOOP")
    for _ in range(2):
        env.reset()
        assert [env.step(noop)[3] for _ in range(5)] == [False] * 4 + [True]


def test_a_step_outside_of_an_episode_is_refused() -> None:
    env = MontezumaEnv(max_steps=2)
    with pytest.raises(UserError, match=r"call reset\(\) first"):
        env.step(0)
    env.reset()
    going_on = env.save_state()
    del going_on["over"]  # as former versions saved it
    while not env.step(0)[3]:
        pass
    state = env.save_state()
    with pytest.raises(UserError, match=r"call reset\(\) first"):
        env.step(0)
    other = MontezumaEnv(max_steps=2)
    other.restore_state(state)
    with pytest.raises(UserError, match=r"call reset\(\) first"):
        other.step(0)
    other.restore_state(going_on)
    other.step(0)


def test_a_step_after_a_lost_life_is_refused(golden: Golden) -> None:
    env = MontezumaEnv()
    env.reset()
    for action in golden("montezuma_trace.npz")["actions"]:
        if env.step(action)[2]:
            break
    with pytest.raises(UserError, match=r"call reset\(\) first"):
        env.step(0)


def test_the_bytes_of_the_place_never_wrap(golden: Golden) -> None:
    """Within a room the character moves by a few pixels a step, on the screen."""
    env = MontezumaEnv()
    _, before = env.reset()
    for action in golden("montezuma_trace.npz")["actions"]:
        _, _, terminated, _, info = env.step(action)
        row, col = info["position"]
        assert 0 <= row < 210
        assert 0 <= col < 160
        if info["qmap"] == before["qmap"] and not terminated:
            assert np.abs(info["position"] - before["position"]).max() <= 24
        before = env.reset()[1] if terminated else info


def test_screens_and_frames_are_never_changed_later() -> None:
    env = MontezumaEnv(render_mode="rgb_array")
    observation, info = env.reset()
    screen = env.render()
    assert (screen.shape, screen.dtype) == ((210, 160, 3), np.uint8)
    given = [screen, observation, info["coords"], info["position"]]
    kept = [array.copy() for array in given]
    play(env, random_actions(20))
    for array, copy in zip(given, kept, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_without_a_render_mode_nothing_is_rendered() -> None:
    env = MontezumaEnv()
    env.reset()
    assert env.render() is None


@pytest.mark.parametrize("options", [{"render_mode": "human"}, {"max_steps": 0}])
def test_options_that_are_not_allowed_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        MontezumaEnv(**options)


def test_the_emulator_prints_nothing_and_import_is_light() -> None:
    script = (
        "import gymnasium, qmap, sys\n"
        "assert not {'ale_py', 'cv2', 'tensorflow', 'retro'} & set(sys.modules)\n"
        "env = gymnasium.make('qmap/Montezuma-v0'); env.reset(); env.step(0)\n"
        "assert not {'tensorflow', 'retro'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def make_montezuma() -> gymnasium.Env:
    return gymnasium.make("qmap/Montezuma-v0", disable_env_checker=True, max_steps=20)


@pytest.mark.parametrize("context", [None, "spawn"])
def test_copies_run_side_by_side_and_are_reset_one_by_one(context: str | None) -> None:
    makers = [make_montezuma] * 2
    if context is None:
        envs = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.DISABLED)
    else:
        envs = AsyncVectorEnv(makers, autoreset_mode=AutoresetMode.DISABLED, context=context)
    try:
        observations, infos = envs.reset(seed=0)
        assert observations.shape == (2, 56, 40, 1)
        start = infos["coords"].copy()
        assert start.tolist() == [[10, 9, 0], [10, 9, 0]]
        assert envs.get_attr("coords_shape") == ((28, 20), (28, 20))
        # The second copy stands still, the first walks to the right and dies.
        right, noop = (MontezumaEnv.action_names.index(name) for name in ("RIGHT", "NOOP"))
        for _ in range(20):
            observations, _, terminated, truncated, infos = envs.step(np.array([right, noop]))
            assert infos["coords"].shape == (2, 3)
            if terminated.any():
                break
        assert terminated.tolist() == [True, False]
        assert not truncated.any()
        left_alone = observations[1].copy()
        observations, infos = envs.reset(options={"reset_mask": terminated | truncated})
        assert infos["_coords"].tolist() == [True, False]
        np.testing.assert_array_equal(infos["coords"][0], start[0])
        np.testing.assert_array_equal(observations[1], left_alone)
        infos = envs.step(np.array([noop, noop]))[-1]
        np.testing.assert_array_equal(infos["coords"], start)
    finally:
        envs.close()
