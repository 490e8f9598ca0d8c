"""What a sweep takes beside the same runs by hand in the best order: `python -m benchmarks.sweep`.

Trains in the grid world, half of the runs for twice as long as the others. By hand means that as
many processes as there are cores are kept busy, the long runs first, with nothing else done: what
is started, finished or had to be resumed is nobody's business there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from qmap.sweep.job import Job
from qmap.sweep.plan import read_plan
from qmap.utils.command_line import option, parse, run
from qmap.utils.cores import THREADS, cores
from qmap.utils.errors import UserError

PLAN = """\
program = "train_gridworld"
path = "results"

[options]
model = "mlp2"
test_levels = ["level1"]
eval_every = 1_000_000
"""


@dataclass(frozen=True)
class Options:
    """What is run."""

    runs: int = option(8, "of a sweep, an even number", minimum=2)
    steps: int = option(100_000, "transitions of the shorter runs", minimum=32)
    rounds: int = option(3, "of one sweep, and then the same by hand", minimum=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = parse(Options, __doc__.partition("\n")[0], arguments, "benchmarks.sweep")
    if options.runs % 2:
        raise UserError(f"--runs {options.runs}: expected an even number")
    print(", ".join(f"{key} {value}" for key, value in describe().items()))
    times: dict[str, list[float]] = {"sweep": [], "by hand": []}
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "sweep.toml")
        vary = f"[vary]\nsteps = [{options.steps}, {2 * options.steps}]\n"
        file.write_text(f"{PLAN}{vary}")
        for number in range(options.rounds):
            for way, done in times.items():
                results = Path(name, f"{way}_{number}")
                flags = ["--seeds", str(options.runs // 2), "--path", str(results)]
                jobs = read_plan(file, flags[1], path=flags[3])
                started = time.monotonic()
                if way == "sweep":
                    command = [sys.executable, "-m", "qmap.sweep", str(file), *flags]
                    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
                else:
                    by_hand(jobs, cores())
                done.append(time.monotonic() - started)
                print(f"{way}: {done[-1]:.1f} s", flush=True)
                if not all(job.finished() for job in jobs):
                    raise UserError(f"{way}: not all runs are finished; expected all")
    sweep, hand = (float(np.median(each)) for each in times.values())
    print(f"a sweep takes {sweep / hand:.3f} times as long (medians of {options.rounds})")


def by_hand(jobs: Sequence[Job], at_once: int) -> None:
    """Run the jobs, the longest first, each as soon as there is room."""
    waiting = sorted(jobs, key=lambda job: job.last_step)
    running: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, THREADS: str(max(1, cores() // at_once))}
    while waiting or running:
        running = [process for process in running if process.poll() is None]
        while waiting and len(running) < at_once:
            command = [sys.executable, *waiting.pop().command(None)]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            running.append(subprocess.Popen(command, env=environment, **quiet))
        time.sleep(0.01)


if __name__ == "__main__":
    run(main)
