"""Goals drawn from everything that the Q-map learns: relabelling with random goals."""

from __future__ import annotations

import numpy as np

from qmap.envs.walks import Walks


def choose(walks: Walks, generator: np.random.Generator) -> np.ndarray:
    """Return a random cell of the screen for each walk, (n, 2), walls as well."""
    count, rows, cols = walks.observations.shape[:3]
    return np.stack(
        (generator.integers(rows, size=count), generator.integers(cols, size=count)), axis=-1
    )
