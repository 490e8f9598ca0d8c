from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import browser

import qmap.page

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


STATIC = Path(qmap.page.__file__).parent / "static"


def open_tab(driver: Chrome) -> str:
    return browser.find(driver, "[role=tabpanel]").get_attribute("id")


def test_the_tabs_open_by_mouse_keyboard_and_address(driver: Chrome, tmp_path: Path) -> None:
    from selenium.webdriver import Keys

    with browser.serving(tmp_path) as address:
        driver.get(f"{address}/#watch")
        assert open_tab(driver) == "watch"
        browser.find(driver, "#tab-compare").click()
        browser.until(lambda: open_tab(driver) == "compare")
        browser.find(driver, "#tab-compare").send_keys(Keys.ARROW_RIGHT)
        browser.until(lambda: open_tab(driver) == "play")
        assert driver.switch_to.active_element.get_attribute("id") == "tab-play"
        assert browser.errors(driver) == []
        loaded = driver.execute_script(
            "return performance.getEntriesByType('resource').map(entry => entry.name)"
        )
        assert loaded
        assert all(each.startswith(address) for each in loaded)


def test_no_sheet_restyles_what_another_one_names() -> None:
    owners: dict[str, str] = {}
    for sheet in sorted(STATIC.glob("*.css")):
        for name in set(re.findall(r"^\s*\.([\w-]+)", sheet.read_text(), flags=re.MULTILINE)):
            assert owners.setdefault(name, sheet.name) == sheet.name, name
