"""Which process a run's folder belongs to, so that it, and nobody else, can be asked to stop."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file, cannot

OWNER = ".owner"
ASKED = ".stopping"  # holds the name of the process that was asked
INSTEAD = "press Ctrl-C where it runs"


def write_owner(folder: Path) -> None:
    """Note that this process works in `folder`.

    Raises:
        UserError: it cannot be written.
    """
    pid = os.getpid()
    with atomic_file(folder / OWNER) as file:
        file.write(json.dumps({"pid": pid, "name": process_name(pid)}).encode())


def remove_owner(folder: Path) -> None:
    """Note that this process left `folder` in good order: who dies has no time for it."""
    with suppress(OSError):
        (folder / OWNER).unlink()


def process_name(pid: int) -> str | None:
    """Return a name that no other process has or will have, None where that cannot be known.

    Numbers of processes are used again. The moment of the start is not, until the machine starts
    again, and each time that it does has a number of its own.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # The name of the program, in parentheses, may have anything in it.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return f"{boot} {pid} {int(fields[19])}"
    except (OSError, ValueError, IndexError):
        return None


def asked_to_stop(folder: Path) -> bool:
    """Whether the process that works in `folder` was asked to stop already."""
    owner = _read(folder / OWNER)
    return owner is not None and _read(folder / ASKED) == owner


def ask_to_stop(folder: Path) -> None:
    """Interrupt the process that works in `folder`, which must be in use, as Ctrl-C does.

    It is asked once: a second signal would end it without a snapshot.

    Raises:
        UserError: it is not known for sure, or cannot be asked.
    """
    owner = _read(folder / OWNER)
    if owner is None or not hasattr(os, "pidfd_open"):
        raise UserError(f"nothing says which process works in {folder}: {INSTEAD}")
    pid, name = owner
    try:
        handle = os.pidfd_open(pid)
    except (OSError, OverflowError) as error:
        raise UserError(f"process {pid} does not run on this machine: {INSTEAD}") from error
    try:
        # Of the process that the handle is of, whatever becomes of its number.
        if process_name(pid) != name:
            raise UserError(f"process {pid} is another than that of {folder}: {INSTEAD}")
        number = _polite_signal(pid)
        if asked_to_stop(folder):
            return
        with atomic_file(folder / ASKED) as file:
            file.write(json.dumps({"pid": pid, "name": name}).encode())
        signal.pidfd_send_signal(handle, number)
    except OSError as error:
        raise cannot("stop", f"process {pid}", error) from error
    finally:
        os.close(handle)


def _read(path: Path) -> tuple[int, str] | None:
    if not path.is_file():
        return None
    try:
        with open(path, "rb") as file:
            owner = json.loads(file.read(1000))
        pid, name = owner["pid"], owner["name"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    known = isinstance(pid, int) and pid > 0 and isinstance(name, str)
    return (pid, name) if known else None


def _polite_signal(pid: int) -> int:
    """Return the signal of Ctrl-C, or another to the same effect if the process ignores that.

    Programs that a script starts in the background ignore Ctrl-C.

    Raises:
        UserError: the process would die of either.
    """
    status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    caught = next((line for line in status.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
    mask = int(caught.split()[1], 16)
    for number in (signal.SIGINT, signal.SIGTERM):
        if mask >> (number - 1) & 1:
            return number
    raise UserError(f"process {pid} cannot be interrupted: {INSTEAD}")
