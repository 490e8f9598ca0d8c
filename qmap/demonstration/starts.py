"""Where episodes begin along a demonstration."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from qmap.agents.means import Means

PARTS = 10
ROUNDING = 1e-9


class Starts:
    """The start, which moves back, and the start points of all copies, which come after it.

    Each copy has a start point of its own. That of the first half is the start itself, those of
    the others are spread evenly over the `spread` steps that follow: what was learned there is
    rehearsed. As soon as so many have succeeded as are a share of `threshold` of `rollouts`, among
    the newest `rollouts` rollouts from the start, it moves back by `back` steps for each
    `threshold` that the share of those looked at holds; it is then asked anew.

    Args:
        length: steps of the demonstration.
        copies: of the world.
        spread: steps over which start points are spread.
        own: probability that a copy begins at its own start point, and not anywhere from the start
            to the end of the demonstration.
        threshold: share of rollouts that have to succeed.
        rollouts: newest ones that are looked at. Few are soon wrong: as the question is asked after
            each, luck answers it in the end.
        back: steps that the start moves for each `threshold`.
        generator: draws.

    Attributes:
        start: the first action of the rollouts that decide, 0 to length - 1.
    """

    def __init__(
        self,
        length: int,
        copies: int,
        *,
        spread: int,
        own: float,
        threshold: float,
        rollouts: int,
        back: int,
        generator: np.random.Generator,
    ) -> None:
        self.start = length - 1
        self.length = length
        self.copies = copies
        self.spread = spread
        self.own = own
        self.threshold = threshold
        self.back = back
        self._generator = generator
        self._outcomes: deque[bool] = deque(maxlen=rollouts)
        self._means = Means()

    def draw(self, copy: int) -> int:
        """Return the action before which the next rollout of a copy begins."""
        if self._generator.random() >= self.own:
            return int(self._generator.integers(self.start, self.length))
        at_start = (self.copies + 1) // 2
        others = self.copies - at_start
        ahead = round(self.spread * max(copy - at_start + 1, 0) / max(others, 1))
        return min(self.start + ahead, self.length - 1)

    def end(self, start: int, success: bool) -> None:
        """Count a rollout from `start` that has ended; the start may move."""
        self._means.add(f"{PARTS * start // self.length}", success)
        if start != self.start:
            return
        self._means.add("start", success)
        self._outcomes.append(success)
        successes = sum(self._outcomes)
        # Of a whole number of thresholds a rounding error may be missing.
        enough = successes >= self.threshold * self._outcomes.maxlen - ROUNDING
        if enough and self.start > 0:
            moves = int(successes / (self.threshold * len(self._outcomes)) + ROUNDING)
            self.start = max(self.start - moves * self.back, 0)
            self._outcomes.clear()

    def take(self) -> list[float | None]:
        """Return shares of success since the last call: from the start, and from each part."""
        return [self._means.take(name) for name in ("start", *map(str, range(PARTS)))]

    def state(self) -> dict[str, Any]:
        """Return what the next draws depend on."""
        return {
            "start": self.start,
            "outcomes": list(self._outcomes),
            "means": self._means.state(),
            "generator": self._generator.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.start = int(state["start"])
        self._outcomes.clear()
        self._outcomes.extend(map(bool, state["outcomes"]))
        self._means.restore(state["means"])
        self._generator.bit_generator.state = state["generator"]
