"""The table of a sweep: alive at a terminal, lines now and then elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from qmap.sweep.job import Job
from qmap.sweep.pool import Task
from qmap.sweep.progress import Progress
from qmap.utils.terminal import outlive_the_audience

EVERY = {True: 1.0, False: 60.0}  # seconds, at a terminal or not
STATES = ("running", "stopping", "waiting", "failed", "stopped", "finished")


@dataclass(eq=False)
class Entry:
    """A job and what became of it.

    Attributes:
        state: one of `STATES`.
        task: while it is running or stopping.
        started: how many times, by this sweep.
        why: what went wrong the last time.
    """

    job: Job
    state: str = "waiting"
    task: Task | None = None
    started: int = 0
    why: str = ""
    run: Path | None = None
    progress: Progress = field(default_factory=Progress)

    def look(self) -> None:
        """Read the run's logs."""
        self.run = self.run or self.job.run()
        self.progress.look(self.run)


class Table:
    """Shows entries.

    Args:
        entries: of all jobs.
        stream: where to.
    """

    def __init__(self, entries: Sequence[Entry], stream: TextIO | None = None) -> None:
        outlive_the_audience()
        self.entries = entries
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self._lines = 0
        self._next = 0.0

    def update(self, final: bool = False) -> None:
        """Show what has changed, if it is time.

        Args:
            final: it is, and what is shown stays.
        """
        if not final and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY[self.live]
        for entry in self.entries:
            if entry.state in ("running", "stopping"):
                entry.look()
        if not self.live:
            print(total(self.entries), file=self.stream, flush=True)
            return
        width, height = shutil.get_terminal_size()
        lines = rows(self.entries, len(self.entries) if final else height - 3)
        self._clear()
        text = "".join(f"{line[: width - 1]}\n" for line in [*lines, total(self.entries)])
        self.stream.write(text)
        self.stream.flush()
        self._lines = 0 if final else len(lines) + 1

    def say(self, message: str) -> None:
        """Print a line above the table."""
        self._clear()
        print(message, file=self.stream, flush=True)
        if self.live:
            self._next = 0.0

    def _clear(self) -> None:
        if self._lines:
            self.stream.write(f"\x1b[{self._lines}A\x1b[J")
            self._lines = 0


def rows(entries: Sequence[Entry], most: int) -> list[str]:
    """Return the lines of the table, at most `most`: of those under way first, then in order."""
    shown = sorted(entries, key=lambda entry: STATES.index(entry.state))[: max(1, most - 2)]
    shown.sort(key=entries.index)
    width = max(len(entry.job.name) for entry in shown)
    lines = [f"{'':{width}}  {'state':9} {'steps':>21} {'a second':>8} {'score':>9} {'left':>8}"]
    for entry in shown:
        progress, last = entry.progress, entry.job.last_step
        speed = progress.speed if entry.state == "running" else None
        cells = (
            f"{entry.job.name:{width}}  {entry.state:9}",
            f"{f'{progress.step:,} / {last:,}':>21}",
            f"{'' if speed is None else f'{speed:,.0f}':>8}",
            f"{'' if progress.score is None else f'{progress.score:.4g}':>9}",
            f"{'' if speed is None else duration((last - progress.step) / speed):>8}",
        )
        lines.append(" ".join(cells).rstrip())
    if hidden := len(entries) - len(shown):
        lines.append(f"and {hidden} more")
    return lines


def total(entries: Sequence[Entry]) -> str:
    """Return how many jobs are in which state, and when all will be done at the speed of now."""
    counts = Counter(entry.state for entry in entries)
    parts = [f"{counts[state]} {state}" for state in STATES if counts[state]]
    speeds = [entry.progress.speed or 0.0 for entry in entries if entry.state == "running"]
    left = sum(
        max(0, entry.job.last_step - entry.progress.step)
        for entry in entries
        if entry.state in ("running", "waiting")
    )
    if left and sum(speeds):
        parts.append(f"about {duration(left / sum(speeds))} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time as 1:05, 2:01:05 or 3d 02h."""
    whole = int(max(0.0, seconds))
    if whole >= 86400:
        return f"{whole // 86400}d {whole % 86400 // 3600:02}h"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
