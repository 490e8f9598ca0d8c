"""A folder that grows, told elsewhere in pieces, so that what has arrived can be gone on with.

What is told at any moment is a run that could have been left behind by a crash: logs come before
the snapshots that count on their rows, and the note that the run is finished comes last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from qmap.utils.files import cannot
from qmap.utils.run_folder import CONFIG, FINISHED

PIECE = 8 << 20  # bytes, at most, of a file in one piece
TAIL = 64  # bytes at the end of what was told of a file, to know it by
GROWING = (".csv", ".txt")  # files to whose end is written; others are replaced whole


class Piece(NamedTuple):
    """Bytes of a file.

    Attributes:
        path: of the file, relative to the folder.
        offset: where they begin.
        data: the bytes; None if the file is there no more.
        last: whether the file, if it is not one that grows, is whole with them.
        grows: whether they belong to the end of a file that is read while it grows.
    """

    path: str
    offset: int
    data: bytes | None
    last: bool
    grows: bool


class Version(NamedTuple):
    """What tells whether a file has changed: a file that took another's place is another."""

    inode: int
    size: int
    changed: int


class Source:
    """Tells what has changed in a folder since the last time.

    Args:
        folder: the folder; hidden files in it are not whole yet, or locks, and are left out.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._told: dict[str, Version] = {}
        self._tails: dict[str, bytes] = {}

    def assume(self) -> None:
        """Take all that is there for told."""
        for _ in self.pieces():
            pass

    def pieces(self) -> Iterator[Piece]:
        """Yield what is new, once."""
        paths = sorted(self._paths(), key=_order)
        gone = [path for path in self._told if path not in set(paths)]
        # Opened before any log is read: the rows on which these files count are there by then.
        with ExitStack() as stack:
            files: dict[str, BinaryIO] = {}
            for path in paths:
                if not path.endswith(GROWING):
                    with suppress(FileNotFoundError):
                        if self._told.get(path) != _version(os.stat(self.folder / path)):
                            files[path] = stack.enter_context(open(self.folder / path, "rb"))
            for path in paths:
                if path.endswith(GROWING):
                    with suppress(FileNotFoundError), open(self.folder / path, "rb") as file:
                        yield from self._growth(path, file)
                elif path in files:
                    yield from self._whole(path, files[path])
        for path in gone:
            del self._told[path]
            self._tails.pop(path, None)
            yield Piece(path, 0, None, True, False)

    def _growth(self, path: str, file: BinaryIO) -> Iterator[Piece]:
        version, told = _version(os.fstat(file.fileno())), self._told.get(path)
        tail = self._tails.get(path, b"")
        same = told is not None and told.inode == version.inode and told.size <= version.size
        if same:
            # The number of a file that is gone may be given to the one in its place.
            file.seek(told.size - len(tail))
            same = file.read(len(tail)) == tail
        offset, tail = (told.size, tail) if same else (0, b"")
        file.seek(offset)
        while not same or offset < version.size:
            data = file.read(min(PIECE, version.size - offset))
            yield Piece(path, offset, data, True, True)
            offset, tail, same = offset + len(data), (tail + data)[-TAIL:], True
            if not data:
                break
        self._told[path], self._tails[path] = version._replace(size=offset), tail

    def _whole(self, path: str, file: BinaryIO) -> Iterator[Piece]:
        version, offset = _version(os.fstat(file.fileno())), 0
        while True:
            data = file.read(PIECE)
            offset += len(data)
            last = offset >= version.size or not data
            yield Piece(path, offset - len(data), data, last, False)
            if last:
                break
        self._told[path] = version

    def _paths(self) -> Iterator[str]:
        for folder, folders, names in os.walk(self.folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                if not name.startswith("."):
                    yield (Path(folder) / name).relative_to(self.folder).as_posix()


def apply(piece: Piece, folder: Path) -> None:
    """Do in `folder` what a piece says.

    Raises:
        UserError: it cannot be written.
    """
    path = folder / piece.path
    # As the name of a file that a killed process left half-written, so that it is removed as such.
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if piece.data is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path if piece.grows else part
        with open(target, "r+b" if piece.offset else "wb") as file:
            file.seek(piece.offset)
            file.truncate()
            file.write(piece.data)
            if piece.last and not piece.grows:
                file.flush()
                os.fsync(file.fileno())
        if piece.last and not piece.grows:
            os.replace(part, path)
    except OSError as error:
        raise cannot("write", path, error) from error


def _version(stat: os.stat_result) -> Version:
    return Version(stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _order(path: str) -> tuple[int, str]:
    """Sort paths as they have to arrive: without its configuration a run is none."""
    name = path.rpartition("/")[2]
    first = {CONFIG: 0, FINISHED: 3}.get(name)
    return (first if first is not None else 1 if path.endswith(GROWING) else 2), path
