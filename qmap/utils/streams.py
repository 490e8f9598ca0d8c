"""Luck: every consumer of random numbers has a stream of its own, and all come from one seed.

Two consumers that were seeded with the same number would draw the same values: a floor that pushes
in a random direction would push exactly where a random agent wants to go.
"""

from __future__ import annotations

import numpy as np

# The order matters: a consumer's place in it is part of its seed. New ones go to the end.
CONSUMERS = (
    "networks",
    "acting",
    "sampling",
    "environments",
    "transitions",
    "evaluation",
    "benchmark",
    "baselines",
    "page",
)


def generator(seed: int, consumer: str, index: int = 0) -> np.random.Generator:
    """Return the source of random numbers of one of `CONSUMERS` in the run with this seed."""
    return np.random.default_rng(_sequence(seed, consumer, index))


def number(seed: int, consumer: str, index: int = 0) -> int:
    """Return a seed, below 2**31, for what takes a number: Keras, or the environment `index`."""
    return int(_sequence(seed, consumer, index).generate_state(1)[0] >> 1)


def _sequence(seed: int, consumer: str, index: int = 0) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(CONSUMERS.index(consumer), index))
