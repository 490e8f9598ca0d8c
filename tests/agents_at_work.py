"""An agent with a short life, and a world of random frames for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmap.agents.agent import Agent
from qmap.agents.goal_counts import GoalCounts
from qmap.agents.learner import Update
from qmap.agents.means import Means
from qmap.agents.replay import Transitions
from qmap.config import TrainingConfig
from qmap.make_agent import make_goal_policy, make_replay

FRAME_SHAPE, COORDS_SHAPE, N_ACTIONS = (8, 8, 1), (4, 4), 3
OBSERVATION_SHAPE = (8, 8, 3)


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
        make_goal_policy(config, COORDS_SHAPE, N_ACTIONS, acting, means, goal_counts)
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
