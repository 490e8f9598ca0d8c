"""What every environment of this project says to a step outside of an episode."""

from qmap.utils.errors import UserError


def step_refused() -> UserError:
    """Return the error of a `step` after an episode's end or before the first `reset`."""
    return UserError("step() outside of an episode: it has ended or not begun; call reset() first")
