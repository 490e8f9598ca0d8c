"""How much memory this process may still take, whoever sets the limit; and whether a replay fits.

A replay takes address space at once and memory slot by slot, so that one that is too large is only
noticed hours later, when the operating system kills the run without a word.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from qmap.utils.errors import UserError

# What networks, updates, pictures and videos take beside a replay.
RESERVE = 500 * 2**20


def check_slots(flag: str, slots: int, filled: int, slot_bytes: int) -> None:
    """Refuse a replay, or a table, that cannot fit.

    Args:
        flag: the option that says how many slots there are.
        slots: that it has, whose addresses are taken at once.
        filled: slots that the run fills at least.
        slot_bytes: bytes of each.

    Raises:
        UserError: this process may not take so much memory.
    """
    for wanted, free, what in (
        (filled, free_memory(), "memory"),
        (slots, free_addresses(), "address space (ulimit -v, -d)"),
    ):
        if free is not None and wanted * slot_bytes > free - RESERVE:
            fits = max(free - RESERVE, 0) // slot_bytes
            fits -= fits % 10 ** max(len(str(fits)) - 2, 0)
            raise UserError(
                f"{flag} {slots:,} needs {wanted * slot_bytes / 1e9:.1f} GB and this process may "
                f"take {free / 1e9:.1f} GB of {what} more: {flag} {fits} fits"
            )


def free_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that may still be filled: of the machine and of all control groups.

    Args:
        root: where `proc` and `sys` are.
    """
    available = [
        int(line.split()[1]) * 1024
        for line in _lines(root / "proc/meminfo")
        if line.startswith("MemAvailable:")
    ]
    return min([*available, *_group_rooms(root)], default=None)


def free_addresses(root: Path = Path("/")) -> int | None:
    """Return the bytes of address space that the limits of this process still allow."""
    try:
        import resource
    except ImportError:  # Windows has no such limits.
        return None
    taken = {
        name: int(amount.split()[0]) * 1024
        for name, _, amount in (line.partition(":") for line in _lines(root / "proc/self/status"))
        if name in ("VmSize", "VmData")
    }
    rooms = [
        max(resource.getrlimit(limit)[0] - taken[name], 0)
        for limit, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData"))
        if name in taken and resource.getrlimit(limit)[0] != resource.RLIM_INFINITY
    ]
    return min(rooms, default=None)


def _group_rooms(root: Path) -> Iterator[int]:
    """What is left of the limit of each control group that this process is in, version 1 or 2."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        names = ("memory.max", "memory.current", "inactive_file")
        mounts = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        if controllers:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            mounts = [root / "sys/fs/cgroup/memory"]
        for mount in mounts:
            # In a container the path may be that of the host: then its own group is the mount.
            group = Path(os.path.normpath(mount / path.lstrip("/")))
            for folder in {group, *group.parents, mount}:
                if folder.is_relative_to(mount):
                    yield from _room(folder, *names)


def _room(folder: Path, limit: str, usage: str, cache: str) -> Iterator[int]:
    """What is left of the limit of one control group, if it has one.

    Args:
        folder: of the control group.
        limit: name of the file with the limit.
        usage: name of the file with what is taken, files that are kept in memory included.
        cache: line of `memory.stat` with what of these can be dropped.
    """
    limits = [int(text) for text in _lines(folder / limit) if text.strip().isdigit()]
    taken = [int(text) for text in _lines(folder / usage)]
    dropped = [
        int(text.split()[1])
        for text in _lines(folder / "memory.stat")
        if text.startswith(f"{cache} ")
    ]
    if limits and taken:
        yield max(limits[0] - taken[0] + sum(dropped), 0)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
