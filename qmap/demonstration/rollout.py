"""One try at the way of the demonstration, from a start along it."""

from __future__ import annotations

from dataclasses import dataclass

from qmap.experiment import Episode


@dataclass
class Rollout(Episode):
    """A rollout so far: an episode from a start on.

    Attributes:
        start: the action before which it began.
        success: it scored as well as the demonstration from there, but for the deficit.
    """

    start: int = 0
    success: bool = False
