"""How near learned Q-frames come to the true ones: `python -m benchmarks.accuracy`.

In the grid world, each way of learning is trained with each seed in a process of its own. A run
that is already there is not repeated, so that the comparison can be interrupted and go on later.
The mean squared error is that of the comparisons during training; because it wanders, its mean
over the last quarter of the run stands beside its value at the end, and on the first level there
are its values at the moments for which those of the published code are known.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qmap.gridworld.config import GridWorldConfig, agent_name
from qmap.utils.command_line import option, parse, run, typed
from qmap.utils.errors import UserError

SMALL_START = ["--small-start"]
IGNORE = ["--unknown-columns", "ignore"]
USUAL = ["--double-order", "usual"]
SOFT = ["--soft-target", "0.01"]
WAYS = {
    "published": [],
    "small start": SMALL_START,
    "small start, ignore": SMALL_START + IGNORE,
    "small start, usual": SMALL_START + USUAL,
    "small start, usual, soft": SMALL_START + USUAL + SOFT,
    "small start, usual, soft, ignore": SMALL_START + USUAL + SOFT + IGNORE,
}
# Transitions.
PUBLISHED_AT = (93_000, 125_000, 189_000)


@dataclass(frozen=True)
class Options:
    """What is compared."""

    steps: int = option(200_000, "transitions of each run", minimum=1000)
    seeds: int = option(3, "seeds of each way", minimum=1)
    ways: list[str] = option(list(WAYS), "ways of learning", nargs="+", choices=tuple(WAYS))
    precision: str = option(
        "float32", "what the convolutions multiply in", choices=("float32", "bfloat16")
    )
    path: str = option("qmap_results/accuracy", "folder of the runs", metavar="DIR")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print the table."""
    options = parse(Options, __doc__.splitlines()[0], arguments, "benchmarks.accuracy")
    print(f"mean squared errors on levels 1, 2 and 3, {options.steps:,} transitions")
    at = f"level 1 at {', '.join(f'{moment:,}' for moment in PUBLISHED_AT)}"
    print(f"{'':34} {'at the end':24} {'last quarter':24} {'level 1, each seed':24} {at}")
    for way in options.ways:
        runs = [errors(options, way, seed) for seed in range(options.seeds)]
        end = np.array([run.end for run in runs])
        quarter = np.mean([run.quarter for run in runs], axis=0)
        early = np.mean([run.early for run in runs], axis=0)
        row = f"{shown(end.mean(axis=0)):24} {shown(quarter):24} {shown(end[:, 0]):24}"
        print(f"{way:34} {row} {shown(early)}", flush=True)


@dataclass(frozen=True)
class Errors:
    """Mean squared errors of a run.

    Attributes:
        end: of the last comparison, (levels,).
        quarter: mean over the last quarter, (levels,).
        early: on the first level, by the moments of `PUBLISHED_AT` that the run reached.
    """

    end: np.ndarray
    quarter: np.ndarray
    early: np.ndarray


def errors(options: Options, way: str, seed: int) -> Errors:
    """Return the errors of a run, which is trained if it is not there.

    Raises:
        UserError: it cannot be trained.
    """
    if (rows := find(options, way, seed)) is None:
        train(options, way, seed)
        rows = find(options, way, seed)
    if rows is None:
        raise UserError(f"the run of {way!r} with seed {seed} left no losses in {options.path}")
    steps, losses = rows[:, 0], rows[:, 1:]
    nearest = [np.abs(steps - moment).argmin() for moment in PUBLISHED_AT if moment <= steps[-1]]
    return Errors(
        end=losses[-1],
        quarter=losses[steps > 0.75 * options.steps].mean(axis=0),
        early=losses[nearest, 0],
    )


def find(options: Options, way: str, seed: int) -> np.ndarray | None:
    """Return the losses of a run up to its last step, None if there is no run that got there."""
    config = GridWorldConfig(**typed(GridWorldConfig, "", WAYS[way]))
    folder = Path(options.path) / options.precision / "gridworld" / agent_name(config)
    for log in sorted(folder.glob(f"seed-{seed}_*/ground_truth_loss.csv"), reverse=True):
        rows = np.loadtxt(log, delimiter=",", skiprows=1, ndmin=2)
        rows = rows[rows[:, 0] <= options.steps]
        if len(rows) and rows[-1, 0] > options.steps - config.batch * config.eval_every:
            return rows
    return None


def train(options: Options, way: str, seed: int) -> None:
    """Train in a process of its own, as a user would."""
    command = [sys.executable, "-m", "qmap.train_gridworld", *WAYS[way], "--seed", str(seed)]
    command += ["--steps", str(options.steps), "--precision", options.precision]
    command += ["--path", str(Path(options.path) / options.precision)]
    if subprocess.run(command, check=False).returncode != 0:
        raise UserError(f"training {way!r} with seed {seed} failed, see above")


def shown(values: np.ndarray) -> str:
    """Return errors as text."""
    return " / ".join(f"{value:.4f}" for value in values)


if __name__ == "__main__":
    run(main)
