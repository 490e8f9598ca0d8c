"""The command: checkpoints that are evaluated, on their own level and on others."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from corridor import LENGTH

from qmap.agents.q_map import QMapLearner
from qmap.all_goals.config import AllGoalsConfig, MazeConfig, SokobanConfig
from qmap.all_goals.training import learner_of
from qmap.envs.vector import Envs
from qmap.evaluate.__main__ import main
from qmap.evaluate.levels import CENTERING_STEPS, on_level
from qmap.evaluate.play import random_start
from qmap.evaluate.player import Player
from qmap.evaluate.trained import find, load, origin_of
from qmap.gridworld.config import GridWorldConfig
from qmap.gridworld.training import make_learner
from qmap.make_agent import make_agent
from qmap.train_environment import EnvironmentConfig
from qmap.train_mario import MarioConfig
from qmap.utils import checkpoint
from qmap.utils.errors import UserError

GAMMA = 0.9


@pytest.fixture
def run_folder(tmp_path: Path, small_networks: None) -> Path:
    """The folder of a run in the grid world, untrained, with its checkpoint."""
    config = GridWorldConfig(model="mlp2", center_frames=True, output="sigmoid")
    learner = make_learner(config)
    (tmp_path / "tensorflow").mkdir()
    options = {"program": "qmap.train_gridworld", "options": dataclasses.asdict(config)}
    (tmp_path / "config.json").write_text(json.dumps(options))
    tree = {learner.name: learner.weights(), "config": dataclasses.asdict(config), "of": "a test"}
    checkpoint.save(tmp_path / "tensorflow" / "step_32.ckpt", "checkpoint", tree)
    return tmp_path


def test_a_checkpoint_is_evaluated_from_its_folder_alone_and_equally_each_time(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = []
    for name in ("one", "two"):
        output = run_folder / name
        options = ["--episodes", "2", "--max-steps", "10", "--states", "2"]
        path = str(run_folder / "tensorflow" / "step_32.ckpt")
        main([path, *options, "--output", str(output)])
        results.append(json.loads((output / "evaluation.json").read_text()))
        assert (output / "evaluation.png").read_bytes().startswith(b"\x89PNG")
        with (output / "episodes.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["length"] for row in rows] == ["10", "10"]
    assert results[0] == results[1]
    assert results[0]["sight"]["seen"]["n"] == 20
    assert results[0]["sight"]["seen"]["episodes"] == 2
    assert results[0]["episodes"] == {"n": 2, "distinct": 2}
    assert (results[0]["random_start"], results[0]["sticky"]) == (0, 0.0)
    assert "seen by mean picture" in capsys.readouterr().out


def test_walks_are_kept_with_the_episodes_that_they_begin_in(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    q_frames = np.full((1, 28, 32, 4), GAMMA**4, np.float32)
    monkeypatch.setattr(QMapLearner, "q_frames", lambda *_: q_frames)
    options = ["--episodes", "3", "--max-steps", "4", "--states", "12", "--random-start", "5"]
    main([str(run_folder / "tensorflow" / "step_32.ckpt"), *options])
    output = run_folder / "evaluation" / "step_32"
    with (output / "walks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["episode"] for row in rows if row["way"] == "q-map"] == list("111122223333")
    with (output / "episodes.csv").open() as file:
        starts = [int(row["random_start"]) for row in csv.DictReader(file)]
    assert starts == [len(random_start(0, episode, 5, 4)) for episode in (1, 2, 3)]
    found = json.loads((output / "evaluation.json").read_text())
    assert found["random_start"] == 5
    assert found["navigation"]["5"]["q-map"]["episodes"] == 3
    assert found["sight on walks"]["seen"]["n"] >= 12


@pytest.mark.parametrize("sticky", [0.0, 0.9])
def test_who_was_trained_with_sticky_actions_is_evaluated_with_them(
    tmp_path: Path,
    small_networks: None,
    sticky: float,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = []
    monkeypatch.setattr(
        gymnasium.wrappers.StickyAction, "action", lambda _, a: taken.append(a) or a
    )
    corridor = Path(__file__).with_name("corridor.py")
    config = EnvironmentConfig(env=f"{corridor}:make", qmap=False, sticky=sticky, stack=1)
    agent = make_agent(config, "mario", (8, 2 * LENGTH, 1), (4, LENGTH), 3)
    (tmp_path / "tensorflow").mkdir()
    words = {"program": "qmap.train_environment", "options": dataclasses.asdict(config)}
    (tmp_path / "config.json").write_text(json.dumps(words))
    path = tmp_path / "tensorflow" / "step_7.ckpt"
    checkpoint.save(path, "checkpoint", agent.weights(False))
    main([str(path), "--episodes", "2", "--random", "1", "--max-steps", "30"])
    found = json.loads((tmp_path / "evaluation" / "step_7" / "evaluation.json").read_text())
    assert found["sticky"] == sticky
    assert ("sticky actions" in capsys.readouterr().out) == (sticky > 0)
    assert bool(taken) == (sticky > 0)


def test_a_checkpoint_is_evaluated_on_another_level_beside_its_own(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    centered = []
    monkeypatch.setattr(QMapLearner, "center_on", lambda _, shown: centered.append(len(shown)))
    path = str(run_folder / "tensorflow" / "step_32.ckpt")
    options = ["--episodes", "1", "--max-steps", "5", "--states", "1"]
    main([path, *options])
    assert not centered
    main([path, *options, "--level", "level3"])
    assert centered == [CENTERING_STEPS]
    main([path, *options, "--level", "level1"])
    assert centered == [CENTERING_STEPS], "it was trained on that one"
    for name, world in (("step_32", "level1"), ("step_32_gridworld_level3", "level3")):
        told = json.loads((run_folder / "evaluation" / name / "evaluation.json").read_text())
        assert told["world"] == f"gridworld_{world}"
    with pytest.raises(UserError, match="has no level level9; expected one of level1, level2"):
        main([path, *options, "--level", "level9"])
    assert len(list((run_folder / "evaluation").iterdir())) == 2


def test_nothing_of_an_earlier_evaluation_stays_beside_a_new_one(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    q_frames = np.full((1, 28, 32, 4), GAMMA**4, np.float32)
    monkeypatch.setattr(QMapLearner, "q_frames", lambda *_: q_frames)
    path, output = str(run_folder / "tensorflow" / "step_32.ckpt"), run_folder / "output"
    options = ["--max-steps", "3", "--output", str(output)]
    main([path, *options, "--states", "2", "--episodes", "2", "--video"])
    tables = {"episodes.csv", "evaluation.json", "evaluation.png"}
    assert {each.name for each in output.iterdir()} == {*tables, "walks.csv", "videos"}
    assert len(list((output / "videos").iterdir())) == 2
    for name in ("notes.txt", "videos/episode-000001_step-0000003_score-0.mp4"):
        (output / name).touch()
    main([path, *options, "--states", "0", "--episodes", "1", "--video"])
    assert {each.name for each in output.iterdir()} == {*tables, "videos", "notes.txt"}
    training = "episode-000001_step-0000003_score-0.mp4"
    videos = [each.name for each in (output / "videos").iterdir() if each.name != training]
    assert [name.partition("_")[0] for name in videos] == ["episode-001"]
    main([path, *options, "--states", "0", "--episodes", "1"])
    assert [each.name for each in (output / "videos").iterdir()] == [training]


def test_a_world_without_levels_has_no_other(tmp_path: Path) -> None:
    origin = origin_of(tmp_path / "step_0.ckpt", 0, MazeConfig(size=5))
    with pytest.raises(UserError, match="maze-5 has no level 1.1; it has none"):
        on_level(origin, "1.1")


def test_another_level_of_a_game_is_played_with_all_else_as_it_was(tmp_path: Path) -> None:
    config = MarioConfig(game="foxglove", level="1.1", hidden=8)
    origin = on_level(origin_of(tmp_path / "step_0.ckpt", 0, config), "2.2")
    assert origin.name == "foxglove_2.2"
    assert origin.config == dataclasses.replace(config, level="2.2")
    with pytest.raises(UserError, match="no level 3.1; expected one of 1.1, 1.2, 2.1, 2.2"):
        on_level(origin, "3.1")


def test_what_is_no_checkpoint_of_a_run_is_refused(run_folder: Path) -> None:
    with pytest.raises(UserError, match="there is no checkpoint"):
        find(run_folder / "tensorflow" / "step_9.ckpt")
    for flag, value in (("--episodes", "0"), ("--random-start", "-1")):
        with pytest.raises(UserError, match=f"{flag} is {value}"):
            main([str(run_folder / "tensorflow" / "step_32.ckpt"), flag, value])
    (run_folder / "config.json").write_text('{"program": "else", "options": {}}')
    with pytest.raises(UserError, match=r"does not say what step_32\.ckpt is"):
        find(run_folder / "tensorflow" / "step_32.ckpt")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("stack", 0, "a whole number at least 1 and at most 16"),
        ("qmap_gamma", 2.0, "a number above 0 and below 1"),
        ("qmap", "yes", "true or false"),
    ],
)
def test_a_run_with_options_that_no_training_takes_is_refused_in_one_line(
    tmp_path: Path, option: str, value: object, expected: str
) -> None:
    path = tmp_path / "tensorflow" / "step_7.ckpt"
    path.parent.mkdir()
    path.touch()
    options = {**dataclasses.asdict(MarioConfig(game="foxglove")), option: value}
    words = {"program": "qmap.train_mario", "options": options}
    (tmp_path / "config.json").write_text(json.dumps(words))
    with pytest.raises(UserError, match=r"config\.json is damaged") as refused:
        find(path)
    assert str(refused.value).endswith(f"{option} is {value!r}, expected {expected}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("program", "config", "name"),
    [
        ("qmap.train_maze", MazeConfig(size=5), "maze-5"),
        (
            "qmap.train_maze",
            MazeConfig(size=5, learner="random-goals", model="convdeconv3"),
            "maze-5",
        ),
        ("qmap.train_sokoban", SokobanConfig(size=7, boxes=1, goals="box"), "sokoban-7-1"),
    ],
)
def test_a_checkpoint_of_mazes_or_sokoban_sees_what_its_learner_saw(
    tmp_path: Path, program: str, config: AllGoalsConfig, name: str
) -> None:
    (tmp_path / "tensorflow").mkdir()
    words = {"program": program, "options": dataclasses.asdict(config)}
    (tmp_path / "config.json").write_text(json.dumps(words))
    learner, path = learner_of(config), tmp_path / "tensorflow" / "step_7.ckpt"
    checkpoint.save(path, "checkpoint", {learner.name: learner.weights(False)})
    origin = find(path)
    assert (origin.name, origin.step) == (name, 7)
    envs = Envs(origin.make_env, 1, seeds=[0], timeout=60.0)
    try:
        player = Player(envs, stack=1, skip=1)
        player.begin()
        q_frames, greedy = load(origin, envs).look(player.observation)
        assert q_frames.shape == (8, 8, 4)
        assert greedy is None
        np.testing.assert_allclose(q_frames, learner.q_frames(player.observation)[0], atol=1e-5)
    finally:
        envs.close()
