"""Train for a long time and watch speed and memory: `python -m benchmarks.soak --minutes 40`.

The replay is small enough to be full early. From then on nothing may grow: the milliseconds of a
step and the memory of the first third of the remaining time are compared with those of the last.
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
        seconds: since the first look.
        steps: of the run so far.
        megabytes: resident memory of its processes, the video encoder's among them.
    """

    seconds: float
    steps: int
    megabytes: float


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
    slower = growth(milliseconds(full))
    larger = growth([look.megabytes for look in full])
    print(f"from the full replay on: time of a step {slower:+.1%}, memory {larger:+.1%}")
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
            start = time.monotonic()
            print(f"{'minute':>8}{'steps':>10}{'ms per step':>14}{'MB':>10}")
            while (now := time.monotonic() - start) < 60 * options.minutes:
                if training.poll() is not None:
                    raise UserError(f"the training ended: {words.read_text()[-500:]}")
                if (steps := last_step(folder)) > 0:
                    looks.append(Look(now, steps, megabytes(training.pid)))
                    ms = milliseconds(looks[-2:])
                    shown = f"{ms[0]:14.1f}" if ms else f"{'':14}"
                    line = f"{now / 60:8.1f}{steps:10,}{shown}{looks[-1].megabytes:10,.0f}"
                    print(line, flush=True)
                time.sleep(options.every)
        finally:
            training.send_signal(signal.SIGINT)
    return looks


def last_step(folder: Path) -> int:
    """Return the step of the last row of the run's exploration log, 0 if there is none yet."""
    rows = [row for log in folder.rglob("exploration.csv") for row in log.read_text().splitlines()]
    step = rows[-1].partition(",")[0] if rows else ""
    return int(step) if step.isdigit() else 0


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


def growth(values: Sequence[float]) -> float:
    """Return by how much the median of the last third is above that of the first."""
    third = len(values) // 3
    return statistics.median(values[-third:]) / statistics.median(values[:third]) - 1.0


if __name__ == "__main__":
    run(main)
