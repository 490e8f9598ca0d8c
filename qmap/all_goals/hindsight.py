"""Goals from what came later in the episode: hindsight experience replay."""

from __future__ import annotations

import numpy as np

from qmap.all_goals import own_goals
from qmap.envs.walks import NOTHING, Walks, random_cells


def choose(walks: Walks, generator: np.random.Generator) -> np.ndarray:
    """Return a goal that the walk reached for each walk, (n, 2).

    Any of its steps is as likely as another, the first one too (the "future" strategy of
    Andrychowicz et al. 2017). A walk that reached nothing keeps a goal of its own.
    """
    reached = walks.rows != NOTHING
    later = random_cells(generator, reached)
    each = np.arange(len(later))
    goals = np.stack((walks.rows[each, later], walks.cols[each, later]), axis=-1)
    return np.where(reached.any(axis=1, keepdims=True), goals, own_goals.choose(walks, generator))
