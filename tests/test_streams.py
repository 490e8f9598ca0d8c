from __future__ import annotations

import random
from collections.abc import Callable

import keras
import numpy as np
import pytest

from qmap.all_goals.config import MazeConfig
from qmap.all_goals.training import learner_of
from qmap.config import TrainingConfig
from qmap.gridworld.config import GridWorldConfig
from qmap.gridworld.training import make_learner
from qmap.make_agent import make_agent
from qmap.utils import streams

COPIES = 64


def networks_of_an_agent() -> list[keras.Model]:
    config = TrainingConfig(replay=100, seed=3)
    agent = make_agent(config, "montezuma", (16, 16, 1), (8, 8), 2)
    return [agent.q_map.online, agent.q_map.target, agent.dqn.online, agent.dqn.target]


def networks_of_the_grid_world() -> list[keras.Model]:
    learner = make_learner(GridWorldConfig(model="convdeconv3", seed=3))
    return [learner.online, learner.target]


def networks_of_mazes() -> list[keras.Model]:
    learner = learner_of(MazeConfig(seed=3, size=5))
    return [learner.online, learner.target]


MAKERS = [networks_of_an_agent, networks_of_the_grid_world, networks_of_mazes]


def test_no_two_consumers_draw_the_same_luck() -> None:
    first_draws = [
        streams.generator(seed, consumer).integers(2**63)
        for seed in range(100)
        for consumer in streams.CONSUMERS
    ]
    assert len(set(first_draws)) == len(first_draws)


def test_no_two_environments_are_seeded_alike_whatever_the_run() -> None:
    seeds = [
        streams.number(seed, "environments", copy) for seed in range(100) for copy in range(COPIES)
    ]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) >= 0
    assert max(seeds) < 2**31


def test_an_environment_does_not_draw_what_the_agent_draws() -> None:
    for seed in range(100):
        agent = streams.generator(seed, "acting").random(100)
        for copy in range(4):
            world = np.random.default_rng(streams.number(seed, "environments", copy)).random(100)
            assert not np.isin(agent, world).any()


def test_luck_is_the_same_in_each_run_of_a_seed() -> None:
    one, other = (streams.generator(3, "sampling").random(5) for _ in range(2))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("make", MAKERS)
def test_worlds_and_networks_do_not_change_each_others_luck(
    make: Callable[[], list[keras.Model]],
) -> None:
    made = []
    for seed in range(2):
        random.seed(seed)
        made.append([network.get_weights() for network in make()])
        assert random.random() == random.Random(seed).random()
    for one, other in zip(*made, strict=True):
        assert all(map(np.array_equal, one, other))
