"""What the tests of the page share: a server in a thread, and Chromium."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PATIENCE = 120.0  # seconds, for a busy machine


def missing() -> str | None:
    """What a test in the browser lacks here, None for nothing."""
    for name in ("selenium", "starlette", "uvicorn", "websockets"):
        try:
            __import__(name)
        except ImportError:
            return f"{name} is not installed: pip install -e '.[test]'"
    if CHROMIUM is None or DRIVER is None:
        return "Chromium is not installed: apt-get install chromium chromium-driver"
    return None


def start_chromium() -> Chrome:
    """Start Chromium without a window."""
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options=options, service=ChromeService(DRIVER))


@contextmanager
def serving(place: Path, token: str | None = None) -> Iterator[str]:
    """Serve the page of a run, a checkpoint or results; yield its address, without a slash."""
    import uvicorn

    from qmap.page.results import Results
    from qmap.page.server import make_app

    app = make_app(Results.of(place), token=token)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="websockets-sansio"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


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


def find(driver: Chrome, selector: str) -> WebElement:
    """Return the first element that is shown under a CSS selector, waiting for one."""

    def shown() -> WebElement | None:
        elements = driver.find_elements("css selector", selector)
        return next((each for each in elements if each.is_displayed()), None)

    return until(shown)


def errors(driver: Chrome) -> list[str]:
    """Return what the browser has complained about since it was last asked."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
