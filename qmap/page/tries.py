"""Goals that were tried: how far they were believed to be, and what became of it."""

from __future__ import annotations

from typing import Any

from qmap.evaluate.navigation import Going

KEPT = 50  # tries that are listed; all are counted


class Tries:
    """A list of tries, the newest last, and how many of all arrived."""

    def __init__(self) -> None:
        self._listed: list[tuple[Going, float, str]] = []
        self.ended = 0
        self.arrived = 0

    def begin(self, going: Going, believed: float, chosen_by: str) -> None:
        """List a try that begins."""
        self._listed.append((going, believed, chosen_by))
        del self._listed[:-KEPT]

    def end(self, going: Going) -> None:
        """Count a try that has arrived or not; one that was broken off does not count."""
        if going.arrived is not None:
            self.ended += 1
            self.arrived += going.arrived

    def words(self, under_way: Going | None) -> dict[str, Any]:
        """Return what a page shows of them, the newest first."""
        return {
            "ended": self.ended,
            "arrived": self.arrived,
            "list": [
                {
                    "goal": [int(index) for index in going.goal],
                    "believed": round(believed, 1),
                    "taken": None if going is under_way else going.steps,
                    "by": chosen_by,
                    "outcome": _outcome(going, under_way),
                }
                for going, believed, chosen_by in reversed(self._listed)
            ],
        }


def _outcome(going: Going, under_way: Going | None) -> str:
    if going.arrived is None:
        return "under way" if going is under_way else "broken off"
    return "arrived" if going.arrived else "did not arrive"
