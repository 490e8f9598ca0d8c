"""How soon the Q-map sees, and by what: `python -m benchmarks.seeing`.

The Q-map is trained alone, on a replay of random play, with each way of learning. Its sight is
measured on other random play: the share of frames whose brightest cell is within 2 cells of the
character, beside the same for the mean picture; and within 2 cells of the character or of where it
is going in the next 4 steps. What was measured before is in the table and not measured again.
"""

from __future__ import annotations

import csv
import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import mario, montezuma
from qmap.agents import device
from qmap.agents.agent import Agent
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Replay
from qmap.agents.sight import brightest, near
from qmap.envs.vector import Envs, Step, View
from qmap.evaluate.play import AHEAD
from qmap.make_agent import make_agent
from qmap.utils import streams
from qmap.utils.command_line import option, parse, run
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
    "tuned": CENTERED | SIGMOID | SOFT | SKIP | DIFFERENCES,
}
WORLDS = {
    "foxglove_1.1": lambda **options: mario(level="1.1", **options),
    "foxglove_2.1": lambda **options: mario(level="2.1", **options),
    "montezuma": montezuma,
}
MEASURED_AT = (125, 250, 500, 1000, 2000)
FRAMES = 512  # of other play, on which sight is measured
APART = 8  # steps from one of them to the next
BATCH = 128
SHARES = ("seen", "ahead", "mean_picture")


@dataclass(frozen=True)
class Options:
    """What is compared."""

    worlds: list[str] = option(list(WORLDS), "the games", nargs="+", choices=tuple(WORLDS))
    ways: list[str] = option(list(WAYS), "ways of learning", nargs="+", choices=tuple(WAYS))
    seeds: int = option(3, "seeds of each way", minimum=1)
    steps: int = option(16_000, "random steps in the replay", minimum=1000)
    updates: int = option(1000, "updates of the Q-map", minimum=125)
    precision: str = option(
        "float32", "what the convolutions multiply in", choices=device.PRECISIONS
    )
    output: str = option("benchmarks/results/seeing.csv", "table of the results", metavar="FILE")


@dataclass(frozen=True)
class Row:
    """A measurement; shares from 0 to 1.

    Attributes:
        world: the game.
        way: way of learning.
        seed: of play, networks and sampling.
        updates: how many there had been.
        seen: frames whose brightest cell is near the character.
        ahead: or near where it is going.
        mean_picture: frames in which the mean picture's brightest cell is near the character.
        milliseconds: of an update, on average.
    """

    world: str
    way: str
    seed: int
    updates: int
    seen: float
    ahead: float
    mean_picture: float
    milliseconds: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, then print the table."""
    options = parse(Options, __doc__.splitlines()[0], arguments, "benchmarks.seeing")
    device.set_up(precision=options.precision)
    path = Path(options.output)
    rows = read(path)
    for world in options.worlds:
        for seed in range(options.seeds):
            missing = [
                way
                for way in options.ways
                if not any((row.world, row.way, row.seed) == (world, way, seed) for row in rows)
            ]
            for row in measure(options, world, missing, seed) if missing else ():
                rows.append(row)
                append(path, row)
    print(table([row for row in rows if row.world in options.worlds and row.way in options.ways]))


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
        later = chosen[:, None] + np.arange(AHEAD + 1)
        places = coords[later][..., :2] - coords[chosen, None, 2:] * (0, 1)
        places[episodes[later] != episodes[chosen, None]] = -1000
        return cls(replay.observations(slots[chosen]), places)

    def sight(self, q_map: QMapLearner) -> tuple[float, float, float]:
        """Return the shares seen, seen or ahead, and seen by the mean picture."""
        q_max = np.concatenate(
            [
                q_map.q_frames(self.observations[start : start + BATCH]).max(axis=-1)
                for start in range(0, FRAMES, BATCH)
            ]
        )
        cells = brightest(q_max)
        seen = [near(cells, self.places[:, steps]) for steps in range(AHEAD + 1)]
        blind = near(brightest(q_max.mean(axis=0, keepdims=True)), self.places[:, 0])
        return float(seen[0].mean()), float(np.any(seen, axis=0).mean()), float(blind.mean())


def measure(options: Options, world: str, ways: Sequence[str], seed: int) -> Iterator[Row]:
    """Let the game be played at random, and learn from that in each of the ways."""
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
            frames = Frames.of(
                other, Replay(APART * FRAMES + 10, *shapes, stack=config.stack, skip=config.skip)
            )
            yield from learn(options, agent, frames, Row(world, way, seed, 0, 0.0, 0.0, 0.0, 0.0))
    finally:
        envs.close()


def learn(options: Options, agent: Agent, frames: Frames, blank: Row) -> Iterator[Row]:
    """Train an agent's Q-map on its replay as in a training, and measure now and then."""
    spent = 0.0
    settings = agent.settings
    with progress_bar(options.updates, 0, "update") as bar:
        bar.set_description(f"{blank.world}, {blank.way}, seed {blank.seed}")
        for update in range(1, options.updates + 1):
            started = time.perf_counter()
            # As if every step had been taken: the agent trains when it is due.
            agent.step = settings.learning_starts + update * settings.train_every
            agent.train()
            spent += time.perf_counter() - started
            bar.update()
            if update in MEASURED_AT:
                sight = frames.sight(agent.q_map)
                yield Row(*dataclasses.astuple(blank)[:3], update, *sight, 1000 * spent / update)


def read(path: Path) -> list[Row]:
    """Return what was measured before."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Row(
                each["world"],
                each["way"],
                int(each["seed"]),
                int(each["updates"]),
                *(float(each[name]) for name in ("seen", "ahead", "mean_picture", "milliseconds")),
            )
            for each in csv.DictReader(file)
        ]


def append(path: Path, row: Row) -> None:
    """Add a row to the table on the disk."""
    is_new = not path.is_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow([field.name for field in dataclasses.fields(Row)])
        writer.writerow(
            [
                f"{value:.4g}" if isinstance(value, float) else value
                for value in dataclasses.astuple(row)
            ]
        )


def table(rows: Sequence[Row]) -> str:
    """Return the means over seeds as text."""
    lines = [f"percent of frames, mean over seeds: seen / or ahead / by the mean picture{'':5}"]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.world, row.way), []).append(row)
    for (world, way), found in groups.items():
        parts = []
        for update in sorted({row.updates for row in found}):
            here = [row for row in found if row.updates == update]
            shares = (np.mean([getattr(row, name) for row in here]) for name in SHARES)
            shown = "/".join(f"{100 * share:.0f}" for share in shares)
            parts.append(f"{update}: {shown:<11} ({len(here)})")
        lines.append(f"{world:13} {way:46} {'  '.join(parts)}")
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
