"""Prioritized sampling of transitions (Schaul et al. 2016)."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmap.agents.sum_tree import SumTree


class Priorities:
    """One learner's priorities over the transitions of a replay, and sampling by them.

    A transition is drawn with a probability proportional to `(|error| + epsilon) ** alpha`; one
    that was never trained on has the largest priority seen so far.

    Args:
        capacity: number of slots of the replay.
        alpha: 0 draws uniformly, 1 in proportion to the errors.
        epsilon: keeps a transition without error in the draw.
    """

    def __init__(self, capacity: int, alpha: float = 1.0, epsilon: float = 0.0) -> None:
        self.alpha = alpha
        self.epsilon = epsilon
        self.largest = 1.0
        self.tree = SumTree(capacity)

    def add(self, slots: np.ndarray) -> None:
        """Let the transitions at `slots` be drawn, with the largest priority so far."""
        self.tree[slots] = self.largest**self.alpha

    def remove(self, slots: np.ndarray) -> None:
        """Let the transitions at `slots` never be drawn again."""
        self.tree[slots] = 0.0

    def update(self, slots: np.ndarray, errors: np.ndarray) -> None:
        """Set the priorities of the transitions at `slots` from their errors, of either sign."""
        priorities = np.abs(errors.astype(np.float64)) + self.epsilon
        self.largest = max(self.largest, float(priorities.max()))
        self.tree[slots] = priorities**self.alpha

    def sample(self, generator: np.random.Generator, batch_size: int) -> np.ndarray:
        """Draw slots with replacement, in proportion to their priorities: (batch_size,)."""
        return self.tree.find(generator.random(batch_size) * self.tree.total)

    def weights(self, slots: np.ndarray, beta: float) -> np.ndarray:
        """Importance weights, (len(slots),), divided by the largest of all transitions.

        `(N P(i)) ** -beta / max_j (N P(j)) ** -beta` (Schaul et al. 2016, section 3.4), in which
        the number of transitions and the sum of the priorities cancel out.
        """
        return (self.tree.minimum / self.tree[slots]) ** beta

    def state(self, slots: np.ndarray) -> dict[str, Any]:
        """Return the priorities at `slots` and the largest so far."""
        return {"priorities": self.tree[slots], "largest": self.largest}

    def restore(self, slots: np.ndarray, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.tree[slots] = state["priorities"]
        self.largest = state["largest"]
