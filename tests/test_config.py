from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qmap.config import TrainingConfig
from qmap.parse_config import parse
from qmap.run_options import GROUPS, WITHOUT
from qmap.tabular.config import TabularConfig
from qmap.train_gridworld import GridWorldConfig
from qmap.train_mario import MarioConfig
from qmap.utils.command_line import options_of
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
        (["--no-give-up"], "--no-give-up contradicts the run, which has True"),
        (["--hidden", "none"], "--hidden none contradicts the run, which has 192"),
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
    write(tmp_path, steps=77, give_up=True, hidden=192)
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


@pytest.mark.parametrize("config", [TrainingConfig, MarioConfig, GridWorldConfig, TabularConfig])
def test_every_option_has_its_words_its_group_and_a_default_that_it_allows(config: type) -> None:
    known = options_of(config)
    assert set(known) == {field.name for field in dataclasses.fields(config)}
    for each in known.values():
        assert each.help, each.name
        assert each.group in GROUPS, each.name
        assert each.check(each.default) == each.default
        for need in each.needs:
            assert need in WITHOUT or TrainingConfig.__dataclass_fields__[need].default is True


def test_what_may_differ_on_resume_is_how_a_run_is_watched_and_where(tmp_path: Path) -> None:
    may = {name for name, each in options_of(MarioConfig).items() if each.may_differ}
    assert may == {
        *("resume", "render", "videos", "tensorboard", "keep", "keep_moments"),
        *("stop_at", "device", "ray", "env_timeout", "rom", "game_dir"),
    }
    write(tmp_path, stop_at=5)
    config = resume(tmp_path, "--stop-at", "7", "--keep", "0", "--env-timeout", "5")
    assert (config.stop_at, config.keep, config.env_timeout) == (7, 0, 5.0)


def test_a_recipe_stands_for_its_values_and_what_is_typed_wins() -> None:
    def parsed(*flags: str) -> dict[str, Any]:
        flags = ["--game", "foxglove", *flags]
        return dataclasses.asdict(parse(MarioConfig, "", "", flags))

    both = ("--learn-margin", "--give-up", "--return-first")
    shares = ("--terminal-share", "0.25", "--terminal-steps", "10")
    tuned = parsed("--recipe", "tuned", *both, *shares)
    assert {**tuned, "recipe": "explorer"} == parsed("--recipe", "explorer")
    assert parsed("--goal-rarity", "4", "--recipe", "explorer")["goal_rarity"] == 4


RECIPES = [
    (config, recipe) for config in (MarioConfig, GridWorldConfig) for recipe in config.RECIPES
]


@pytest.mark.parametrize(("config", "recipe"), RECIPES)
def test_each_value_of_a_recipe_is_taken_back_by_what_is_typed(config: type, recipe: str) -> None:
    ours = ["--game", "foxglove"] * (config is MarioConfig)
    for name in config.RECIPES[recipe]:
        each = options_of(config)[name]
        parsed = parse(config, "", "", [*ours, "--recipe", recipe, *each.words(each.default)])
        assert getattr(parsed, name) == each.default


def test_what_a_preset_leaves_out_is_put_back_by_what_is_typed() -> None:
    flags = ["--preset", "mario-land", "--qmap", "--dueling", "--double", "--target-network"]
    parsed = parse(TrainingConfig, "", "", flags)
    assert (parsed.qmap, parsed.dueling, parsed.double, parsed.target_network) == (True,) * 4
    assert parsed.dqn_model == "nature"


def test_a_recipe_and_a_preset_are_not_mixed() -> None:
    with pytest.raises(UserError) as refused:
        parse(TrainingConfig, "", "", ["--recipe", "tuned", "--preset", "mario-ddqn"])
    assert str(refused.value) == (
        "--recipe tuned and --preset mario-ddqn exclude each other: keep one"
    )
    alone = parse(TrainingConfig, "", "", ["--preset", "mario-ddqn"])
    both = parse(TrainingConfig, "", "", ["--recipe", "published", "--preset", "mario-ddqn"])
    assert both == alone


@pytest.mark.parametrize("config", [MarioConfig, GridWorldConfig])
def test_help_says_what_each_recipe_holds(config: type, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(config, "", "A program.", ["--help"])
    # Lines may break within an option's name.
    said = "".join(capsys.readouterr().out.split())
    for recipe, values in config.RECIPES.items():
        words = [word for name in values for word in options_of(config)[name].words(values[name])]
        assert not values or "".join([f"{recipe}:", *words]) in said


def test_a_recipe_is_refused_where_it_would_do_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(GridWorldConfig, "qmap.train_gridworld", "", ["--recipe", "explorer"])
    assert stopped.value.code == 2
    assert "expected one of published, tuned (" in capsys.readouterr().err


def test_an_option_that_did_not_exist_when_a_run_began_has_its_default(tmp_path: Path) -> None:
    config = {"program": PROGRAM, "options": {"steps": 77}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert resume(tmp_path) == TrainingConfig(steps=77, resume=str(tmp_path))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min_goal": 31}, "--min-goal 31 is above --max-goal 30"),
        (
            {"replay": 100, "envs": 20},
            "--replay 100 is too small: expected at least 120 for --stack 3, --skip 2 and "
            "--envs 20",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_wherever_it_stands(
    tmp_path: Path, options: dict[str, int], said: str
) -> None:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    with pytest.raises(UserError) as typed:
        parse(TrainingConfig, PROGRAM, "A program.", flags)
    with pytest.raises(UserError) as stored:
        resume(write(tmp_path, **options))
    assert str(typed.value) == str(stored.value) == said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("", []),
        ("--steps 3000 --no-qmap --dqn-lr 0.1", []),
        ("--no-double --double-order usual", ["--double-order does nothing with --no-double"]),
        (
            "--no-qmap --qmap-lr 1 --min-goal 3 --greedy-bias 0",
            ["--qmap-lr, --min-goal, --greedy-bias do nothing with --no-qmap"],
        ),
        (
            "--no-dqn --dqn-lr 1 --last-exploration 0",
            ["--dqn-lr, --last-exploration do nothing with --no-dqn"],
        ),
        ("--no-dqn --dqn-gamma 0.5", []),  # of the returns that are logged
        ("--alpha 0 --beta 1", ["--beta does nothing with --alpha 0"]),
        (
            "--recipe tuned --no-qmap --no-center-frames",
            ["--no-center-frames does nothing with --no-qmap"],
        ),
        (
            "--no-dqn --no-double --target-every 4",
            ["--target-every does nothing with no target network in use"],
        ),
        (
            "--no-dqn --soft-target 0.01 --target-every 4",
            ["--target-every does nothing with --soft-target"],
        ),
        (
            "--no-dqn --no-qmap",
            ["with --no-dqn and --no-qmap the agent learns nothing"],
        ),
        (
            "--no-dqn --no-qmap --batch 3 --steps 10",
            [
                "--batch does nothing with --no-dqn and --no-qmap",
                "with --no-dqn and --no-qmap the agent learns nothing",
            ],
        ),
        ("--steps 999", ["nothing is learned: --learning-starts 1,000 is beyond the end at 999"]),
        ("--stop-at 999", ["nothing is learned: --learning-starts 1,000 is beyond the end at 999"]),
        ("--steps 1000 --no-qmap", []),
        (
            "--steps 2000",
            [
                "no goals are chosen: that begins at step 2,000, twice "
                "--learning-starts, and the run ends at 2,000"
            ],
        ),
        ("--steps 2001", []),
        (
            "--steps 3000 --goal-starts 3000",
            [
                "no goals are chosen: that begins at step 3,000, --goal-starts, and the run ends "
                "at 3,000"
            ],
        ),
        (
            "--steps 5e3 --stop-at 5001",
            ["--stop-at 5,001 does nothing: the run ends at --steps 5,000"],
        ),
        ("--steps 5e3 --stop-at 5000", []),
        ("--terminal-share 0.125", []),
        (
            "--terminal-share 0.01",
            ["--terminal-share 0.01 does nothing: of --batch 32 it is not one transition"],
        ),
    ],
)
def test_options_that_do_nothing_are_named_a_line_each(
    flags: str, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    parse(TrainingConfig, PROGRAM, "A program.", flags.split())
    assert capsys.readouterr().err.splitlines() == [f"note: {line}" for line in said]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--target 5", ""),
        ("--target 5 --soft-target 0.1", "--target does nothing with --soft-target"),
        (
            "--target 5 --soft-target 0.1 --no-double",
            "--target, --soft-target do nothing with --no-double",
        ),
        (
            "--model value-iteration --no-norm",
            "--no-norm does nothing with --model value-iteration",
        ),
        ("--hidden 64 --model mlp1", ""),
        (
            "--hidden 64 --model any-size",
            "--hidden does nothing with a --model of any size, which has no dense layers",
        ),
    ],
)
def test_the_grid_world_names_them_too(
    flags: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parse(GridWorldConfig, "qmap.train_gridworld", "A program.", flags.split())
    assert capsys.readouterr().err == (f"note: {said}\n" if said else "")


def test_options_are_checked_without_the_libraries_that_take_seconds_to_load() -> None:
    code = "import sys, qmap.parse_config; print({'tensorflow', 'keras', 'cv2'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr
