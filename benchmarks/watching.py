"""What a training is slowed down by while a page watches it: `python -m benchmarks.watching`.

A game is trained in this process. The page is served by a second one, and a third does what a
browser does: takes every picture and all words. Blocks of steps with and without it take turns in
one run, in the order without, with, with, without, so that a machine that is shared with others,
or that slows down, does the same to both.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil

from benchmarks.machine import describe
from qmap.utils.command_line import option, parse, run
from qmap.utils.errors import UserError
from qmap.utils.quiet import quiet

LEARNING_STARTS = 100  # goals are in use from twice as many steps on
CHANGE = 1.5  # seconds without measuring, while the training notices that somebody came or left


@dataclass(frozen=True)
class Options:
    """What is trained, and for how long."""

    game: str = option("montezuma", "the game", choices=("montezuma", "mario"))
    rounds: int = option(10, "times four blocks: two with the page, two without", minimum=1)
    steps: int = option(100, "of a block", minimum=1)
    warmup: int = option(100, "steps before that, once goals are in use", minimum=0)
    videos: bool = option(False, "with videos, as by default")
    precision: str = option("float32", "of the networks", choices=("float32", "bfloat16"))


@dataclass(frozen=True)
class Block:
    """A block of steps.

    Attributes:
        watched: whether a page watched.
        seconds: that it took.
        processor: seconds of all cores that the training used.
        page: seconds of all cores that the page's server used.
        pictures: that the page got.
    """

    watched: bool
    seconds: float
    processor: float
    page: float
    pictures: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 0 if the training keeps 0.99 of its speed."""
    options = parse(Options, __doc__.partition("\n")[0], arguments, "benchmarks.watching")
    print(", ".join(f"{key} {value}" for key, value in describe().items()))
    blocks = measure(options)
    print(*table(blocks, options.steps), sep="\n")
    return 0 if speed_ratio(blocks) >= 0.99 else 1


def measure(options: Options) -> list[Block]:
    """Train, watched and not in turns.

    Raises:
        UserError: the game cannot be played here, or the page not served.
    """
    with quiet():
        from benchmarks import workloads
        from qmap.launch import train
    workload = getattr(workloads, options.game)(
        first_exploration=0.525,  # as in the middle of a run
        first_random=0.075,
        learning_starts=LEARNING_STARTS,
        videos=options.videos,
        precision=options.precision,
    )
    with tempfile.TemporaryDirectory() as folder, page(Path(folder)) as (server, visitor):
        probe = Probe(options, Path(folder), 2 * LEARNING_STARTS + options.warmup, server, visitor)
        config = type(workload.config)(**{**vars(workload.config), "path": folder})
        with (
            patch("qmap.training.Training.step", probe.wrapped()),
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.suppress(Enough),
        ):
            train(config, workload.experiment, "qmap.train_montezuma")
    if len(probe.blocks) < 4 * options.rounds:
        raise UserError("interrupted before all blocks were measured")
    return probe.blocks


class Enough(BaseException):
    """All blocks are measured. No error, so that nothing takes it for one."""


class Probe:
    """Times blocks of steps, and lets the visitor come and go.

    Args:
        options: see there.
        folder: of the results.
        first: steps before the first block.
        server: the page's process.
        visitor: who watches when it is told to.
    """

    def __init__(
        self, options: Options, folder: Path, first: int, server: psutil.Process, visitor: Visitor
    ) -> None:
        self.options = options
        self.folder = folder
        self.first = first
        self.server = server
        self.visitor = visitor
        self.blocks: list[Block] = []
        self._script = self._blocks()

    def wrapped(self) -> Any:
        """Return what takes the place of a training's step."""
        from qmap.training import Training

        step = Training.step

        def timed(training: Training) -> None:
            next(self._script)
            step(training)

        return timed

    def _blocks(self) -> Iterator[None]:
        """Yield once a step."""
        for _ in range(self.first):
            yield
        (config,) = self.folder.glob("*/*/*/config.json")
        self.visitor.run = config.parent.relative_to(self.folder).as_posix()
        for _ in range(self.options.rounds):
            for watched in (False, True, True, False):
                if watched != self.visitor.here:
                    self.visitor.come() if watched else self.visitor.go()
                    change = time.monotonic() + CHANGE + 6 * (not watched)  # it is believed so long
                    while time.monotonic() < change:
                        yield
                before = self._read()
                for _ in range(self.options.steps):
                    yield
                after = self._read()
                spent = [end - start for start, end in zip(before, after, strict=True)]
                self.blocks.append(Block(watched, *spent[:3], int(spent[3])))
        self.visitor.go()
        raise Enough

    def _read(self) -> tuple[float, float, float, int]:
        times = self.server.cpu_times()
        return (
            time.perf_counter(),
            time.process_time(),
            times.user + times.system,
            self.visitor.pictures,
        )


class Visitor:
    """Does what a browser does, in a process of its own.

    Args:
        address: of the page, "127.0.0.1:8080".

    Attributes:
        run: that is watched.
    """

    def __init__(self, address: str) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.address = address
        self.run = ""
        self._spawn = spawn
        self._count = spawn.Value("i", 0)
        self._process: multiprocessing.process.BaseProcess | None = None

    @property
    def here(self) -> bool:
        """Whether it watches."""
        return self._process is not None

    @property
    def pictures(self) -> int:
        """How many pictures it has got so far."""
        return self._count.value

    def come(self) -> None:
        """Begin to watch."""
        ready = self._spawn.Event()
        arguments = (self.address, self.run, self._count, ready)
        self._process = self._spawn.Process(target=_visit, args=arguments, daemon=True)
        self._process.start()
        if not ready.wait(60):
            raise UserError("the page does not answer")

    def go(self) -> None:
        """Close the page."""
        if self._process is not None:
            self._process.terminate()
            self._process.join()
            self._process = None


def _visit(address: str, run: str, count: Any, ready: Event) -> None:
    from websockets.sync.client import connect

    with connect(f"ws://{address}/watch/socket", max_size=None) as socket:
        socket.send(json.dumps({"do": "watch", "run": run}))
        for message in socket:
            ready.set()
            if isinstance(message, bytes):
                count.value += 1
                socket.send(json.dumps({"do": "seen"}))


@contextlib.contextmanager
def page(folder: Path) -> Iterator[tuple[psutil.Process, Visitor]]:
    """Serve the page of a folder of results; yield its process and a visitor."""
    command = [sys.executable, "-m", "qmap.page", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip().removeprefix("http://").rstrip("/")
            if not address:
                raise UserError("the page cannot be served; see above")
            yield psutil.Process(process.pid), Visitor(address)
        finally:
            process.terminate()


def speed_ratio(blocks: Sequence[Block]) -> float:
    """Return the speed while a page watches, by the speed without; medians over blocks."""
    with_it, without = (_median(blocks, watched, "seconds") for watched in (True, False))
    return without / with_it


def table(blocks: Sequence[Block], steps: int) -> list[str]:
    """Return what was measured as lines of text.

    Args:
        blocks: all of them.
        steps: of a block.
    """
    lines = [
        f"{'':14}{'steps/s':>10}{'processor ms a step':>22}{'pictures/s':>12}{'page, cores':>13}"
    ]
    for watched, name in ((False, "not watched"), (True, "watched")):
        seconds = _median(blocks, watched, "seconds")
        processor = 1000 * _median(blocks, watched, "processor") / steps
        mine = [block for block in blocks if block.watched == watched]
        whole = sum(block.seconds for block in mine)
        pictures = sum(block.pictures for block in mine) / whole
        cores = sum(block.page for block in mine) / whole
        lines.append(
            f"{name:14}{steps / seconds:10.2f}{processor:22.2f}{pictures:12.2f}{cores:13.3f}"
        )
    used = _median(blocks, True, "processor") / _median(blocks, False, "processor")
    lines.append(f"speed watched / not watched: {speed_ratio(blocks):.3f}")
    lines.append(f"the training's own processor time watched / not watched: {used:.3f}")
    return lines


def _median(blocks: Sequence[Block], watched: bool, name: str) -> float:
    return statistics.median(getattr(block, name) for block in blocks if block.watched == watched)


if __name__ == "__main__":
    run(main)
