"""Asking the process that works in a folder to stop: it, once, and nobody else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qmap.utils import owner
from qmap.utils.errors import UserError
from qmap.utils.interrupt import SAME_SIGNAL
from qmap.utils.owner import OWNER, ask_to_stop, asked_to_stop, process_name

WORK = """
import signal, sys, time
from pathlib import Path
from qmap.utils.interrupt import Interrupt
from qmap.utils.run_folder import RunFolder
if "deaf" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if "rough" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    folder = RunFolder(Path(sys.argv[1]), "program")
    print("working", flush=True)
    time.sleep(60)
with Interrupt() as interrupt:
    folder = RunFolder(Path(sys.argv[1]), "program")
    print("working", flush=True)
    while interrupt.signal is None:
        time.sleep(0.02)
    time.sleep(1)  # a second signal would end it here
    folder.leave()
    print(interrupt.signal, flush=True)
"""
needs_linux = pytest.mark.skipif(process_name(os.getpid()) is None, reason="no /proc")


@contextmanager
def working(folder: Path, *how: str) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-c", WORK, str(folder), *how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "working\n"
            yield process
        finally:
            process.kill()


@needs_linux
@pytest.mark.parametrize(("how", "number"), [([], signal.SIGINT), (["deaf"], signal.SIGTERM)])
def test_the_process_that_works_in_a_folder_is_interrupted_once(
    tmp_path: Path, how: list[str], number: int
) -> None:
    with working(tmp_path, *how) as process:
        assert not asked_to_stop(tmp_path)
        for _ in range(3):
            ask_to_stop(tmp_path)
            assert asked_to_stop(tmp_path)
            time.sleep(SAME_SIGNAL + 0.05)  # signals that are closer count as one
        assert process.stdout.readline() == f"{int(number)}\n"
        assert process.wait() == 0
    assert not (tmp_path / OWNER).exists()


@needs_linux
def test_a_process_that_would_die_of_it_is_left_alone(tmp_path: Path) -> None:
    with working(tmp_path, "rough") as process:
        with pytest.raises(UserError, match="cannot be interrupted"):
            ask_to_stop(tmp_path)
        assert process.poll() is None
    assert (tmp_path / OWNER).exists(), "who is killed leaves it behind"


@needs_linux
def test_a_stranger_with_the_same_number_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    monkeypatch.setattr(owner.signal, "pidfd_send_signal", lambda *args: sent.append(args))
    name = process_name(os.getpid())
    for other in (name + "0", "", None, 7):
        (tmp_path / OWNER).write_text(json.dumps({"pid": os.getpid(), "name": other}))
        with pytest.raises(UserError, match="another than that|nothing says"):
            ask_to_stop(tmp_path)
    assert not sent


@pytest.mark.parametrize(
    "text", ["", "[" * 900, "{}", '{"pid": -1, "name": "a"}', '{"pid": 1e3, "name": "a"}', "null"]
)
def test_a_damaged_note_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / OWNER).write_text(text)
    with pytest.raises(UserError, match="nothing says") as error:
        ask_to_stop(tmp_path)
    assert "\n" not in str(error.value)


@needs_linux
@pytest.mark.parametrize("pid", [2**22 + 1, 2**70])
def test_a_process_that_is_gone_is_one_line(tmp_path: Path, pid: int) -> None:
    (tmp_path / OWNER).write_text(json.dumps({"pid": pid, "name": "a"}))
    with pytest.raises(UserError, match="does not run"):
        ask_to_stop(tmp_path)


@needs_linux
def test_no_two_processes_have_the_same_name() -> None:
    assert process_name(os.getpid()) == process_name(os.getpid())
    assert process_name(os.getpid()) != process_name(os.getppid())
    assert process_name(2**22 + 1) is None
