from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from qmap.utils.interrupt import Interrupt, nothing_to_lose

# A call that does not come back to Python for a minute or more.
BUSY = "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
POLITE = """
import hashlib, sys, time
from qmap.utils.interrupt import Interrupt, nothing_to_lose
with Interrupt() as interrupt:
    print("ready", flush=True)
    while interrupt.signal is None:
        time.sleep(0.01)
    print("asked", flush=True)
    {then}
sys.exit(interrupt.status)
"""


@contextmanager
def program(then: str) -> Iterator[subprocess.Popen[str]]:
    """A process that waits for a signal, says so, and then does `then`."""
    command = [sys.executable, "-c", POLITE.format(then=then)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_the_first_signal_asks(number: str, status: int) -> None:
    with program("pass") as process:
        process.send_signal(getattr(signal, number))
        assert process.wait(10) == status
        assert process.stdout.read() == "asked\n"


@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_the_second_signal_ends_the_process_in_whatever_it_does(number: str, status: int) -> None:
    with program(BUSY) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "asked\n"
        time.sleep(0.2)
        process.send_signal(getattr(signal, number))
        assert process.wait(5) == status


def test_a_signal_that_is_sent_twice_at_once_is_one() -> None:
    with program("time.sleep(0.5)") as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert process.wait(10) == 143
        assert time.monotonic() - started > 0.3


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.05)
            assert interrupt.signal is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_afterwards_signals_do_what_they_did_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.signal == signal.SIGTERM
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_without_a_signal_the_status_is_0() -> None:
    with Interrupt() as interrupt:
        pass
    assert interrupt.status == 0


def test_ctrl_c_while_libraries_are_loaded_ends_the_program_without_a_traceback() -> None:
    code = (
        "import time\n"
        "from qmap.utils.interrupt import nothing_to_lose\n"
        "with nothing_to_lose():\n"
        "    print('ready', flush=True)\n"
        "    try:\n"
        "        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n"
        "        raise ImportError\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT
        assert process.stderr.read() == ""


def test_after_loading_ctrl_c_is_what_it_was() -> None:
    with nothing_to_lose():
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
