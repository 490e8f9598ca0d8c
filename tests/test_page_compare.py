"""Comparing runs in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import browser
from made_runs import make_run

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


def column(driver: Chrome, number: int) -> list[str]:
    return all_texts(driver, f"#compare-table tbody td:nth-child({number + 2})")


def figures(driver: Chrome) -> dict[str, int]:
    """How many lines the first panel of each environment's figure has."""
    script = """
        return Object.fromEntries([...document.querySelectorAll("#compare section")].map((box) => [
          box.querySelector("h2").textContent,
          box.querySelectorAll(".chart:first-child .curve:not(.thin)").length,
        ]));
    """
    return driver.execute_script(script)


def all_texts(driver: Chrome, selector: str) -> list[str]:
    """What all elements say, at one moment: the page draws them anew while it is looked at."""
    script = "return [...document.querySelectorAll(arguments[0])].map((box) => box.textContent)"
    return driver.execute_script(script, selector)


def test_runs_are_sorted_filtered_chosen_and_drawn(driver: Chrome, tmp_path: Path) -> None:
    for seed in range(3):
        make_run(tmp_path, seed, rows=10 + seed)
    make_run(tmp_path, 0, agent="dqn", rows=30)
    make_run(tmp_path, 5, environment="sokoban")
    with browser.serving(tmp_path) as address:
        driver.get(f"{address}/#compare")
        browser.until(lambda: figures(driver) == {"sokoban": 1})  # the newest
        steps = browser.find(driver, '[data-column="steps"] button')
        steps.click()
        assert column(driver, 4) == [f"{count} (100%)" for count in (300, 200, 120, 110, 100)]
        steps.click()
        assert column(driver, 4)[0] == "100 (100%)"
        browser.find(driver, '[data-column="environment"] button').click()
        assert column(driver, 0) == ["maze"] * 4 + ["sokoban"]
        heading = driver.find_element("css selector", '[data-column="environment"]')
        assert heading.get_attribute("aria-sort") == "ascending"

        browser.find(driver, "#compare-environment").send_keys("maze")
        browser.find(driver, "#compare-filter").send_keys("seed q-map")
        assert column(driver, 1) == ["q-map+dqn"] * 3
        browser.find(driver, "#compare-filter").clear()
        browser.find(driver, "#compare-filter").send_keys("finished")
        browser.until(lambda: len(column(driver, 0)) == 4)
        browser.find(driver, "#compare-all").click()
        browser.until(lambda: figures(driver) == {"maze": 2, "sokoban": 1})
        assert browser.find(driver, ".band").is_displayed()
        browser.find(driver, "#compare-way").send_keys("each")
        browser.until(lambda: figures(driver) == {"maze": 4, "sokoban": 1})
        browser.find(driver, "#compare-log").send_keys("exploration")
        browser.until(
            lambda: "Exploratory actions (share)" in all_texts(driver, ".chart figcaption")
        )
        browser.find(driver, "#compare-table tbody input").click()
        browser.until(lambda: figures(driver) == {"maze": 3, "sokoban": 1})

        driver.refresh()
        browser.until(lambda: figures(driver) == {"maze": 1, "sokoban": 1})  # of the same runs
        browser.find(driver, "#compare-table a").click()
        browser.until(lambda: "finished" in browser.find(driver, "#watch-state").text)
        assert browser.errors(driver) == []


def test_results_without_runs_and_a_new_one(driver: Chrome, tmp_path: Path) -> None:
    with browser.serving(tmp_path) as address:
        driver.get(f"{address}/#compare")
        browser.until(lambda: "0 of 0 runs" in browser.find(driver, "#compare-count").text)
        make_run(tmp_path)
        browser.until(lambda: "1 of 1 runs" in browser.find(driver, "#compare-count").text)
        assert column(driver, 0) == ["maze"]
        assert browser.errors(driver) == []
