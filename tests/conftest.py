"""What the tests share: the golden figures and where they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import browser
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# An example may take as long as a busy machine needs.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A suite started in the background or by nohup ignores these, and so would the programs it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def run_folder(results: Path) -> Path:
    """The folder of the only run in `results`."""
    (config,) = results.glob("*/*/*/config.json")
    return config.parent


def golden_file(name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a golden file, of `QMAP_GOLDEN_DIR` if that is set."""
    folder = Path(os.environ.get("QMAP_GOLDEN_DIR", Path(__file__).parent / "golden"))
    with np.load(folder / name, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """A function from a golden file's name to its arrays."""
    return golden_file


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chrome]:
    """Chromium, started once for all tests; skips where it, or what drives it, is missing."""
    if reason := browser.missing():
        pytest.skip(reason)
    driver = browser.start_chromium()
    yield driver
    driver.quit()


@pytest.fixture
def driver(chromium: Chrome) -> Iterator[Chrome]:
    """Chromium with one empty window of 1280 x 900 and no cookies."""
    chromium.set_window_size(1280, 900)
    yield chromium
    first, *others = chromium.window_handles
    for other in others:
        chromium.switch_to.window(other)
        chromium.close()
    chromium.switch_to.window(first)
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser.errors(chromium)
