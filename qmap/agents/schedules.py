"""What depends on the number of steps: schedules, and what is done every so many."""

from __future__ import annotations


def linear(step: int, steps: int, first: float, last: float) -> float:
    """Go from `first` at step 0 to `last` at step `steps` in a straight line, and stay there."""
    fraction = min(step / steps, 1.0)
    return first + fraction * (last - first)


def phases(step: int, wait: int, steps: int, first: float, last: float) -> float:
    """Stay at `first` for `wait` steps, go to `last` in `steps` more, and stay there."""
    return linear(max(step - wait, 0), steps, first, last)


def geometric(step: int, factor: float, first: float, last: float) -> float:
    """Start at `first`, multiply by `factor` at each step, and stop at `last`."""
    return max(first * factor**step, last)


def crossings(every: int, step: int, advanced: int) -> int:
    """Return how many multiples of `every` the last `advanced` steps up to `step` reached."""
    return step // every - (step - advanced) // every
