"""Jobs on the machines of a Ray cluster."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from qmap.sweep.job import Job
from qmap.sweep.mirror import Piece, Source, apply
from qmap.sweep.pool import LOST, LocalTask
from qmap.utils.errors import UserError
from qmap.utils.files import cannot
from qmap.utils.ray_cluster import connect
from qmap.utils.terminal import warn

AT_ONCE = 32 << 20  # bytes in one answer of a node
EVERY = 0.5  # seconds between questions
NOTICE = 10.0  # seconds in which Ray misses a node
STOPPED = -signal.SIGTERM


class RayPool:
    """A pool of processes on a cluster, each held by an actor.

    Where nodes see the folder of the results they write there; else what they write comes back in
    pieces as it grows, and a run that is gone on with elsewhere is sent there first.

    Args:
        address: of the cluster, see `qmap.utils.ray_cluster.connect`.
        jobs: how many at a time; None for as many as the cluster has cores for.
        cores: of each job.
        gpus: of each job; a share of one is shared.
        results: the folder of the results.

    Raises:
        UserError: there is no such cluster.
    """

    def __init__(
        self, address: str, jobs: int | None, cores: int, gpus: float, results: Path
    ) -> None:
        self.ray = connect(address)
        self.jobs = jobs
        self.cores = cores
        self.gpus = gpus
        self.where = f"{self.size} at a time on the cluster {address}"
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        for name, wanted in (("CPU", cores), ("GPU", gpus)):
            most = max((node.get(name, 0) for node in nodes), default=0)
            if most < wanted:
                warn(
                    f"no machine of the cluster has {wanted:g} {name}, the most is {most:g}: the "
                    "runs wait for one that does"
                )
        # Who can read this in the folder, writes into the same one.
        self._mark = results.resolve() / f".shared-{uuid.uuid4().hex}"
        try:
            for left in self._mark.parent.glob(".shared-*"):  # by a sweep that was killed
                left.unlink()
            self._mark.write_text(self._mark.name)
        except OSError as error:
            raise cannot("write", results, error) from error

    @property
    def size(self) -> int:
        """How many at a time; nodes may come and go."""
        there = self.ray.cluster_resources().get("CPU", 0)
        return self.jobs or max(1, int(there) // self.cores)

    def start(self, job: Job) -> RayTask:
        """Start a job, or go on with its run."""
        try:
            job.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot("write", job.folder, error) from error
        holder = self.ray.remote(Holder).options(
            num_cpus=self.cores, num_gpus=self.gpus, max_restarts=0
        )
        actor = holder.remote(job, job.folder.resolve(), self.cores, self._mark, Path.cwd())
        return RayTask(self.ray, actor, job)

    def close(self) -> None:
        """Leave the cluster; actors that are left end, and with them their processes."""
        self._mark.unlink(missing_ok=True)
        self.ray.shutdown()


class RayTask:
    """A job in the hands of an actor. A thread talks to it, so that nobody waits for the network.

    Args:
        ray: the module.
        actor: holds the process, a `Holder`.
        job: what it does.
    """

    def __init__(self, ray: Any, actor: Any, job: Job) -> None:
        self.ray = ray
        self.actor = actor
        self.job = job
        self._status: int | UserError | None = None
        self._started = False
        self._stopping = threading.Event()
        threading.Thread(target=self._live, daemon=True).start()

    def poll(self) -> int | None:
        """Return the exit status, None before the end.

        Raises:
            UserError: what came back cannot be written.
        """
        if isinstance(self._status, UserError):
            raise self._status
        return self._status

    def stop(self) -> None:
        """Ask the job to save itself and end."""
        self._stopping.set()
        if self._started:
            self.actor.stop.remote()

    def _live(self) -> None:
        from ray.exceptions import RayError

        try:
            status = self._follow()
        except Stopped:
            status = STOPPED
        except UserError as error:
            status = error
        except RayError as error:
            status = LOST
            with suppress(OSError), open(self.job.output, "ab") as file:
                file.write(f"\nlost: {' '.join(str(error).split())[:150]}\n".encode())
            # Until Ray notices that a node is gone it sends jobs there.
            self._stopping.wait(NOTICE)
        with suppress(RayError):
            self.ray.kill(self.actor)
        self._status = status

    def _follow(self) -> int:
        """Start the process and write what comes back, up to its end; return its exit status."""
        run = self.job.run()
        where = None if run is None else run.relative_to(self.job.folder)
        if run is not None and not self._ask(self.actor.shares):
            for piece in Source(run).pieces():
                self._ask(self.actor.put, piece._replace(path=f"{where.as_posix()}/{piece.path}"))
        output = self.job.output
        printed = output.stat().st_size if output.exists() else 0
        self._ask(self.actor.start, where)
        self._started = True
        if self._stopping.is_set():
            self.actor.stop.remote()
        while True:
            # Bytes, unlike arrays, are copied out of Ray's store, which is free for others then.
            pieces, status, more = self._ask(self.actor.pull)
            for piece in pieces:
                if piece.path == output.name:
                    # What earlier processes printed, maybe on other nodes, stays.
                    piece = piece._replace(offset=piece.offset + printed)  # noqa: PLW2901
                apply(piece, self.job.folder)
            if status is not None:
                self._ask(self.actor.leave)
                return status
            if not more:
                time.sleep(EVERY)

    def _ask(self, method: Any, *arguments: Any) -> Any:
        """Call a method of the actor; before the process is started, a stop ends the waiting."""
        answer = method.remote(*arguments)
        while not self.ray.wait([answer], timeout=EVERY)[0]:
            if self._stopping.is_set() and not self._started:
                raise Stopped
        return self.ray.get(answer)


class Stopped(Exception):
    """A job was stopped before its process was started: the cluster may have had no room."""


class Holder:
    """Lives on a node and holds the process of a job, which ends with it.

    Args:
        job: what to do.
        folder: of the job where the sweep was started.
        cores: to compute with.
        mark: a file that holds its own name, beside that folder.
        here: where the sweep was started; if it is there, relative paths mean the same.
    """

    def __init__(self, job: Job, folder: Path, cores: int, mark: Path, here: Path) -> None:
        self._shares = mark.is_file() and mark.read_text() == mark.name
        if here.is_dir():
            os.chdir(here)
        self.job = job
        self.cores = cores
        self.folder = folder if self._shares else Path(tempfile.mkdtemp(prefix="qmap-"))
        self._source = None if self._shares else Source(self.folder)
        self._pieces: Iterator[Piece] | None = None

    def shares(self) -> bool:
        """Whether what is written here is there, too."""
        return self._shares

    def put(self, piece: Piece) -> None:
        """Take a piece of the run to go on with."""
        apply(piece, self.folder)

    def start(self, run: Path | None) -> None:
        """Start the process.

        Args:
            run: the run to go on with, relative to the job's folder; None to begin one.
        """
        if self._source is not None:
            self._source.assume()
        command = self.job.command(run and self.folder / run, self.folder)
        self._task = LocalTask(command, self.folder / self.job.output.name, self.cores)

    def pull(self) -> tuple[list[Piece], int | None, bool]:
        """Return what is new, the exit status when all is told, and whether there is more now."""
        if self._pieces is None:
            # Asked before the files are read: what is there after the end is all.
            self._status = self._task.poll()
            self._pieces = self._source.pieces() if self._source is not None else iter(())
        pieces, size = [], 0
        for piece in self._pieces:
            pieces.append(piece)
            size += len(piece.data or b"")
            if size >= AT_ONCE:
                return pieces, None, True
        self._pieces = None
        return pieces, self._status, False

    def stop(self) -> None:
        """Ask the process to save itself and end."""
        self._task.stop()

    def leave(self) -> None:
        """Remove what was only kept here until it was told."""
        if not self._shares:
            shutil.rmtree(self.folder, ignore_errors=True)
