"""Goals of both kinds: half of them in hindsight, half of them random."""

from __future__ import annotations

import numpy as np

from qmap.all_goals import hindsight, random_goals
from qmap.envs.walks import Walks


def choose(walks: Walks, generator: np.random.Generator) -> np.ndarray:
    """Return a goal for each walk, (n, 2): in hindsight or random, one as likely as the other."""
    in_hindsight = generator.random((len(walks.actions), 1)) < 0.5
    return np.where(
        in_hindsight, hindsight.choose(walks, generator), random_goals.choose(walks, generator)
    )
