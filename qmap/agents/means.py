"""Means of what happens now and then, for a log that has a row now and then."""

from __future__ import annotations

from typing import Any


class Means:
    """The mean of each named number since it was last taken."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, value: float) -> None:
        """Count a value."""
        self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._counts[name] = self._counts.get(name, 0) + 1

    def take(self, name: str) -> float | None:
        """Return the mean, None if nothing was counted, and begin anew."""
        total, count = self._sums.pop(name, 0.0), self._counts.pop(name, 0)
        return total / count if count else None

    def state(self) -> dict[str, Any]:
        """Return what was counted so far."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
