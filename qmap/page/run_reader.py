"""A run's folder as it is now, read while the training writes it, or after something broke it.

Nothing outside of the results is read, whatever links there are in the folder.
"""

from __future__ import annotations

import math
import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from qmap.page.results import Results
from qmap.sweep.progress import Progress, last_row
from qmap.utils.errors import UserError
from qmap.utils.growing_log import GrowingLog
from qmap.utils.owner import OWNER, asked_to_stop
from qmap.utils.run_folder import CONFIG, FINISHED, finished_at, in_use, read_json
from qmap.utils.run_logs import NOT_OVER_STEPS

LARGEST_CONFIG = 1 << 20  # bytes
VIDEO = re.compile(r"episode-(\d{1,9})_step-(\d{1,15})_score-([^_]{1,30})(?:_distance-(-?\d+))?")
STEP = re.compile(r"step_(\d{1,15})")
STRIP = re.compile(r"step_(\d{1,15})_.+")


class RunReader:
    """Reads a run; several threads may ask, one is answered at a time.

    Args:
        results: the folder of all that may be read.
        name: of the run in the results.
    """

    def __init__(self, results: Results, name: str) -> None:
        self.results = results
        self.name = name
        self.lock = threading.RLock()
        self._progress = Progress()
        self._logs: dict[str, GrowingLog] = {}

    @property
    def folder(self) -> Path:
        """The run's folder.

        Raises:
            UserError: it is gone.
        """
        return _folder(self.results, self.name)

    def files(self, pattern: str) -> Iterator[Path]:
        """Yield the files in the run's folder that match and that may be read, by their names.

        Raises:
            UserError: the run is gone.
        """
        for path in sorted(self.folder.glob(pattern)):
            with suppress(OSError, RuntimeError):
                real = path.resolve(strict=True)
                if real.is_relative_to(self.results.root) and real.is_file():
                    yield path

    def config(self) -> tuple[str, dict[str, Any]]:
        """Return the program, and its options.

        Raises:
            UserError: they are damaged, or the run is gone.
        """
        (path,) = list(self.files(CONFIG)) or [None]
        if path is None or path.stat().st_size > LARGEST_CONFIG:
            raise UserError(f"{self.name}/{CONFIG} is damaged; expected the options of a run")
        return read_json(path)

    def state(self) -> dict[str, Any]:
        """Return how the run is doing: what it is called, its state, and how far it is.

        Raises:
            UserError: it is gone.
        """
        with self.lock:
            folder = self.folder
            problem, program, options = None, "", {}
            try:
                program, options = self.config()
            except UserError as error:
                problem = str(error)
            self._progress.note(
                {
                    path.stem: last_row(path)
                    for path in self.files("*.csv")
                    if path.name not in NOT_OVER_STEPS
                }
            )
            step = self._progress.step
            state = self._word(folder, _whole(options.get("steps")))
            if state not in ("training", "stopping"):
                self._progress.rest()
            score = self._progress.score
            last, speed = _last_step(options, step), self._progress.speed
            resumes = program and state in ("stopped", "crashed")
            command = ["python", "-m", program, "--resume", str(folder)]
            return {
                "run": self.name,
                "environment": folder.parent.parent.name,
                "agent": folder.parent.name,
                "started": folder.name,
                "seed": _whole(options.get("seed")),
                "state": state,
                "step": step,
                "last": last,
                "speed": speed,
                "left": (last - step) / speed if speed and last and last > step else None,
                "score": score if score is not None and math.isfinite(score) else None,
                "resume": shlex.join(command) if resumes else None,
                "problem": problem,
            }

    def tables(self, *names: str) -> dict[str, pd.DataFrame]:
        """Return the rows of all logs, or of those of these names; damaged ones are left out.

        Raises:
            UserError: the run is gone.
        """
        with self.lock:
            tables = {}
            for path in self.files("*.csv"):
                if path.name in NOT_OVER_STEPS or (names and path.stem not in names):
                    continue
                log = self._logs.setdefault(path.stem, GrowingLog())
                with suppress(ValueError, OSError, OverflowError, MemoryError):
                    tables[path.stem] = log.read(path)
            return tables

    def version(self) -> list[tuple[str, int]]:
        """Return what changes whenever a table does."""
        return sorted((name, log.version) for name, log in self._logs.items())

    def videos(self) -> list[dict[str, Any]]:
        """Return the videos, the newest first; see `state` for what is raised."""
        found = []
        for path in self.files("videos/*.mp4"):
            episode, step, score, _ = _groups(VIDEO, path.stem) or (None, None, path.stem, None)
            found.append(
                {
                    "file": f"{self.name}/videos/{path.name}",
                    "episode": episode and int(episode),
                    "step": step and int(step),
                    "score": score,
                }
            )
        return sorted(found, key=lambda each: each["episode"] or 0, reverse=True)

    def visits(self, kind: str = "visits") -> dict[int, Path]:
        """Return the counts of visited places, by their steps; see `state` for what is raised."""
        paths = {_groups(STEP, path.stem): path for path in self.files(f"{kind}/step_*.npy")}
        return {int(step[0]): path for step, path in sorted(paths.items()) if step}

    def strips(self) -> list[Path]:
        """Return the newest pictures of the Q-frames; see `state` for what is raised."""
        steps: dict[int, list[Path]] = {}
        for path in self.files("images/step_*.png"):
            if groups := _groups(STRIP, path.stem):
                steps.setdefault(int(groups[0]), []).append(path)
        return steps[max(steps)] if steps else []

    def _word(self, folder: Path, steps: int | None) -> str:
        if in_use(folder):
            return "stopping" if asked_to_stop(folder) else "training"
        if (folder / OWNER).exists():
            return "crashed"
        done = finished_at(folder) if any(self.files(FINISHED)) else None
        step = self._progress.step
        # It may have been resumed beyond the step that it finished at.
        ended = done is not None and done >= step
        return "finished" if ended or (steps is not None and step >= steps) else "stopped"


class Readers:
    """A reader for each run, shared by all pages.

    Args:
        results: the folder of all that may be read.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self._lock = threading.Lock()
        self._readers: dict[str, RunReader] = {}

    def of(self, name: str) -> RunReader:
        """Return the reader of a run.

        Raises:
            UserError: there is no such run.
        """
        try:
            name = self.results.name(_folder(self.results, name))
        except UserError:
            with self._lock:
                self._readers.pop(name, None)
            raise
        with self._lock:
            return self._readers.setdefault(name, RunReader(self.results, name))

    def all(self) -> list[RunReader]:
        """Return the readers of all runs; those of runs that are gone are forgotten."""
        names = self.results.runs()
        with self._lock:
            self._readers = {
                name: self._readers.get(name) or RunReader(self.results, name) for name in names
            }
            return list(self._readers.values())


def _folder(results: Results, name: str) -> Path:
    try:
        return results.run(name)
    except UserError:
        raise UserError("there is no such run here; it may have been moved or removed") from None


def _groups(pattern: re.Pattern[str], text: str) -> tuple[str, ...] | None:
    match = pattern.fullmatch(text)
    return match.groups() if match else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else None


def _last_step(options: dict[str, Any], step: int) -> int | None:
    """Return where a run will end; once it was resumed beyond `--stop-at`, that is the end."""
    steps, stop_at = (_whole(options.get(name)) for name in ("steps", "stop_at"))
    ends = [end for end in (steps, stop_at) if end is not None and end >= step]
    return min(ends, default=steps)
