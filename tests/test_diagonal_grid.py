"""The square of cells that tables are shown on."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from qmap.envs import saving
from qmap.envs.contract import check_contract
from qmap.envs.diagonal_grid import ACTION_NAMES, DiagonalGridEnv
from qmap.utils.errors import UserError

UP, UP_RIGHT, RIGHT, LEFT = (
    ACTION_NAMES.index(name) for name in ("UP", "UP+RIGHT", "RIGHT", "LEFT")
)


def test_it_keeps_the_contract() -> None:
    env = gymnasium.make("qmap.envs:qmap/DiagonalGrid-v0", size=5, render_mode="rgb_array")
    world = check_contract(env)
    assert world.frame_shape == (16, 16, 1)
    assert world.coords_shape == (8, 8)
    assert world.action_names == ACTION_NAMES
    assert not world.forgetful


def test_the_way_is_diagonal_and_costs_one_a_step() -> None:
    env = DiagonalGridEnv(3)
    frame, info = env.reset(seed=0)
    assert info["coords"].tolist() == [2, 0, 0]
    assert (frame[4:6, 0:2] == 255).all()
    assert (frame == 255).sum() == 4
    _, reward, terminated, truncated, info = env.step(UP_RIGHT)
    assert (reward, terminated, truncated) == (-1.0, False, False)
    assert info["coords"].tolist() == [1, 1, 0]
    _, reward, terminated, _, info = env.step(UP_RIGHT)
    assert (reward, terminated) == (-1.0, True)
    assert info["qmap"]["completed"] is True


def test_the_border_leaves_everything_as_it_was() -> None:
    env = DiagonalGridEnv(2)
    before, _ = env.reset()
    after, reward, *_ = env.step(LEFT)
    np.testing.assert_array_equal(after, before)
    assert reward == -1.0


def test_each_cell_looks_different() -> None:
    env = DiagonalGridEnv(4)
    frames = {env.observation(place).tobytes() for place in np.ndindex(4, 4)}
    assert len(frames) == 16


def test_noise_is_as_often_good_as_bad() -> None:
    env = DiagonalGridEnv(2, noise=11)
    env.reset(seed=1)
    rewards = [env.step(LEFT)[1] for _ in range(400)]
    assert set(rewards) == {-12.0, 10.0}
    assert np.mean(rewards) == pytest.approx(-1, abs=1.5)


def test_a_saved_world_goes_on_with_the_same_luck() -> None:
    env, other = DiagonalGridEnv(3, noise=1), DiagonalGridEnv(3, noise=1)
    env.reset(seed=1)
    env.step(UP)
    other.reset(seed=2)
    saving.restore_world(other, saving.save_world(env))
    saving.restore_streams(other, saving.save_streams(env))
    for _ in range(20):
        one, two = env.step(LEFT), other.step(LEFT)
        np.testing.assert_array_equal(one[0], two[0])
        assert one[1] == two[1]


def test_the_picture_shows_character_and_goal() -> None:
    env = DiagonalGridEnv(3, render_mode="rgb_array")
    env.reset()
    start = env.render()
    assert start.shape == (64, 64, 3)
    env.step(RIGHT)
    assert (env.render() != start).any()
    assert DiagonalGridEnv(3).render() is None


@pytest.mark.parametrize(
    "options", [{"size": 1}, {"size": 65}, {"noise": -1}, {"render_mode": "human"}], ids=str
)
def test_options_that_are_not_allowed_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        DiagonalGridEnv(**options)
