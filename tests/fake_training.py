"""A program as the real ones, without TensorFlow: it only counts, and logs what it counts.

It keeps the promises that a sweep builds on: a folder with its configuration and lock, logs,
snapshots, `--resume`, a polite end on a signal, and the note that it is finished.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qmap.parse_config import parse
from qmap.run_options import QLearningOptions, of_run
from qmap.utils import command_line
from qmap.utils.cores import cores
from qmap.utils.csv_logger import CSVLogger
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file
from qmap.utils.interrupt import Interrupt
from qmap.utils.run_folder import RunFolder


@dataclass(frozen=True)
class FakeConfig(QLearningOptions):
    """What the counting can be told."""

    steps: int = of_run(20, "how far to count", minimum=1)
    pace: float = of_run(0.0, "seconds for a step", minimum=0)
    world: str = of_run("fake", "what it is called in the results")
    scale: float = of_run(1.0, "what a step is worth")
    crash_at: int = of_run(0, "kill itself there, the first time", minimum=0)
    fail_at: int = of_run(0, "fail there, every time", minimum=0)
    stop_at: int | None = of_run(None, "count no farther", may_differ=True, minimum=1)
    words: str = of_run("", "any text")
    shape: list[int] = of_run([1], "any numbers", nargs="+")
    refuse: bool = of_run(False, "refuse at once")

    @property
    def last_step(self) -> int:
        return self.steps if self.stop_at is None else min(self.stop_at, self.steps)


PROGRAM = "fake_training"
CONFIG = FakeConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Count as the command line says."""
    config = parse(CONFIG, PROGRAM, "Count.", arguments)
    if config.refuse:
        raise UserError("refused")
    with Interrupt() as interrupt:
        if config.resume:
            folder = RunFolder(Path(config.resume), PROGRAM)
        else:
            agent = f"scale-{config.scale:g}"
            folder = RunFolder.create(
                Path(config.path) / config.world / agent, config.seed, PROGRAM
            )
            folder.write_config(config)
        snapshot = folder.path / "snapshot"
        step = int(snapshot.read_text()) if snapshot.exists() else 0
        first = not snapshot.exists()
        print(f"{cores()} threads, {os.getpid()}, from {step}", flush=True)
        columns = ("steps", "undiscounted return")
        log = CSVLogger(folder.path / "score.csv", columns, step if config.resume else None)
        while step < config.last_step and interrupt.signal is None:
            step += 1
            log.write(step, config.scale * step + config.seed)
            time.sleep(config.pace)
            if step == config.fail_at:
                raise UserError("the world broke")
            if step % 5 == 0:
                save(snapshot, step)
            if first and step == config.crash_at:
                os.kill(os.getpid(), signal.SIGKILL)
        save(snapshot, step)
        if interrupt.signal is None:
            folder.finish(step)
        folder.leave()
        folder.release()
    return interrupt.status


def save(snapshot: Path, step: int) -> None:
    with atomic_file(snapshot) as file:
        file.write(str(step).encode())


if __name__ == "__main__":
    command_line.run(main)
