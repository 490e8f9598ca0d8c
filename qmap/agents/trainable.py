"""What a training asks of who plays, be it networks or a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from qmap.agents.exploration_balance import ExplorationBalance
from qmap.agents.policy import Goal, Kind
from qmap.agents.q_map import QMapLearner


class Settings(Protocol):
    """When it learns, in steps."""

    learning_starts: int
    train_every: int


class Learner(Protocol):
    """Who learns, by the name of its columns in `qmap.logs.LEARNING`."""

    name: str


class LastStep(Protocol):
    """What an environment's last step was for."""

    goal: Goal | None
    kind: Kind


class TrainableAgent(Protocol):
    """Acts in copies of a world and learns from what comes of it.

    The order of a step: `act`, then the environments, then `observe`, then `train`; `start` where
    an episode begins. For the shapes of arguments see `qmap.agents.replay.Replay`.

    Attributes:
        settings: when it learns.
        learners: who learns; none for an agent that only acts.
        policies: what the last step of each environment was for.
        q_map: the learner of goals, None if there is none.
        q_frames: (n_envs, rows, cols, actions) of the last `act`, None if it did not need any.
        balance: running shares of the kinds of steps.
        coords: (n_envs, 3) where the characters are.
    """

    settings: Settings
    learners: Sequence[Learner]
    policies: Sequence[LastStep]
    q_map: QMapLearner | None
    q_frames: np.ndarray | None
    balance: ExplorationBalance
    coords: np.ndarray

    @property
    def q_map_in_use(self) -> bool:
        """Whether goals may be chosen yet."""

    @property
    def planned_exploration(self) -> float:
        """The wanted share of exploring steps now."""

    @property
    def snapshot_bytes(self) -> int:
        """The most that `state` holds beside `weights`."""

    @property
    def growth_bytes(self) -> int:
        """The most by which `weights` may grow."""

    def start(
        self, envs: np.ndarray, frames: np.ndarray, coords: np.ndarray, rooms: np.ndarray | int = 0
    ) -> None:
        """Begin an episode in each of `envs`."""

    def observations(self) -> np.ndarray:
        """Return what it sees now, uint8."""

    def act(self) -> np.ndarray:
        """Choose an action for every environment, (n_envs,)."""

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
        """Take note of one step of every environment, and where it completed a level."""

    def train(self) -> None:
        """Learn as often as the last `observe` makes due."""

    def measured(self, name: str) -> float | None:
        """Return what a column of learning.csv says since it was last asked."""

    def weights(self, moments: bool = True) -> dict[str, Any]:
        """Return what another run can start from."""

    def start_from(self, weights: dict[str, Any]) -> None:
        """Start from what `weights` returned."""

    def state(self) -> dict[str, Any]:
        """Return everything that the next steps depend on."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
