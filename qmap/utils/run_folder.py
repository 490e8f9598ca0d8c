"""The folder of one run: its name, its configuration, and the lock that keeps it to one process."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot, write_json
from qmap.utils.owner import remove_owner, write_owner

CONFIG = "config.json"
FINISHED = "finished"
LOCK = ".lock"
GLANCE = 0.2  # seconds that another process may look whether the folder is in use


class RunFolder:
    """A folder that this process owns until `release`, or until it ends, however it ends.

    Files that a killed process left half-written are removed.

    Args:
        path: the folder, which must exist.
        program: the program whose run it is, "qmap.train_montezuma" for one.

    Raises:
        UserError: another process is using it, or it cannot be written.
    """

    def __init__(self, path: Path, program: str) -> None:
        self.path = path
        self.program = program
        self._lock = FileLock(path / LOCK)
        try:
            self._lock.acquire(timeout=GLANCE)
        except Timeout:
            raise UserError(
                f"another process is training in {path}; wait for it or stop it first"
            ) from None
        except OSError as error:
            raise cannot("write", path, error) from error
        with suppress(OSError):
            for part in (*path.glob(".*.part"), *path.glob("*/.*.part")):
                part.unlink()
        with suppress(UserError):  # only who wants to stop it from elsewhere needs it
            write_owner(path)

    @classmethod
    def create(cls, parent: Path, seed: int, program: str) -> RunFolder:
        """Make `parent`/seed-S_DATE_TIME, in a `parent` named after what is run.

        Raises:
            UserError: it cannot be made.
        """
        name = f"seed-{seed}_{datetime.now():%Y-%m-%d_%H-%M-%S}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            path, number = parent / name, 2
            while True:
                try:
                    path.mkdir()
                    return cls(path, program)
                except FileExistsError:
                    path, number = parent / f"{name}_{number}", number + 1
        except OSError as error:
            raise cannot("write", parent, error) from error

    @property
    def resume_command(self) -> str:
        """What continues the run."""
        return shlex.join(["python", "-m", self.program, "--resume", str(self.path)])

    def subfolder(self, name: str) -> Path:
        """Return a folder in the run's folder, made if it is not there.

        Raises:
            UserError: it cannot be made.
        """
        folder = self.path / name
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise cannot("write", folder, error) from error
        return folder

    def write_config(self, options: Any) -> None:
        """Write what is run: the program and all its options, a dataclass.

        Raises:
            UserError: it cannot be written; the folder, of no use without it, is removed.
        """
        config = {"program": self.program, "options": dataclasses.asdict(options)}
        try:
            write_json(self.path / CONFIG, config)
        except UserError:
            self.release()
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def finish(self, step: int) -> None:
        """Note that the run has come to its end, at this step, with all its files written.

        Raises:
            UserError: it cannot be written.
        """
        with atomic_file(self.path / FINISHED) as file:
            file.write(f"{step}\n".encode())

    def leave(self) -> None:
        """Note that the process leaves the folder in good order, whether or not it is finished."""
        remove_owner(self.path)

    def release(self) -> None:
        """Let other processes have the folder."""
        self._lock.release()


def in_use(folder: Path) -> bool:
    """Tell whether a process is training in `folder`; nothing is written there."""
    if not (folder / LOCK).exists():
        return False
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def finished_at(folder: Path) -> int | None:
    """Return the step at which the run in `folder` came to its end, None if it has not."""
    try:
        return int((folder / FINISHED).read_text())
    except (OSError, ValueError):
        return None


def read_config(folder: Path, program: str) -> dict[str, Any]:
    """Return the options that `RunFolder.write_config` wrote in `folder`.

    Raises:
        UserError: there are none, or they are of another program.
    """
    path = folder / CONFIG
    found, options = read_json(path)
    if found != program:
        raise UserError(f"{path} is of {found}, expected {program}: resume it with that")
    return options


def read_json(path: Path) -> tuple[str, dict[str, Any]]:
    """Return the program whose run it is, and its options, from a config.json.

    Raises:
        UserError: it cannot be read, or is something else.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        found, options = config["program"], dict(config["options"])
        if not isinstance(found, str):
            raise TypeError(found)
        return found, options
    except OSError as error:
        raise cannot("read", path, error) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} is damaged ({type(error).__name__}); expected the options of a run"
        ) from error
