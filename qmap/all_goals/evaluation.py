"""How good learned Q-values are: against the truth, and by following them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qmap.all_goals.worlds import TestSet
from qmap.envs.gridworld_paths import UNREACHABLE

BATCH = 256
BANDS = ((1, 15), (16, 30), (31, UNREACHABLE))  # steps to a goal
PATIENCE = 1.5  # times the steps of the shortest way


class Predictor(Protocol):
    """What is evaluated."""

    def q_frames(self, observations: np.ndarray) -> np.ndarray:
        """Return the Q-values of all goals, (n, rows, cols, actions)."""

    def q_values(self, observations: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """Return the Q-values of one goal (row, column) each, (n, actions)."""


@dataclass(frozen=True)
class Band:
    """How often goals that are some steps away are reached.

    Attributes:
        nearest: fewest steps.
        farthest: most steps, None for no limit.
        pairs: number of pairs of a world and a goal.
        arrived: share of the pairs for which the greedy actions lead to the goal in at most 1.5
            times the steps of the shortest way; None without pairs.
    """

    nearest: int
    farthest: int | None
    pairs: int
    arrived: float | None


@dataclass(frozen=True)
class Evaluation:
    """How good Q-values are on a test set. Goals of the padding do not count.

    Attributes:
        worlds: number of worlds.
        mean_squared_error: to the true Q-values, over worlds, goals and actions.
        mean_absolute_error_steps: of the number of steps that a Q-value stands for, over the
            actions and goals with a way. Predictions are first clipped to the values that the true
            ones have, so that a value of 0 does not stand for endless steps. None without ways.
        area_under_curve: the probability that a goal with a way has a higher value than one without
            (best action each, all worlds together); None where one of both is missing.
        bands: how often the greedy policy arrives, by distance.
    """

    worlds: int
    mean_squared_error: float
    mean_absolute_error_steps: float | None
    area_under_curve: float | None
    bands: list[Band]


def evaluate(predictor: Predictor, test_set: TestSet, gamma: float) -> Evaluation:
    """Compare with the truth, then follow the greedy policy from every start to every goal."""
    predicted = q_frames(predictor, test_set)
    true = true_q_frames(test_set, gamma)
    counted = test_set.counted
    found = test_set.distances[test_set.distances < UNREACHABLE]
    reachable = (test_set.distances < UNREACHABLE) & counted[..., None]
    least = gamma ** int(found.max(initial=0))
    steps = np.log(predicted[reachable].clip(least, 1)) / np.log(gamma)
    off = np.abs(steps - test_set.distances[reachable])
    away, arrived = follow(predictor, test_set)
    return Evaluation(
        worlds=len(test_set.worlds),
        mean_squared_error=float(np.square(predicted - true)[counted].mean(dtype=np.float64)),
        mean_absolute_error_steps=float(off.mean()) if len(off) else None,
        area_under_curve=area_under_curve(
            predicted.max(axis=-1)[counted], test_set.reachable[counted]
        ),
        bands=[_band(away, arrived, nearest, farthest) for nearest, farthest in BANDS],
    )


def q_frames(predictor: Predictor, test_set: TestSet) -> np.ndarray:
    """Return what is predicted for the worlds as they stand, (n, side, side, actions)."""
    observations = test_set.worlds.observations()
    return np.concatenate(
        [
            predictor.q_frames(observations[start : start + BATCH])
            for start in range(0, len(observations), BATCH)
        ]
    )


def true_q_frames(test_set: TestSet, gamma: float) -> np.ndarray:
    """Return the true Q-values: `gamma ** distance`, 0 where there is no way."""
    powers = np.power(gamma, test_set.distances, dtype=np.float32)
    return np.where(test_set.distances < UNREACHABLE, powers, np.float32(0))


def follow(predictor: Predictor, test_set: TestSet) -> tuple[np.ndarray, np.ndarray]:
    """Follow the greedy actions from the start of each world to each of its goals.

    A goal where the character stands already is left out.

    Returns:
        The steps of the shortest way, and whether the goal was reached in 1.5 times as many, (n,).
    """
    # An unreachable goal becomes 0.
    away = (test_set.distances.min(axis=-1) + np.uint16(1)).reshape(len(test_set.worlds), -1)
    starts, goals = np.nonzero(away)
    elsewhere = goals != test_set.worlds.characters[starts]
    starts, goals = starts[elsewhere], goals[elsewhere]
    away = away[starts, goals].astype(np.int64)
    arrived = np.zeros(len(starts), bool)
    going, worlds, step = np.arange(len(starts)), test_set.worlds[starts], 0
    while len(going):
        step += 1
        cells = np.stack(np.divmod(goals[going], worlds.side), axis=-1)
        actions = _greedy(predictor, worlds.observations(), cells)
        after, reached = worlds.step(actions)
        there = reached == goals[going]
        arrived[going[there]] = True
        # Who did not get on will do the same again, forever.
        moved = after.characters != worlds.characters
        on = ~there & moved & (step < np.floor(PATIENCE * away[going]))
        going, worlds = going[on], after[on]
    return away, arrived


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float | None:
    """Return the probability that a positive has a higher score than a negative, ties half.

    Args:
        scores: (n,).
        positive: (n,) bool.
    """
    ours, theirs = scores[positive], np.sort(scores[~positive])
    if not len(ours) or not len(theirs):
        return None
    below = np.searchsorted(theirs, ours, "left") + np.searchsorted(theirs, ours, "right")
    return float(below.mean() / (2 * len(theirs)))


def table(evaluations: dict[str, Evaluation]) -> str:
    """Return the evaluations as lines of text."""
    width = max(len("test set"), *map(len, evaluations))
    bands = [f"arrived {near}-{far if far < UNREACHABLE else ''}" for near, far in BANDS]
    head = [f"{'test set':{width}}", "squared error", "error in steps", "area under curve", *bands]
    lines = ["  ".join(head)]
    for name, each in evaluations.items():
        values = [
            f"{each.mean_squared_error:.5f}",
            _or_dash(each.mean_absolute_error_steps, ".2f"),
            _or_dash(each.area_under_curve, ".4f"),
            *(_or_dash(band.arrived, ".1%") for band in each.bands),
        ]
        cells = (f"{value:>{len(title)}}" for value, title in zip(values, head[1:], strict=True))
        lines.append("  ".join([f"{name:{width}}", *cells]))
    return "\n".join(lines)


def _greedy(predictor: Predictor, observations: np.ndarray, goals: np.ndarray) -> np.ndarray:
    actions = [
        predictor.q_values(
            observations[start : start + BATCH], goals[start : start + BATCH]
        ).argmax(axis=-1)
        for start in range(0, len(observations), BATCH)
    ]
    return np.concatenate(actions)


def _band(away: np.ndarray, arrived: np.ndarray, nearest: int, farthest: int) -> Band:
    inside = arrived[(away >= nearest) & (away <= farthest)]
    return Band(
        nearest,
        farthest if farthest < UNREACHABLE else None,
        len(inside),
        float(inside.mean()) if len(inside) else None,
    )


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
