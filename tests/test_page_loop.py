"""The game's own time on the page: when it steps, and when it shows what it sees."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from qmap.page import game_loop
from qmap.page.commands import FASTEST, Command
from qmap.page.game_loop import PICTURES, GameLoop


@pytest.mark.parametrize("content", [b"", b"damaged", None])
def test_a_checkpoint_that_cannot_be_played_is_said_in_a_line(
    tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Here it is no process of its own, whose Ctrl-C it may ignore.
    monkeypatch.setattr(game_loop.signal, "signal", lambda *_: None)
    path = tmp_path / "run" / "tensorflow" / "step_5.ckpt"
    path.parent.mkdir(parents=True)
    config = {"program": "qmap.train_gridworld", "options": {}}
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    if content is not None:
        path.write_bytes(content)
    ours, theirs = multiprocessing.Pipe()
    game_loop.main(theirs, str(path), 0)
    kind, line = ours.recv()
    assert kind == "failed"
    assert "step_5.ckpt" in line
    assert "\n" not in line


class Toy:
    """A game that only counts."""

    def __init__(self) -> None:
        self.steps = self.pictures = 0
        self.speed: int | None = 10
        self.held: int | None = None
        self.drive = "goals"

    @property
    def is_moving(self) -> bool:
        return self.speed is not None

    def step(self) -> None:
        self.steps += 1

    def go_to(self, row: int, col: int) -> bool:
        return False

    def picture(self) -> bytes:
        self.pictures += 1
        return b""

    def world_words(self) -> dict[str, Any]:
        return {}

    def state_words(self) -> dict[str, Any]:
        return {"speed": self.speed, "drive": self.drive}

    tries_words = world_words


class Time:
    """A clock and a loop in it: whatever is due is done at once."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent: list[tuple[str, Any]] = []
        self.game = Toy()
        self.loop = GameLoop(self.game, self.sent.append, lambda: self.now)

    def pass_by(self, seconds: float, cost: float = 0.0) -> None:
        end = self.now + seconds
        while (wait := self.loop.wait()) is not None and self.now + wait < end:
            self.now += wait + 1e-9 + cost
            self.loop.go_on()
        self.now = max(self.now, end)


def test_a_game_that_nobody_looks_at_stands_still() -> None:
    time = Time()
    time.pass_by(10)
    assert time.game.steps == time.game.pictures == 0
    time.loop.obey(Command("watch", (True,)))
    time.pass_by(1)
    assert time.game.steps in (10, 11)
    time.loop.obey(Command("watch", (False,)))
    assert time.loop.wait() is None


@pytest.mark.parametrize("speed", [1, 5, 30, 60])
def test_steps_come_as_often_as_asked_for_and_pictures_at_most_30_a_second(speed: int) -> None:
    time = Time()
    time.loop.obey(Command("watch", (True,)))
    time.loop.obey(Command("pace", (speed,)))
    time.pass_by(10, cost=0.002)
    assert 0.9 * 10 * speed <= time.game.steps <= 10 * speed + 1
    assert time.game.pictures <= 10 * PICTURES + 2
    assert time.game.pictures >= min(9 * speed, 250)


def test_as_fast_as_it_goes_does_not_wait() -> None:
    time = Time()
    time.loop.obey(Command("watch", (True,)))
    time.loop.obey(Command("pace", (FASTEST,)))
    time.pass_by(1, cost=0.001)
    assert 900 <= time.game.steps <= 1001
    assert time.game.pictures <= PICTURES + 2


def test_step_by_step_only_what_is_asked_for_happens() -> None:
    time = Time()
    time.loop.obey(Command("watch", (True,)))
    time.loop.obey(Command("pace", (None,)))
    time.pass_by(10)
    assert time.game.steps == 0
    for command in (Command("step"), Command("hold", (2,)), Command("hold", (None,))):
        time.loop.obey(command)
    time.pass_by(10)
    assert (time.game.steps, time.game.held) == (2, None)


def test_a_key_is_let_go_of_when_a_page_comes_or_goes() -> None:
    time = Time()
    time.loop.obey(Command("hold", (2,)))
    time.loop.obey(Command("watch", (True,)))
    assert time.game.held is None


def test_what_cannot_be_done_is_told_and_the_game_goes_on() -> None:
    time = Time()
    time.loop.obey(Command("watch", (True,)))
    time.loop.obey(Command("go_to", (0, 0)))
    assert (
        "problem",
        "that place is not on the screen any more, or there is no Q-map",
    ) in time.sent
    time.pass_by(1)
    assert time.game.steps in (10, 11)
