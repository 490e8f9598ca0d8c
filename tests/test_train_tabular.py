"""Whole trainings of tables: memory, resuming, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import run_folder
from entries import by_screen

from qmap import train_tabular
from qmap.parse_config import parse
from qmap.tabular.config import TabularConfig
from qmap.tabular.memory import load_memory
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


def test_what_is_no_memory_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UserError, match="text is damaged or not a memory") as error:
        train(tmp_path / "results", "--memory", str(tmp_path / "text"))
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="there is no folder .*nowhere; make it first"):
        train(tmp_path / "results", "--memory", str(tmp_path / "nowhere" / "file"))
    with pytest.raises(UserError, match="there is no memory"):
        train(tmp_path / "results", "--memory", str(tmp_path))


def test_a_checkpoint_is_where_another_run_starts(tmp_path: Path) -> None:
    first = train(tmp_path / "first")
    loaded = str(first / "tensorflow" / "step_400.ckpt")
    run = train(tmp_path / "second", "--load", loaded, "--seed", "3")
    assert (pd.read_csv(run / "learning.csv")["new screens"] == 0).all()
    with pytest.raises(UserError, match=r"checkpoint of grid-3, table-q-learning and does not fit"):
        train(tmp_path / "third", "--load", loaded, "--rule", "best-reward")


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
    ],
)
def test_a_world_that_is_not_there_is_refused_in_one_line(flags: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        parse(TabularConfig, "qmap.train_tabular", "A program.", flags.split())
    assert said in str(error.value)
    assert "\n" not in str(error.value)
