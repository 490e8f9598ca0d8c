"""Time by part of a program."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Seconds spent in named parts; a part inside another one counts for the inner one only."""

    def __init__(self) -> None:
        self._open = ["other"]
        self.reset()

    def reset(self) -> None:
        """Start from zero."""
        self._seconds: dict[str, float] = defaultdict(float)
        self._since = time.perf_counter()

    def read(self) -> dict[str, float]:
        """Seconds by part since `reset`; "other" is the time outside all parts."""
        self._note()
        return dict(self._seconds)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time in the `with` block for a part."""
        self._note()
        self._open.append(name)
        try:
            yield
        finally:
            self._note()
            self._open.pop()

    @property
    def current(self) -> str:
        """The innermost part that is being measured."""
        return self._open[-1]

    def _note(self) -> None:
        now = time.perf_counter()
        self._seconds[self._open[-1]] += now - self._since
        self._since = now
