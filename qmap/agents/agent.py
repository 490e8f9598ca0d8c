"""The agent: acts by goals of the Q-map and by the DQN, remembers, and trains both."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from qmap.agents.acting import OnlineNetworks
from qmap.agents.dqn import DQNLearner
from qmap.agents.exploration import ExplorationBalance, GoalPolicy
from qmap.agents.priorities import Priorities
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Replay
from qmap.agents.schedules import linear
from qmap.agents.together import together

if TYPE_CHECKING:
    from qmap.config import TrainingConfig


class Agent:
    """Q-map and DQN, either of them, or neither (a random agent), on one or more environments.

    The order of a step: `act`, then the environments, then `observe`, then `train`; `start` where
    an episode begins.

    Args:
        settings: when it explores and trains, and how it samples.
        frame_shape: (height, width, channels) of a frame.
        coords_shape: (rows, cols) of the on-screen goal grid.
        n_actions: number of actions.
        n_envs: number of environments.
        q_map: the goal learner, None for none.
        dqn: the task learner, None for none.
        generator: source of random numbers for acting and sampling.

    Attributes:
        step: steps taken so far.
        policies: one `GoalPolicy` an environment.
        balance: running shares of the kinds of steps.
        q_frames: (n_envs, rows, cols, actions) of the last `act`, None if it did not need any.
    """

    def __init__(
        self,
        settings: TrainingConfig,
        *,
        frame_shape: tuple[int, int, int],
        coords_shape: tuple[int, int],
        n_actions: int,
        n_envs: int,
        q_map: QMapLearner | None,
        dqn: DQNLearner | None,
        generator: np.random.Generator,
    ) -> None:
        self.settings = settings
        self.q_map = q_map
        self.dqn = dqn
        self.generator = generator
        self.step = 0
        self.balance = ExplorationBalance()
        self.policies = [
            GoalPolicy(
                coords_shape,
                n_actions,
                gamma=q_map.gamma if q_map else 1.0,
                min_steps=settings.min_goal,
                max_steps=settings.max_goal,
                greedy_bias=settings.greedy_bias,
                timer_bonus=settings.timer_bonus,
                generator=generator,
            )
            for _ in range(n_envs)
        ]
        self.learners = [learner for learner in (dqn, q_map) if learner is not None]
        self.networks = OnlineNetworks(q_map, dqn)
        # Without a learner nothing is ever sampled: only the history of a stack is kept.
        history = (settings.stack - 1) * settings.skip
        capacity = settings.replay if self.learners else (history + 2) * n_envs
        self.replay = Replay(
            capacity,
            frame_shape,
            coords_shape,
            stack=settings.stack,
            skip=settings.skip,
            n_envs=n_envs,
            priorities={
                learner.name: Priorities(capacity, settings.alpha, settings.epsilon)
                for learner in self.learners
            },
        )
        self.coords = np.zeros((n_envs, 3), np.int64)
        self.q_frames: np.ndarray | None = None

    @property
    def planned_exploration(self) -> float:
        """The wanted share of exploring steps now."""
        if self.dqn is None:
            return 1.0
        settings = self.settings
        return linear(
            self.step, settings.steps, settings.first_exploration, settings.last_exploration
        )

    @property
    def q_map_in_use(self) -> bool:
        """Whether goals may be chosen yet."""
        return self.q_map is not None and self.step >= 2 * self.settings.learning_starts

    @property
    def random_proba(self) -> float:
        """Probability of a random action now."""
        if not self.q_map_in_use:
            return self.planned_exploration
        settings = self.settings
        return linear(self.step, settings.steps, settings.first_random, settings.last_random)

    def start(self, envs: np.ndarray, frames: np.ndarray, coords: np.ndarray) -> None:
        """Begin an episode in each of `envs`: first frames (k, h, w, c) and coords (k, 3)."""
        self.replay.start(envs, frames, coords)
        self.coords[envs] = coords
        for env in envs:
            self.policies[env].drop_goal()

    def observations(self) -> np.ndarray:
        """What the agent sees now: stacked frames of every environment, uint8."""
        return self.replay.observations(self.replay.newest())

    def act(self) -> np.ndarray:
        """Choose an action for every environment, (n_envs,).

        At most one forward pass of each network, for all environments together, and none whose
        result no environment needs.
        """
        needs = [
            policy.plan(
                coords,
                random_proba=self.random_proba,
                goal_proba=self.balance.goal_proba,
                use_q_map=self.q_map_in_use,
                use_dqn=self.dqn is not None,
            )
            for policy, coords in zip(self.policies, self.coords, strict=True)
        ]
        needs_q_frames = any(need.q_frames for need in needs)
        needs_greedy = any(need.greedy_action for need in needs)
        self.q_frames = greedy = None
        if needs_q_frames or needs_greedy:
            self.q_frames, greedy = self.networks.evaluate(
                self.observations(), q_frames=needs_q_frames, greedy_actions=needs_greedy
            )
        return np.array(
            [
                policy.act(
                    self.q_frames[env] if need.q_frames else None,
                    int(greedy[env]) if need.greedy_action else None,
                )
                for env, (policy, need) in enumerate(zip(self.policies, needs, strict=True))
            ]
        )

    def observe(
        self,
        actions: np.ndarray,
        rewards: np.ndarray,
        terminals: np.ndarray,
        frames: np.ndarray,
        coords: np.ndarray,
    ) -> None:
        """Remember one step of every environment; see `Replay.add` for the shapes."""
        planned = self.planned_exploration
        for policy in self.policies:
            self.balance.count(policy.kind)
            if self.q_map_in_use:
                self.balance.adjust(planned)
        self.replay.add(actions, rewards, terminals, frames, coords)
        self.coords[:] = coords
        self.step += len(actions)

    def train(self) -> None:
        """Train and copy to the target networks as often as the last `observe` makes due.

        Raises:
            FloatingPointError: a loss is not finite.
        """
        settings = self.settings
        if self.step < settings.learning_starts:
            return
        for _ in range(self.due(settings.train_every)):
            self._train()
        if self.due(settings.target_every):
            for learner in self.learners:
                if not learner.soft_target:
                    learner.update_target()

    def due(self, every: int) -> int:
        """How many multiples of `every` the last step of all environments reached."""
        return self.step // every - (self.step - len(self.policies)) // every

    def _train(self) -> None:
        """One update of each learner, on a batch of its own."""
        settings = self.settings
        beta = linear(self.step, settings.steps, settings.beta, 1.0)
        slots, updates = {}, {}
        for learner in self.learners:
            priorities = self.replay.priorities[learner.name]
            slots[learner.name] = priorities.sample(self.generator, settings.batch)
            updates[learner.name] = partial(
                learner.train,
                self.replay.transitions(slots[learner.name], settings.n_steps),
                priorities.weights(slots[learner.name], beta),
            )
        for name, (_, errors) in together(updates).items():
            self.replay.priorities[name].update(slots[name], errors)

    def weights(self) -> dict[str, Any]:
        """Networks and optimizers: what a run on another level can start from."""
        return {learner.name: learner.weights() for learner in self.learners}

    def restore_weights(self, weights: dict[str, Any]) -> None:
        """Start from what `weights` of an agent with the same networks returned.

        Raises:
            ValueError: the networks were others.
        """
        for learner in self.learners:
            if learner.name not in weights:
                raise ValueError(f"there is no {learner.name} in it, only {', '.join(weights)}")
            learner.restore_weights(weights[learner.name])

    def state(self) -> dict[str, Any]:
        """Everything that the next steps depend on."""
        return {
            "step": self.step,
            "coords": self.coords,
            "generator": self.generator.bit_generator.state,
            "balance": self.balance.state(),
            "policies": {f"{env:02d}": policy.state() for env, policy in enumerate(self.policies)},
            "replay": self.replay.state(),
            "weights": self.weights(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.step = state["step"]
        self.coords[:] = state["coords"]
        self.generator.bit_generator.state = state["generator"]
        self.balance.restore(state["balance"])
        for policy, policy_state in zip(self.policies, state["policies"].values(), strict=True):
            policy.restore(policy_state)
        self.replay.restore(state["replay"])
        self.restore_weights(state["weights"])
