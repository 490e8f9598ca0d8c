"""Train for a long time and watch speed and memory: `python -m benchmarks.soak --minutes 40`.

The replay is small enough to be full early. From then on nothing may grow: the milliseconds of a
step and the memory of the first third of the remaining time are compared with those of the last. A
shared machine may itself slow down meanwhile, so each look also takes the processor time of a fixed
piece of work, and the milliseconds that are compared are those at equal speed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.machine import describe
from qmap.utils.command_line import option, parse, run
from qmap.utils.errors import UserError


@dataclass(frozen=True)
class Options:
    """What to train, and for how long."""

    minutes: float = option(40.0, "how long", above=0)
    every: float = option(60.0, "seconds between looks", above=0)
    replay: int = option(10_000, "transitions in the replay", minimum=2000)
    game: str = option("montezuma", "what to train on", choices=("montezuma", "foxglove"))


@dataclass(frozen=True)
class Look:
    """How a run was at a moment.

    Attributes:
        seconds: when the last row of its log was written, since the start.
        steps: of the run by then.
        megabytes: resident memory of its processes, the video encoder's among them.
        work: processor time in milliseconds of a fixed piece of work.
    """

    seconds: float
    steps: int
    megabytes: float
    work: float


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
    machine = growth([look.work for look in full])
    print(f"from the full replay on: time of a step {slower:+.1%}, memory {larger:+.1%}", end="")
    print(f" (of the fixed work, which is taken off: {machine:+.1%})")
    return 0 if max(slower, larger) <= 0.05 else 1


def watch(options: Options, folder: Path) -> list[Look]:
    """Train in a process of its own, as a user would, and return what was seen."""
    command = [sys.executable, "-m"]
    command += ["qmap.train_montezuma"] if options.game == "montezuma" else ["qmap.train_mario"]
    command += [] if options.game == "montezuma" else ["--game", options.game]
    command += ["--replay", str(options.replay), "--path", str(folder)]
    looks: list[Look] = []
    words = folder / "stderr.txt"
    with words.open("wb") as file, subprocess.Popen(command, stderr=file) as training:
        try:
            start = time.time()
            print(f"{'minute':>8}{'steps':>10}{'ms per step':>14}{'ms of work':>12}{'MB':>10}")
            while time.time() - start < 60 * options.minutes:
                if training.poll() is not None:
                    raise UserError(f"the training ended: {words.read_text()[-500:]}")
                steps, written = last_step(folder)
                if steps > 0:
                    look = Look(written - start, steps, megabytes(training.pid), fixed_work())
                    looks.append(look)
                    ms = milliseconds(looks[-2:])
                    shown = f"{ms[0]:14.1f}" if ms else f"{'':14}"
                    line = f"{look.seconds / 60:8.1f}{steps:10,}{shown}{look.work:12.1f}"
                    print(f"{line}{look.megabytes:10,.0f}", flush=True)
                time.sleep(options.every)
        finally:
            # Not as Ctrl-C, which programs that a shell runs in the background ignore.
            training.terminate()
    return looks


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


def fixed_work() -> float:
    """Return the milliseconds of processor time that the same matrix products take every time."""
    matrix = np.ones((512, 512), np.float32)
    start = time.process_time()
    for _ in range(40):
        matrix @ matrix
    return 1e3 * (time.process_time() - start)


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


def milliseconds(looks: Sequence[Look]) -> list[float]:
    """Return the milliseconds of a step between each look and the next."""
    return [
        1e3 * (after.seconds - before.seconds) / (after.steps - before.steps)
        for before, after in zip(looks, looks[1:], strict=False)
        if after.steps > before.steps
    ]


def at_equal_speed(looks: Sequence[Look]) -> list[float]:
    """Return the milliseconds of a step as they had been if the fixed work always took as long."""
    usual = statistics.median(look.work for look in looks)
    return [
        2.0 * usual / (before.work + after.work) * ms
        for before, after in zip(looks, looks[1:], strict=False)
        for ms in milliseconds((before, after))
    ]


def growth(values: Sequence[float]) -> float:
    """Return by how much the median of the last third is above that of the first."""
    third = len(values) // 3
    return statistics.median(values[-third:]) / statistics.median(values[:third]) - 1.0


if __name__ == "__main__":
    run(main)
