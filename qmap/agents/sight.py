"""Whether the Q-map sees: where a character is, everything near it can be reached at once."""

from __future__ import annotations

import numpy as np

NEAR = 2  # cells


def brightest(q_max: np.ndarray) -> np.ndarray:
    """Return the cells with the largest values: (n, rows, cols) to (n, 2), row and column."""
    n, _, cols = q_max.shape
    return np.stack(divmod(q_max.reshape(n, -1).argmax(axis=1), cols), axis=1)


def sees(q_max: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Whether the brightest cell is within 2 cells of the character, in rows and in columns.

    Args:
        q_max: (n, rows, cols), maximum over actions of the Q-frames.
        places: (n, 2), row and on-screen column of the character.

    Returns:
        (n,) bool.
    """
    return near(brightest(q_max), places)


def near(cells: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Whether cells are within 2 cells of places: (n, 2) or (2,) and (n, 2) to (n,) bool."""
    return np.abs(cells - places).max(axis=1) <= NEAR
