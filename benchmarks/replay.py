"""The replay when it is full: its memory, and what a batch costs."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from benchmarks.machine import peak_memory
from qmap.agents.priorities import Priorities
from qmap.agents.replay import Replay

FRAME_SHAPE, COORDS_SHAPE = (56, 40, 1), (28, 20)
BATCH = 32
EPISODE = 100
BETA = 0.4


@dataclass(frozen=True)
class ReplayFigures:
    """What was measured; times are medians.

    Attributes:
        capacity: transitions stored.
        memory_bytes: by which the process grew.
        priorities_ms: milliseconds for drawing, weighting and updating a batch of 32 in both sets.
        transitions_ms: milliseconds for putting one batch together.
        add_ms: milliseconds for storing one transition.
    """

    capacity: int
    memory_bytes: int
    priorities_ms: float
    transitions_ms: float
    add_ms: float


def measure(*, capacity: int, repetitions: int = 500) -> ReplayFigures:
    """Fill a replay of Montezuma's Revenge to the last slot and draw from it."""
    before = peak_memory()
    generator = np.random.default_rng(0)
    replay = Replay(
        capacity,
        FRAME_SHAPE,
        COORDS_SHAPE,
        priorities={name: Priorities(capacity) for name in ("q_map", "dqn")},
    )
    env = np.zeros(1, np.int64)
    frames = generator.integers(0, 256, (EPISODE, 1, *FRAME_SHAPE), np.uint8)
    coords = generator.integers(0, 20, (EPISODE, 1, 3))
    adding = []
    replay.start(env, frames[0], coords[0])
    for step in range(capacity + EPISODE):
        place = step % EPISODE
        start = time.perf_counter()
        replay.add(env, np.zeros(1), np.array([place == 0]), frames[place], coords[place])
        adding.append(time.perf_counter() - start)
        if place == 0:
            replay.start(env, frames[0], coords[0])
    for priorities in replay.priorities.values():
        for start in range(0, capacity - BATCH, 1000):
            slots = np.arange(start, min(start + 1000, capacity))
            slots = slots[priorities.tree[slots] > 0]
            priorities.update(slots, generator.exponential(0.01, len(slots)))
    memory = peak_memory() - before

    drawing, joining = [], []
    for _ in range(repetitions):
        errors = generator.exponential(0.01, BATCH).astype(np.float32)
        start = time.perf_counter()
        for priorities in replay.priorities.values():
            slots = priorities.sample(generator, BATCH)
            priorities.weights(slots, BETA)
            priorities.update(slots, errors)
        drawn = time.perf_counter()
        replay.transitions(slots)
        drawing.append(drawn - start)
        joining.append(time.perf_counter() - drawn)
    return ReplayFigures(
        capacity=len(replay),
        memory_bytes=memory,
        priorities_ms=1e3 * float(np.median(drawing)),
        transitions_ms=1e3 * float(np.median(joining)),
        add_ms=1e3 * float(np.median(adding)),
    )
