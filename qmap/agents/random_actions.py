"""Random actions that may each be kept for some steps.

Dabney et al. 2021, *Temporally-Extended epsilon-Greedy Exploration*.
"""

from __future__ import annotations

import numpy as np


class RandomActions:
    """Draws random actions and for how many steps to keep each.

    Args:
        n_actions: number of actions.
        lengths: fewest and most steps for which an action is kept, drawn evenly; (1, 1) as
            published.
        generator: source of random numbers.
    """

    def __init__(
        self, n_actions: int, lengths: tuple[int, int], generator: np.random.Generator
    ) -> None:
        self.n_actions = n_actions
        self.lengths = lengths
        self.generator = generator
        self._action = self._left = 0

    @property
    def going_on(self) -> bool:
        """Whether the last action is to be kept for another step."""
        return self._left > 0

    def begin_probability(self, share: float) -> float:
        """Return the probability of beginning to act at random that makes a share of steps random.

        Args:
            share: the wanted one, 0 to 1.
        """
        mean = sum(self.lengths) / 2
        return share / (mean - (mean - 1.0) * share)

    def act(self) -> int:
        """Return the action that is kept, or begin to keep another one."""
        if not self.going_on:
            self._action, self._left = int(self.generator.integers(self.n_actions)), 1
            fewest, most = self.lengths
            if most > 1:
                self._left = int(self.generator.integers(fewest, most + 1))
        self._left -= 1
        return self._action

    def stop(self) -> None:
        """Keep the last action no longer."""
        self._left = 0

    def state(self) -> list[int]:
        """Return what the next step depends on, without the generator."""
        return [self._action, self._left]

    def restore(self, state: list[int]) -> None:
        """Continue from what `state` returned."""
        self._action, self._left = state
