"""The agent: acts by goals of the Q-map and by the DQN, remembers, and trains both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from qmap.agents.acting import OnlineNetworks
from qmap.agents.dqn import DQNLearner
from qmap.agents.exploration_balance import ExplorationBalance
from qmap.agents.goal_counts import GoalCounts
from qmap.agents.learner import FOLLOW_EVERY, followed
from qmap.agents.means import Means
from qmap.agents.policy import Policy
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Replay
from qmap.agents.schedules import crossings, linear, planned_exploration
from qmap.agents.sight import sees
from qmap.agents.together import together

if TYPE_CHECKING:
    from qmap.config import TrainingConfig

# What the learners are called in learning.csv.
LOGGED_AS = {DQNLearner.name: "dqn", QMapLearner.name: "q-map"}


class Agent:
    """Q-map and DQN, either of them, or neither (a random agent), on one or more environments.

    The order of a step: `act`, then the environments, then `observe`, then `train`; `start` where
    an episode begins.

    Args:
        settings: when it explores and trains, and how it samples.
        replay: the memory of both learners, with a set of priorities for each.
        policies: one for each environment, all with the same `means`.
        q_map: the goal learner, None for none.
        dqn: the task learner, None for none.
        acting: source of random numbers of the policies.
        sampling: source of random numbers of the replay.
        means: takes what updates find out: losses, errors and the best Q-values.
        goal_counts: what the policies draw goals by, told where the characters are; None if they
            draw evenly.

    Attributes:
        growth_bytes: by which `weights` may grow: networks do not.
        step: steps taken so far.
        balance: running shares of the kinds of steps.
        coords: (n_envs, 3) where the characters are.
        q_frames: (n_envs, rows, cols, actions) of the last `act`, None if it did not need any.
    """

    growth_bytes = 0

    def __init__(
        self,
        settings: TrainingConfig,
        *,
        replay: Replay,
        policies: Sequence[Policy],
        q_map: QMapLearner | None,
        dqn: DQNLearner | None,
        acting: np.random.Generator,
        sampling: np.random.Generator,
        means: Means,
        goal_counts: GoalCounts | None = None,
    ) -> None:
        self.settings = settings
        self.replay = replay
        self.policies = policies
        self.q_map = q_map
        self.dqn = dqn
        self.generators = {"acting": acting, "sampling": sampling}
        self.means = means
        self.goal_counts = goal_counts
        self.learners = [learner for learner in (dqn, q_map) if learner is not None]
        self.networks = OnlineNetworks(q_map, dqn)
        self.balance = ExplorationBalance()
        self.step = 0
        self.coords = np.zeros((len(policies), 3), np.int64)
        self._died = np.zeros(len(policies), bool)
        self.q_frames: np.ndarray | None = None

    @property
    def snapshot_bytes(self) -> int:
        """The most that `state` holds beside `weights`."""
        return self.replay.capacity_bytes

    @property
    def planned_exploration(self) -> float:
        """The wanted share of exploring steps now."""
        return 1.0 if self.dqn is None else planned_exploration(self.settings, self.step)

    @property
    def q_map_in_use(self) -> bool:
        """Whether goals may be chosen yet."""
        return self.q_map is not None and self.step >= self.settings.goals_begin_at

    @property
    def random_proba(self) -> float:
        """Probability of a random action now."""
        if not self.q_map_in_use:
            return self.planned_exploration
        settings = self.settings
        return linear(self.step, settings.steps, settings.first_random, settings.last_random)

    def start(
        self,
        envs: np.ndarray,
        frames: np.ndarray,
        coords: np.ndarray,
        rooms: np.ndarray | int = 0,
    ) -> None:
        """Begin an episode in each of `envs`; see `Replay.start` for the shapes."""
        for env in envs:
            self.policies[env].end_episode(self.coords[env], bool(self._died[env]))
        self._died[envs] = False
        self.replay.start(envs, frames, coords, rooms)
        self.coords[envs] = coords
        self._count_visits(coords, rooms)

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
                room=int(room),
            )
            for policy, coords, room in zip(
                self.policies, self.coords, self.replay.rooms(self.replay.newest()), strict=True
            )
        ]
        needs_q_frames = any(need.q_frames for need in needs)
        needs_greedy = any(need.greedy_action for need in needs)
        self.q_frames = greedy = None
        if needs_q_frames or needs_greedy:
            self.q_frames, greedy = self.networks.evaluate(
                self.observations(), q_frames=needs_q_frames, greedy_actions=needs_greedy
            )
        if needs_q_frames:
            places = self.coords[:, :2] - self.coords[:, 2:] * (0, 1)
            self.means.add("sight", sees(self.q_frames.max(axis=-1), places).mean())
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
        rooms: np.ndarray | int = 0,
        completed: np.ndarray | bool = False,
    ) -> None:
        """Remember one step of every environment; see `Replay.add` for the shapes.

        Where it `completed` a level, (n_envs,), the end of the episode is no death.
        """
        planned = self.planned_exploration
        for policy in self.policies:
            self.balance.count(policy.kind)
            if self.q_map_in_use:
                self.balance.adjust(planned)
        self.replay.add(actions, rewards, terminals, frames, coords, rooms)
        self.coords[:] = coords
        self._died[:] = terminals & ~np.asarray(completed)
        self._count_visits(coords, rooms)
        self.step += len(actions)

    def _count_visits(self, coords: np.ndarray, rooms: np.ndarray | int) -> None:
        if self.goal_counts is not None:
            self.goal_counts.visited(np.broadcast_to(rooms, len(coords)), coords)

    def train(self) -> None:
        """Train and copy to the target networks as often as the last `observe` makes due.

        Raises:
            FloatingPointError: a loss is not finite.
        """
        settings = self.settings
        if self.step < settings.learning_starts:
            return
        for _ in range(crossings(settings.train_every, self.step, len(self.policies))):
            self._train()
        if crossings(settings.target_every, self.step, len(self.policies)):
            for learner in self.learners:
                if learner is not self.q_map or not settings.soft_target:
                    learner.update_target()
        if self.q_map is not None and settings.soft_target:
            every = FOLLOW_EVERY * settings.train_every
            for _ in range(crossings(every, self.step, len(self.policies))):
                self.q_map.update_target(followed(settings.soft_target))

    def _train(self) -> None:
        """One update of each learner, on a batch of its own."""
        settings = self.settings
        beta = linear(self.step, settings.steps, settings.beta, 1.0)
        slots, updates = {}, {}
        for learner in self.learners:
            priorities = self.replay.priorities[learner.name]
            slots[learner.name] = self._draw(learner)
            updates[learner.name] = partial(
                learner.train,
                self.replay.transitions(slots[learner.name], settings.n_steps),
                priorities.weights(slots[learner.name], beta),
            )
        for name, update in together(updates).items():
            self.replay.priorities[name].update(slots[name], update.errors)
            title = LOGGED_AS[name]
            self.means.add(f"{title} loss", update.loss)
            self.means.add(f"{title} error", np.abs(update.errors).mean())
            if name == QMapLearner.name:
                self.means.add("mean best q", update.best_q)

    def _draw(self, learner: QMapLearner | DQNLearner) -> np.ndarray:
        """Return the slots of a batch: by priority, and some of the Q-map's among the ends.

        That a share of each batch is drawn from what is rare and matters is from Narasimhan et al.
        2015, *Language Understanding for Text-based Games*, where it is steps with a reward. Their
        importance weights stay those of a draw by priority: they count for more, on purpose, and
        where luck decides, values before an end are too low by that.
        """
        generator, settings = self.generators["sampling"], self.settings
        slots = self.replay.priorities[learner.name].sample(generator, settings.batch)
        count = settings.ends_in_a_batch
        if learner is self.q_map and count:
            ends = self.replay.ends(settings.terminal_steps)
            if len(ends):
                slots[:count] = generator.choice(ends, count)
        return slots

    def measured(self, name: str) -> float | None:
        """Return the mean of what a column of learning.csv is about, since it was last asked."""
        return self.means.take(name)

    def weights(self, moments: bool = True) -> dict[str, Any]:
        """Networks and, with `moments`, optimizers: what a run on another level can start from.

        Raises:
            FloatingPointError: they are not finite.
        """
        return {learner.name: learner.weights(moments) for learner in self.learners}

    def restore_weights(self, weights: dict[str, Any]) -> None:
        """Go on with what `weights` of an agent with the same networks returned.

        Raises:
            ValueError: the networks were others.
        """
        for learner, of_learner in self._by_learner(weights):
            learner.restore_weights(of_learner)

    def start_from(self, weights: dict[str, Any]) -> None:
        """Learn on from such weights, in what may be another world; see `Learner.start_from`.

        Raises:
            ValueError: the networks were others.
        """
        for learner, of_learner in self._by_learner(weights):
            learner.start_from(of_learner)

    def _by_learner(
        self, weights: dict[str, Any]
    ) -> Iterator[tuple[QMapLearner | DQNLearner, dict[str, Any]]]:
        """Yield each learner and its own weights."""
        for learner in self.learners:
            if learner.name not in weights:
                raise ValueError(f"there is no {learner.name} network in it")
            yield learner, weights[learner.name]

    def state(self) -> dict[str, Any]:
        """Everything that the next steps depend on."""
        return {
            "step": self.step,
            "coords": self.coords,
            "died": self._died,
            **({} if self.goal_counts is None else {"visits": self.goal_counts.visits.rows()}),
            "generators": {
                name: generator.bit_generator.state for name, generator in self.generators.items()
            },
            "means": self.means.state(),
            "balance": self.balance.state(),
            "policies": {f"{env:02d}": policy.state() for env, policy in enumerate(self.policies)},
            "replay": self.replay.state(),
            "weights": self.weights(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.step = state["step"]
        self.coords[:] = state["coords"]
        self._died[:] = state.get("died", False)  # earlier runs did not keep it
        if self.goal_counts is not None:
            self.goal_counts.visits.restore(state["visits"])
        for name, generator in self.generators.items():
            generator.bit_generator.state = state["generators"][name]
        self.means.restore(state["means"])
        self.balance.restore(state["balance"])
        for policy, policy_state in zip(self.policies, state["policies"].values(), strict=True):
            policy.restore(policy_state)
        self.replay.restore(state["replay"])
        self.restore_weights(state["weights"])
