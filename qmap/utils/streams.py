"""Luck: every consumer of random numbers has a stream of its own, and all come from one seed.

Two consumers that were seeded with the same number would draw the same values: a floor that pushes
in a random direction would push exactly where a random agent wants to go. And two that share a
generator change each other's luck: Keras draws first weights from Python's global one, and so may
somebody's world. That one is lent to the networks, and is the worlds' otherwise.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

Made = TypeVar("Made")

# The global generators, of which their modules' functions are methods.
PYTHON: random.Random = random.random.__self__
NUMPY: np.random.RandomState = np.random.random_sample.__self__

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
    "process",
    "global",
    "page",
    "centering",
)


def generator(seed: int, consumer: str, index: int = 0) -> np.random.Generator:
    """Return the source of random numbers of one of `CONSUMERS` in the run with this seed."""
    return np.random.default_rng(_sequence(seed, consumer, index))


def number(seed: int, consumer: str, index: int = 0) -> int:
    """Return a seed, below 2**31, for what takes a number: Keras, or the environment `index`."""
    return int(_sequence(seed, consumer, index).generate_state(1)[0] >> 1)


@contextmanager
def lent(seed: int, consumer: str) -> Iterator[None]:
    """Let a consumer draw its luck from Python's global generator in the block.

    After it that one goes on as if nothing had been drawn.
    """
    before = PYTHON.getstate()
    PYTHON.seed(number(seed, consumer))
    try:
        yield
    finally:
        PYTHON.setstate(before)


def made_with_luck(make: Callable[[], Made], seed: int) -> Made:
    """Make an environment that may draw from the global generators, which get luck of its own.

    Args:
        make: makes it.
        seed: that it will be reset with.
    """
    for stream in (PYTHON, NUMPY):
        stream.seed(number(seed, "global"))
    return make()


def _sequence(seed: int, consumer: str, index: int = 0) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(CONSUMERS.index(consumer), index))
