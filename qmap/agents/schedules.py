"""What depends on the number of steps: schedules, and what is done every so many."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qmap.config import TrainingConfig


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


def planned_exploration(settings: TrainingConfig, step: int) -> float:
    """Return the wanted share of exploring steps of an agent with a task."""
    ends = settings.first_exploration, settings.last_exploration
    if settings.exploration == "phases":
        return phases(step, settings.learning_starts, settings.anneal, *ends)
    if settings.exploration == "geometric":
        return geometric(step, settings.exploration_factor, *ends)
    return linear(step, settings.steps, *ends)


def crossings(every: int, step: int, advanced: int) -> int:
    """Return how many multiples of `every` the last `advanced` steps up to `step` reached."""
    return step // every - (step - advanced) // every
