"""Whole trainings of tables: memory, resuming, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import run_folder
from entries import by_screen
from filelock import FileLock

import qmap.tabular.memory as memory_module
from qmap import train_tabular
from qmap.parse_config import parse
from qmap.tabular import training
from qmap.tabular.agent import TabularAgent
from qmap.tabular.config import TabularConfig
from qmap.tabular.memory import game_of, load_memory, save_memory
from qmap.tabular.rules import RULES
from qmap.tabular.table import Entries
from qmap.utils.errors import UserError

QUIET = ["--no-videos", "--steps", "400"]


def train(results: Path, *flags: str) -> Path:
    """The folder of a run, which is made."""
    assert train_tabular.main([*QUIET, "--path", str(results), *flags]) == 0
    return run_folder(results)


@pytest.mark.parametrize("rule", RULES)
def test_a_table_that_is_stopped_and_resumed_goes_on_as_if_nothing_had_happened(
    rule: str, tmp_path: Path
) -> None:
    flags = ["--noise", "3", "--rule", rule]
    whole = train(tmp_path / "whole", *flags)
    run = train(tmp_path / "stopped", *flags, "--stop-at", "170")
    assert train_tabular.main(["--resume", str(run), "--stop-at", "400"]) == 0
    for name in ("score.csv", "exploration.csv", "kept_actions.csv", "tensorflow/step_400.ckpt"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    one, other = (
        pd.read_csv(each / "learning.csv").drop(columns="steps per second") for each in (run, whole)
    )
    pd.testing.assert_frame_equal(one, other)


def test_a_run_with_memory_is_resumed_as_if_nothing_had_happened_too(tmp_path: Path) -> None:
    train(tmp_path / "first", "--memory", str(tmp_path / "a"), "--size", "4")
    (tmp_path / "b").write_bytes((tmp_path / "a").read_bytes())
    whole = train(tmp_path / "whole", "--memory", str(tmp_path / "a"))
    run = train(tmp_path / "stopped", "--memory", str(tmp_path / "b"), "--stop-at", "170")
    flags = ["--resume", str(run), "--stop-at", "400"]
    assert train_tabular.main(flags) == 0
    name = "tensorflow/step_400.ckpt"
    assert (run / name).read_bytes() == (whole / name).read_bytes()
    assert (pd.read_csv(run / "learning.csv")["new screens"] == 8).all(), "since its beginning"
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert train_tabular.main(flags) == 0, "and once more: nothing is left to do"
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_memory_is_where_the_next_run_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = tmp_path / "grid.memory"
    train(tmp_path / "first", "--memory", str(memory))
    assert "table: 8 screens, 8 of them new in this run" in capsys.readouterr().err
    before = by_screen(read(memory))
    run = train(tmp_path / "second", "--memory", str(memory), "--seed", "1", "--size", "4")
    said = capsys.readouterr().err
    assert "table: 8 screens; it takes up to 1,000,000" in said
    learning = pd.read_csv(run / "learning.csv")
    assert list(learning) == [
        *("steps", "table change", "known screens", "screens", "new screens"),
        "steps per second",
    ]
    assert learning["new screens"].iloc[-1] == learning.screens.iloc[-1] - 8 > 0
    assert learning["known screens"].iloc[-1] > 0.9
    after = by_screen(read(memory))
    assert set(before) < set(after), "a grid of another size is another part of the same game"


def test_what_another_run_wrote_meanwhile_is_kept(tmp_path: Path) -> None:
    memory = tmp_path / "grid.memory"
    train(tmp_path / "first", "--memory", str(memory), "--size", "4")
    other = by_screen(read(memory))
    memory.rename(tmp_path / "other")
    run = train(tmp_path / "second", "--memory", str(memory), "--stop-at", "100")
    (tmp_path / "other").rename(memory)
    assert train_tabular.main(["--resume", str(run), "--stop-at", "400"]) == 0
    both = by_screen(read(memory))
    assert len(both) == len(other) + 8
    assert all(both[key] == value for key, value in other.items())


def read(memory: Path) -> Entries:
    return load_memory(memory, {})


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The memory of a run."""
    folder = tmp_path_factory.mktemp("memory")
    train(folder / "run", "--memory", str(folder / "file"))
    return folder / "file"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--rule", "best-reward"], "its rule is q-learning, that of the run best-reward"),
        (["--gamma", "0.5"], "its discount factor is 0.99, that of the run 0.5"),
        (["--env", "montezuma"], "its game is grid, that of the run montezuma"),
        (["--edges", "100", "200"], "its edges is none, that of the run 100.0, 200.0"),
        (["--right-reward", "5"], "its rewards is 1.0, 0.0, 0.0, that of the run 1.0, 5.0, 0.0"),
        (["--screens", "7"], "8 screens are more than the 7 of the table; give more --screens"),
    ],
)
def test_a_memory_that_does_not_fit_is_refused_in_one_line(
    flags: list[str], said: str, memory: Path, tmp_path: Path
) -> None:
    before = memory.read_bytes()
    with pytest.raises(UserError) as error:
        train(tmp_path / "results", *flags, "--memory", str(memory))
    assert said in str(error.value)
    assert str(memory) in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()
    assert memory.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "other"),
    [("actions", ["LEFT", "RIGHT"]), ("frame", [84, 84, 1])],
)
def test_a_memory_of_other_actions_or_screens_is_refused(
    name: str, other: list[Any], memory: Path
) -> None:
    with pytest.raises(
        UserError, match=f"its {name} is .*, that of the run {other[0]}, {other[1]}"
    ):
        load_memory(memory, {"game": "grid", name: other})


def test_a_memory_fits_its_game_however_that_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(Path(__file__).parent / "corridor.py", "w.py")
    for number, env in enumerate(("./w.py", str(tmp_path / "w.py"), "w.py:make")):
        train(Path(str(number)), "--env", env, "--memory", "file")
        assert ("table: 0 screens" in capsys.readouterr().err) == (number == 0)
    with pytest.raises(UserError, match=r"its game is w\.py, that of the run w\.py:lucky"):
        train(Path("other"), "--env", "w.py:lucky", "--memory", "file")


@pytest.mark.parametrize(
    ("typed", "same", "other"),
    [
        ("retro:Pong-Atari2600-v0", "retro:Pong-Atari2600", "retro:Pong-Atari2600-v1"),
        ("package:Pong-v0", "Pong-v0", "Pong-v1"),
        ("here/w.py", "there/w.py", "here/v.py"),
        ("./w.py:easy", "w.py:easy", "w.py"),
    ],
)
def test_a_memory_of_an_earlier_version_fits_its_game(
    typed: str, same: str, other: str, memory: Path, tmp_path: Path
) -> None:
    path = tmp_path / "earlier.memory"
    save_memory(path, {"game": typed}, read(memory), np.greater)
    assert len(load_memory(path, {"game": game_of(same)}).keys) == 8
    with pytest.raises(UserError, match="is a memory of another kind: its game is "):
        load_memory(path, {"game": game_of(other)})


def test_what_is_no_memory_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UserError, match="text is damaged or not a memory") as error:
        train(tmp_path / "results", "--memory", str(tmp_path / "text"))
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="there is no folder .*nowhere; make it first"):
        train(tmp_path / "results", "--memory", str(tmp_path / "nowhere" / "file"))
    for folder in (str(tmp_path), "/", ""):
        with pytest.raises(UserError, match=f"--memory {folder} is a folder, expected a file"):
            train(tmp_path / "results", "--memory", folder)


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        ("/proc/grid.memory", "cannot write /proc/grid.memory"),
        (300 * "x", "cannot write .*: File name too long"),
        (f"{300 * 'x'}/grid.memory", "there is no folder"),
    ],
)
def test_a_memory_that_cannot_be_written_is_refused_before_anything_is_learned(
    memory: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said) as error:
        train(tmp_path / "results", "--memory", str(tmp_path / memory))
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_table_whose_memory_cannot_be_written_any_more_is_in_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise UserError("cannot write grid.memory: No space left on device")

    with monkeypatch.context() as context:
        context.setattr(training, "save_memory", fail)
        with pytest.raises(UserError, match="No space left on device; the table is in ") as error:
            train(tmp_path / "results", "--memory", str(tmp_path / "grid.memory"))
    run = run_folder(tmp_path / "results")
    assert "\n" not in str(error.value)
    assert str(run / "tensorflow" / "step_400.ckpt") in str(error.value)
    assert f"--resume {run} --memory FILE" in str(error.value)
    other = tmp_path / "other.memory"
    assert train_tabular.main(["--resume", str(run), "--memory", str(other)]) == 0
    assert len(by_screen(read(other))) == 8


def test_who_is_waited_for_is_said_and_not_forever(
    memory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "grid.memory"
    path.write_bytes(memory.read_bytes())
    monkeypatch.setattr(memory_module, "PATIENCE", 0.1)
    entries = read(memory)

    def better(*_: Any) -> np.ndarray:
        return np.zeros((8, 8), bool)

    with FileLock(path.with_name(".grid.memory.lock")):
        monkeypatch.setattr(memory_module, "LONGEST", 0.1)
        with pytest.raises(
            UserError, match="another process has been merging into .*grid.memory fo"
        ):
            save_memory(path, {}, entries, better)
        assert f"waiting for another process that merges into {path}" in capsys.readouterr().err
    lock = FileLock(path.with_name(".grid.memory.lock"), thread_local=False)
    lock.acquire()
    monkeypatch.setattr(memory_module, "LONGEST", 60.0)
    release = threading.Timer(0.5, lock.release)
    release.start()
    assert save_memory(path, {}, entries, better) == 8
    release.join()


def test_a_folder_where_nothing_can_be_written_is_not_waited_for(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "PATIENCE", 0.1)
    with pytest.raises(UserError, match="cannot write /proc/grid.memory"):
        save_memory(Path("/proc/grid.memory"), {}, read(memory), max)


def test_a_memory_that_has_grown_beyond_the_table_does_not_keep_a_run_from_going_on(
    tmp_path: Path,
) -> None:
    memory = tmp_path / "grid.memory"
    flags = ["--memory", str(memory)]
    run = train(tmp_path / "first", *flags, "--screens", "9", "--stop-at", "200")
    train(tmp_path / "second", *flags, "--size", "4")
    known = by_screen(read(memory))
    assert len(known) > 9
    other = tmp_path / "other.memory"
    train(tmp_path / "third", "--rule", "best-reward", "--memory", str(other))
    resumed = ["--resume", str(run), "--stop-at", "400"]
    with pytest.raises(UserError, match="its rule is best-reward, that of the run q-learning"):
        train_tabular.main([*resumed, "--memory", str(other)])
    assert train_tabular.main(resumed) == 0
    assert set(known) == set(by_screen(read(memory)))


def test_a_run_that_died_before_its_first_snapshot_begins_with_its_memory_again(
    memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "grid.memory"
    path.write_bytes(memory.read_bytes())
    run = train(tmp_path / "run", "--memory", str(path), "--stop-at", "100")
    shutil.rmtree(run / "snapshots")
    capsys.readouterr()
    assert train_tabular.main(["--resume", str(run), "--stop-at", "200"]) == 0
    said = capsys.readouterr().err
    assert "table: 8 screens; it takes up to" in said
    assert "table: 8 screens, 0 of them new in this run" in said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            "--screens 1e11 --steps 1e11",
            "--screens 100,000,000,000 needs .* GB.*: --screens .* fits",
        ),
        (
            "--screens 1e15",
            "there is not enough memory for a table of 1,000,000,000,000,000 screens",
        ),
        (
            "--screens 1e18",
            "there is not enough memory for a table of 1,000,000,000,000,000,000 sc",
        ),
    ],
)
def test_a_table_that_is_too_large_is_refused_before_anything_is_written(
    flags: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said) as error:
        train_tabular.main([*flags.split(), "--path", str(tmp_path / "results")])
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()


def test_a_game_of_an_emulator_is_learned_from_a_state_of_its_own(tmp_path: Path) -> None:
    flags = "--env retro:FoxgloveRun-Snes --state foxglove_level_1_2 --actions RIGHT;RIGHT+JUMP"
    run = train(tmp_path, *flags.split(), "--row", "player_row", "--stop-at", "60")
    assert run.parts[-3] == "FoxgloveRun-Snes_foxglove_level_1_2"
    resumed = ["--resume", str(run), "--stop-at", "90"]
    for flag, value in (("--state", "foxglove_level_1_1"), ("--row", "player_column")):
        with pytest.raises(UserError, match=f"{flag} {value} contradicts the run"):
            train_tabular.main([*resumed, flag, value])
    config = json.loads((run / "config.json").read_text())
    for name in ("game_dir", "col", "window"):  # as if they had not existed yet
        assert config["options"].pop(name) is None
    (run / "config.json").write_text(json.dumps(config))
    assert train_tabular.main(resumed) == 0


def test_a_checkpoint_is_where_another_run_starts(tmp_path: Path) -> None:
    first = train(tmp_path / "first")
    loaded = str(first / "tensorflow" / "step_400.ckpt")
    run = train(tmp_path / "second", "--load", loaded, "--seed", "3")
    assert (pd.read_csv(run / "learning.csv")["new screens"] == 0).all()
    with pytest.raises(UserError, match=r"checkpoint of grid-3, table-q-learning and does not fit"):
        train(tmp_path / "third", "--load", loaded, "--rule", "best-reward")


def test_who_learns_is_told_where_a_level_was_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    observe = TabularAgent.observe

    def noted(self: TabularAgent, *step: np.ndarray) -> None:
        _, _, terminals, *_, completed = step
        told.append((bool(terminals[0]), bool(completed[0])))
        observe(self, *step)

    monkeypatch.setattr(TabularAgent, "observe", noted)
    train(tmp_path)
    assert set(told) == {(False, False), (True, True)}, "the grid ends at its goal alone"


def test_a_game_is_learned_by_its_screens(tmp_path: Path) -> None:
    run = train(tmp_path, "--env", "foxglove", "--rule", "best-reward", "--steps", "100")
    assert run.parts[-3:-1] == ("foxglove_1.1", "table-best-reward")
    assert pd.read_csv(run / "learning.csv").screens.iloc[-1] > 50


def test_a_table_needs_no_tensorflow_and_leaves_videos_and_logs(tmp_path: Path) -> None:
    flags = ["--steps", "300", "--path", str(tmp_path)]
    code = (
        f"import sys; from qmap import train_tabular; print(train_tabular.main({flags}), "
        "{'tensorflow', 'keras'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "0 set()\n", done.stderr
    run = run_folder(tmp_path)
    score = pd.read_csv(run / "score.csv")
    assert len(list((run / "videos").glob("*.mp4"))) == min(len(score), 50)
    assert (run / "visits" / "step_300.npy").is_file()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("", ""),
        ("--rule best-reward --lr 0.5", "note: --lr does nothing with --rule best-reward\n"),
        (
            "--env montezuma --size 4 --level 1.2",
            "note: --size does nothing with an --env other than grid\n"
            "note: --level does nothing with an --env that has no levels\n",
        ),
        ("--env foxglove --level 1.2", ""),
        (
            "--state 1 --game-dir x --rom y",
            "note: --state does nothing with an --env that is not retro:GAME\n"
            "note: --game-dir does nothing with an --env that is neither retro:GAME nor a game "
            "with levels\n"
            "note: --rom does nothing with an --env that has no levels\n",
        ),
    ],
)
def test_options_that_do_nothing_are_named(
    flags: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parse(TabularConfig, "qmap.train_tabular", "A program.", flags.split())
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--env foxglove --level 9.9", "9.9"),
        ("--env nowhere.py", "there is no file nowhere.py"),
        ("--env super_mario --rom nowhere.sfc", "nowhere.sfc"),
        ("--env foxglove --game-dir nowhere", "nowhere is not the folder of Foxglove Run"),
        ("--env retro:FoxgloveRun-Snes --state 1", "has no state '1'"),
        ("--env retro:FoxgloveRun-Snes --col 3y", "--col '3y': expected variables of data.json"),
    ],
)
def test_a_world_that_is_not_there_is_refused_in_one_line(flags: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        parse(TabularConfig, "qmap.train_tabular", "A program.", flags.split())
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_level_of_a_game_has_an_option_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected --env foxglove --level 1\.2"):
        train(tmp_path, "--env", "foxglove:1.2")
    assert not list(tmp_path.iterdir())
