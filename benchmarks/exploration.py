"""How far agents get in a game: `python -m benchmarks.exploration`.

Each agent is trained with each seed in a process of its own, with the published schedules, and
stopped early, when nearly every step still explores; what it found goes into one table. A run that
is already there is not repeated, so that the comparison can be interrupted and go on later.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.result_table import add_run, read_table, rows_of
from qmap.utils.command_line import option, parse, run
from qmap.utils.errors import UserError
from qmap.utils.visits import load_rows

AGENTS = {
    "random": ["--no-qmap", "--no-dqn"],
    "dqn": ["--no-qmap"],
    "q-map+dqn": [],
}

COLUMNS = ("game", "level", "agent", "seed", "steps", "distinct cells", "farthest column")


@dataclass(frozen=True)
class Options:
    """What is compared."""

    game: str = option("foxglove", "the game")
    level: str = option("1.1", "its level", metavar="W.L")
    steps: int = option(30_000, "steps of each run", minimum=1)
    seeds: int = option(3, "seeds of each agent", minimum=1)
    agents: list[str] = option(list(AGENTS), "the agents", nargs="+", choices=tuple(AGENTS))
    path: str = option("qmap_results/exploration", "folder of the runs", metavar="DIR")
    results: str = option("qmap_results/exploration.csv", "table of what they found", metavar="CSV")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print the table."""
    options = parse(Options, __doc__.splitlines()[0], arguments, "python -m benchmarks.exploration")
    print(f"{options.game} {options.level}, {options.steps:,} steps, {options.seeds} seeds")
    print(f"{'agent':10} {'distinct cells':>24} {'farthest column':>24}")
    for agent in options.agents:
        cells, columns = np.array(
            [reached(options, agent, seed) for seed in range(options.seeds)], float
        ).T
        print(f"{agent:10} {spread(cells):>24} {spread(columns):>24}", flush=True)


def reached(options: Options, agent: str, seed: int) -> tuple[int, int]:
    """Return how many cells of the goal grid a run visited, and the last column among them."""
    values = (options.game, options.level, agent, seed, options.steps)
    run = dict(zip(COLUMNS, values, strict=False))
    known = rows_of(read_table(Path(options.results), COLUMNS), **run)
    if len(known):
        return int(known["distinct cells"].iloc[-1]), int(known["farthest column"].iloc[-1])
    if (coords := find(options, agent, seed)) is None:
        train(options, agent, seed)
        coords = find(options, agent, seed)
    if coords is None:
        raise UserError(f"the run of {agent} with seed {seed} left no coords in {options.path}")
    rows = load_rows(coords)
    found = len(rows), int(rows[:, 2].max())
    add_run(Path(options.results), COLUMNS, run, [found])
    return found


def find(options: Options, agent: str, seed: int) -> Path | None:
    """Return the coordinates of a run that is complete, None if there is none."""
    folder = Path(options.path) / f"{options.game}_{options.level}" / agent
    found = sorted(folder.glob(f"seed-{seed}_*/coords/step_{options.steps}.npy"))
    return found[-1] if found else None


def train(options: Options, agent: str, seed: int) -> None:
    """Train an agent in a process of its own, as a user would."""
    command = [sys.executable, "-m", "qmap.train_mario", "--game", options.game]
    command += ["--level", options.level, "--seed", str(seed), "--path", options.path]
    command += ["--stop-at", str(options.steps), "--no-videos", *AGENTS[agent]]
    if subprocess.run(command, check=False).returncode != 0:
        raise UserError(f"training {agent} with seed {seed} failed, see above")


def spread(values: np.ndarray) -> str:
    """Return the mean and the single values."""
    return f"{values.mean():,.0f} ({', '.join(f'{value:.0f}' for value in values)})"


if __name__ == "__main__":
    run(main)
