"""How often goals are chosen, so that as many steps explore as planned (Q-map paper, section 4)."""

from __future__ import annotations

from qmap.agents.policy import Kind


class ExplorationBalance:
    """Keeps the share of exploring steps at the plan by moving `goal_proba`.

    Attributes:
        goal_proba: probability of choosing a goal where there is none.
        random: running share of random steps.
        goal: running share of steps towards a goal that the DQN would not have taken.
        greedy: running share of steps that the DQN would have taken.
    """

    RATE = 0.01
    CHANGE = 0.001

    def __init__(self) -> None:
        self.goal_proba = 1.0
        self.random = 1.0
        self.goal = 0.0
        self.greedy = 0.0

    @property
    def exploring(self) -> float:
        """Running share of steps that the DQN would not have taken."""
        # Not random + goal: its rounding would pass a plan of 1 where there is no DQN.
        return 1.0 - self.greedy

    def count(self, kind: Kind) -> None:
        """Move the running shares by a step of `kind`."""
        self.random += self.RATE * ((kind is Kind.RANDOM) - self.random)
        self.goal += self.RATE * ((kind is Kind.GOAL) - self.goal)
        self.greedy += self.RATE * ((kind in (Kind.GREEDY, Kind.GREEDY_GOAL)) - self.greedy)

    def adjust(self, planned: float) -> None:
        """Choose goals less often where more is explored than `planned`, else more often."""
        change = -self.CHANGE if self.exploring > planned else self.CHANGE
        self.goal_proba = min(max(self.goal_proba + change, 0.0), 1.0)

    def state(self) -> dict[str, float]:
        """Return the shares and the probability."""
        return {
            "goal_proba": self.goal_proba,
            "random": self.random,
            "goal": self.goal,
            "greedy": self.greedy,
        }

    def restore(self, state: dict[str, float]) -> None:
        """Continue from what `state` returned."""
        self.goal_proba = state["goal_proba"]
        self.random = state["random"]
        self.goal = state["goal"]
        self.greedy = state["greedy"]
