from __future__ import annotations

import multiprocessing
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import browser
import corridor_agent
import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.skipif(browser.missing() is not None, reason=str(browser.missing()))
CELL = 16 / 512  # of the picture's width
DIFFERENCE = "figure:nth-child(2) figcaption"  # of the learned from the true distances


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page with one run, whose agent knows the corridor; all tests play the same game."""
    run = corridor_agent.write_run(tmp_path_factory.mktemp("results"))
    with browser.serving(run.parent.parent.parent) as address:
        yield address


@pytest.fixture
def page(driver: Chrome, address: str) -> Chrome:
    """The page with a new episode in it, far from the corridor's ends, which the agent ignores."""
    driver.get(f"{address}/#play")
    pictures(driver, 1)
    choose(driver, "#drive", "nothing")
    choose(driver, "#pointer", "go")
    for _ in range(10):  # episodes begin anywhere, one in twenty where an end is on the screen
        restart(driver)
        if words(driver, DIFFERENCE).endswith("0.00000"):
            break
    return driver


def restart(driver: Chrome) -> None:
    """Begin an episode."""
    before = episode(driver)
    browser.find(driver, "#restart").click()
    browser.until(lambda: episode(driver) > before)


def episode(driver: Chrome) -> int:
    """The number of the episode that is shown."""
    return int(re.search(r"episode (\d+)", words(driver, ".caption"))[1])


def pictures(driver: Chrome, least: int) -> None:
    """Wait for so many pictures."""
    script = "return Number(document.getElementById('play').dataset.pictures ?? 0)"
    browser.until(lambda: driver.execute_script(script) >= least)


def words(driver: Chrome, selector: str) -> str:
    """The text of an element, at once: elements come and go with every picture."""
    return driver.execute_script(
        "return document.querySelector(arguments[0])?.textContent ?? ''", selector
    )


def choose(driver: Chrome, selector: str, value: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(browser.find(driver, selector)).select_by_value(value)


def cell(driver: Chrome, right: int, down: int = 0) -> tuple[Any, float, float]:
    """The game, and how far from its middle a cell is, so many cells from the character."""
    canvas = browser.find(driver, ".stage canvas")
    width = canvas.rect["width"]
    x = (15.5 + right) * CELL * width
    y = (corridor_agent.ROW + 0.5 + down) * CELL * width
    return canvas, x - width / 2, y - canvas.rect["height"] / 2


def click(driver: Chrome, right: int, down: int = 0) -> None:
    from selenium.webdriver import ActionChains

    canvas, x, y = cell(driver, right, down)
    ActionChains(driver).move_to_element_with_offset(canvas, x, y).click().perform()


def first_try(driver: Chrome) -> list[str]:
    script = """
        const cells = document.querySelectorAll(".tries tbody tr:first-child td");
        return [...cells].map((cell) => cell.textContent);
    """
    return driver.execute_script(script)


def test_click_a_place_and_the_agent_arrives(page: Chrome) -> None:
    click(page, 6)
    browser.until(lambda: first_try(page)[1:] == ["6", "6", "✓ arrived"])
    assert " arrived, " in words(page, ".share")
    browser.until(lambda: "step 6" in words(page, ".caption"))
    assert browser.errors(page) == []


def test_a_place_is_chosen_by_keyboard_too(page: Chrome) -> None:
    from selenium.webdriver import ActionChains, Keys

    page.execute_script("document.querySelector('.stage canvas').focus()")
    keys = ActionChains(page).key_down(Keys.SHIFT)
    keys.send_keys(Keys.ARROW_LEFT * 3).key_up(Keys.SHIFT).send_keys(Keys.ENTER).perform()
    browser.until(lambda: first_try(page)[1:] == ["3", "3", "✓ arrived"])


def test_the_keyboard_takes_over_and_lets_go(page: Chrome) -> None:
    from selenium.webdriver import ActionChains, Keys

    click(page, 14)
    ActionChains(page).key_down(Keys.ARROW_LEFT).perform()
    browser.until(lambda: words(page, ".chip") == "by hand")
    browser.until(lambda: first_try(page)[3:] == ["– broken off"])
    browser.until(lambda: "LEFT" in words(page, ".caption"))
    ActionChains(page).key_up(Keys.ARROW_LEFT).perform()
    browser.until(lambda: steady(page))


def steady(driver: Chrome) -> bool:
    """Whether nothing changes for a while."""
    import time

    before = words(driver, ".caption")
    time.sleep(0.5)
    return words(driver, ".caption") == before


def test_walls_are_drawn_with_the_mouse_and_the_truth_follows(page: Chrome) -> None:
    from selenium.webdriver import ActionChains

    browser.until(lambda: words(page, DIFFERENCE).endswith("0.00000"))
    choose(page, "#pointer", "build")
    canvas, x, y = cell(page, 3)
    _, beyond, _ = cell(page, 5)
    draw = ActionChains(page).move_to_element_with_offset(canvas, x, y).click_and_hold()
    draw.move_to_element_with_offset(canvas, beyond, y).release().perform()
    browser.until(lambda: not words(page, DIFFERENCE).endswith("0.00000"))
    choose(page, "#pointer", "go")
    click(page, 2)
    browser.until(lambda: first_try(page)[1:] == ["2", "2", "✓ arrived"])


def test_two_pages_see_the_same_game_and_one_that_is_closed_comes_back(
    page: Chrome, address: str
) -> None:
    first = page.current_window_handle
    page.switch_to.new_window("tab")
    page.get(f"{address}/#play")
    pictures(page, 1)
    click(page, 4)
    browser.until(lambda: "step 4" in words(page, ".caption"))
    page.close()
    page.switch_to.window(first)
    browser.until(lambda: "step 4" in words(page, ".caption"))
    page.get("about:blank")
    page.get(f"{address}/#play")
    browser.until(lambda: "step 4" in words(page, ".caption"))
    assert browser.errors(page) == []


def test_another_tab_and_back_and_the_game_goes_on(page: Chrome) -> None:
    click(page, -2)
    browser.until(lambda: "step 2" in words(page, ".caption"))
    browser.find(page, "#tab-watch").click()
    browser.find(page, "#watch")
    browser.find(page, "#tab-play").click()
    browser.until(lambda: "step 2" in words(page, ".caption"))


def test_a_video_is_recorded_and_plays_in_place(page: Chrome) -> None:
    browser.find(page, "#record").click()
    browser.until(lambda: "Stop" in words(page, "#record"))
    click(page, 8)
    browser.until(lambda: "step 8" in words(page, ".caption"))
    browser.find(page, "#record").click()
    browser.find(page, "video")
    ready = "return document.querySelector('video').readyState >= 2"
    browser.until(lambda: page.execute_script(ready))
    assert "no demonstration" in browser.find(page, "#record").get_attribute("title")
    assert not page.find_elements("css selector", ".film a")
    assert browser.errors(page) == []


def test_with_the_video_of_a_game_comes_its_demonstration(driver: Chrome, tmp_path: Path) -> None:
    from selenium.webdriver import ActionChains, Keys

    world = Path(__file__).parent / "corridor.py"
    corridor_agent.write_game_run(tmp_path, str(world))
    with browser.serving(tmp_path) as address:
        driver.get(f"{address}/#play")
        pictures(driver, 1)
        browser.find(driver, "#record").click()
        browser.until(lambda: "Stop" in words(driver, "#record"))
        ActionChains(driver).key_down(Keys.ARROW_RIGHT).perform()
        link = browser.find(driver, ".film a")  # the episode has ended, and with it the video
        ActionChains(driver).key_up(Keys.ARROW_RIGHT).perform()
        assert link.text == "demonstration: 10 actions"
        fetch = "fetch(arguments[0]).then((got) => got.text()).then(arguments[1])"
        lines = driver.execute_async_script(fetch, link.get_attribute("href")).splitlines()
    assert lines[0] == "# world: corridor"
    assert [line.split("\t")[0] for line in lines[1:]] == ["RIGHT"] * 10


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone_and_keeps_its_theme(page: Chrome, address: str, theme: str) -> None:
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    scheme = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    try:
        page.get(f"{address}/?{theme}#play")
        pictures(page, 1)
        shown = "return document.documentElement.dataset.theme"
        assert page.execute_script(shown) == theme
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
        browser.find(page, "#theme").click()
        other = {"light": "dark", "dark": "light"}[theme]
        page.get(f"{address}/?again#play")
        assert page.execute_script(shown) == other
    finally:
        page.execute_script("localStorage.clear()")
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_run_that_vanishes_is_said_in_a_line(driver: Chrome, tmp_path: Path) -> None:
    for seed in (0, 1):  # with more than one, none is opened without being asked for
        run = tmp_path / "world" / "agent" / f"seed-{seed}"
        (run / "tensorflow").mkdir(parents=True)
        (run / "config.json").write_text("{}")
        (run / "tensorflow" / "step_5.ckpt").write_bytes(b"")
    with browser.serving(tmp_path) as address:
        driver.get(f"{address}/#play")
        name = "world/agent/seed-1/tensorflow/step_5.ckpt"
        browser.find(driver, f"#checkpoint option[value='{name}']")
        shutil.rmtree(run)
        choose(driver, "#checkpoint", name)
        browser.until(lambda: "there is no such" in words(driver, "#problem"))


def test_without_the_right_token_there_is_no_page(driver: Chrome, tmp_path: Path) -> None:
    with browser.serving(tmp_path, token="the-token") as address:
        for query in ("", "?token=another"):
            driver.get(f"{address}/{query}")
            assert "token" in driver.find_element("tag name", "body").text
            assert not driver.find_elements("css selector", "nav")
        driver.get(f"{address}/?token=the-token#play")
        browser.until(lambda: "Choose a checkpoint" in words(driver, "[role=status]"))
        assert "the-token" not in driver.current_url


def test_a_game_that_dies_is_said_in_a_line_and_can_be_opened_again(page: Chrome) -> None:
    (process,) = multiprocessing.active_children()
    process.kill()
    browser.until(lambda: "process died" in words(page, "#problem"))
    assert "Choose a checkpoint" in words(page, "[role=status]")
    assert browser.find(page, "#checkpoint").is_enabled()
