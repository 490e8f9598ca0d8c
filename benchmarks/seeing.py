"""How soon the Q-map sees, and by what: `python -m benchmarks.seeing`.

The Q-map is trained alone, on a replay of random play, with each way of learning. Its sight is
measured on other random play: the share of frames whose brightest cell is within 2 cells of the
character, beside the same for the mean picture; and within 2 cells of the character or of where it
is going in the next 4 steps. What is in the table is not measured again, so that the comparison can
be interrupted and go on later; `--pictures` draws the shares against the steps of a training with
as many updates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from benchmarks.workloads import mario, montezuma
from qmap.agents import device
from qmap.agents.agent import Agent
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Replay
from qmap.agents.sight import AHEAD, brightest, near, near_any, places_ahead
from qmap.config import TrainingConfig
from qmap.envs.vector import Envs, Step, View
from qmap.make_agent import make_agent
from qmap.utils import streams
from qmap.utils.command_line import option, parse, run
from qmap.utils.plot_options import PlotOptions
from qmap.utils.terminal import progress_bar

CENTERED = {"center_frames": True}
SIGMOID = {"output": "sigmoid"}
SMALL = {"small_start": True}
SOFT = {"double_order": "usual", "soft_target": 0.01}
SKIP = {"model": "skip"}
DIFFERENCES = {"difference_frames": True}
WAYS: dict[str, dict[str, Any]] = {
    "published": {},
    "centered": CENTERED,
    "sigmoid": SIGMOID,
    "small start": SMALL,
    "soft": SOFT,
    "skip": SKIP,
    "differences": DIFFERENCES,
    "centered, skip": CENTERED | SKIP,
    "centered, sigmoid, soft": CENTERED | SIGMOID | SOFT,
    "centered, sigmoid, soft, skip": CENTERED | SIGMOID | SOFT | SKIP,
    "centered, small start, soft, skip, differences": CENTERED | SMALL | SOFT | SKIP | DIFFERENCES,
    "all but centered": SIGMOID | SOFT | SKIP | DIFFERENCES,
    "all": CENTERED | SIGMOID | SOFT | SKIP | DIFFERENCES,
    "tuned": TrainingConfig.RECIPES["tuned"],  # the same with fewer units
}
WORLDS = {
    "foxglove_1.1": lambda **options: mario(level="1.1", **options),
    "foxglove_2.1": lambda **options: mario(level="2.1", **options),
    "montezuma": montezuma,
}
MEASURED_AT = (50, 100, 150, 200, 250, 500, 1000, 2000)  # updates
FRAMES = 512  # of other play, on which sight is measured
APART = 8  # steps from one of them to the next
BATCH = 128
RUN = ("precision", "steps", "world", "way", "seed")
SHARES = ("seen", "seen or its way", "mean picture")  # of the frames, from 0 to 1
COLUMNS = (*RUN, "updates", *SHARES)


@dataclass(frozen=True)
class Options:
    """What is compared."""

    worlds: list[str] = option(list(WORLDS), "the games", nargs="+", choices=tuple(WORLDS))
    ways: list[str] = option(list(WAYS), "ways of learning", nargs="+", choices=tuple(WAYS))
    seeds: int = option(3, "seeds of each way", minimum=1)
    steps: int = option(16_000, "random steps in the replay", minimum=1000)
    updates: int = option(1000, "updates of the Q-map", choices=MEASURED_AT)
    precision: str = option(
        "float32", "what the convolutions multiply in", choices=device.PRECISIONS
    )
    results: str = option("qmap_results/seeing.csv", "table of the results", metavar="CSV")
    only_there: bool = option(False, "measure nothing")
    pictures: str | None = option(
        None, "draw the shares against the steps, DIR/WORLD.png", metavar="DIR"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, then print the tables."""
    options = parse(Options, __doc__.splitlines()[0], arguments, "benchmarks.seeing")
    if options.only_there:
        require_table(Path(options.results))
    device.set_up(precision=options.precision)
    for world in options.worlds:
        for seed in range(options.seeds):
            ways = [way for way in options.ways if not len(found(options, world, way, seed))]
            if ways and not options.only_there:
                for way, rows in measure(options, world, ways, seed):
                    add_run(Path(options.results), COLUMNS, run_of(options, world, way, seed), rows)
        rows = {way: all_found(options, world, way) for way in options.ways}
        for line in table(world, rows, options):
            print(line, flush=True)
        if options.pictures and any(map(len, rows.values())):
            draw(options, world, rows)


def run_of(options: Options, world: str, way: str, seed: int) -> dict[str, Any]:
    """Return what tells the rows of a run from others in the table."""
    return dict(zip(RUN, (options.precision, options.steps, world, way, seed), strict=True))


def found(options: Options, world: str, way: str, seed: int) -> pd.DataFrame:
    """Return the rows of a run in the table, none if it has not come so far."""
    table = read_table(Path(options.results), COLUMNS)
    rows = rows_of(table, **run_of(options, world, way, seed))
    moments = measured_at(options)
    ends = moments[-1] in set(rows["updates"])
    return rows[rows["updates"].isin(moments)] if ends else rows[:0]


def all_found(options: Options, world: str, way: str) -> pd.DataFrame:
    """Return the rows of a way with all seeds."""
    return pd.concat([found(options, world, way, seed) for seed in range(options.seeds)])


def measured_at(options: Options) -> list[int]:
    """Return after how many updates sight is measured, in order."""
    return [updates for updates in MEASURED_AT if updates <= options.updates]


class Play:
    """Random play, kept to be learned from or looked at.

    Args:
        envs: one copy of the game.
        steps: how many are played.
        generator: source of random actions.
    """

    def __init__(self, envs: Envs, steps: int, generator: np.random.Generator) -> None:
        self.frames: list[np.ndarray] = []
        self.coords: list[np.ndarray] = []
        self.episodes: list[int] = []
        self.actions: list[np.ndarray] = []
        self.steps: list[Step] = []
        view = envs.restart(np.ones(1, bool))
        episode = 0
        for _ in range(steps):
            self._see(view, episode)
            self.actions.append(generator.integers(envs.n_actions, size=1))
            self.steps.append(envs.step(self.actions[-1]))
            view = self.steps[-1].view
            if self.steps[-1].terminals[0] or self.steps[-1].truncations[0]:
                view = envs.restart(np.ones(1, bool))
                episode += 1

    def _see(self, view: View, episode: int) -> None:
        self.frames.append(view.frames)
        self.coords.append(view.coords)
        self.episodes.append(episode)

    @property
    def room(self) -> int:
        """How many slots of a replay it takes: a frame more in each episode than it has steps."""
        return len(self.steps) + self.episodes[-1] + 10

    def feed(self, replay: Replay) -> np.ndarray:
        """Put it into a replay; return the slot of each frame before a step, (steps,)."""
        slots = []
        for index, (action, step) in enumerate(zip(self.actions, self.steps, strict=True)):
            if index == 0 or self.episodes[index] != self.episodes[index - 1]:
                replay.start(np.zeros(1, int), self.frames[index], self.coords[index])
            slots.append(replay.newest()[0])
            view = step.view
            replay.add(action, step.rewards, step.terminals, view.frames, view.coords)
        return np.array(slots)


@dataclass(frozen=True)
class Frames:
    """Frames of other play, and where the character was and went.

    Attributes:
        observations: (n, height, width, channels) uint8.
        places: (n, 5, 2), row and on-screen column then and after 1 to 4 steps; far off the
            screen where the episode had ended by then.
    """

    observations: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, play: Play, replay: Replay) -> Frames:
        """Take frames that are spread evenly over the play, which is put into `replay`."""
        slots = play.feed(replay)
        chosen = np.linspace(0, len(slots) - 1 - AHEAD, FRAMES).astype(int)
        coords, episodes = np.concatenate(play.coords), np.array(play.episodes)
        places = places_ahead(coords[:, :2], coords[:, 2], episodes)
        return cls(replay.observations(slots[chosen]), places[chosen])

    def sight(self, q_map: QMapLearner) -> tuple[float, float, float]:
        """Return the shares seen, seen or ahead, and seen by the mean picture."""
        q_max = np.concatenate(
            [
                q_map.q_frames(self.observations[start : start + BATCH]).max(axis=-1)
                for start in range(0, FRAMES, BATCH)
            ]
        )
        cells = brightest(q_max)
        now = self.places[:, 0]
        blind = near(brightest(q_max.mean(axis=0, keepdims=True)), now)
        shares = near(cells, now), near_any(cells, self.places), blind
        return tuple(float(each.mean()) for each in shares)


def measure(
    options: Options, world: str, ways: Sequence[str], seed: int
) -> Iterator[tuple[str, list[list[float]]]]:
    """Let the game be played at random, and learn from that in each of the ways.

    Yields:
        A way and its rows, `COLUMNS` after those of `RUN`.
    """
    made = WORLDS[world](dqn=False, replay=options.steps + 10, seed=seed)
    seeds = [streams.number(seed, "environments")]
    envs = Envs(made.experiment.make_env, 1, seeds=seeds, timeout=60.0)
    try:
        envs.reset()
        generator = streams.generator(seed, "benchmark")
        play, other = (Play(envs, steps, generator) for steps in (options.steps, APART * FRAMES))
        for way in ways:
            config = dataclasses.replace(made.config, **WAYS[way])
            shapes = (envs.frame_shape, envs.coords_shape)
            agent = make_agent(config, made.experiment.dqn, *shapes, envs.n_actions)
            play.feed(agent.replay)
            room = Replay(other.room, *shapes, stack=config.stack, skip=config.skip)
            frames = Frames.of(other, room)
            moments = measured_at(options)
            with progress_bar(moments[-1], 0, "update") as bar:
                bar.set_description(f"{world}, {way}, seed {seed}")
                yield way, learn(agent, frames, moments, bar.update)
    finally:
        envs.close()


def learn(
    agent: Agent, frames: Frames, moments: Sequence[int], updated: Callable[[], object]
) -> list[list[float]]:
    """Train an agent's Q-map on its replay as in a training.

    Args:
        agent: with a full replay.
        frames: on which sight is measured.
        moments: after how many updates; the last one ends it.
        updated: is called after each update.

    Returns:
        A list for each of the moments: updates, then `SHARES`.
    """
    settings = agent.settings
    rows = []
    for update in range(1, moments[-1] + 1):
        # As if every step had been taken: the agent trains when it is due.
        agent.step = settings.learning_starts + update * settings.train_every
        agent.train()
        updated()
        if update in moments:
            rows.append([update, *frames.sight(agent.q_map)])
    return rows


def table(world: str, rows: dict[str, pd.DataFrame], options: Options) -> list[str]:
    """Return the lines of the table of a world, and of what is missing.

    Args:
        world: its name.
        rows: of each way, rows of `COLUMNS` of all of its runs.
        options: what was to be compared.
    """
    moments = measured_at(options)
    titles = [f"seen after {moments[0]:,}", *(f"{moment:,}" for moment in moments[1:])]
    titles += [f"{share}, {moments[-1]:,}" for share in SHARES]
    lines = [f"{world}, percent of {FRAMES} frames after so many updates", ""]
    there = {way: found for way, found in rows.items() if len(found)}
    if there:
        lines += [f"| | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for way, of_way in there.items():
        means = 100 * of_way.groupby("updates")["seen"].mean()
        at_the_end = of_way[of_way["updates"] == moments[-1]]
        cells = [f"{mean:.0f}" for mean in means]
        cells += [shown((100 * at_the_end[share]).round().to_numpy(float)) for share in SHARES]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    seeds = {way: found["seed"].nunique() for way, found in rows.items()}
    return [*lines, "", *missing(options.seeds, seeds)]


def draw(options: Options, world: str, rows: dict[str, pd.DataFrame]) -> None:
    """Draw the shares against the steps of a training with as many updates, mean and deviation."""
    steps_of_an_update = TrainingConfig.train_every
    curves = {
        way: {
            f"seed-{seed}": run.assign(steps=steps_of_an_update * run["updates"])[
                ["steps", *SHARES]
            ]
            for seed, run in found.groupby("seed")
        }
        for way, found in rows.items()
        if len(found)
    }
    picture = Path(options.pictures) / f"{world}.png"
    draw_curves(picture, world, "sight", curves, PlotOptions(extrema=False))


if __name__ == "__main__":
    run(main)
