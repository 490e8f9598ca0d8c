"""Agents with networks of their own go on where others were."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agents_at_work import (
    N_ACTIONS,
    OBSERVATION_SHAPE,
    World,
    agent_with,
)

from qmap.agents.agent import Agent
from qmap.agents.dqn import DQNLearner
from qmap.agents.networks import ConvDQN, ConvQFrames
from qmap.agents.q_map import QMapLearner
from qmap.utils import checkpoint

LEARNING = {"learning_rate": 1e-3, "gamma": 0.9, "clip_norm": 1000.0}


def test_visits_are_counted_only_where_goals_are_drawn_by_them_and_go_on_after_a_resume() -> None:
    assert "visits" not in real_agent(0).state()
    agent = real_agent(0, goal_rarity=1.0)
    world = World(0, 2)
    world.begin(agent)
    for _ in range(10):
        world.step(agent)
    visits = agent.state()["visits"]
    assert visits[:, 3].sum() >= 22  # first views and steps of two copies
    resumed = real_agent(0, goal_rarity=1.0)
    resumed.restore(agent.state())
    np.testing.assert_array_equal(resumed.state()["visits"], visits)


def tiny_q_map() -> ConvQFrames:
    return ConvQFrames(
        OBSERVATION_SHAPE,
        N_ACTIONS,
        encoder=[(2, 3, 2)],
        hidden=[4],
        decoder=[(2, 3, 1)],
        last=(3, 1),
    )


def tiny_dqn() -> ConvDQN:
    return ConvDQN(OBSERVATION_SHAPE, N_ACTIONS, encoder=[(2, 3, 2)], hidden=[4])


def real_agent(seed: int, kinds: tuple[str, ...] = ("q_map", "dqn"), **changes: Any) -> Agent:
    """Two environments, goals near enough for networks that have hardly learned."""
    return agent_with(
        QMapLearner(tiny_q_map, **LEARNING) if "q_map" in kinds else None,
        DQNLearner(tiny_dqn, **LEARNING) if "dqn" in kinds else None,
        n_envs=2,
        seed=seed,
        learning_starts=20,
        min_goal=1,
        max_goal=60,
        n_steps=2,
        **changes,
    )


def flat(tree: Any, path: str = "") -> dict[str, Any]:
    """A tree's leaves by their paths."""
    if not isinstance(tree, dict):
        return {path: tree}
    return {k: v for key, value in tree.items() for k, v in flat(value, f"{path}/{key}").items()}


@pytest.mark.parametrize("kinds", [("q_map", "dqn"), ()], ids=str)
def test_a_restored_agent_continues_alike(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    one, world = real_agent(1, kinds), World(2, 2)
    world.begin(one)
    for _ in range(60):
        world.step(one)
    checkpoint.save(tmp_path / "agent", "snapshot", one.state())
    other = real_agent(9, kinds)
    other.restore(checkpoint.load(tmp_path / "agent", "snapshot"))
    other_world = copy.deepcopy(world)
    for _ in range(40):
        assert np.array_equal(world.step(one), other_world.step(other))
    if "q_map" in kinds:
        assert one.q_map_in_use
    left, right = flat(one.state()), flat(other.state())
    for path in left:
        # The paths of weights hold layers' numbers, which go on from network to network.
        if "/weights/" not in path:
            assert np.array_equal(left[path], right[path]), path
    for name in kinds:
        for network in ("online", "target"):
            arrays = [a.weights()[name][network].values() for a in (one, other)]
            assert all(map(np.array_equal, *arrays))
        moments = [a.weights()[name]["optimizer"].values() for a in (one, other)]
        assert all(map(np.array_equal, *moments))


def test_who_was_restored_between_a_death_and_the_next_start_still_knows_of_it() -> None:
    one, world, told = real_agent(1), World(2, 2), []
    world.begin(one)
    world.step(one)
    one._died[:] = True, False
    other = real_agent(9)
    other.restore(one.state())
    for policy in other.policies:
        policy.end_episode = lambda coords, died: told.append(died)
    world.begin(other)
    assert told == [True, False]
    old = one.state()
    del old["died"]
    other.restore(old)


def test_who_starts_from_an_agent_has_its_networks() -> None:
    one, other = real_agent(1), real_agent(2)
    other.start_from(one.weights())
    for name in ("q_map", "dqn"):
        arrays = [agent.weights()[name]["online"].values() for agent in (one, other)]
        assert all(map(np.array_equal, *arrays))


@pytest.mark.parametrize("start", [Agent.restore_weights, Agent.start_from])
def test_weights_of_another_agent_are_refused_by_name(
    start: Callable[[Agent, dict[str, Any]], None],
) -> None:
    with pytest.raises(ValueError, match="q_map"):
        start(real_agent(0), real_agent(0, ("dqn",)).weights())
