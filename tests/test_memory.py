"""How much memory may still be taken, under every kind of limit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from qmap.utils import memory
from qmap.utils.errors import UserError
from qmap.utils.memory import RESERVE, check_slots, free_addresses, free_memory

GB = 10**9


def machine(root: Path, groups: str, files: dict[str, str]) -> Path:
    """A file system with 8 GB of memory available, control groups and what they say."""
    files = {"proc/meminfo": f"MemTotal: 9 kB\nMemAvailable: {8 * GB // 1024} kB\n", **files}
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def group(folder: str, limit: str, usage: int, cached: int, version: int = 2) -> dict[str, str]:
    """The files of a control group."""
    names = ("memory.max", "memory.current", "inactive_file")
    if version == 1:
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    return {
        f"{folder}/{names[0]}": f"{limit}\n",
        f"{folder}/{names[1]}": f"{usage}\n",
        f"{folder}/memory.stat": f"anon 5\n{names[2]} {cached}\n",
    }


V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("groups", "files", "free"),
    [
        ("", {}, 8 * GB),
        ("0::/\n", group(V2, "max", GB, 0), 8 * GB),
        ("0::/\n", group(V2, str(3 * GB), GB, 0), 2 * GB),
        ("0::/\n", group(V2, str(3 * GB), 2 * GB, GB), 2 * GB),
        ("0::/\n", group(V2, str(GB), 2 * GB, 0), 0),
        ("0::/\n", group(V2, str(99 * GB), GB, 0), 8 * GB),
        ("0::/a/b\n", group(f"{V2}/a/b", str(2 * GB), GB, 0), GB),
        ("0::/a/b\n", group(f"{V2}/a", str(2 * GB), GB, 0), GB),
        ("0::/host/docker\n", group(V2, str(2 * GB), GB, 0), GB),
        ("0::/../..\n", group(V2, str(2 * GB), GB, 0), GB),
        ("4:memory:/a\n0::/\n", group(f"{V1}/a", str(4 * GB), GB, 0, 1), 3 * GB),
        ("4:memory:/host\n", group(V1, str(4 * GB), 2 * GB, GB, 1), 3 * GB),
        ("4:cpu,memory:/\n", group(V1, str(4 * GB), GB, 0, 1), 3 * GB),
        ("4:cpu:/\n", group(V1, str(4 * GB), GB, 0, 1), 8 * GB),
    ],
)
def test_the_smallest_room_of_machine_and_control_groups_counts(
    tmp_path: Path, groups: str, files: dict[str, str], free: int
) -> None:
    found = free_memory(machine(tmp_path, groups, files))
    assert found == pytest.approx(free, abs=1024)


def test_where_nothing_is_known_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert free_memory(tmp_path) is None
    assert free_addresses(tmp_path) is None
    for name in ("free_memory", "free_addresses"):
        monkeypatch.setattr(memory, name, lambda: None)
    check_slots("--replay", 10**12, 10**12, 10**6)


def test_a_replay_that_does_not_fit_is_refused_with_a_size_that_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: RESERVE + GB)
    monkeypatch.setattr(memory, "free_addresses", lambda: None)
    check_slots("--replay", 500_000, 500_000, 2_000)
    check_slots("--replay", 10**9, 500_000, 2_000)
    with pytest.raises(UserError) as error:
        check_slots("--replay", 500_000, 500_000, 2_262)
    assert "--replay 500,000 needs 1.1 GB" in str(error.value)
    assert "--replay 440000 fits" in str(error.value)
    check_slots("--replay", 440_000, 440_000, 2_262)
    monkeypatch.setattr(memory, "free_addresses", lambda: RESERVE + GB)
    with pytest.raises(UserError, match=r"address space.*--replay 440000 fits"):
        check_slots("--replay", 500_000, 100, 2_262)


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of Linux")
@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_a_limit_of_the_process_is_what_it_can_still_take(limit: str) -> None:
    code = (
        "import mmap, resource\n"
        "from qmap.utils.memory import free_addresses\n"
        f"resource.setrlimit(resource.{limit}, (2**31, 2**31))\n"
        "free = free_addresses()\n"
        "assert 2**30 < free < 2**31\n"
        "private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS\n"
        "mmap.mmap(-1, free - 2**23, private).close()\n"
        "try:\n"
        "    mmap.mmap(-1, free + 2**23, private)\n"
        "except OSError:\n"
        "    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "refused\n", done.stderr
