"""Recording a demonstration: by keyboard, and of a file of actions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qmap import record_demonstration
from qmap.demonstration.actions_file import Demonstration, Step, read_actions
from qmap.demonstration.keyboard import Keys, play
from qmap.demonstration.trail import replay
from qmap.demonstration.worlds import find_world
from qmap.envs.vector import Envs
from qmap.utils.command_line import run
from qmap.utils.errors import UserError

CORRIDOR = str(Path(__file__).parent / "corridor.py")
RIGHT = ["RIGHT"] * 10


def demonstration(actions: list[str], world: str | None = None) -> Demonstration:
    return Demonstration(world, tuple(map(Step, actions)), Path("demo.actions"))


def test_keys_are_told_from_the_names_of_actions() -> None:
    keys = Keys(("JUMP+LEFT", "JUMP", "JUMP+RIGHT", "LEFT", "NOOP", "RIGHT"))
    assert keys.key_of == {"JUMP": "space", "LEFT": "left", "RIGHT": "right"}
    held = [set(), {"left"}, {"left", "space"}, {"space"}, {"space", "right", "q"}, {"q"}]
    assert [keys.action(each) for each in held] == [4, 3, 0, 1, 2, 4]
    keys = Keys(("LEFTFIRE", "UP", "RIGHTFIRE", "LEFT", "NOOP", "RIGHT", "DOWN"))
    assert [keys.action(each) for each in ({"left", "space"}, {"space"}, {"down"})] == [0, 4, 6]
    keys = Keys(("0", "1", "A+B"))
    assert keys.idle is None
    assert [keys.action(each) for each in ({"1"}, {"a", "b"}, {"left"})] == [1, 2, None]


@pytest.mark.parametrize(
    ("names", "key_of"),
    [
        (
            ("NOOP", "LEFT", "X", "SELECT", "START", "B+X"),
            {"LEFT": "left", "X": "x", "B": "b", "SELECT": "space", "START": "c"},
        ),
        (("SELECT", "START", "X"), {"SELECT": "space", "START": "c", "X": "x"}),
        (("x", "X", "SELECT"), {"x": "x", "X": "space", "SELECT": "c"}),
    ],
)
def test_no_two_buttons_share_a_key(names: tuple[str, ...], key_of: dict[str, str]) -> None:
    keys = Keys(names)
    assert keys.key_of == key_of
    assert len(set(keys.key_of.values())) == len(key_of)
    for name, action in ((name, names.index(name)) for name in names if name in key_of):
        assert keys.action({key_of[name]}) == action


class Player:
    """A window whose keys are a script: what goes down, and is held, at each picture."""

    def __init__(self, script: list[set[str]]) -> None:
        self.script: Iterator[set[str]] = iter(script)
        self.held: set[str] = set()
        self.closed = False
        self.pictures: list[np.ndarray] = []

    def show(self, picture: np.ndarray) -> None:
        self.pictures.append(picture)
        self.held = next(self.script)
        self.closed = "close" in self.held
        if "ctrl-c" in self.held:
            raise KeyboardInterrupt

    def take_pressed(self) -> list[str]:
        return sorted(self.held)

    def close(self) -> None:
        self.closed = True


def played(script: list[set[str]]) -> tuple[list[Step], Player]:
    envs = Envs(find_world(CORRIDOR).make_env, 1, seeds=[0], timeout=60.0)
    player = Player(script)
    steps: list[Step] = []
    try:
        play(envs, player, steps, 0.0, sleep=lambda seconds: None)
        return steps, player
    finally:
        envs.close()


def test_what_was_played_with_the_keyboard_is_recorded() -> None:
    steps, player = played([{"right"}, {"right"}, set(), {"right"}, {"return"}])
    assert [step.action for step in steps] == ["RIGHT", "RIGHT", "NOOP", "RIGHT"]
    assert [step.reward for step in steps] == [0, 0, 0, 2]
    assert len(player.pictures) == 5


def test_going_back_takes_steps_back_and_ends_the_end() -> None:
    script = [*[{"right"}] * 2, *[set()] * 13, {"left"}, {"left"}, {"left"}]
    # The pit is reached with the third step to the left; one picture more waits there.
    steps, _ = played([*script, {"right"}, {"backspace"}, {"right"}, {"right"}, {"return"}])
    assert [step.action for step in steps] == ["RIGHT", "RIGHT", "NOOP", "RIGHT", "RIGHT"]
    assert [step.reward for step in steps] == [0, 0, 0, 2, 0]


@pytest.mark.parametrize(
    ("script", "message"),
    [([{"return"}], "nothing was played"), ([{"right"}, {"escape"}], "nothing was saved")],
)
def test_nothing_is_recorded_of_nothing(script: list[set[str]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        played(script)


def test_a_recorded_demonstration_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    window = Player([*[{"right"}] * 10, {"return"}])
    monkeypatch.setattr(record_demonstration, "LiveWindow", lambda *args, **kwargs: window)
    output = tmp_path / "played.actions"
    flags = ["--env", CORRIDOR, "--output", str(output), "--pace", "1000"]
    record_demonstration.main(flags)
    assert "10 actions, score 6" in capsys.readouterr().out
    read = read_actions(output)
    assert read.world == "corridor"
    assert all(step.reward is not None and step.screen for step in read.steps)
    with pytest.raises(UserError, match="exists already"):
        record_demonstration.main(flags)
    again = tmp_path / "again.actions"
    flags = ["--env", CORRIDOR, "--demo", str(output), "--output", str(again)]
    record_demonstration.main(flags)
    assert again.read_text() == output.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.actions", "played.actions"]


@pytest.mark.parametrize(
    ("env", "said"),
    [(":forgetful", "does not go on exactly from a saved state"), ("", "gets no reward in its 2")],
)
def test_what_was_played_and_does_not_replay_is_kept(
    env: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [{"right"}, {"left"}] if not env else 3 * [{"right"}] + 4 * [{"left"}, {"right"}]
    monkeypatch.setattr(
        record_demonstration, "LiveWindow", lambda *args, **kwargs: Player([*keys, {"return"}])
    )
    flags = ["--env", CORRIDOR + env, "--output", str(tmp_path / "my.actions"), "--pace", "1000"]
    for name in ("my_as_played.actions", "my_as_played_2.actions"):
        with pytest.raises(UserError, match=f"{said}.*; what was played is in .*/{name}") as error:
            record_demonstration.main(flags)
        assert "\n" not in str(error.value)
        read = read_actions(tmp_path / name)
        assert [{step.action.lower()} for step in read.steps] == keys
    assert not (tmp_path / "my.actions").exists()


@pytest.mark.parametrize(
    ("env", "last", "said", "kept"),
    [
        ("", {"close"}, "the window was closed: return saves, escape leaves", 2),
        ("", {"ctrl-c"}, "", 2),
        (":brittle", {"right"}, "raised RuntimeError: it broke", 2),
        ("", {"escape"}, "nothing was saved", 0),
    ],
)
def test_what_was_played_is_kept_whatever_ends_it_but_for_leaving(
    env: str, last: set[str], said: str, kept: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    script = [{"right"}, {"right"}, last, {"return"}]
    monkeypatch.setattr(record_demonstration, "LiveWindow", lambda *args, **kwargs: Player(script))
    flags = ["--env", CORRIDOR + env, "--output", str(tmp_path / "my.actions"), "--pace", "1000"]
    with pytest.raises(SystemExit) as stopped:
        run(lambda: record_demonstration.main(flags))
    assert stopped.value.code == (2 if said else 130)
    *before, line = capsys.readouterr().err.splitlines()
    assert said in line
    assert ("RuntimeError: it broke" in before) == bool(env), "with its traceback"
    files = list(tmp_path.iterdir())
    assert len(files) == bool(kept)
    for file in files:
        assert f"what was played is in {file}, for --demo" in line
        assert [step.action for step in read_actions(file).steps] == ["RIGHT"] * kept


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("nowhere/my.actions", "cannot write .*nowhere/my.actions: No such file or directory"),
        ("/proc/my.actions", "cannot write /proc/my.actions"),
        (f"{300 * 'x'}.actions", "cannot write .*: File name too long"),
        ("my.txt", "expected a name that ends in .actions"),
    ],
)
def test_where_nothing_can_be_written_nothing_is_played(
    output: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_demonstration, "LiveWindow", None)
    with pytest.raises(UserError, match=said):
        record_demonstration.main(["--env", CORRIDOR, "--output", str(tmp_path / output)])
    assert not list(tmp_path.iterdir())


def test_a_demonstration_is_recorded_with_the_options_of_its_world(tmp_path: Path) -> None:
    typed, output = tmp_path / "typed.actions", tmp_path / "recorded.actions"
    flags = ["--env", "retro:FoxgloveRun-Snes", "--state", "foxglove_level_1_2"]
    flags += ["--actions", "NOOP;RIGHT+JUMP;RIGHT", "--frame-size", "20", "30"]
    typed.write_text("JUMP+RIGHT*30\n")
    record_demonstration.main([*flags, "--demo", str(typed), "--output", str(output)])
    read = read_actions(output)
    assert read.world == "FoxgloveRun-Snes_foxglove_level_1_2"
    assert {step.action for step in read.steps} == {"RIGHT+JUMP"}
    trail = replay(
        read, find_world(flags[1], state=flags[3], actions="RIGHT+JUMP", frame_size=[10, 12]), 60.0
    )
    assert trail.frames.shape[1:] == (10, 12, 1)
    with pytest.raises(UserError, match="is a demonstration of FoxgloveRun-Snes_foxglove_level_1"):
        replay(read, find_world(flags[1], state="foxglove_level_1_1"), 60.0)
