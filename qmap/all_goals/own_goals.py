"""The goal that a walk was given when it began: learning without relabelling."""

from __future__ import annotations

import numpy as np

from qmap.envs.walks import Walks, random_cells

WALL = 255  # in the blue channel


def choose(walks: Walks, generator: np.random.Generator) -> np.ndarray:
    """Return a random cell without a wall for each walk, (n, 2), as a task would give it."""
    blue = walks.observations[..., 2]
    places = random_cells(generator, blue.reshape(len(blue), -1) < WALL)
    return np.stack(np.divmod(places, blue.shape[2]), axis=-1)
