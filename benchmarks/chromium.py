"""Chromium without a window, for what is measured or tested in a browser, and the page to show."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

NEEDED = ("selenium", "starlette", "uvicorn", "websockets")
PATIENCE = 120.0  # seconds, for a busy machine
PICTURES = "return Number(document.getElementById('play').dataset.pictures ?? 0)"


def missing() -> str | None:
    """Return what is missing here to drive the page in a browser, None for nothing."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            return f"{name} is not installed: pip install -e '.[test]'"
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        return "Chromium is not installed: apt-get install chromium chromium-driver"
    return None


def start_chromium() -> Chrome:
    """Start Chromium; `quit` ends it."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))


def until(happened: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Ask again and again until it is true; return what it is.

    Raises:
        AssertionError: it does not become true.
    """
    deadline = time.monotonic() + patience
    while not (found := happened()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


@contextmanager
def served(place: Path) -> Iterator[tuple[str, int]]:
    """Serve the page as a user does; yield its address, without a slash, and the process's id."""
    command = [sys.executable, "-m", "qmap.page", str(place), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            address = process.stdout.readline().strip().rstrip("/")
            if not address:
                raise RuntimeError(f"the page ended with status {process.wait()}")
            yield address, process.pid
        finally:
            process.terminate()
