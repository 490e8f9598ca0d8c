"""A picture of the page: `python -m benchmarks.page_picture RUN --output docs/page.png`.

Opens a tab in Chromium. In Play the agent is sent to a place that is believed --away steps away,
or to --goal, and the picture is taken after --taken steps of the way.
"""

from __future__ import annotations

import argparse
import base64
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.chromium import PATIENCE, PICTURES, missing, served, start_chromium, until

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


def main() -> None:
    """Take the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_picture", description=__doc__)
    parser.add_argument("place", type=Path, metavar="RUN|CKPT|RESULTS")
    parser.add_argument("--output", type=Path, default=Path("page.png"), metavar="PNG")
    parser.add_argument("--tab", default="play", help="play, watch or compare (default play)")
    parser.add_argument("--theme", default="dark", choices=("light", "dark"))
    parser.add_argument("--width", type=int, default=1280, help="pixels (default 1280)")
    parser.add_argument("--height", type=int, default=900, help="pixels (default 900)")
    parser.add_argument("--away", type=float, default=20, help="believed steps (default 20)")
    parser.add_argument("--goal", type=int, nargs=2, metavar=("ROW", "COL"), help="or to this cell")
    parser.add_argument("--taken", type=int, default=5, help="steps on the way (default 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="until it is taken (default 1)")
    options = parser.parse_args()
    if reason := missing():
        raise SystemExit(reason)
    driver = start_chromium()
    try:
        with served(options.place) as (address, _):
            size = {"width": options.width, "height": options.height}
            phone = {"deviceScaleFactor": 1, "mobile": options.width < 600}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {**size, **phone})
            scheme = {"name": "prefers-color-scheme", "value": options.theme}
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
            driver.get(f"{address}/#{options.tab}")
            if options.tab == "play":
                until(lambda: driver.execute_script(PICTURES))
                send(driver, options.away, options.goal, options.taken)
            time.sleep(options.seconds)
            taken = driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
            options.output.write_bytes(base64.b64decode(taken["data"]))
    finally:
        driver.quit()
    print(options.output)


def send(driver: Chrome, away: float, goal: list[int] | None, taken: int) -> None:
    """Let the agent take some steps to a goal.

    Args:
        driver: shows the page.
        away: it is the place that is believed nearest to so many steps away.
        goal: or this row and column.
        taken: steps of the way.
    """
    driver.set_script_timeout(PATIENCE)
    driver.execute_async_script(
        """
        const [away, goal, taken, done] = arguments;
        const { Channel } = await import("/static/common.js");
        const { unpack, stepsOf } = await import("/static/play_scene.js");
        let [gamma, sent] = [null, false];
        const channel = new Channel("/play/socket", {
          onWords: (words) => { gamma = words.world?.gamma ?? gamma; },
          onPicture: async (buffer) => {
            const { words, maps: { best, true: truth } } = await unpack(buffer);
            if (sent && words.taken === taken) {
              channel.close();
              done();
            }
            if (gamma === null || sent) return;
            sent = true;
            const off = [...best.values].map(
              (value, cell) => (truth && !truth.values[cell]  // a wall, say
                ? Infinity : Math.abs(stepsOf(value / 65535, gamma) - away)));
            const index = off.indexOf(Math.min(...off));
            const [row, col] = goal
              ?? [Math.floor(index / best.cols), (index % best.cols) + words.window];
            channel.send({ do: "speed", speed: null });
            channel.send({ do: "goal", row, col });
            for (let step = 0; step < taken; step++) channel.send({ do: "step" });
          },
        });
        """,
        away,
        goal,
        taken,
    )


if __name__ == "__main__":
    main()
