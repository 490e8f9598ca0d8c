"""Learned Q-frames against the true ones: quickly during training, thoroughly at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qmap.envs.gridworld_level import SCREEN_COL, Level
from qmap.envs.gridworld_paths import UNREACHABLE, closeness, distances_after, true_q_frames

# From observations (n, 28, 32, 3) uint8 to Q-frames (n, 28, 32, 4).
Predict = Callable[[np.ndarray], np.ndarray]

FIRST_COLUMNS = 30  # interior columns that are looked at during training
STRIP_POSITIONS = 20
BATCH = 256
MAX_STEPS = 15  # apart, for the pairs of the thorough evaluation
PATIENCE = 1.5  # times the true distance


class GroundTruth:
    """The true Q-frames of a level's first columns, computed once and compared with many times.

    Args:
        level: the level.
        gamma: discount factor.
        columns: how many interior columns, from the left.

    Attributes:
        observations: (n, 28, 32, 3) uint8, from every free cell of these columns.
        q_frames: (n, 28, 32, 4) float32, what is true there.
        shown: (20,) indices of cells spread evenly over them, for pictures.
    """

    def __init__(self, level: Level, gamma: float, columns: int = FIRST_COLUMNS) -> None:
        self.level = level
        places = np.flatnonzero(level.positions[:, 1] <= columns)
        self.observations = level.observations(places)
        self.q_frames = true_q_frames(level, places, gamma)
        self.shown = np.linspace(0, len(places) - 1, STRIP_POSITIONS).round().astype(int)

    def compare(self, predict: Predict) -> tuple[float, np.ndarray]:
        """Return the mean squared error, and what is predicted for the cells in `shown`."""
        predicted = np.concatenate(
            [
                predict(self.observations[start : start + BATCH])
                for start in range(0, len(self.observations), BATCH)
            ]
        )
        loss = np.square(predicted - self.q_frames).mean(dtype=np.float64)
        return float(loss), predicted[self.shown]


@dataclass(frozen=True)
class Evaluation:
    """How good Q-frames are all over a level.

    Attributes:
        positions: number of free cells.
        mean_squared_error: to the true Q-frames, over positions, cells and actions.
        mean_absolute_error_steps: of the number of steps that a Q-value stands for, over the
            cells that can be reached. Predictions are first clipped to the values that the true
            Q-frames of the level have, so that a value of 0 does not stand for endless steps.
        pairs: number of pairs of a position and a goal at most 15 steps apart.
        arrived: share of the pairs for which following the greedy action of the goal's cell leads
            from the position to the goal in at most 1.5 times the true number of steps.
    """

    positions: int
    mean_squared_error: float
    mean_absolute_error_steps: float
    pairs: int
    arrived: float


def evaluate(level: Level, predict: Predict, gamma: float) -> Evaluation:
    """Compare predicted Q-frames with the true ones over all free cells of a level."""
    places = np.arange(len(level.positions))
    parts = [places[start : start + BATCH] for start in range(0, len(places), BATCH)]
    longest = max(_longest(distances_after(level, part)) for part in parts)
    squares = steps_off = 0.0
    values = reachable_values = 0
    greedy, pairs = [], []
    for part in parts:
        predicted = predict(level.observations(part))
        greedy.append(predicted.argmax(axis=-1).astype(np.uint8))
        distances = distances_after(level, part)
        pairs.append(_close_pairs(level, part, distances))
        reachable = distances < UNREACHABLE
        true = closeness(distances, gamma, out=np.empty_like(predicted))
        squares += np.square(predicted - true).sum(dtype=np.float64)
        values += true.size
        steps = np.log(predicted[reachable].clip(gamma**longest, 1)) / np.log(gamma)
        steps_off += np.abs(steps - distances[reachable]).sum(dtype=np.float64)
        reachable_values += len(steps)
    starts, goals, apart = np.concatenate(pairs, axis=1)
    arrived = follow(level, np.concatenate(greedy), starts, goals, np.floor(apart * PATIENCE))
    return Evaluation(
        positions=len(places),
        mean_squared_error=float(squares / values),
        mean_absolute_error_steps=float(steps_off / reachable_values),
        pairs=len(starts),
        arrived=float(arrived.mean()) if len(arrived) else 1.0,
    )


def follow(
    level: Level, greedy: np.ndarray, starts: np.ndarray, goals: np.ndarray, limits: np.ndarray
) -> np.ndarray:
    """Follow greedy actions towards goals from many starts at once.

    The world is deterministic, so a table of actions is all there is to a policy. A goal stays at
    its place in the level while the window moves; it is given up when it leaves the window.

    Args:
        level: the level.
        greedy: (places, 28, 32) the action at each place for a goal in each cell of its window.
        starts: (n,) places to start from.
        goals: (n,) places to get to, other than the starts and within their windows.
        limits: (n,) steps within which to arrive.

    Returns:
        (n,) bool, whether each goal was reached.
    """
    arrived = np.zeros(len(starts), bool)
    going = np.arange(len(starts))
    here = starts
    step = 0
    while len(going):
        step += 1
        rows, cols = level.positions[goals[going]].T
        screen_cols = cols - level.positions[here, 1] + SCREEN_COL
        visible = (screen_cols >= 0) & (screen_cols < greedy.shape[2])
        going, here = going[visible], here[visible]
        actions = greedy[here, rows[visible], screen_cols[visible]]
        next_places = level.next_places[here, actions]
        there = next_places == goals[going]
        arrived[going[there]] = True
        # Who stands before a wall and goes on pushing will do so forever.
        moving = ~there & (next_places != here) & (limits[going] > step)
        going, here = going[moving], next_places[moving]
    return arrived


def _longest(distances: np.ndarray) -> int:
    return int(distances[distances < UNREACHABLE].max())


def _close_pairs(level: Level, places: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Return places, goals and the steps between them, (3, pairs), at most 15 steps apart.

    No way this long leaves the window, so the distances are those of the level.
    """
    steps = distances.min(axis=-1) + 1  # an unreachable cell becomes 0
    rows, cols = level.positions[places].T
    steps[np.arange(len(places)), rows, SCREEN_COL] = 0
    starts, goal_rows, goal_cols = np.nonzero((steps > 0) & (steps <= MAX_STEPS))
    goals = level.places[goal_rows, goal_cols - SCREEN_COL + cols[starts]]
    return np.stack((places[starts], goals, steps[starts, goal_rows, goal_cols]))


def table(evaluations: dict[str, Evaluation]) -> str:
    """Return the evaluations as lines of text."""
    width = max(len("level"), *map(len, evaluations))
    lines = [f"{'level':{width}}  squared error  error in steps  arrived within 1.5 x the way"]
    lines += [
        f"{name:{width}}  {each.mean_squared_error:13.5f}  {each.mean_absolute_error_steps:14.2f}"
        f"  {each.arrived:28.1%}"
        for name, each in evaluations.items()
    ]
    return "\n".join(lines)
