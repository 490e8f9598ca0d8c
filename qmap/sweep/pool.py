"""Jobs as processes on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from qmap.sweep.job import Job
from qmap.utils.cores import THREADS, cores
from qmap.utils.files import cannot

LOST = 255  # the exit status of a job whose machine is gone


class Task(Protocol):
    """A job under way."""

    def poll(self) -> int | None:
        """Return the exit status, None before the end; below 0 for a signal, as `subprocess`."""

    def stop(self) -> None:
        """Ask the job, once, to save itself and end."""


class Pool(Protocol):
    """Where jobs run.

    Attributes:
        size: how many at a time.
        where: what the user is told.
    """

    size: int
    where: str

    def start(self, job: Job) -> Task:
        """Start a job, or go on with its run."""

    def close(self) -> None:
        """Let go of everything; tasks that are under way are stopped."""


class LocalPool:
    """A pool of processes, each with its share of this machine's cores.

    Args:
        jobs: how many at a time; None for as many as there are cores for.
        threads: of each to compute with; None for an equal share of the cores.
    """

    def __init__(self, jobs: int | None, threads: int | None = None) -> None:
        self.size = jobs or max(1, cores() // (threads or 1))
        # Only told, not bound to certain cores: the last jobs may spread, other programs be there.
        self.threads = threads or max(1, cores() // self.size)
        self.where = f"{self.size} at a time, {self.threads} thread{'s' * (self.threads > 1)} each"

    def start(self, job: Job) -> LocalTask:
        """Start a job, or go on with its run."""
        try:
            job.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot("write", job.folder, error) from error
        return LocalTask(job.command(job.run()), job.output, self.threads)

    def close(self) -> None:
        """There is nothing to let go of: processes end with their owner."""


class LocalTask:
    """A process of its own.

    In a session of its own, too, so that a Ctrl-C at the terminal comes once, from the driver, and
    not a second time, which would mean to end without saving.

    Args:
        command: what is typed after `python`.
        output: gets what the process prints, after what is there.
        threads: to compute with.
    """

    def __init__(self, command: list[str], output: Path, threads: int) -> None:
        tied = [sys.executable, str(Path(__file__).with_name("tied.py")), str(os.getpid())]
        environment = {**os.environ, THREADS: str(threads)}
        try:
            with open(output, "ab") as file:
                self.process = subprocess.Popen(
                    [*tied, sys.executable, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise cannot("write", output, error) from error

    def poll(self) -> int | None:
        """Return the exit status, None before the end."""
        return self.process.poll()

    def stop(self) -> None:
        """Ask the job to save itself and end."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
