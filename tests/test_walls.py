from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from qmap.envs.gridworld_paths import UNREACHABLE

OPTIONS = {"GridWorld": {}, "Maze": {"size": 9}, "Sokoban": {"size": 7, "boxes": 1}}


def make(world: str, seed: int) -> gymnasium.Env:
    env = gymnasium.make(f"qmap.envs:qmap/{world}-v0", disable_env_checker=True, **OPTIONS[world])
    env.reset(seed=seed)
    return env


def steps(env: gymnasium.Env) -> np.ndarray:
    """The true steps to every cell of the screen, -1 where there is no way."""
    distances = env.unwrapped.true_distances().min(axis=-1).astype(int)
    return np.where(distances < UNREACHABLE, distances + 1, -1)


@pytest.mark.parametrize("world", OPTIONS)
def test_a_wall_is_seen_stops_and_makes_ways_longer(world: str) -> None:
    for seed in range(5):
        env = make(world, seed)
        seen, before = env.step(0)[0], steps(env)
        for row, col in np.argwhere(before == 2):
            window = int(env.unwrapped._info()["coords"][2]) if world == "GridWorld" else 0
            changed = env.unwrapped.set_wall(int(row), int(col) + window, True)
            if changed is None:
                continue
            assert changed[row, col, 2] == 255
            assert (
                np.delete(changed.reshape(-1, 3), row * changed.shape[1] + col, 0)
                == np.delete(seen.reshape(-1, 3), row * changed.shape[1] + col, 0)
            ).all()
            after = steps(env)
            assert after[row, col] == -1
            assert ((after >= before) | (after == -1)).all()
            again = env.unwrapped.set_wall(int(row), int(col) + window, False)
            assert (again == seen).all()
            assert (steps(env) == before).all()


@pytest.mark.parametrize("world", OPTIONS)
def test_there_is_no_wall_on_the_character_and_none_is_missing_at_the_border(world: str) -> None:
    env = make(world, 0).unwrapped
    info = env.reset(seed=1)[1]
    row, col = info["position"].tolist()
    for cell in ((row, col), (0, 0), (-1, 3), (3, 10**6), (0, 5)):
        assert env.set_wall(*cell, True) is None
        assert env.set_wall(*cell, False) is None
