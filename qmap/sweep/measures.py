"""What a sweep's runs are judged by: numbers at their ends, by world, agent and seed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from qmap.sweep.job import Job
from qmap.utils.errors import UserError
from qmap.utils.run_folder import finished_at
from qmap.utils.run_logs import read_log
from qmap.utils.visits import load_rows

EPISODES = 100  # at the end of a run, over which returns are averaged
# The columns of a log that a measure may be taken from, and whether more is better.
RETURN = ("score", "undiscounted return")
ERRORS = "ground_truth_loss"
CELLS = ("coords", "distinct cells")


@dataclass
class Measure:
    """One thing that was measured, in runs of several worlds and agents.

    Attributes:
        name: what is measured.
        log: the log that it comes from, and its column there.
        window: rows of the log that are averaged.
        more_is_better: else less is.
        values: [world][agent] -> a number a run.
    """

    name: str
    log: tuple[str, str]
    window: int = 1
    more_is_better: bool = True
    values: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )


@dataclass
class Results:
    """All that a sweep's runs have left.

    Attributes:
        measures: each has a value somewhere.
        logs: [world][agent] -> of each run, its logs by their names.
        counts: [world][agent] -> runs that are finished, and that there are.
    """

    measures: list[Measure]
    logs: dict[str, dict[str, list[dict[str, pd.DataFrame]]]]
    counts: dict[str, dict[str, tuple[int, int]]]


def gather(jobs: Sequence[Job]) -> Results:
    """Read what the runs of the jobs have left so far; those that have not begun are passed over.

    Raises:
        UserError: there is none.
    """
    runs = [(job, run) for job in jobs if (run := job.run()) is not None]
    if not runs:
        raise UserError("no run of the sweep has begun; start it without --summary first")
    worlds = [run.parent.parent.name for _, run in runs]
    agents = agent_names([job.parts for job, _ in runs], worlds)
    measures: dict[str, Measure] = {}
    logs: dict = defaultdict(lambda: defaultdict(list))
    counts: dict = defaultdict(dict)
    for (job, run), world, agent in zip(runs, worlds, agents, strict=True):
        finished, there = counts[world].get(agent, (0, 0))
        counts[world][agent] = finished + ((finished_at(run) or 0) >= job.last_step), there + 1
        logs[world][agent].append(found := _logs(run))
        for measure, value in values_of_logs(found):
            kept = measures.setdefault(measure.name, measure)
            kept.values[world][agent].append(value)
    return Results(list(measures.values()), logs, counts)


def agent_names(parts: Sequence[tuple[str, ...]], worlds: Sequence[str]) -> list[str]:
    """Return what tells runs in the same world apart, a name for each run.

    A part that all runs of a world share, as the value of an axis that is the level, says nothing
    beside the world's name; without it agents in several worlds have the same name.

    Args:
        parts: of each run's job.
        worlds: of each run.
    """
    of_world = defaultdict(list)
    for each, world in zip(parts, worlds, strict=True):
        of_world[world].append(each)
    length = min(map(len, parts))
    telling = [
        index
        for index in range(length)
        if any(len({each[index] for each in group}) > 1 for group in of_world.values())
    ]
    return [" ".join(each[index] for index in telling) or each[0] for each in parts]


def _logs(run: Path) -> dict[str, pd.DataFrame]:
    """Return a run's logs by their names, and what it visited in the same form."""
    found = {}
    for path in sorted(run.glob("*.csv")):
        with suppress(ValueError, OSError, OverflowError):
            found[path.stem] = read_log(path)
    cells = {}
    for path in run.glob("coords/step_*.npy"):
        with suppress(UserError, ValueError):
            cells[int(path.stem.removeprefix("step_"))] = len(load_rows(path))
    if cells:
        log, column = CELLS
        table = pd.DataFrame(sorted(cells.items()), columns=["steps", column], dtype=np.float64)
        found[log] = table
    return found


def values_of_logs(logs: dict[str, pd.DataFrame]) -> list[tuple[Measure, float]]:
    """Return what is measured in a run's logs, and the values, which are finite."""
    found = []
    log, column = RETURN
    if log in logs and column in logs[log]:
        name = f"return, mean of the last {EPISODES} episodes"
        value = logs[log][column].dropna().tail(EPISODES).mean()
        found.append((Measure(name, RETURN, EPISODES), value))
    if ERRORS in logs:
        table = logs[ERRORS]
        for column in table.columns[1:]:
            measure = Measure(f"error on {column}", (ERRORS, column), more_is_better=False)
            found.append((measure, table[column].dropna().tail(1).mean()))
    log, column = CELLS
    if log in logs:
        found.append((Measure(column, CELLS), logs[log][column].iloc[-1]))
    return [(measure, float(value)) for measure, value in found if math.isfinite(value)]


def arrays(measure: Measure, agent: str, worlds: Sequence[str]) -> list[np.ndarray]:
    """Return an agent's values, (runs,) in each of the worlds, larger where they are better."""
    sign = 1 if measure.more_is_better else -1
    return [sign * np.array(measure.values[world][agent]) for world in worlds]
