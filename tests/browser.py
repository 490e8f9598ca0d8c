"""What the tests of the page share: a server in a thread, and Chromium."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.chromium import PATIENCE, missing, start_chromium, until

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

__all__ = ["errors", "find", "missing", "serving", "start_chromium", "until"]


@contextmanager
def serving(place: Path, token: str | None = None) -> Iterator[str]:
    """Serve the page of a run, a checkpoint or results; yield its address, without a slash."""
    import anyio
    import uvicorn

    from qmap.page.results import Results
    from qmap.page.server import make_app

    # Its parts and its backend are loaded when they are first used, and pytest compiles them: not
    # in the thread of the server, where Python 3.11 fails at that once in a while.
    for name in dir(anyio):
        getattr(anyio, name)
    anyio.run(anyio.sleep, 0)
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


def find(driver: Chrome, selector: str) -> WebElement:
    """Return the first element that is shown under a CSS selector, waiting for one."""

    def shown() -> WebElement | None:
        elements = driver.find_elements("css selector", selector)
        return next((each for each in elements if each.is_displayed()), None)

    return until(shown)


def errors(driver: Chrome) -> list[str]:
    """Return what the browser has complained about since it was last asked."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
