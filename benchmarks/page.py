"""How fast the page is, what it costs beside a training, and whether it grows.

`python -m benchmarks.page RUN`, with a checkpoint that has a Q-map. Play in Chromium on this
machine: pictures a second as fast as it goes, every step with a pass of the network; from a click
to the picture of its first step, over a socket; a training's updates beside a page that is closed,
one that stands still and one that plays, by turns; and, with --minutes, how memory grows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from benchmarks.chromium import PICTURES, missing, served, start_chromium, until
from benchmarks.machine import describe

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

CLICKS = 40
TURN = 20.0  # seconds
TURNS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("place", type=Path, metavar="RUN|CKPT")
    parser.add_argument("--minutes", type=float, default=0.0, help="how long memory is watched")
    parser.add_argument("--beside", action="store_true", help="measure a training beside it, too")
    options = parser.parse_args()
    if reason := missing():
        raise SystemExit(reason)
    print(json.dumps(describe()))
    began = time.monotonic()
    driver = start_chromium()
    try:
        with served(options.place) as (address, process):
            driver.get(f"{address}/#play")
            until(lambda: driver.execute_script(PICTURES))
            print(f"first picture after {time.monotonic() - began:.1f} s")
            waits = asyncio.run(clicks(address))
            print(f"click to first step: median {statistics.median(waits) * 1000:.0f} ms, ", end="")
            print(f"longest of {len(waits)} {max(waits) * 1000:.0f} ms")
            drive(driver, "goals", 8)
            print(f"pictures: {pictures(driver, TURN):.1f} a second, as fast as it goes")
            if options.beside:
                beside(driver, address)
            if options.minutes:
                drive(driver, "goals", 6)
                memory(process, options.minutes)
    finally:
        driver.quit()


def drive(driver: Chrome, by: str, speed: int) -> None:
    """Let something drive at a notch of the speed's slider."""
    driver.execute_script(
        """
        for (const [name, value, event] of [["drive", arguments[0], "change"],
                                            ["speed", arguments[1], "input"]]) {
          const control = document.getElementById(name);
          control.value = value;
          control.dispatchEvent(new Event(event));
        }
        """,
        by,
        speed,
    )
    time.sleep(1.0)


def pictures(driver: Chrome, seconds: float) -> float:
    """Return the pictures a second that the browser has shown."""
    before, began = driver.execute_script(PICTURES), time.monotonic()
    time.sleep(seconds)
    return (driver.execute_script(PICTURES) - before) / (time.monotonic() - began)


async def clicks(address: str) -> list[float]:
    """Return the seconds from a click to the picture after its first step, of many clicks."""
    from websockets.asyncio.client import connect

    waits = []
    async with connect(f"ws{address.removeprefix('http')}/play/socket", max_size=None) as socket:

        async def picture() -> dict[str, Any]:
            """The words of the next picture."""
            while isinstance(message := await socket.recv(), str):
                pass
            await socket.send(json.dumps({"do": "seen"}))
            (length,) = struct.unpack_from("<I", message)
            return json.loads(message[4 : 4 + length])

        async def do(**message: Any) -> None:
            await socket.send(json.dumps(message))

        words = await picture()
        generator = np.random.default_rng(0)
        for _ in range(CLICKS):
            # Without a goal, the world waits; a click may come at any moment.
            await do(do="restart")
            while (words := await picture())["step"] or words["goal"]:
                pass
            await asyncio.sleep(generator.uniform(0.2, 0.5))
            row, col = words["place"]
            rows, cols = words["maps"]["best"]
            goal = {"row": (row + rows // 2) % rows, "col": words["window"] + (col + 3) % cols}
            began = time.monotonic()
            await do(do="goal", **goal)
            while not (await picture())["step"]:
                pass
            waits.append(time.monotonic() - began)
        await do(do="restart")
    return waits


def beside(driver: Chrome, address: str) -> None:
    """Print the updates a second of a training beside the page, by turns."""
    from qmap.envs.gridworld_level import load_level
    from qmap.gridworld.config import GridWorldConfig
    from qmap.gridworld.training import make_learner, sample_transitions

    config = GridWorldConfig()
    learner, level = make_learner(config), load_level(config.train_level)
    generator = np.random.default_rng(0)

    def update() -> None:
        batch = sample_transitions(level, generator, config.batch)
        learner.train(batch, np.ones(config.batch, np.float32))

    def close() -> None:
        driver.get("about:blank")

    def show() -> None:
        driver.get(f"{address}/#play")
        until(lambda: driver.execute_script(PICTURES))

    def play(by: str, speed: int) -> Callable[[], None]:
        def begin() -> None:
            show()
            drive(driver, by, speed)

        return begin

    states = {
        "is closed": close,
        "stands still": play("nothing", 5),
        "plays 15 steps/s": play("goals", 5),
    }
    found: dict[str, list[float]] = {name: [] for name in states}
    for _ in range(3):  # what is compiled is compiled here
        update()
    for _ in range(TURNS):
        for name, begin in states.items():
            begin()
            count, began = 0, time.monotonic()
            while time.monotonic() - began < TURN:
                update()
                count += 1
            found[name].append(count / (time.monotonic() - began))
    for name, rates in found.items():
        shares = [rate / closed for rate, closed in zip(rates, found["is closed"], strict=True)]
        print(
            f"a training beside a page that {name}: {statistics.median(rates):.2f} updates/s, "
            f"{statistics.median(shares):.3f} of the speed without it"
        )


def memory(process: int, minutes: float) -> None:
    """Print how the memory of the server and its game grows while it plays."""
    server = psutil.Process(process)
    parts = {"server": server, "game": max(server.children(), key=lambda p: p.memory_info().rss)}
    seen: dict[str, list[float]] = {name: [] for name in parts}
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        time.sleep(min(10.0, 6 * minutes))
        for name, part in parts.items():
            seen[name].append(part.memory_info().rss / 2**20)
    for name, sizes in seen.items():
        quarter = max(len(sizes) // 4, 1)
        second, last = (
            statistics.mean(part) for part in (sizes[quarter : 2 * quarter], sizes[-quarter:])
        )
        print(
            f"{name}: {sizes[0]:.0f} MB at first, {second:.0f} MB in the second quarter of "
            f"{minutes:g} minutes, {last:.0f} MB in the last"
        )


if __name__ == "__main__":
    main()
