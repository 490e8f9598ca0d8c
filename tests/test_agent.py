"""When an agent asks its networks, explores, remembers and trains."""

from __future__ import annotations

import numpy as np
import pytest
from agents_at_work import (
    FRAME_SHAPE,
    OBSERVATION_SHAPE,
    FakeLearner,
    World,
    agent_with,
)

from qmap.agents.policy import Kind, Needs
from qmap.config import TrainingConfig


@pytest.mark.parametrize("n_envs", [1, 4])
def test_networks_are_asked_once_a_step_and_only_when_needed(n_envs: int) -> None:
    q_map, dqn = FakeLearner("q_map"), FakeLearner("dqn")
    agent = agent_with(q_map, dqn, n_envs=n_envs, last_exploration=0.5, steps=2000)
    world = World(0, n_envs)
    world.begin(agent)
    seen = set()
    for _ in range(1600 // n_envs):
        before = len(q_map.forwards), len(dqn.forwards)
        early = not agent.q_map_in_use
        world.step(agent)
        asked = len(q_map.forwards) - before[0], len(dqn.forwards) - before[1]
        kinds = {policy.kind for policy in agent.policies}
        goals = any(policy.goal is not None for policy in agent.policies)
        assert max(asked) <= 1
        assert asked[1] == (kinds != {Kind.RANDOM})
        if kinds & {Kind.GOAL, Kind.GREEDY_GOAL}:
            assert asked[0] == 1
        if kinds == {Kind.RANDOM} or early or (kinds == {Kind.GREEDY} and not goals):
            assert asked[0] == 0
        assert (agent.q_frames is not None) == (asked[0] == 1)
        seen |= kinds
    assert seen == set(Kind)
    assert set(q_map.forwards) == set(dqn.forwards) == {(n_envs, *OBSERVATION_SHAPE)}


@pytest.mark.parametrize(("told", "begin"), [({}, 100), ({"goal_starts": 170}, 170)])
def test_goals_are_chosen_from_their_step_on_and_before_it_steps_are_random(
    told: dict[str, int], begin: int
) -> None:
    never = {"first_random": 0.0, "last_random": 0.0}
    agent = agent_with(FakeLearner("q_map"), n_envs=1, **told, **never)
    world = World(0, 1)
    world.begin(agent)
    kinds = []
    while agent.step < 250:
        world.step(agent)
        kinds.append(agent.policies[0].kind)
    assert kinds.index(Kind.GOAL) == begin
    assert set(kinds[:begin]) == {Kind.RANDOM}


@pytest.mark.parametrize("n_envs", [1, 2, 3, 8])
@pytest.mark.parametrize("train_every", [1, 4, 5])
def test_training_and_copies_come_as_often_as_they_should(n_envs: int, train_every: int) -> None:
    q_map, dqn = FakeLearner("q_map"), FakeLearner("dqn")
    agent = agent_with(q_map, dqn, n_envs=n_envs, train_every=train_every)
    world = World(0, n_envs)
    world.begin(agent)
    while agent.step < 240:
        world.step(agent)
        # Nothing but the multiples of `train_every` since the step at which learning started.
        first = -(-50 // n_envs) * n_envs
        due = agent.step // train_every - (first - n_envs) // train_every
        due = due if agent.step >= first else 0
        assert len(q_map.trained_at) == len(dqn.trained_at) == due
        copies = agent.step // 30 - (first - n_envs) // 30
        assert len(q_map.copied_at) == len(dqn.copied_at) == (copies if agent.step >= first else 0)
    assert min(q_map.trained_at) >= 50
    assert agent.step == 240


def test_a_share_of_the_batches_of_the_q_map_is_steps_that_ended_an_episode() -> None:
    ends = {}
    for share in (0.0, 0.5):
        q_map, dqn = FakeLearner("q_map"), FakeLearner("dqn")
        agent = agent_with(q_map, dqn, terminal_share=share)
        world = World(0, 1)
        world.begin(agent)
        for _ in range(400):
            world.step(agent)
        ends[share] = q_map.ends_seen, dqn.ends_seen
    assert min(ends[0.5][0]) >= 4
    for seen in (*ends[0.0], ends[0.5][1]):  # 1 in 20 ends one here
        assert np.mean(seen) < 2


def test_the_last_steps_before_an_end_may_stand_for_it() -> None:
    q_map = FakeLearner("q_map")
    agent = agent_with(q_map, terminal_share=1.0, terminal_steps=4)
    frames, coords = np.zeros((1, *FRAME_SHAPE), np.uint8), np.zeros((1, 3), int)
    agent.start(np.arange(1), frames, coords)
    for step in range(150):
        agent.observe(np.zeros(1, int), np.zeros(1), np.array([step == 40]), frames, coords)
        agent.train()
    assert np.mean(q_map.ends_seen) == pytest.approx(8 / 4, abs=0.2)


def test_steps_that_end_no_episode_fill_the_batches_until_one_ends() -> None:
    q_map = FakeLearner("q_map")
    agent = agent_with(q_map, terminal_share=1.0)
    frames, coords = np.zeros((1, *FRAME_SHAPE), np.uint8), np.zeros((1, 3), int)
    agent.start(np.arange(1), frames, coords)
    for step in range(120):
        agent.observe(np.zeros(1, int), np.zeros(1), np.array([step == 90]), frames, coords)
        agent.train()
    assert (q_map.ends_seen[0], q_map.ends_seen[-1]) == (0, 8)


def test_steps_are_counted_where_the_characters_are_and_policies_are_told_their_rooms() -> None:
    agent = agent_with(FakeLearner("q_map"), n_envs=2, goal_rarity=1.0)
    frames = np.zeros((2, *FRAME_SHAPE), np.uint8)
    coords = np.array([(1, 5, 3), (0, 0, 0)])
    agent.start(np.arange(2), frames, coords, np.array([7, 0]))
    for _ in range(2):
        agent.observe(np.zeros(2, int), np.zeros(2), np.zeros(2, bool), frames, coords, [7, 0])
    assert agent.goal_counts.visits.rows().tolist() == [[0, 0, 0, 3], [7, 1, 5, 3]]
    rooms = []
    for policy in agent.policies:
        policy.plan = lambda coords, room, **_: rooms.append(room) or Needs(False, False)
    agent.act()
    assert rooms == [7, 0]


def test_a_soft_target_follows_in_place_of_copies_and_the_dqn_is_copied_as_ever() -> None:
    q_map, dqn = FakeLearner("q_map"), FakeLearner("dqn")
    agent = agent_with(q_map, dqn, n_envs=1, train_every=5, soft_target=0.01)
    world = World(0, 1)
    world.begin(agent)
    while agent.step < 120:
        world.step(agent)
    assert (q_map.moved_at, q_map.copied_at) == ([60, 80, 100, 120], [])
    assert (dqn.moved_at, dqn.copied_at) == ([], [60, 90, 120])


def test_a_soft_target_of_many_copies_moves_as_often_as_it_is_due() -> None:
    q_map = FakeLearner("q_map")
    agent = agent_with(q_map, n_envs=60, replay=600, train_every=5, soft_target=0.01)
    frames, coords = np.zeros((60, *FRAME_SHAPE), np.uint8), np.zeros((60, 3), int)
    agent.start(np.arange(60), frames, coords)
    for _ in range(2):
        agent.observe(np.zeros(60, int), np.zeros(60), np.zeros(60, bool), frames, coords)
        agent.train()
    assert q_map.moved_at == [60] * 3 + [120] * 3


def test_policies_are_told_whether_the_character_died() -> None:
    agent = agent_with(FakeLearner("q_map"), n_envs=3)
    frames, coords = np.zeros((3, *FRAME_SHAPE), np.uint8), np.zeros((3, 3), int)
    told = []
    for policy in agent.policies:
        policy.end_episode = lambda coords, died: told.append(died)
    agent.start(np.arange(3), frames, coords)
    terminals, completed = np.array([True, False, True]), np.array([False, False, True])
    agent.observe(np.zeros(3, int), np.zeros(3), terminals, frames, coords, completed=completed)
    agent.start(np.arange(3), frames, coords)  # of the second its time is over
    agent.observe(np.zeros(3, int), np.zeros(3), np.zeros(3, bool), frames, coords)
    agent.start(np.arange(1), frames[:1], coords[:1])
    agent.observe(np.zeros(3, int), np.zeros(3), terminals, frames, coords)
    agent.start(np.arange(3), frames, coords)  # in a world that does not tell of levels
    assert told == [*[False] * 3, *[True, False, False], False, *[True, False, True]]


def test_importance_is_made_up_for_more_and_more() -> None:
    dqn = FakeLearner("dqn")
    agent, world = agent_with(dqn=dqn, beta=0.4, steps=200), World(0, 1)
    world.begin(agent)
    for _ in range(200):
        world.step(agent)
    for weights in dqn.weights_seen:
        assert weights.max() <= 1.0
    # The smallest weight is a ratio of priorities to the power of beta.
    assert dqn.weights_seen[-1].min() < dqn.weights_seen[2].min() < 1.0


def test_the_settings_of_the_paper_are_the_defaults() -> None:
    settings = TrainingConfig()
    assert (settings.steps, settings.learning_starts, settings.replay) == (5_000_000, 1000, 500_000)
    assert (settings.train_every, settings.target_every, settings.batch) == (4, 1000, 32)
    assert (settings.alpha, settings.epsilon, settings.beta) == (0.6, 1e-6, 0.4)
    assert (settings.min_goal, settings.max_goal, settings.n_steps) == (15, 30, 1)
    assert (settings.greedy_bias, settings.timer_bonus) == (0.5, 0.5)
    assert (settings.stack, settings.skip) == (3, 2)


def test_what_updates_find_out_is_kept_as_means() -> None:
    agent, world = agent_with(FakeLearner("q_map"), FakeLearner("dqn")), World(0, 1)
    world.begin(agent)
    for _ in range(60):
        world.step(agent)
    for name, expected in (("dqn loss", 0.5), ("q-map loss", 0.5), ("mean best q", 0.25)):
        assert agent.means.take(name) == expected
    assert agent.means.take("dqn error") == pytest.approx(np.abs(np.linspace(-2, 2, 8)).mean())
    assert agent.means.take("dqn loss") is None, "what was taken is not told again"


def test_exploration_follows_the_plan() -> None:
    agent = agent_with(FakeLearner("q_map"), FakeLearner("dqn"), steps=1000)
    planned, random = [], []
    for step in (0, 99, 100, 500, 1000, 2000):
        agent.step = step
        planned.append(agent.planned_exploration)
        random.append(agent.random_proba)
    np.testing.assert_allclose(planned, [1.0, 0.90595, 0.905, 0.525, 0.05, 0.05])
    np.testing.assert_allclose(random, [1.0, 0.90595, 0.095, 0.075, 0.05, 0.05])


def test_without_learners_every_step_is_random() -> None:
    agent, world = agent_with(), World(0, 1)
    world.begin(agent)
    actions = []
    for _ in range(400):
        actions.append(world.step(agent)[0])
        assert agent.policies[0].kind is Kind.RANDOM
    assert np.bincount(actions).min() > 90
    assert (agent.balance.random, agent.planned_exploration) == (1.0, 1.0)


def test_a_dqn_alone_is_greedy_except_for_the_planned_share() -> None:
    agent, world = (
        agent_with(dqn=FakeLearner("dqn"), first_exploration=0.2, steps=10**9),
        World(0, 1),
    )
    world.begin(agent)
    kinds = []
    for _ in range(2000):
        action = world.step(agent)[0]
        kinds.append(agent.policies[0].kind)
        assert kinds[-1] is Kind.RANDOM or action == 1
    assert set(kinds) == {Kind.RANDOM, Kind.GREEDY}
    assert kinds.count(Kind.RANDOM) / 2000 == pytest.approx(0.2, abs=0.04)


def test_a_q_map_alone_goes_for_goals_all_the_time() -> None:
    agent, world = agent_with(FakeLearner("q_map"), steps=2000), World(0, 1)
    world.begin(agent)
    kinds = []
    for _ in range(2000):
        world.step(agent)
        kinds.append(agent.policies[0].kind)
    assert set(kinds[:100]) == {Kind.RANDOM}
    assert set(kinds) == {Kind.RANDOM, Kind.GOAL}
    assert kinds[100:].count(Kind.GOAL) / 1900 > 0.9
    assert agent.balance.goal_proba == 1.0


def test_a_goal_ends_with_its_episode() -> None:
    agent, world = agent_with(FakeLearner("q_map"), n_envs=2, first_random=0.0), World(0, 2)
    world.begin(agent)
    agent.step = 1000
    while not all(policy.goal for policy in agent.policies):
        agent.act()
    agent.start(np.array([1]), *world._seen(1))
    assert agent.policies[0].goal is not None
    assert agent.policies[1].goal is None


def test_the_two_learners_keep_priorities_of_their_own() -> None:
    agent = agent_with(FakeLearner("q_map"), FakeLearner("dqn"))
    assert set(agent.replay.priorities) == {"q_map", "dqn"}
    world = World(0, 1)
    world.begin(agent)
    for _ in range(60):
        world.step(agent)
    trees = [agent.replay.priorities[name].tree for name in ("q_map", "dqn")]
    assert not np.array_equal(*(tree[np.arange(300)] for tree in trees))
