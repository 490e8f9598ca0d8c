"""Whether the Q-map sees: where a character is, everything near it can be reached at once."""

from __future__ import annotations

import numpy as np

NEAR = 2  # cells
AHEAD = 4  # steps
NOWHERE = -1000  # row and column of who is on no screen


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


def places_ahead(places: np.ndarray, windows: np.ndarray, stretches: np.ndarray) -> np.ndarray:
    """Return where on the screen of each frame the character is then and goes in 4 steps.

    Args:
        places: (n, 2), row and column of the character in the world, frame after frame.
        windows: (n,), column of the world at which the screen begins.
        stretches: (n,), number of the stretch, for instance an episode; frames of one follow each
            other.

    Returns:
        (n, 5, 2), after 0 to 4 steps; far off the screen where the stretch has ended by then.
    """
    later = np.arange(len(places))[:, None] + np.arange(AHEAD + 1)
    there = np.minimum(later, len(places) - 1)
    ahead = places[there] - windows[:, None, None] * (0, 1)
    ahead[(there != later) | (stretches[there] != stretches[:, None])] = NOWHERE
    return ahead


def near_any(cells: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Whether cells are near one of several places: (n, 2) and (n, k, 2) to (n,) bool."""
    return np.any([near(cells, places[:, each]) for each in range(places.shape[1])], axis=0)
