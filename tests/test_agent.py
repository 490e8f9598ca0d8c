from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmap.agents.agent import Agent
from qmap.agents.dqn import DQNLearner
from qmap.agents.goal_counts import GoalCounts
from qmap.agents.goal_policy import GoalPolicy
from qmap.agents.learner import Update
from qmap.agents.means import Means
from qmap.agents.networks import ConvDQN, ConvQFrames
from qmap.agents.policy import Kind, Needs
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Transitions
from qmap.config import TrainingConfig
from qmap.make_agent import make_replay
from qmap.utils import checkpoint

FRAME_SHAPE, COORDS_SHAPE, N_ACTIONS = (8, 8, 1), (4, 4), 3
OBSERVATION_SHAPE = (8, 8, 3)
LEARNING = {"learning_rate": 1e-3, "gamma": 0.9, "clip_norm": 1000.0}


class FakeLearner:
    """Counts what it is asked for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.forwards: list[tuple[int, ...]] = []
        self.trained_at: list[int] = []
        self.copied_at: list[int] = []
        self.moved_at: list[int] = []
        self.weights_seen: list[np.ndarray] = []
        self.ends_seen: list[int] = []
        self.agent: Agent

    def train(self, batch: Transitions, weights: np.ndarray) -> Update:
        assert len(batch.actions) == len(weights)
        self.trained_at.append(self.agent.step)
        self.weights_seen.append(weights)
        self.ends_seen.append(int(batch.terminals[:, 0].sum()))
        return Update(0.5, np.linspace(-2.0, 2.0, len(weights)), 0.25)

    def update_target(self, share: float = 1.0) -> None:
        (self.copied_at if share == 1.0 else self.moved_at).append(self.agent.step)


class FakeNetworks:
    """All cells are 21 steps away, half of them by action 1, which is also best for the task."""

    def __init__(self, q_map: FakeLearner | None, dqn: FakeLearner | None) -> None:
        self.q_map = q_map
        self.dqn = dqn

    def evaluate(
        self, observations: np.ndarray, *, q_frames: bool, greedy_actions: bool
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        assert observations.dtype == np.uint8
        values = actions = None
        if q_frames:
            self.q_map.forwards.append(observations.shape)
            values = np.full((len(observations), *COORDS_SHAPE, N_ACTIONS), 0.9**20, np.float32)
            values[:, :, :2, 1] *= 1.01
        if greedy_actions:
            self.dqn.forwards.append(observations.shape)
            actions = np.ones(len(observations), int)
        return values, actions


class World:
    """Random frames and a character on a walk, for any number of environments."""

    def __init__(self, seed: int, n_envs: int) -> None:
        self.generator = np.random.default_rng(seed)
        self.n_envs = n_envs

    def begin(self, agent: Agent) -> None:
        """Start an episode everywhere."""
        self._start(agent, np.arange(self.n_envs))

    def step(self, agent: Agent) -> np.ndarray:
        """Let the agent act, observe and train; return its actions."""
        actions = agent.act()
        terminals = self.generator.random(self.n_envs) < 0.05
        rewards = self.generator.normal(0, 1, self.n_envs)
        agent.observe(actions, rewards, terminals, *self._seen(self.n_envs))
        agent.train()
        if terminals.any():
            self._start(agent, np.flatnonzero(terminals))
        return actions

    def _start(self, agent: Agent, envs: np.ndarray) -> None:
        agent.start(envs, *self._seen(len(envs)))

    def _seen(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        frames = self.generator.integers(0, 256, (n, *FRAME_SHAPE), np.uint8)
        coords = np.zeros((n, 3), np.int64)
        coords[:, :2] = self.generator.integers(0, 4, (n, 2))
        return frames, coords


def agent_with(
    q_map: Any = None, dqn: Any = None, *, n_envs: int = 1, seed: int = 0, **changes: Any
) -> Agent:
    """An agent with a short life."""
    settings = {
        "steps": 400,
        "learning_starts": 50,
        "train_every": 4,
        "target_every": 30,
        "batch": 8,
        "replay": 300,
    }
    config = TrainingConfig(**{**settings, **changes}, envs=n_envs, seed=seed)
    learners = [learner.name for learner in (q_map, dqn) if learner is not None]
    acting, means = np.random.default_rng(seed), Means()
    goal_counts = GoalCounts(config.goal_rarity) if config.goal_rarity else None
    policies = [
        GoalPolicy(
            COORDS_SHAPE,
            N_ACTIONS,
            gamma=0.9,
            min_steps=config.min_goal,
            max_steps=config.max_goal,
            greedy_bias=config.greedy_bias,
            timer_bonus=config.timer_bonus,
            generator=acting,
            means=means,
            counts=goal_counts,
        )
        for _ in range(n_envs)
    ]
    agent = Agent(
        config,
        replay=make_replay(config, config.replay, FRAME_SHAPE, COORDS_SHAPE, learners),
        policies=policies,
        q_map=q_map,
        dqn=dqn,
        acting=acting,
        sampling=np.random.default_rng(seed + 1),
        means=means,
        goal_counts=goal_counts,
    )
    for learner in (q_map, dqn):
        if isinstance(learner, FakeLearner):
            learner.agent = agent
            agent.networks = FakeNetworks(q_map, dqn)
    return agent


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


def test_a_soft_target_follows_in_place_of_copies_and_the_dqn_is_copied_as_ever() -> None:
    q_map, dqn = FakeLearner("q_map"), FakeLearner("dqn")
    agent = agent_with(q_map, dqn, n_envs=1, train_every=5, soft_target=0.01)
    world = World(0, 1)
    world.begin(agent)
    while agent.step < 120:
        world.step(agent)
    assert (q_map.moved_at, q_map.copied_at) == ([60, 80, 100, 120], [])
    assert (dqn.moved_at, dqn.copied_at) == ([], [60, 90, 120])


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


def test_weights_of_another_agent_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="q_map"):
        real_agent(0).restore_weights(real_agent(0, ("dqn",)).weights())
