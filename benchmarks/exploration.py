"""How far agents get, beside agents that learn nothing: `python -m benchmarks.exploration`.

Each agent acts in each world with each seed in a process of its own. Those that learn follow the
published schedules and are stopped early, when nearly every step still explores. What they visited
goes into one table. A run that is in it is not repeated and one that is too short goes on, so that
the comparison can be interrupted; `--only-there` takes what is there and says what is missing.
`--pictures` draws the coverage against the steps.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.result_table import (
    add_run,
    draw_curves,
    missing,
    read_table,
    require_table,
    rows_of,
    shown,
)
from qmap.baselines.kept_actions import load_kept_actions
from qmap.utils.command_line import option, parse, run
from qmap.utils.errors import UserError
from qmap.utils.plot_options import PlotOptions
from qmap.utils.run_logs import Agents, read_log
from qmap.utils.visits import load_rows

NOTHING_LEARNED = ["--no-qmap", "--no-dqn"]
TUNED = ["--recipe", "tuned"]
TO_THE_RIGHT = ["--actions", "RIGHT;RIGHT+JUMP"]
MODEL = "q-map+dqn"
# Controls that keep actions for as long as the run of an agent with the same seed kept its own.
LIKE = {"repeat-like-q-map": MODEL, "repeat-like-explorer": "q-map+dqn-explorer"}
CONTROLS = {
    "random": [],
    "repeat-4": ["--repeat", "4"],
    "repeat-2-8": ["--repeat", "2", "8", "--single", "0.1"],
    # An action that is kept with probability 7/8 is kept for 8 steps on average.
    "repeat-geometric-8": ["--sticky", "0.875"],
    "repeat-15-30": ["--repeat", "15", "30", "--single", "0.1"],
    **dict.fromkeys(LIKE, []),  # --repeat-like and the run
    "jerk": ["--jerk"],
    "jerk-sticky": ["--jerk", "--sticky", "0.25"],
    "random-right": TO_THE_RIGHT,
}
AGENTS = {
    **{agent: NOTHING_LEARNED + options for agent, options in CONTROLS.items()},
    "dqn": ["--no-qmap"],
    MODEL: [],
    "q-map+dqn-tuned": TUNED,
    "q-map+dqn-give-up": [*TUNED, "--learn-margin", "--give-up"],
    "q-map+dqn-explorer": ["--recipe", "explorer"],
    "q-map+dqn-foresight": [*TUNED, "--terminal-share", "0.125"],
    "q-map+dqn-right": [*TUNED, *TO_THE_RIGHT],
}
# By their colors: those that are compared most are told apart best.
COLORED = (
    *("random", "repeat-4", "repeat-2-8", "jerk", "jerk-sticky", "random-right"),
    *("q-map+dqn-explorer", "q-map+dqn-tuned", "q-map+dqn-give-up", MODEL),
)
JERK_STEPS = 100_000  # over which JERK comes to replay only
EVERY = 5_000  # steps between two points of a curve

MEASURES = (
    *("distinct cells", "rooms", "farthest column", "deepest row", "best return", "won episodes"),
    *("steps kept", "goals reached", "goal actions", "greedy actions"),
)
DRAWN = ("distinct cells", "farthest column", "best return")
LOGGED = ["steps", "undiscounted return", "goals reached", "goal actions", "greedy actions"]
RUN = ("world", "agent", "seed")
COLUMNS = (*RUN, "steps", *MEASURES)


@dataclass(frozen=True)
class World:
    """A world that is explored.

    Attributes:
        program: that trains in it.
        options: of the program.
        won_episodes: what they are called that completed the level or found what is hard to find.
        won_return: the return of these, None where the run has a log of them.
        first_rooms: of each floor below the first, if rooms lie above each other.
    """

    program: str
    options: tuple[str, ...] = ()
    won_episodes: str = "flags"
    won_return: float | None = None
    first_rooms: tuple[int, ...] = ()


WORLDS = {
    **{
        f"foxglove_{level}": World("qmap.train_mario", ("--game", "foxglove", "--level", level))
        for level in ("1.1", "2.1")
    },
    "montezuma": World(
        "qmap.train_montezuma", won_episodes="keys", won_return=100.0, first_rooms=(3, 8, 15)
    ),
}
ROWS = 28  # of a room that lies above others


@dataclass(frozen=True)
class Options:
    """What is compared."""

    worlds: list[str] = option(list(WORLDS), "the worlds", nargs="+", choices=tuple(WORLDS))
    agents: list[str] = option(list(AGENTS), "the agents", nargs="+", choices=tuple(AGENTS))
    steps: int = option(100_000, f"steps of each run, in multiples of {EVERY}", minimum=EVERY)
    seeds: int = option(3, "seeds of each agent", minimum=1)
    only_there: bool = option(False, "run nothing")
    path: str = option("qmap_results/exploration", "folder of the runs", metavar="DIR")
    results: str = option("qmap_results/exploration.csv", "table of what they found", metavar="CSV")
    pictures: str | None = option(
        None, "draw the cells against the steps, DIR/WORLD.png", metavar="DIR"
    )
    drawn: str = option(
        DRAWN[0], "what is drawn; other than the cells DIR/WORLD_MEASURE.png", choices=DRAWN
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, then print the tables."""
    options = parse(Options, __doc__.splitlines()[0], arguments, "benchmarks.exploration")
    if options.steps % EVERY:
        raise UserError(f"--steps {options.steps}: expected a multiple of {EVERY:,}")
    if options.only_there and not any_run(options):
        require_table(Path(options.results))
    for name in options.worlds:
        agents = [agent for agent in options.agents if can_act(agent, name)]
        rows = all_explored(options, name, agents)
        found = {agent: rows[agent] for agent in agents}
        for line in table(name, found, options):
            print(line, flush=True)
        if others := [agent for agent in options.agents if agent not in agents]:
            print(f"without such actions: {', '.join(others)}\n", flush=True)
        if options.pictures and any(map(len, found.values())):
            draw(options, name, found)


def can_act(agent: str, world: str) -> bool:
    """Return whether a world has the actions of an agent."""
    return "--actions" not in AGENTS[agent] or WORLDS[world].program == "qmap.train_mario"


def any_run(options: Options) -> bool:
    """Return whether there is a run that was asked for, to fill a table with."""
    asked = itertools.product(options.worlds, options.agents, range(options.seeds))
    return any(find(options, *run) is not None for run in asked)


def all_explored(options: Options, world: str, agents: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the rows of all runs of each agent, made in an order in which none lacks its model.

    Raises:
        UserError: one fails.
    """
    found = {}
    for agent in sorted(agents, key=lambda agent: agent in LIKE):
        runs = [explored(options, world, agent, seed) for seed in range(options.seeds)]
        found[agent] = pd.concat(runs)
    return found


def explored(options: Options, world: str, agent: str, seed: int) -> pd.DataFrame:
    """Return the rows of a run in the table, after it was made if it is not there.

    Raises:
        UserError: it fails.
    """
    run = dict(zip(RUN, (world, agent, seed), strict=True))
    path = Path(options.results)
    rows = rows_of(read_table(path, COLUMNS), **run)
    if options.steps not in set(rows["steps"]):
        folder = find(options, world, agent, seed)
        if folder is None and not options.only_there and act(options, world, agent, seed):
            folder = find(options, world, agent, seed)
        if folder is not None:
            add_run(path, COLUMNS, run, measured(folder, WORLDS[world], options.steps))
            rows = rows_of(read_table(path, COLUMNS), **run)
    ends = options.steps in set(rows["steps"])
    return rows[rows["steps"] <= options.steps] if ends else rows[:0]


def find(options: Options, world: str, agent: str, seed: int, steps: str = "") -> Path | None:
    """Return the folder of a run that has come so far, None if there is none.

    Args:
        options: where to look, and for how many steps.
        world: name of the world.
        agent: name of the agent.
        seed: of the run.
        steps: "*" for a run of any length.
    """
    runs = Path(options.path) / agent / world
    found = runs.glob(f"*/seed-{seed}_*/coords/step_{steps or options.steps}.npy")
    return max((file.parents[1] for file in found), default=None)


def act(options: Options, world: str, agent: str, seed: int) -> bool:
    """Let an agent act in a process of its own, as a user would; False if it lacks its model.

    Raises:
        UserError: it fails.
    """
    command = [sys.executable, "-m", WORLDS[world].program, "--stop-at", str(options.steps)]
    if (shorter := find(options, world, agent, seed, "*")) is not None:
        command += ["--resume", str(shorter)]
    else:
        command += [*WORLDS[world].options, *AGENTS[agent], "--seed", str(seed)]
        if agent in LIKE:
            if (model := find(options, world, LIKE[agent], seed)) is None:
                return False
            command += ["--repeat-like", str(model)]
        if "--jerk" in command:
            command += ["--steps", str(max(JERK_STEPS, options.steps))]
        command += ["--path", str(Path(options.path) / agent), "--no-videos"]
        command += ["--checkpoint-every", str(EVERY), "--keep", "1"]
    if subprocess.run(command, check=False).returncode != 0:
        raise UserError(f"{agent} in {world} with seed {seed} failed, see above")
    return True


def measured(folder: Path, world: World, steps: int) -> list[list[float | None]]:
    """Return a row for each moment up to `steps` from which a run has its visits: `COLUMNS` from 4.

    How it chose its actions, on average over the run, stands in the last of them.
    """
    moments = sorted(int(file.stem.removeprefix("step_")) for file in folder.glob("coords/*.npy"))
    scores = pd.concat([log(folder, name) for name in ("score", "unfinished")])
    won = log(folder, "completed")
    if world.won_return is not None:
        won = scores[scores["undiscounted return"] >= world.won_return]
    rows: list[list[float | None]] = []
    for moment in moments:
        if moment > steps:
            break
        visits = load_rows(folder / "coords" / f"step_{moment}.npy")
        rooms = visits[:, 0]
        place = [len(visits), len(set(rooms.tolist())), int(visits[:, 2].max()), None]
        if world.first_rooms:
            floors = np.searchsorted(world.first_rooms, rooms, side="right")
            place[-1] = int((ROWS * floors + visits[:, 1]).max())
        best = scores["undiscounted return"][scores["steps"] <= moment].max()
        rows.append([moment, *place, best, (won["steps"] <= moment).sum(), *[None] * 4])
    chosen = pd.concat([log(folder, name) for name in ("learning", "exploration")])
    means = chosen[chosen["steps"] <= steps].mean()
    rows[-1][-4:] = [kept(folder), *means[LOGGED[-3:]]]
    return rows


def log(folder: Path, name: str) -> pd.DataFrame:
    """Return the columns `LOGGED` of a log of a run, without rows if it has none."""
    path = folder / f"{name}.csv"
    logged = read_log(path) if path.is_file() else pd.DataFrame(dtype=float)
    return logged.reindex(columns=LOGGED)


def kept(folder: Path) -> float | None:
    """Return for how many steps a run kept its actions, on average; None if it did not say."""
    try:
        lengths, counts = load_kept_actions(folder).T
    except UserError:
        return None
    return float(lengths @ counts / counts.sum())


def table(world: str, found: dict[str, pd.DataFrame], options: Options) -> list[str]:
    """Return the lines of the table of a world, and of what is missing.

    Args:
        world: its name.
        found: of each agent, rows of `COLUMNS` of all of its runs.
        options: what was to be compared.
    """
    ends = {agent: rows[rows["steps"] == options.steps] for agent, rows in found.items()}
    there = {agent: rows for agent, rows in ends.items() if len(rows)}
    measures = [
        name for name in MEASURES if any(rows[name].notna().any() for rows in there.values())
    ]
    means = {agent: rows["distinct cells"].mean() for agent, rows in there.items()}
    titles = [WORLDS[world].won_episodes if name == "won episodes" else name for name in measures]
    lines = [f"{world}, {options.steps:,} steps", ""]
    if there:
        lines += [f"| | of the best control with these actions | {' | '.join(titles)} |"]
        lines += ["|---" * (len(titles) + 2) + "|"]
    for agent, rows in there.items():
        cells = [shown(rows[measure].to_numpy(float)) for measure in measures]
        # Who has fewer actions to choose from was told where the way leads.
        rivals = [
            mean for other, mean in means.items() if other in CONTROLS and alike(agent, other)
        ]
        best = max(rivals, default=np.nan)
        lines.append(f"| {agent} | {means[agent] / best:.2f} | {' | '.join(cells)} |")
    return [*lines, "", *missing(options.seeds, {agent: len(rows) for agent, rows in ends.items()})]


def alike(agent: str, other: str) -> bool:
    """Return whether two agents have the same actions to choose from."""
    return ("--actions" in AGENTS[agent]) == ("--actions" in AGENTS[other])


def draw(options: Options, world: str, found: dict[str, pd.DataFrame]) -> None:
    """Draw a measure after so many steps, ticked where a run had won an episode since the last."""
    curves: Agents = {}
    won: Agents = {}
    for agent, rows in found.items():
        if len(rows):
            runs = {f"seed-{seed}": run for seed, run in rows.groupby("seed")}
            curves[agent] = {name: run[["steps", options.drawn]] for name, run in runs.items()}
            won[agent] = {name: run[won_since(run) > 0][["steps"]] for name, run in runs.items()}
    measure = "" if options.drawn == DRAWN[0] else "_" + options.drawn.replace(" ", "_")
    picture = Path(options.pictures) / f"{world}{measure}.png"
    order = list(dict.fromkeys((*COLORED, *AGENTS)))
    look = PlotOptions(extrema=False)
    draw_curves(picture, world, "coverage", curves, look, order, {"completed": won})


def won_since(run: pd.DataFrame) -> pd.Series:
    """Return how many episodes a run won between a row and the one before."""
    return run["won episodes"] - run["won episodes"].shift(fill_value=0)


if __name__ == "__main__":
    run(main)
