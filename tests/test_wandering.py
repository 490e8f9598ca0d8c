"""The exact Q-frames of policies, on rooms in which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import wandering
from qmap.envs.gridworld_level import Level
from qmap.envs.gridworld_paths import true_q_frames
from qmap.utils.errors import UserError

GAMMA = 0.9
RIGHT = 2


def room(width: int = 34) -> Level:
    """An empty room."""
    walls = np.ones((28, width), bool)
    walls[1:-1, 1:-1] = False
    return Level(walls)


def test_the_best_policy_is_worth_what_is_true() -> None:
    level = room()
    true = true_q_frames(level, np.arange(len(level.positions)), GAMMA)
    exact = wandering.exact_q_frames(level, true.argmax(axis=-1), GAMMA)
    reachable = true.max(axis=-1) > 0
    np.testing.assert_allclose(
        exact.max(axis=-1)[reachable], true.max(axis=-1)[reachable], atol=2e-3
    )


def test_who_always_goes_right_gets_to_what_is_to_the_right() -> None:
    level = room()
    policy = np.full((len(level.positions), 28, 32), RIGHT)
    exact = wandering.exact_q_frames(level, policy, GAMMA)
    place = level.places[10, 5]
    values = exact[place, :, :, RIGHT]
    np.testing.assert_allclose(values[10, 16:20], GAMMA ** np.arange(4), atol=1e-3)
    assert not values[:10].any()
    assert not values[11:].any()
    assert not values[10, :15].any()


def test_a_folder_without_checkpoints_is_refused() -> None:
    with pytest.raises(UserError, match="no checkpoint in 'nowhere'"):
        wandering.main(["--run", "nowhere"])
