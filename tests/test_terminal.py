from __future__ import annotations

import io
import subprocess
import sys

import pytest

from qmap.utils.errors import UserError
from qmap.utils.terminal import LastingStream, Warnings

PROGRAM = """
import sys
from qmap.utils.command_line import run
from qmap.utils.terminal import progress_bar, say

def main():
    with progress_bar(3, 0, "step") as bar:
        for _ in range(3):
            say("words " * 20000)
            print("\\u2603" * 20000, flush=True)
            bar.update()
    open(sys.argv[1], "w").write("done")

run(main)
"""


def outcome(tmp_path: object, command: str) -> tuple[int, bool]:
    """Exit status of the program in a shell command, and whether its work was done."""
    program, done = tmp_path / "program.py", tmp_path / "done"
    program.write_text(PROGRAM)
    command = command.format(f"{sys.executable} {program} {done}")
    shell = ["bash", "-o", "pipefail", "-c", command]
    status = subprocess.run(shell, capture_output=True, timeout=60, check=False).returncode
    return status, done.exists()


@pytest.mark.parametrize(
    "command",
    [
        "{} 2>&1 | head -c 1 >/dev/null",
        "{} 2>/dev/full >/dev/full",
        "{} 2>&- >&-",
        "PYTHONIOENCODING=ascii {} >/dev/null 2>&1",
        "PYTHONUTF8=0 LC_ALL=C {} >/dev/null 2>&1",
    ],
)
def test_a_program_outlives_its_audience(tmp_path: object, command: str) -> None:
    assert outcome(tmp_path, command) == (0, True)


def test_what_a_console_cannot_show_is_escaped() -> None:
    raw = io.BytesIO()
    stream = LastingStream(io.TextIOWrapper(raw, encoding="ascii"), 1)
    stream.write("K\u00e4fer")
    stream.flush()
    assert raw.getvalue() == rb"K\xe4fer"


def test_each_kind_of_warning_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    warnings = Warnings()
    for message in ("first", "second"):
        warnings.warn("kind", message)
    with warnings.tolerate("maps"):
        raise UserError("the disk is full")
    with warnings.tolerate("maps"):
        raise UserError("the disk is full")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["warning: first", "warning: no maps, training goes on: the disk is full"]


def test_only_what_the_user_can_mend_is_tolerated() -> None:
    with pytest.raises(ValueError, match="ours"), Warnings().tolerate("maps"):
        raise ValueError("ours")
