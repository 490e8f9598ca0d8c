"""The folder that the page shows: the only one that anything from outside can reach."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from qmap.utils import checkpoint
from qmap.utils.errors import UserError
from qmap.utils.run_folder import CONFIG

DEPTH = 4  # folders between the results and a run, at most
CHECKPOINTS = "tensorflow"
LONGEST = 1024  # characters of a name from outside


@dataclass(frozen=True)
class Results:
    """A folder of runs, or of one run.

    A run is known by its path within the folder, "." if the folder is the run's own.

    Attributes:
        root: the folder, an absolute path without links.
        checkpoint: path within it of the checkpoint to begin with, None for no particular one.
    """

    root: Path
    checkpoint: str | None = None

    @classmethod
    def of(cls, place: Path) -> Results:
        """Return what a path on the command line means: a run, a checkpoint, or results.

        Raises:
            UserError: there is nothing.
        """
        if place.suffix == ".ckpt" and place.is_file():
            path = place.resolve()
            return cls(path.parent.parent, f"{path.parent.name}/{path.name}")
        if not place.is_dir():
            raise UserError(
                f"there is no {place}; expected a run's folder, RUN/{CHECKPOINTS}/step_N.ckpt, "
                "or a folder of results"
            )
        return cls(place.resolve())

    def path(self, name: str) -> Path:
        """Return the path of a file or folder in the results, by a name that came from outside.

        Raises:
            UserError: it is not there, or not in the results, whatever links say.
        """
        try:
            if len(name) > LONGEST or "\0" in name or "\\" in name:
                raise ValueError(name)
            path = (self.root / name).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            raise UserError("there is no such file or folder in the results") from None
        if not path.is_relative_to(self.root):
            raise UserError("there is no such file or folder in the results")
        return path

    def run(self, name: str) -> Path:
        """Return the folder of a run.

        Raises:
            UserError: there is no such run, or no more.
        """
        path = self.path(name)
        if not (path / CONFIG).is_file():
            raise UserError("there is no such run; it may have been moved or removed")
        return path

    def runs(self) -> list[str]:
        """Return the names of all runs, the one that was written last first."""
        found = []
        for folder, folders, files in os.walk(self.root):
            path = Path(folder)
            depth = len(path.relative_to(self.root).parts)
            if CONFIG in files:
                found.append(path)
            if CONFIG in files or depth >= DEPTH:
                folders.clear()
            folders[:] = [name for name in folders if not name.startswith(".")]
        found.sort(key=_written, reverse=True)
        return [path.relative_to(self.root).as_posix() for path in found]

    def checkpoints(self, run: str) -> list[str]:
        """Return the names of a run's checkpoints, the newest first."""
        folder = self.run(run) / CHECKPOINTS
        steps = checkpoint.steps(folder, "ckpt")
        return [self.name(folder / f"step_{step}.ckpt") for step in reversed(steps)]

    def name(self, path: Path) -> str:
        """Return the name of a path in the results."""
        return path.relative_to(self.root).as_posix()


def _written(run: Path) -> float:
    """When something last appeared in a run's folder; 0 for one that has just vanished."""
    try:
        return run.stat().st_mtime
    except OSError:
        return 0.0
