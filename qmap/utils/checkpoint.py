"""Files that hold the state of a run: arrays and numbers in one archive, written all or not at all.

A file is a NumPy `.npz` archive, uncompressed, with a checksum for each array; one member is a JSON
text with everything that is not an array. Nothing in it can run code. A file only appears under
its name when it is complete and on the disk.
"""

from __future__ import annotations

import errno
import json
import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot
from qmap.utils.terminal import Warnings

FORMAT = 1
TREE = "tree.json"
# What text in the tree begins with that stands for an array, or that only looks as if it did.
ARRAY = "array:"
TEXT = "text:"
CHUNK = 2**24

_warnings = Warnings()


def save(path: Path, kind: str, tree: dict[str, Any]) -> int:
    """Write `tree` to `path`, replacing a file that is there only when the new one is complete.

    Args:
        path: where to.
        kind: what the tree is, such as "checkpoint"; `load` asks for it.
        tree: nested dictionaries with text keys; the leaves are arrays, or what JSON holds.

    Returns:
        The size of the file in bytes.

    Raises:
        UserError: it cannot be written, because the disk is full for one; a file that was there
            stays as it was.
    """
    with atomic_file(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            arrays: dict[str, np.ndarray] = {}
            outline = {"format": FORMAT, "kind": kind, "tree": _without_arrays(tree, arrays)}
            # Without the time of writing, so that equal states make equal files.
            archive.writestr(zipfile.ZipInfo(TREE), json.dumps(outline))
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                    _write_array(member, array)
        size = file.tell()
    sync_folder(path.parent)
    return size


def load(path: Path, kind: str) -> dict[str, Any]:
    """Read what `save` wrote.

    Raises:
        UserError: there is no such file, it is damaged, or it holds something else.
    """
    try:
        there = path.is_file()
    except OSError as error:
        raise cannot("read", path, error) from error
    if not there:
        raise UserError(f"there is no {kind} {path}; expected a file that a training run wrote")
    try:
        with zipfile.ZipFile(path) as archive:
            size = path.stat().st_size
            outline = json.loads(_read_member(archive, TREE, size))
            found = outline["kind"]
            if outline["format"] == FORMAT and found == kind:
                if not isinstance(outline["tree"], dict):
                    raise ValueError("not a tree")
                return _with_arrays(outline["tree"], archive, size)
    except MemoryError as error:
        raise UserError(f"there is not enough memory to load {path}") from error
    # Whatever a damaged file makes the parsers say, to the user it is a damaged file.
    except Exception as error:
        raise UserError(
            f"{path} is damaged or not a {kind} ({type(error).__name__}); "
            "expected a file that a training run wrote"
        ) from error
    raise UserError(f"{path} is a {found!r} file of another kind or version; expected a {kind}")


@contextmanager
def fitting(path: str, loaded: dict[str, Any]) -> Iterator[None]:
    """Say in one line what the checkpoint at `path` is of, if it does not fit.

    Args:
        path: of the checkpoint that is restored inside the `with` block.
        loaded: what is in it; `loaded["of"]` tells where it came from, in checkpoints that do.

    Raises:
        UserError: it does not fit.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        origin = loaded.get("of")
        whence = f" of {origin}" if isinstance(origin, str) else ""
        raise UserError(
            f"{path} is a checkpoint{whence} and does not fit here: {error}; expected one of the "
            "same networks, observations and actions"
        ) from error


def steps(folder: Path, kind: str) -> list[int]:
    """Return the steps of the files step_N.`kind` in a folder."""
    names = [path.stem.removeprefix("step_") for path in folder.glob(f"step_*.{kind}")]
    return sorted(int(name) for name in names if name.isdecimal() and str(int(name)) == name)


def thin_out(folder: Path, keep: int) -> None:
    """Remove all files step_N.ckpt from a folder but the newest `keep`; 0 removes none."""
    for step in steps(folder, "ckpt")[:-keep] if keep else []:
        (folder / f"step_{step}.ckpt").unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk, where the system can.

    Some file systems cannot (EINVAL, of some network drives): that costs a warning, no file.

    Raises:
        UserError: the folder is gone or its disk is.
    """
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES):
            raise cannot("write", folder, error) from error
        _warnings.warn(
            "sync",
            f"the file system of {folder} cannot sync folders: after a power failure the newest "
            "files may be missing there",
        )


def _without_arrays(tree: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return the tree with each array replaced by its member's name; put them into `arrays`."""
    if isinstance(tree, dict):
        return {key: _without_arrays(value, arrays) for key, value in tree.items()}
    if isinstance(tree, np.ndarray):
        name = f"{len(arrays):04d}.npy"
        arrays[name] = tree
        return ARRAY + name
    if isinstance(tree, np.generic):
        return tree.item()
    if isinstance(tree, str) and tree.startswith((ARRAY, TEXT)):
        return TEXT + tree
    return tree


def _with_arrays(tree: Any, archive: zipfile.ZipFile, size: int) -> Any:
    if isinstance(tree, dict):
        return {key: _with_arrays(value, archive, size) for key, value in tree.items()}
    if isinstance(tree, str) and tree.startswith(ARRAY):
        with _member(archive, tree.removeprefix(ARRAY), size) as member:
            return _read_array(member, size)
    if isinstance(tree, str):
        return tree.removeprefix(TEXT)
    return tree


def _write_array(member: Any, array: np.ndarray) -> None:
    array = np.asarray(array, order="C")
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(member, header)
    member.write(array.reshape(-1).view(np.uint8).data)


def _read_array(member: Any, size: int) -> np.ndarray:
    np.lib.format.read_magic(member)
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(member)
    if dtype.hasobject or fortran_order or math.prod(shape) * dtype.itemsize > size:
        raise ValueError("not an array of this project")
    array = np.empty(shape, dtype)
    rest = array.reshape(-1).view(np.uint8).data
    # In parts, because a member is read into a copy first.
    while rest:
        if not (count := member.readinto(rest[:CHUNK])):
            raise ValueError("an array of the wrong size")
        rest = rest[count:]
    if member.read(1):
        raise ValueError("an array of the wrong size")
    return array


def _read_member(archive: zipfile.ZipFile, name: str, size: int) -> bytes:
    with _member(archive, name, size) as member:
        return member.read()


def _member(archive: zipfile.ZipFile, name: str, size: int) -> BinaryIO:
    """Open a member, none that would unpack to more than the file holds."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > size:
        raise ValueError("a compressed member")
    return archive.open(info)  # type: ignore[return-value]
