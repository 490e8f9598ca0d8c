"""What the tests share: the golden figures and where they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import browser
import numpy as np
import psutil
import pytest
from dice import workers_of
from hypothesis import HealthCheck, settings

from qmap.agents import published

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


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _signals_are_given_back() -> Iterator[None]:
    """What a test does to signals would be inherited by the programs of all later ones."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    after = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        signal.signal(number, handler)
    assert after == before


@pytest.fixture(autouse=True)
def _everything_is_compiled(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """AutoGraph knows less Python than Python; what it runs as it is, it tells every user of."""
    yield
    told = [*caplog.get_records("setup"), *caplog.get_records("call")]
    assert not [record for record in told if "AutoGraph" in record.getMessage()]


def run_folder(results: Path) -> Path:
    """The folder of the only run in `results`."""
    (config,) = results.glob("*/*/*/config.json")
    return config.parent


def golden_file(name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a golden file, of `QMAP_GOLDEN_DIR` if that is set."""
    folder = Path(os.environ.get("QMAP_GOLDEN_DIR", Path(__file__).parent / "golden"))
    with np.load(folder / name, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture
def no_worker_stays() -> Iterator[None]:
    """What a test opened in processes of their own is closed at its end."""
    yield
    assert not workers_of(psutil.Process())


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


@contextmanager
def eager() -> Iterator[None]:
    """TensorFlow's functions run as they stand: a few updates are done before a graph is made.

    For trainings of a few updates whose graphs are not what is tested.
    """
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def eagerly() -> Iterator[None]:
    """The whole test runs as `eager` says."""
    with eager():
        yield


@pytest.fixture
def shares_used(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The shares of their learning rate with which updates are made, in their order."""
    from qmap.agents.adam import ClippedAdam

    used: list[float] = []
    apply = ClippedAdam.apply
    monkeypatch.setattr(
        ClippedAdam,
        "apply",
        lambda adam, gradients: used.append(float(adam.share)) or apply(adam, gradients),
    )
    return used


@pytest.fixture
def few_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparisons with the truth in the grid world look at 3 columns of a level, not at 30."""
    from qmap.gridworld.evaluation import GroundTruth

    monkeypatch.setattr(GroundTruth.__init__, "__defaults__", (3,))


@pytest.fixture
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks have hidden layers of 32 in place of 1024: all else is as published."""
    for networks in (published.CONVOLUTIONAL, published.DENSE, published.DQN):
        for name, layers in networks.items():
            monkeypatch.setitem(networks, name, {**layers, "hidden": [32] * len(layers["hidden"])})
