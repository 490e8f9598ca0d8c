"""Files that are either there whole or not there at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from qmap.utils.errors import UserError


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open `path` for writing bytes; it appears, or changes, only when the block ends well.

    The bytes go to a hidden file beside `path` that then takes its place in one move, so that a
    reader sees the old content or the new one. If anything is raised, the old content stays.

    Raises:
        UserError: the file cannot be written (missing folder, no permission, disk full).
    """
    path = Path(path)
    part = _part(path)
    try:
        try:
            with open(part, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise cannot("write", path, error) from error


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a path that `atomic_file` cannot write to, before there is anything to lose.

    What is there is not touched, and nothing new stays.

    Raises:
        UserError: the file could not be written (missing folder, no permission, too long a name).
    """
    part = _part(Path(path))
    try:
        part.touch()
        part.unlink()
    except OSError as error:
        raise cannot("write", path, error) from error


def write_json(path: str | os.PathLike[str], tree: dict[str, Any]) -> None:
    """Write `tree` as indented JSON, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    with atomic_file(path) as file:
        file.write(json.dumps(tree, indent=2).encode() + b"\n")


def _part(path: Path) -> Path:
    """Return the hidden file beside `path` that takes its place once it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def cannot(verb: str, path: str | os.PathLike[str], error: OSError) -> UserError:
    """Return the `UserError` that says in one line why `path` could not be read or written."""
    reason = error.strerror or str(error) or type(error).__name__
    return UserError(f"cannot {verb} {os.fspath(path)}: {reason}")
