"""How far a run has got, by the ends of its logs."""

from __future__ import annotations

import math
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

SPAN = 60.0  # seconds over which a speed is measured
END = 4096  # bytes of a log that are read
# In a run's folder, by what a person looks at first: the log and its column.
SCORES = (("score", "undiscounted return"), ("ground_truth_loss", None))


class Progress:
    """What is known of a run.

    Attributes:
        step: the last that a log has.
        score: the last return, or loss where there are none; None before there is one.
        speed: steps per second of late, None before it is known.
    """

    def __init__(self) -> None:
        self.step = 0
        self.score: float | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def look(self, run: Path | None, now: float | None = None) -> None:
        """Read what the logs of `run` have by now.

        Args:
            run: its folder, None before it begins.
            now: the time in seconds.
        """
        self.note({path.stem: last_row(path) for path in run.glob("*.csv")} if run else {}, now)

    def note(self, rows: dict[str, dict[str, float] | None], now: float | None = None) -> None:
        """Take the last rows of the logs, by the names of these; see `look`."""
        now = time.monotonic() if now is None else now
        counted = [
            row["steps"]
            for row in rows.values()
            if row and math.isfinite(row.get("steps", math.nan))
        ]
        step = int(max(counted, default=0))
        for log, column in SCORES:
            if row := rows.get(log):
                self.score = row[column] if column in row else list(row.values())[1]
                break
        if step < self.step:
            self.rest()  # it goes on from its last snapshot
        self.step = step
        if not step:
            return  # it is still starting, which says nothing about its speed
        self._seen.append((now, step))
        while now - self._seen[0][0] > SPAN and len(self._seen) > 2:
            self._seen.popleft()

    def rest(self) -> None:
        """Forget the speed: the run stands still until it is seen at a step again."""
        self._seen.clear()

    @property
    def speed(self) -> float | None:
        """Steps per second over the last minute, without the time before the first step."""
        if len(self._seen) < 2:
            return None
        (before, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - before) if last > first and now > before else None


def last_row(path: Path) -> dict[str, float] | None:
    """Return the last whole row of a log by the names of its columns, None if there is none."""
    with suppress(OSError, ValueError, IndexError), open(path, "rb") as file:
        names = file.readline(END).decode().strip().split(",")
        start = file.tell()
        file.seek(max(start, file.seek(0, 2) - END))
        # What follows the last end of a line is not whole yet.
        lines = file.read().decode(errors="replace").split("\n")[:-1]
        values = [float(cell) if cell else float("nan") for cell in lines[-1].split(",")]
        return dict(zip((name.replace("_", " ") for name in names), values, strict=True))
    return None
