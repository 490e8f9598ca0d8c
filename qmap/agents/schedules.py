"""What depends on the number of steps: schedules, and what is done every so many."""

from __future__ import annotations


def linear(step: int, steps: int, first: float, last: float) -> float:
    """Go from `first` at step 0 to `last` at step `steps` in a straight line, and stay there."""
    fraction = min(step / steps, 1.0)
    return first + fraction * (last - first)


def crossings(every: int, step: int, advanced: int) -> int:
    """Return how many multiples of `every` the last `advanced` steps up to `step` reached."""
    return step // every - (step - advanced) // every
