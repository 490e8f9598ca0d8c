"""The whole wiring: what the options make of an agent."""

from __future__ import annotations

import numpy as np
import pytest

from qmap.agents.agent import Agent
from qmap.agents.published import CONVOLUTIONAL, DQN
from qmap.config import TrainingConfig
from qmap.make_agent import make_agent
from qmap.utils.errors import UserError

FRAME, GRID = (56, 40, 1), (28, 20)


def agent_of(
    frame: tuple[int, int, int] = FRAME, grid: tuple[int, int] = GRID, **options: object
) -> Agent:
    return make_agent(TrainingConfig(replay=200, **options), "montezuma", frame, grid, 7)


def test_the_networks_are_those_of_the_table() -> None:
    agent = agent_of()
    q_map = agent.q_map.online
    published = CONVOLUTIONAL["convdeconv"]
    assert [tuple(layer.kernel.shape[:2]) for layer in q_map.encoder] == [
        (kernel, kernel) for _, kernel, _ in published["encoder"]
    ]
    assert q_map.advantage[-1].filters == 7
    assert q_map(np.zeros((2, 56, 40, 3), np.uint8)).shape == (2, *GRID, 7)
    encoder = [
        (each.filters, each.kernel_size[0], each.strides[0]) for each in agent.dqn.online.encoder
    ]
    assert encoder == DQN["montezuma"]["encoder"]


def test_the_options_reach_whom_they_are_for() -> None:
    agent = agent_of(
        qmap_lr=0.01,
        dqn_lr=0.02,
        qmap_gamma=0.8,
        dqn_gamma=0.7,
        qmap_clip=3.0,
        dqn_clip=4.0,
        alpha=0.3,
        epsilon=0.1,
        greedy_bias=0.25,
        timer_bonus=2.0,
        min_goal=2,
        max_goal=3,
        stack=4,
        skip=5,
        unknown_columns="ignore",
        envs=2,
    )
    q_map, dqn = agent.q_map, agent.dqn
    assert (q_map.optimizer.learning_rate, dqn.optimizer.learning_rate) == (0.01, 0.02)
    assert (q_map.gamma, dqn.gamma) == (0.8, 0.7)
    assert (q_map.optimizer.clip_norm, dqn.optimizer.clip_norm) == (3.0, 4.0)
    assert q_map.unknown_columns == "ignore"
    for priorities in agent.replay.priorities.values():
        assert (priorities.alpha, priorities.epsilon) == (0.3, 0.1)
    assert agent.replay.history == 15
    assert len(agent.policies) == 2
    policy = agent.policies[0]
    assert (policy.greedy_bias, policy.timer_bonus) == (0.25, 2.0)
    assert (policy.nearest, policy.farthest) == (0.8, pytest.approx(0.64))


def test_the_dense_layers_are_as_large_as_asked_for_in_both_networks() -> None:
    sizes = [
        [layer.dense.units for layer in (*agent.q_map.online.hidden, *agent.dqn.online.advantage)]
        for agent in (agent_of(), agent_of(hidden=96))
    ]
    (first, flat, dqn_first, _), small = sizes
    assert (first, dqn_first) == (1024, 1024)
    assert small == [96, flat, 96, 7]


@pytest.mark.parametrize(
    ("options", "picking", "giving"),
    [
        ({}, "target", "online"),
        ({"double_order": "usual"}, "online", "target"),
        ({"double": False}, "online", "online"),
    ],
)
def test_the_order_of_double_q_learning(
    options: dict[str, object], picking: str, giving: str
) -> None:
    learner = agent_of(**options).q_map
    assert learner.picking is getattr(learner, picking)
    assert learner.giving is getattr(learner, giving)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "q-map+dqn"),
        ({"qmap": False}, "dqn"),
        ({"dqn": False}, "q-map"),
        ({"dqn": False, "qmap": False}, "random"),
    ],
)
def test_who_is_there_gives_the_agent_its_name(options: dict[str, bool], name: str) -> None:
    config = TrainingConfig(replay=200, **options)
    agent = make_agent(config, "montezuma", FRAME, GRID, 7)
    assert config.agent_name == name
    assert "+".join(["q-map"] * bool(agent.q_map) + ["dqn"] * bool(agent.dqn)) == name.replace(
        "random", ""
    )
    assert set(agent.replay.priorities) == {learner.name for learner in agent.learners}


def test_without_learners_only_the_history_of_a_stack_is_kept() -> None:
    assert agent_of(dqn=False, qmap=False).replay.capacity == 6


def test_acting_and_sampling_have_luck_of_their_own() -> None:
    agent = agent_of(dqn=False, qmap=False)
    acting, sampling = (agent.generators[name].random(8) for name in ("acting", "sampling"))
    assert not np.isin(acting, sampling).any()


def test_a_grid_that_the_network_does_not_give_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="give Q-frames of 28 x 20 cells, but coords_shape is"):
        agent_of(grid=(28, 19))


def test_a_replay_that_cannot_fit_is_refused_before_it_is_filled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qmap.utils.memory.free_memory", lambda: 2**30)
    with pytest.raises(UserError, match=r"--replay 1,000,000 needs .* fits"):
        make_agent(TrainingConfig(replay=10**6), "montezuma", FRAME, GRID, 7)


def test_the_bytes_of_a_slot_are_those_of_the_arrays() -> None:
    replay = agent_of().replay
    arrays = sum(array.nbytes for array in replay._slot_arrays().values())
    trees = sum(priorities.tree.nbytes for priorities in replay.priorities.values())
    assert replay.slot_bytes(FRAME) * replay.capacity == arrays
    assert replay.capacity_bytes == pytest.approx(arrays + trees, rel=0.05)
