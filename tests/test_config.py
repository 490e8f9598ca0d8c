from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from qmap.config import TrainingConfig, parse
from qmap.train_gridworld import GridWorldConfig
from qmap.utils.errors import UserError

PROGRAM = "qmap.train_montezuma"


def write(folder: Path, **options: Any) -> Path:
    """A run with these options in place of the defaults."""
    stored = {**dataclasses.asdict(TrainingConfig()), **options}
    (folder / "config.json").write_text(json.dumps({"program": PROGRAM, "options": stored}))
    return folder


def resume(folder: Path, *flags: str, config: type = TrainingConfig) -> Any:
    return parse(config, PROGRAM, "A program.", ["--resume", str(folder), *flags])


def test_a_resumed_run_has_the_options_it_was_started_with(tmp_path: Path) -> None:
    write(tmp_path, steps=77, dqn=False, load="a.ckpt", greedy_bias=1)
    config = resume(tmp_path)
    assert (config.steps, config.dqn, config.load, config.greedy_bias) == (77, False, "a.ckpt", 1)
    assert config.resume == str(tmp_path)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--steps", "78"], "--steps 78 contradicts the run, which has 77"),
        (["--no-qmap"], "--no-qmap contradicts the run"),
        (["--deterministic"], "--deterministic contradicts the run"),
        (["--load", "other.ckpt"], "--load other.ckpt contradicts the run, which has None"),
        (
            ["--seed", "0", "--qmap-lr", "0.5"],
            "--qmap-lr 0.5 contradicts the run, which has 0.0003",
        ),
        (["--path", "elsewhere"], "--path elsewhere contradicts the run"),
        (["--save-every", "7"], "--save-every 7 contradicts the run, which has 50000"),
    ],
)
def test_a_flag_that_contradicts_the_run_is_refused_by_name(
    tmp_path: Path, flags: list[str], said: str
) -> None:
    write(tmp_path, steps=77)
    with pytest.raises(UserError) as error:
        resume(tmp_path, *flags)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_flags_that_agree_with_the_run_are_taken(tmp_path: Path) -> None:
    write(tmp_path, steps=77, dqn=False)
    assert resume(tmp_path, "--steps", "77", "--no-dqn", "--qmap-lr", "3e-4").steps == 77


def test_how_a_run_is_watched_may_change(tmp_path: Path) -> None:
    write(tmp_path, render=True)
    assert not resume(tmp_path).render, "a window is for the terminal it was asked for in"
    config = resume(tmp_path, "--render", "--no-videos")
    assert config.render
    assert not config.videos


@pytest.mark.parametrize(
    "options",
    [
        {"steps": "many"},
        {"steps": 0},
        {"steps": True},
        {"steps": 7.5},
        {"steps": None},
        {"steps": [3]},
        {"steps": {"a": 1}},
        {"dqn": 1},
        {"dqn": "yes"},
        {"qmap_gamma": 1.0},
        {"qmap_gamma": float("nan")},
        {"qmap_lr": float("inf")},
        {"double_order": "nobody's"},
        {"double_order": 3},
        {"path": 3},
        {"load": 3},
        {"seed": 2**40},
        {"beta": "x" * 10_000},
    ],
    ids=str,
)
def test_options_that_no_command_line_would_take_are_refused(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=r"config\.json is damaged") as error:
        resume(write(tmp_path, **options))
    assert next(iter(options)) in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_options_of_another_version_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no option 'frobnicate'"):
        resume(write(tmp_path, frobnicate=3))


@pytest.mark.parametrize("levels", [[1], "level1", None, {"level1": 1}])
def test_a_list_of_texts_must_be_one(tmp_path: Path, levels: Any) -> None:
    stored = {**dataclasses.asdict(GridWorldConfig()), "test_levels": levels}
    (tmp_path / "config.json").write_text(json.dumps({"program": PROGRAM, "options": stored}))
    with pytest.raises(UserError, match="test_levels"):
        resume(tmp_path, config=GridWorldConfig)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run"):
        resume(tmp_path / "nowhere")
    with pytest.raises(UserError, match="cannot read"):
        resume(tmp_path)
