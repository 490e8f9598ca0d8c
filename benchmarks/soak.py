"""Train for a long time and watch speed and memory: `python -m benchmarks.soak --minutes 40`.

The replay is small enough to be full early. From then on nothing may grow: the milliseconds of a
step and the memory of the first third of the remaining time are compared with those of the last. A
shared machine may itself slow down meanwhile, so at each look the training pauses while its floor,
the networks and optimizers alone, is measured again; the milliseconds that are compared are those
at equal speed.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.machine import describe
from qmap.utils.command_line import option, parse, run
from qmap.utils.errors import UserError
from qmap.utils.quiet import quiet

UPDATES_PER_LOOK = 8


@dataclass(frozen=True)
class Options:
    """What to train, and for how long."""

    minutes: float = option(40.0, "how long", above=0)
    every: float = option(20.0, "seconds between looks", above=0)
    replay: int = option(10_000, "transitions in the replay", minimum=2000)
    game: str = option("montezuma", "what to train on", choices=("montezuma", "foxglove"))


@dataclass(frozen=True)
class Look:
    """How a run was at a moment.

    Attributes:
        seconds: of training until the last row of its log was written.
        steps: of the run by then.
        megabytes: resident memory of its processes, the video encoder's among them.
        floor: milliseconds of a step's networks and optimizers alone, right after.
    """

    seconds: float
    steps: int
    megabytes: float
    floor: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, look, print the table; return 0 if nothing grew by more than 5 percent."""
    options = parse(Options, __doc__.splitlines()[0], arguments, "benchmarks.soak")
    print(", ".join(f"{key} {value}" for key, value in describe().items()))
    with tempfile.TemporaryDirectory() as folder:
        looks = list(watch(options, Path(folder)))
    full = [look for look in looks if look.steps >= options.replay]
    if len(full) < 6:
        raise UserError(
            f"the replay was full for {len(full)} looks only, expected 6 or more: take more "
            "--minutes or a smaller --replay"
        )
    slower = growth(at_equal_speed(full))
    larger = growth([look.megabytes for look in full])
    machine = growth([look.floor for look in full])
    print(f"from the full replay on: time of a step {slower:+.1%}, memory {larger:+.1%}", end="")
    print(f" (of the floor, which is taken off: {machine:+.1%})")
    return 0 if max(slower, larger) <= 0.05 else 1


def watch(options: Options, folder: Path) -> list[Look]:
    """Train in a process of its own, as a user would, and return what was seen."""
    command = [sys.executable, "-m"]
    command += ["qmap.train_montezuma"] if options.game == "montezuma" else ["qmap.train_mario"]
    command += [] if options.game == "montezuma" else ["--game", options.game]
    command += ["--replay", str(options.replay), "--path", str(folder)]
    floor = make_floor(options.game)
    looks: list[Look] = []
    words = folder / "stderr.txt"
    with words.open("wb") as file, subprocess.Popen(command, stderr=file) as training:
        try:
            start = time.time()
            pauses = 0.0
            print(f"{'minute':>8}{'steps':>10}{'ms per step':>14}{'floor':>10}{'MB':>10}")
            while time.time() - start < 60 * options.minutes:
                time.sleep(options.every)
                if training.poll() is not None:
                    raise UserError(f"the training ended: {words.read_text()[-500:]}")
                steps, written = last_step(folder)
                if steps == (looks[-1].steps if looks else 0):
                    continue
                pause = time.time()
                with paused(training.pid):
                    floor_ms = floor()
                seconds = written - start - pauses
                looks.append(Look(seconds, steps, megabytes(training.pid), floor_ms))
                pauses += time.time() - pause
                shown = f"{milliseconds(*looks[-2:]):14.1f}" if len(looks) > 1 else f"{'':14}"
                line = f"{seconds / 60:8.1f}{steps:10,}{shown}{floor_ms:10.1f}"
                print(f"{line}{looks[-1].megabytes:10,.0f}", flush=True)
        finally:
            # Not as Ctrl-C, which programs that a shell runs in the background ignore.
            training.terminate()
    return looks


def make_floor(game: str) -> Callable[[], float]:
    """Return what measures the milliseconds of a step's networks and optimizers alone.

    Args:
        game: "montezuma" or "foxglove".
    """
    with quiet():
        from benchmarks.floor import Floor
        from benchmarks.games import fill
        from benchmarks.workloads import mario, montezuma
        from qmap.agents.device import set_up
        from qmap.envs.vector import Envs
        from qmap.make_agent import make_agent
    workload = montezuma(replay=1000) if game == "montezuma" else mario(replay=1000)
    config = workload.config
    set_up(device=config.device, precision=config.precision)
    envs = Envs(workload.experiment.make_env, 1, seeds=[0], timeout=config.env_timeout)
    shapes = (envs.frame_shape, envs.coords_shape, envs.n_actions)
    agent = make_agent(config, workload.experiment.dqn, *shapes)
    envs.close()
    fill(agent.replay, 100)
    slots = np.arange(config.batch) + agent.replay.history
    floor = Floor(agent.learners, agent.replay.transitions(slots), agent.observations())
    step = [("acting", ("q_map",))] * config.train_every + [("learning", ("dqn", "q_map"))]

    def milliseconds_per_step() -> float:
        seconds = floor.seconds(step * UPDATES_PER_LOOK)
        return 1e3 * sum(seconds.values()) / UPDATES_PER_LOOK / config.train_every

    milliseconds_per_step()
    return milliseconds_per_step


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """Let a process stand still in the `with` block."""
    process = psutil.Process(pid)
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def last_step(folder: Path) -> tuple[int, float]:
    """Return the step of the last row of the run's exploration log, and when it was written.

    The step is 0 if there is none yet.
    """
    for log in folder.rglob("exploration.csv"):
        written = log.stat().st_mtime
        step = log.read_text().rpartition("\n")[0].rpartition("\n")[2].partition(",")[0]
        if step.isdigit():
            return int(step), written
    return 0, 0.0


def megabytes(pid: int) -> float:
    """Return the resident memory of a process and those that it started."""
    process = psutil.Process(pid)
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:  # a video that was just finished
            continue
    return total / 1e6


def milliseconds(before: Look, after: Look) -> float:
    """Return the milliseconds of a step between two looks."""
    return 1e3 * (after.seconds - before.seconds) / (after.steps - before.steps)


def at_equal_speed(looks: Sequence[Look]) -> list[float]:
    """Return the milliseconds of a step as they had been if the floor always took as long."""
    usual = statistics.median(look.floor for look in looks)
    return [
        2.0 * usual / (before.floor + after.floor) * milliseconds(before, after)
        for before, after in zip(looks, looks[1:], strict=False)
    ]


def growth(values: Sequence[float]) -> float:
    """Return by how much the median of the last third is above that of the first."""
    third = len(values) // 3
    return statistics.median(values[-third:]) / statistics.median(values[:third]) - 1.0


if __name__ == "__main__":
    run(main)
