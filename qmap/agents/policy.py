"""What chooses the actions of an environment, and what it tells of a step.

A policy knows Q-values, coordinates and random numbers, and nothing of networks. A step has two
halves, because the Q-values are only computed where they are needed: `plan` tosses the coins and
tells what it needs, `act` takes what was asked for and returns the action.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, NamedTuple, Protocol

import numpy as np


class Kind(Enum):
    """What kind of step the last one was."""

    RANDOM = "random"
    GOAL = "goal"
    GREEDY = "greedy"
    GREEDY_GOAL = "greedy goal"


class Needs(NamedTuple):
    """What `GoalPolicy.act` needs to know in this step."""

    q_frames: bool
    greedy_action: bool


class Goal(NamedTuple):
    """A cell in world coordinates, which a scrolling window does not move."""

    row: int
    col: int


class Policy(Protocol):
    """Chooses the actions of one environment; `GoalPolicy` is the published one.

    Attributes:
        goal: where the character is going, None if nowhere.
        kind: kind of the last step.
    """

    goal: Goal | None
    kind: Kind

    def plan(
        self,
        coords: np.ndarray,
        *,
        random_proba: float,
        goal_proba: float,
        use_q_map: bool,
        use_dqn: bool,
        room: int = 0,
    ) -> Needs:
        """Decide what kind of step comes next, and tell which Q-values that needs."""

    def act(self, q_frames: np.ndarray | None, greedy_action: int | None) -> int:
        """Return the action of the step, given what `plan` needs."""

    def end_episode(self, coords: np.ndarray, died: bool = False) -> None:
        """Note that the episode ended at `coords`, (3,); called before the first one, too.

        The character `died` if it ended by what was done there, which did not finish a level.
        """

    def state(self) -> dict[str, Any]:
        """Return what the next step depends on."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
