"""How near learned Q-frames come to the true ones: `python -m benchmarks.accuracy`.

In the grid world, each way of learning is trained with each seed in a process of its own, and what
it found goes into one table. A run that is already there is not repeated, so that the comparison
can be interrupted and go on later. `--picture` draws the errors during training.
The mean squared error is that of the comparisons during training; because it wanders, its mean
over the last quarter of the run stands beside its value at the end, and on the first level there
are its values at the moments for which those of the published code are known.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.result_table import add_run, draw_curves, read_table, rows_of
from qmap.gridworld.config import GridWorldConfig, agent_name
from qmap.parse_config import parse as parse_config
from qmap.utils.command_line import option, parse, run
from qmap.utils.errors import UserError
from qmap.utils.plot_options import PlotOptions

SMALL_START = ["--small-start"]
IGNORE = ["--unknown-columns", "ignore"]
USUAL = ["--double-order", "usual"]
SOFT = ["--soft-target", "0.01"]
SKIP = [
    *("--model", "skip1", "--lr", "3e-4", "--batch", "8", "--output", "sigmoid"),
    *(USUAL + SOFT),
    *("--unreached", "zero", "--eval-every", "200"),
]
WAYS = {
    "published": [],
    "small start": SMALL_START,
    "small start, ignore": SMALL_START + IGNORE,
    "small start, usual": SMALL_START + USUAL,
    "small start, usual, soft": SMALL_START + USUAL + SOFT,
    "small start, usual, soft, ignore": SMALL_START + USUAL + SOFT + IGNORE,
    "small start, usual, soft, unreached 0": [
        *(SMALL_START + USUAL + SOFT),
        *("--unreached", "zero"),
    ],
    "skip, unreached 0": SKIP,
    "skip, unreached 0, 256 units": [*SKIP, "--hidden", "256"],
    "tuned": ["--recipe", "tuned"],
}
LOSSES = "ground_truth_loss.csv"
LEVELS = ("level1", "level2", "level3")
# Mean squared errors at moments of a run; then, in the row of its end, from all over each level:
# the share of pairs in which the greedy policy arrives, and how many steps distances are off.
COLUMNS = (
    *("precision", "way", "seed", "transitions", *LEVELS),
    *(f"arrived {level}" for level in LEVELS),
    *(f"steps off {level}" for level in LEVELS),
)
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
    results: str = option("qmap_results/accuracy.csv", "table of what they found", metavar="CSV")
    picture: str | None = option(None, "also draw the errors during training", metavar="PNG")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print the table."""
    options = parse(Options, __doc__.splitlines()[0], arguments, "benchmarks.accuracy")
    print(f"mean squared errors on levels 1, 2 and 3, {options.steps:,} transitions")
    at = f"level 1 at {', '.join(f'{moment:,}' for moment in PUBLISHED_AT)}"
    print(f"{'':34} {'at the end':30} {'last quarter':30} {'level 1, each seed':30} {at}")
    for way in options.ways:
        runs = [errors(options, way, seed) for seed in range(options.seeds)]
        end = np.array([run.end for run in runs])
        quarter = np.mean([run.quarter for run in runs], axis=0)
        early = np.mean([run.early for run in runs], axis=0)
        row = f"{shown(end.mean(axis=0)):30} {shown(quarter):30} {shown(end[:, 0]):30}"
        print(f"{way:34} {row} {shown(early)}", flush=True)
    if options.picture:
        draw(options)


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
        if find_run(options, way, seed) is None:
            train(options, way, seed)
        if (folder := find_run(options, way, seed)) is None:
            raise UserError(f"the run of {way!r} with seed {seed} left no losses in {options.path}")
        keep(options, way, seed, folder)
        rows = find(options, way, seed)
    steps, squares = rows[:, 0], rows[:, 1:]
    nearest = [np.abs(steps - moment).argmin() for moment in PUBLISHED_AT if moment <= steps[-1]]
    return Errors(
        end=squares[-1],
        quarter=squares[steps > 0.75 * options.steps].mean(axis=0),
        early=squares[nearest, 0],
    )


def find(options: Options, way: str, seed: int) -> np.ndarray | None:
    """Return a run's losses up to its last step from the table, None if none there got so far.

    Returns:
        (comparisons, 1 + levels) transitions and mean squared errors.
    """
    table = read_table(Path(options.results), COLUMNS)
    run = rows_of(table, precision=options.precision, way=way, seed=seed)
    rows = run[["transitions", *LEVELS]].to_numpy(float)
    return until_the_end(rows, options, way)


def find_run(options: Options, way: str, seed: int) -> Path | None:
    """Return the folder of a run that got to its last step, None if there is none."""
    folder = Path(options.path) / options.precision / "gridworld" / agent_name(config_of(way))
    for log in sorted(folder.glob(f"seed-{seed}_*/{LOSSES}"), reverse=True):
        if until_the_end(losses(log), options, way) is not None:
            return log.parent
    return None


def keep(options: Options, way: str, seed: int, folder: Path) -> None:
    """Put what is in the folder of a run into the table."""
    rows: list[list[float | None]] = [[*row, *[None] * 6] for row in losses(folder / LOSSES)]
    if (path := folder / "evaluation.json").is_file():
        levels = json.loads(path.read_text())["levels"]
        for number, measure in enumerate(("arrived", "mean_absolute_error_steps")):
            for place, level in enumerate(LEVELS, start=4 + 3 * number):
                rows[-1][place] = levels[level][measure]
    run = {"precision": options.precision, "way": way, "seed": seed}
    add_run(Path(options.results), COLUMNS, run, rows)


def losses(log: Path) -> np.ndarray:
    """Return the rows of a run's log."""
    return np.loadtxt(log, delimiter=",", skiprows=1, ndmin=2)


def until_the_end(rows: np.ndarray, options: Options, way: str) -> np.ndarray | None:
    """Return the rows up to the last step, None if they do not get so far."""
    config = config_of(way)
    rows = rows[rows[:, 0] <= options.steps]
    ends = len(rows) and rows[-1, 0] > options.steps - config.batch * config.eval_every
    return rows if ends else None


def config_of(way: str) -> GridWorldConfig:
    """Return the configuration of a way of learning."""
    return parse_config(GridWorldConfig, "", "", WAYS[way])


def draw(options: Options) -> None:
    """Draw the errors of the ways during training, from the table."""
    ways: dict[str, dict[str, pd.DataFrame]] = {way: {} for way in options.ways}
    for way in options.ways:
        for seed in range(options.seeds):
            rows = find(options, way, seed)
            ways[way][f"seed-{seed}"] = pd.DataFrame(rows, columns=["steps", *LEVELS])
    picture, log = Path(options.picture), LOSSES.removesuffix(".csv")
    draw_curves(picture, "gridworld", log, ways, PlotOptions(logscale=True))


def train(options: Options, way: str, seed: int) -> None:
    """Train in a process of its own, as a user would."""
    command = [sys.executable, "-m", "qmap.train_gridworld", *WAYS[way], "--seed", str(seed)]
    command += ["--steps", str(options.steps), "--precision", options.precision]
    command += ["--path", str(Path(options.path) / options.precision)]
    if subprocess.run(command, check=False).returncode != 0:
        raise UserError(f"training {way!r} with seed {seed} failed, see above")


def shown(values: np.ndarray) -> str:
    """Return errors as text."""
    return " / ".join(f"{value:.5f}" for value in values)


if __name__ == "__main__":
    run(main)
