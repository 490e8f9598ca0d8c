"""What drives the agent where nobody has pointed anywhere and no key is pressed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qmap.agents.exploration_balance import ExplorationBalance
from qmap.agents.goal_counts import GoalCounts
from qmap.agents.means import Means
from qmap.agents.schedules import linear, planned_exploration
from qmap.config import TrainingConfig
from qmap.evaluate.player import Player
from qmap.evaluate.trained import Origin, Trained
from qmap.make_agent import make_goal_policy

NOTHING, GOALS, TASK, POLICY = "nothing", "goals", "task", "policy"
DRIVERS = (NOTHING, GOALS, TASK, POLICY)


class Choice(NamedTuple):
    """An action and what kind of step it is (see `qmap.agents.policy.Kind`)."""

    action: int
    kind: str


def drivers_of(origin: Origin, trained: Trained) -> list[str]:
    """Return what can drive the agent of a checkpoint."""
    found = [NOTHING]
    found += [GOALS] * (trained.q_map is not None)
    found += [TASK] * (trained.dqn is not None)
    found += [POLICY] * isinstance(origin.config, TrainingConfig)
    return found


class TrainingPolicy:
    """Acts as the training did when it wrote the checkpoint.

    Random steps are as likely as they were then. How often goals were chosen is not in a
    checkpoint: it begins at each time that there is none, and settles in some thousand steps where
    the share of exploring steps is the planned one, as in training. Where goals were drawn by the
    steps that cells have had, these are counted anew.

    Args:
        origin: the checkpoint, of a training with a task.
        trained: its networks.
        coords_shape: (rows, cols) of the goal grid.
        n_actions: number of actions.
        generator: source of random numbers.
    """

    def __init__(
        self,
        origin: Origin,
        trained: Trained,
        coords_shape: tuple[int, int],
        n_actions: int,
        generator: np.random.Generator,
    ) -> None:
        config, step = origin.config, origin.step
        self._trained = trained
        self._uses_q_map = trained.q_map is not None and step >= config.goals_begin_at
        self._planned = 1.0
        if trained.dqn is not None:
            self._planned = planned_exploration(config, step)
        self._random = self._planned
        if self._uses_q_map:
            self._random = linear(step, config.steps, config.first_random, config.last_random)
        self._balance = ExplorationBalance()
        self._counts = GoalCounts(config.goal_rarity) if config.goal_rarity else None
        self.policy = make_goal_policy(
            config, coords_shape, n_actions, generator, Means(), self._counts
        )

    def act(self, player: Player, q_frames: np.ndarray | None, greedy: int | None) -> Choice:
        """Choose, given what the networks say of what the player sees."""
        view = player.view
        if self._counts is not None:
            self._counts.visited(view.rooms, view.coords)
        self.policy.plan(
            view.coords[0],
            random_proba=self._random,
            goal_proba=self._balance.goal_proba,
            use_q_map=self._uses_q_map,
            use_dqn=self._trained.dqn is not None,
            room=int(view.rooms[0]),
        )
        action = self.policy.act(q_frames, greedy)
        self._balance.count(self.policy.kind)
        self._balance.adjust(self._planned)
        return Choice(action, self.policy.kind.value)

    def end_episode(self, player: Player) -> None:
        """Let the policy know that the player's episode ends where it is, as a training does."""
        view = player.view
        died = player.terminal and not bool(view.completed[0])
        self.policy.end_episode(view.coords[0], died)
