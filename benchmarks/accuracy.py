"""How near learned Q-frames come to the true ones: `python -m benchmarks.accuracy`.

In the grid world, each way of learning is trained with each seed in a process of its own. A run
that is already there is not repeated, so that the comparison can be interrupted and go on later.
The mean squared error is that of the comparisons during training; because it wanders, its mean
over the last quarter of the run stands beside its value at the end.
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

WAYS = {
    "published": ["--unknown-columns", "keep", "--no-small-start"],
    "small start": ["--unknown-columns", "keep"],
    "small start, unknown columns left out": ["--unknown-columns", "ignore"],
    "small start, usual double Q": ["--unknown-columns", "keep", "--double-order", "usual"],
    "small start, usual double Q, soft target": [
        *("--unknown-columns", "keep"),
        *("--double-order", "usual", "--soft-target", "0.01"),
    ],
}


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
    print(f"{'':42} {'at the end':24} {'last quarter':24} level 1 at the end, by seed")
    for way in options.ways:
        losses = np.array([errors(options, way, seed) for seed in range(options.seeds)])
        end, quarter = (shown(each) for each in losses.mean(axis=0))
        print(f"{way:42} {end:24} {quarter:24} {shown(losses[:, 0, 0])}", flush=True)


def errors(options: Options, way: str, seed: int) -> np.ndarray:
    """Return the errors of a run, (2, levels): at its end, and on average over the last quarter."""
    if (rows := find(options, way, seed)) is None:
        train(options, way, seed)
        rows = find(options, way, seed)
    if rows is None:
        raise UserError(f"the run of {way!r} with seed {seed} left no losses in {options.path}")
    last = rows[rows[:, 0] > 0.75 * options.steps, 1:]
    return np.stack((last[-1], last.mean(axis=0)))


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
