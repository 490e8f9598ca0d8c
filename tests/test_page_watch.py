"""Watching a run in the browser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import browser
import imageio.v3 as imageio
import numpy as np
import pytest
from conftest import run_folder
from made_runs import make_run

from qmap.utils import snapshots
from qmap.utils.image_file import write_image
from qmap.utils.visits import Visits

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

STARTING = 120.0  # seconds that TensorFlow may take to start on a busy machine
TINY = ["--size", "5", "--batch", "4", "--test-worlds", "5", "--compared", "4"]
TINY += ["--eval-every", "5", "--steps", "1000000"]


@contextmanager
def training(results: Path) -> Iterator[subprocess.Popen]:
    """A real training in mazes, in a process of its own, until it is stopped."""
    command = [sys.executable, "-m", "qmap.train_maze", *TINY, "--path", str(results)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            logs = "*/*/*/ground_truth_loss.csv"
            browser.until(lambda: any(results.glob(logs)) or process.poll() is not None, STARTING)
            assert process.poll() is None
            yield process
        finally:
            process.kill()


def text(driver: Chrome, selector: str) -> str:
    return browser.find(driver, selector).text


def steps(driver: Chrome) -> int:
    return int(text(driver, "#watch-step").split()[1].replace(",", ""))


def pictures(driver: Chrome) -> int:
    return int(browser.find(driver, "#watch-picture").get_attribute("data-shown") or 0)


def test_a_run_that_trains_is_watched_and_stopped(driver: Chrome, tmp_path: Path) -> None:
    with training(tmp_path) as process, browser.serving(tmp_path) as address:
        run = run_folder(tmp_path)
        driver.get(f"{address}/#watch")
        assert "training" in text(driver, "#watch-state")
        first, shown = steps(driver), pictures(driver)
        browser.until(lambda: steps(driver) > first and pictures(driver) > shown + 1, STARTING)
        browser.find(driver, ".chart .curve")

        # Another page shows the same run, also when the first one is closed in the middle.
        one = driver.current_window_handle
        driver.switch_to.new_window()
        driver.get(f"{address}/#watch")
        browser.until(lambda: steps(driver) > first)
        another = driver.current_window_handle
        driver.switch_to.window(one)
        browser.until(lambda: "training" in text(driver, "#watch-state"))
        driver.get("about:blank")
        driver.switch_to.window(another)
        first = steps(driver)
        browser.until(lambda: steps(driver) > first)
        driver.switch_to.window(one)
        driver.back()
        browser.until(lambda: steps(driver) > first)

        button = browser.find(driver, "#watch-stop")
        button.click()
        assert process.poll() is None, "a first press only asks"
        button.click()
        assert process.wait(browser.PATIENCE) == 130, "as by Ctrl-C"
        browser.until(lambda: "stopped" in text(driver, "#watch-state"))
        assert snapshots.steps(run / "snapshots"), "nothing is lost"
        assert text(driver, "#watch-resume") == f"python -m qmap.train_maze --resume {run}"
        assert not driver.find_element("css selector", "#watch-stop").is_displayed()
        driver.switch_to.window(another)
        browser.until(lambda: "stopped" in text(driver, "#watch-state"))
        assert browser.errors(driver) == []


def test_videos_maps_and_the_configuration_are_there(driver: Chrome, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for name in ("videos", "visits"):
        (run / name).mkdir()
    frames = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), np.uint8)
    for episode in (1, 12):
        name = f"episode-{episode:06d}_step-0000090_score-{episode}.mp4"
        imageio.imwrite(run / "videos" / name, frames, fps=15, macro_block_size=16)
    for step in (100, 200):
        visits = Visits()
        visits.add(np.zeros(9, int), np.arange(9), np.arange(9))
        visits.save(run / "visits" / f"step_{step}.npy")
    with browser.serving(tmp_path) as address:
        driver.get(f"{address}/#watch")
        video = browser.find(driver, "#watch-video")
        browser.until(lambda: (video.get_property("duration") or 0) > 1)
        assert "episode-000012" in video.get_property("src")
        # Going to the middle of a video that was not fetched whole takes a request for a range.
        driver.execute_script("arguments[0].currentTime = 1.5", video)
        browser.until(lambda: not video.get_property("seeking"))
        assert video.get_property("currentTime") == pytest.approx(1.5)
        episodes = browser.find(driver, "#watch-episodes")
        assert [each.text for each in episodes.find_elements("tag name", "option")] == [
            "the newest", "episode 12, step 90, score 12", "episode 1, step 90, score 1"
        ]  # fmt: skip
        episodes.send_keys("episode 1,")
        browser.until(lambda: "episode-000001" in video.get_property("src"))

        image = browser.find(driver, "#watch-map")
        browser.until(lambda: image.get_property("naturalWidth") > 0)
        assert "step=200" in image.get_property("src")
        browser.find(driver, "#watch-map-step").send_keys("\ue012")  # the arrow to the left
        browser.until(lambda: "step=100" in image.get_property("src"))

        browser.find(driver, "#watch-config summary").click()
        assert "qmap.train_maze" in text(driver, "#watch-config")
        assert "stop-at 200" in text(driver, "#watch-config table")
        assert browser.errors(driver) == []


def test_values_are_read_off_by_keyboard(driver: Chrome, tmp_path: Path) -> None:
    make_run(tmp_path)
    with browser.serving(tmp_path) as address:
        driver.get(f"{address}/#watch")
        chart = browser.find(driver, ".chart svg")
        chart.send_keys("\ue010", "\ue012\ue012\ue012")  # the end, three to the left
        assert text(driver, ".chart .reading").startswith("step 199 · ")


def test_a_run_that_vanishes_or_is_damaged_is_one_line(driver: Chrome, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    kept = make_run(tmp_path, seed=1)
    # It is the older one.
    os.utime(kept, (0, 0))
    with browser.serving(tmp_path) as address:
        driver.get(f"{address}/#watch")
        browser.until(lambda: "finished" in text(driver, "#watch-state"))
        run.rename(tmp_path / "elsewhere")
        browser.until(lambda: "moved or removed" in text(driver, "#watch [role=status]"))
        (tmp_path / "elsewhere").rename(run)
        browser.until(lambda: "finished" in text(driver, "#watch-state"))
        for name in ("score.csv", "config.json", "newest.npy", "finished"):
            (run / name).write_bytes(b"\xff\xfe garbage")
        browser.until(lambda: "config.json is damaged" in text(driver, "#problem"))
        assert "stopped" in text(driver, "#watch-state")
        browser.find(driver, "#watch-run").send_keys("maze/q-map+dqn/seed-1")
        browser.until(lambda: not driver.find_element("css selector", "#problem").is_displayed())
        assert "seed-1" in driver.current_url
        assert "finished" in text(driver, "#watch-state")


def test_the_address_names_the_run_and_a_phone_shows_it(driver: Chrome, tmp_path: Path) -> None:
    make_run(tmp_path)
    other = make_run(tmp_path, seed=1)
    os.utime(other, (0, 0))
    (other / "images").mkdir()
    write_image(other / "images" / "step_200_maze.png", np.zeros((90, 1200, 3), np.uint8))
    driver.set_window_size(500, 900)
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        with browser.serving(tmp_path) as address:
            name = other.relative_to(tmp_path).as_posix().replace("/", "%2F")
            driver.get(f"{address}/#watch/{name}")
            browser.until(lambda: pictures(driver) == 1)
            assert browser.find(driver, "#watch-run").get_property("value").endswith(other.name)
            width = driver.execute_script("return document.documentElement.scrollWidth")
            assert width == 390
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
