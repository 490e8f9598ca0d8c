"""The one schedule that everything follows."""

from __future__ import annotations


def linear(step: int, steps: int, first: float, last: float) -> float:
    """Go from `first` at step 0 to `last` at step `steps` in a straight line, and stay there."""
    fraction = min(step / steps, 1.0)
    return first + fraction * (last - first)
