"""Updates of the grid world's training and its comparison with the truth, and their floor."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.floor import Floor
from benchmarks.machine import peak_memory
from qmap.agents.device import set_up
from qmap.envs.gridworld_level import load_level
from qmap.gridworld.config import GridWorldConfig
from qmap.gridworld.evaluation import GroundTruth
from qmap.gridworld.training import make_learner, sample_transitions


@dataclass(frozen=True)
class GridWorldFigures:
    """What was measured, in medians.

    Attributes:
        ms: milliseconds per update for `sampling` transitions and `learning` from them.
        floor_ms: milliseconds of the networks and the optimizer, `learning`.
        floor_ratio: time of the floor by time of the update; 1 is perfect.
        updates_per_second: without comparisons with the truth.
        steps_per_second: transitions, as `--steps` of the training counts them, likewise.
        replay_bytes_per_transition: None, for transitions are drawn from the level itself.
        comparison_ms: milliseconds of one on the three levels, due every 50 updates.
        peak_memory_bytes: of the process, before the floor takes its share.
    """

    ms: dict[str, float]
    floor_ms: dict[str, float]
    floor_ratio: float
    updates_per_second: float
    steps_per_second: float
    comparison_ms: float
    peak_memory_bytes: int
    replay_bytes_per_transition: None = None


def measure(config: GridWorldConfig, *, updates: int, warmup: int) -> GridWorldFigures:
    """Update for a while, each update followed by its floor, and return what that costs."""
    set_up(device=config.device, precision=config.precision)
    learner, twin = make_learner(config), make_learner(config)
    generator = np.random.default_rng(config.seed)
    level = load_level(config.train_level)
    truths = [GroundTruth(load_level(name), config.gamma) for name in config.test_levels]
    ones = np.ones(config.batch, np.float32)

    def update() -> tuple[float, float]:
        start = time.perf_counter()
        batch = sample_transitions(level, generator, config.batch)
        sampled = time.perf_counter()
        learner.train(batch, ones)
        return sampled - start, time.perf_counter() - sampled

    for _ in range(warmup):
        update()
    peak = peak_memory()
    batch = sample_transitions(level, generator, config.batch)
    floor = Floor([twin], batch, batch.observations)
    event = ("learning", (twin.name,))
    floor.seconds([event])
    times, floors = [], []
    for _ in range(updates):
        times.append(update())
        floors.append(floor.seconds([event])["learning"])
    sampling, learning = np.transpose(times)
    comparison = _median_seconds(lambda: [truth.compare(learner.q_frames) for truth in truths], 5)
    seconds = float(np.median(sampling + learning))
    return GridWorldFigures(
        ms={"sampling": 1e3 * np.median(sampling), "learning": 1e3 * np.median(learning)},
        floor_ms={"learning": 1e3 * statistics.median(floors)},
        floor_ratio=float(np.median(floors / (sampling + learning))),
        updates_per_second=1.0 / seconds,
        steps_per_second=config.batch / seconds,
        comparison_ms=1e3 * comparison,
        peak_memory_bytes=peak,
    )


def _median_seconds(work: Callable[[], object], repetitions: int) -> float:
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
