"""Doing all jobs of a sweep, each until it is finished or has failed too often."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path

from qmap.sweep.job import Job
from qmap.sweep.pool import LOST, Pool
from qmap.sweep.table import Entry, Table
from qmap.utils.interrupt import Interrupt
from qmap.utils.run_folder import in_use

PAUSE = 0.1  # seconds between two looks at the jobs
REFUSED = 2  # the exit status of a program that was told something wrong


def drive(jobs: Sequence[Job], pool: Pool, retries: int) -> int:
    """Do the jobs that are not finished, those with most steps left first, else in order.

    What a job was doing when it ended by a crash or a signal is not lost: it goes on from its last
    snapshot. All of it may be called again at any time, after any end.

    Args:
        jobs: all of the sweep.
        pool: where they run.
        retries: how many times a job that ended too early is started again.

    Returns:
        The exit status: 0, 1 if jobs have failed, or 128 plus the number of the signal that came.
    """
    entries = [Entry(job) for job in jobs]
    for entry in entries:
        entry.look()
        if entry.job.finished():
            entry.state = "finished"
    table = Table(entries)
    table.say(f"{len(jobs)} runs, {pool.where}")
    with Interrupt() as interrupt:
        while any(entry.state in ("waiting", "running", "stopping") for entry in entries):
            if interrupt.signal is not None:
                _stop(entries, table)
            for entry in entries:
                if entry.task is not None and (status := entry.task.poll()) is not None:
                    _ended(entry, status, retries, table)
            _start_more(entries, pool, table)
            table.update()
            time.sleep(PAUSE)
        table.update(final=True)
    for entry in entries:
        if entry.state == "failed":
            table.say(f"failed: {entry.job.name}: {entry.why}; see {entry.job.output}")
    if interrupt.signal is not None:
        table.say("stopped; the same command goes on")
        return interrupt.status
    return 1 if any(entry.state == "failed" for entry in entries) else 0


def _start_more(entries: Sequence[Entry], pool: Pool, table: Table) -> None:
    """Start waiting jobs while there is room, the longest first: none is left alone at the end."""
    free = pool.size - sum(entry.task is not None for entry in entries)
    for entry in sorted(entries, key=lambda entry: entry.progress.step - entry.job.last_step):
        if entry.state == "waiting" and free > 0:
            run = entry.job.run()
            # The process of a sweep that was killed may still be saving it.
            if run is not None and in_use(run):
                continue
            entry.task = pool.start(entry.job)
            entry.state = "running"
            entry.started += 1
            free -= 1
            how = "started" if run is None else f"going on with {run}"
            table.say(f"{entry.job.name}: {how}")


def _stop(entries: Sequence[Entry], table: Table) -> None:
    """Ask all that run to save themselves, once, and start nothing more."""
    for entry in entries:
        if entry.state == "running":
            entry.task.stop()
            entry.state = "stopping"
        elif entry.state == "waiting":
            entry.state = "stopped"


def _ended(entry: Entry, status: int, retries: int, table: Table) -> None:
    """Decide what becomes of a job whose process has ended."""
    stopping, entry.task = entry.state == "stopping", None
    entry.look()
    entry.progress.rest()
    if entry.job.finished():
        entry.state = "finished"
        table.say(f"{entry.job.name}: finished, {entry.run}")
        return
    if stopping:
        entry.state = "stopped"
        return
    entry.why = f"{ending(status)} {last_line(entry.job.output)}".strip()
    # What was refused before there was a run will be refused again; a world may be mended.
    hopeless = status == REFUSED and entry.run is None
    entry.state = "failed" if hopeless or entry.started > retries else "waiting"
    if entry.state == "waiting":
        table.say(f"{entry.job.name}: {entry.why}; starting it again")


def ending(status: int) -> str:
    """Return how a process ended, in words."""
    if status == LOST:
        return "was lost with its machine"
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"


def last_line(output: Path) -> str:
    """Return the last line that a job printed, in brackets; nothing if there is none."""
    try:
        with open(output, "rb") as file:
            file.seek(max(0, file.seek(0, 2) - 2000))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    # A progress bar is written over itself.
    said = [" ".join(line.rpartition("\r")[2].split()) for line in lines if line.strip()]
    return f"({said[-1][:200]})" if said else ""
