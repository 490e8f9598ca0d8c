"""The memory of a table: a file that a run begins with and leaves better than it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from qmap.envs import RETRO
from qmap.envs.make_env import FILE
from qmap.tabular.table import Better, Entries, merged
from qmap.utils import checkpoint
from qmap.utils.errors import UserError
from qmap.utils.files import cannot, check_writable
from qmap.utils.terminal import say

KIND = "memory"
GAME = "game"  # the name of it in an origin
MAKE = "make"  # what is taken from a file if nothing else is named
# Seconds that others may take to merge before it is said that they are waited for, and after it.
PATIENCE, LONGEST = 5.0, 600.0


def game_of(env: str) -> str:
    """Return what a memory calls the game of an `--env`, however that is typed.

    Of a file counts what it is called, and not the folder it is in: a memory may move from one
    machine to another, and screens are known by what they look like.
    """
    if env.startswith(RETRO):
        return env.removesuffix("-v0")
    given = FILE.fullmatch(env)
    if given is None:
        return env.rpartition(":")[2]  # without the package that registers an id
    name = given["name"] or MAKE
    return Path(given["path"]).name + (f":{name}" if name != MAKE else "")


def tree_of(entries: Entries, origin: dict[str, Any]) -> dict[str, Any]:
    """Return what `qmap.utils.checkpoint` can write: the entries, and what they are of."""
    return {"origin": origin, **entries._asdict()}


def entries_of(tree: dict[str, Any], origin: dict[str, Any]) -> Entries:
    """Return the entries of a tree that must be of the same origin.

    Raises:
        ValueError: it is not; the message says in what it differs.
    """
    for name, expected in origin.items():
        found = tree["origin"].get(name)
        if name == GAME and isinstance(found, str):
            found = game_of(found)  # earlier versions wrote it as it was typed
        if found != expected:
            raise ValueError(
                f"its {name} is {_written(found)}, that of the run {_written(expected)}"
            )
    return Entries(*(tree[name] for name in Entries._fields))


def load_memory(path: Path, origin: dict[str, Any]) -> Entries:
    """Read a memory.

    Args:
        path: the file.
        origin: what the memory must be of, by name: the game, its actions, how screens are made...

    Raises:
        UserError: it cannot be read, or is of another origin.
    """
    tree = checkpoint.load(path, KIND)
    try:
        return entries_of(tree, origin)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path} is a memory of another kind: {error}; give another file to --memory"
        ) from error


def save_memory(path: Path, origin: dict[str, Any], entries: Entries, better: Better) -> int:
    """Write a memory, merged with what other runs have written there meanwhile.

    Returns:
        The number of screens in it.

    Raises:
        UserError: it cannot be written, others have been writing for too long, or what is there is
            of another origin.
    """
    with _locked(path):
        if path.exists():
            entries = merged(entries, load_memory(path, origin), better)
        checkpoint.save(path, KIND, tree_of(entries, origin))
    return len(entries.keys)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep a memory to this process in the block; wait for others that have it.

    Raises:
        UserError: they have had it for too long, or nothing can be written there.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            # Where no file can be made, there is no lock to be had either.
            check_writable(path)
            say(f"waiting for another process that merges into {path}")
            lock.acquire(timeout=LONGEST)
    except Timeout:
        raise UserError(
            f"another process has been merging into {path} for {LONGEST:g} seconds; see whether it "
            "is stuck"
        ) from None
    except OSError as error:
        raise cannot("write", path, error) from error
    try:
        yield
    finally:
        lock.release()


def _written(value: Any) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
