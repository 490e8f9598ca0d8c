"""Random actions that are each kept for a number of steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmap.agents.policy import Kind, Needs


class RepeatedActions:
    """Takes a random action, keeps it for a drawn number of steps, takes the next one.

    Args:
        n_actions: number of actions.
        lengths: (k,) the numbers of steps that an action may be kept, each at least 1.
        shares: (k,) how often each of them is drawn; their sum is 1.
        single: probability that a step takes a random action of its own. The one that is kept goes
            on after it, for as many steps as it would have.
        change: whether the next action always differs from the one before.
        generator: source of random numbers.
    """

    kind = Kind.RANDOM
    goal = None

    def __init__(
        self,
        n_actions: int,
        lengths: np.ndarray,
        shares: np.ndarray,
        *,
        single: float = 0.0,
        change: bool = False,
        generator: np.random.Generator,
    ) -> None:
        self.n_actions = n_actions
        self.lengths = lengths
        self.shares = shares
        self.single = single
        self.change = change
        self.generator = generator
        self._action: int | None = None
        self._left = 0

    def plan(self, coords: np.ndarray, **_: Any) -> Needs:
        """Need nothing; see `qmap.agents.policy.Policy`."""
        return Needs(q_frames=False, greedy_action=False)

    def act(self, q_frames: None = None, greedy_action: None = None) -> int:
        """Return the action of the step."""
        if self.generator.random() < self.single:
            return int(self.generator.integers(self.n_actions))
        if self._left == 0:
            self._action = self._next_action()
            self._left = int(self.generator.choice(self.lengths, p=self.shares))
        self._left -= 1
        return self._action

    def end_episode(self, coords: np.ndarray, died: bool = False) -> None:
        """Keep nothing beyond the end of an episode."""
        self._action, self._left = None, 0

    def state(self) -> dict[str, Any]:
        """Return what the next step depends on."""
        return {
            "action": self._action,
            "left": self._left,
            "generator": self.generator.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self._action = state["action"]
        self._left = state["left"]
        self.generator.bit_generator.state = state["generator"]

    def _next_action(self) -> int:
        if not self.change or self._action is None or self.n_actions == 1:
            return int(self.generator.integers(self.n_actions))
        return int(self._action + self.generator.integers(1, self.n_actions)) % self.n_actions
