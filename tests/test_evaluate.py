from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from corridor import LENGTH, Corridor

from qmap.agents.q_map import QMapLearner
from qmap.all_goals.config import AllGoalsConfig, MazeConfig, SokobanConfig
from qmap.all_goals.training import learner_of
from qmap.envs.gridworld_level import Level
from qmap.envs.gridworld_paths import true_q_frames
from qmap.envs.vector import Envs
from qmap.evaluate import report
from qmap.evaluate.__main__ import main
from qmap.evaluate.levels import CENTERING_STEPS, center, on_level
from qmap.evaluate.navigation import Walk, navigate, steps_of
from qmap.evaluate.play import Samples, Sights, play
from qmap.evaluate.player import Player
from qmap.evaluate.trained import find, load, origin_of
from qmap.gridworld.config import GridWorldConfig
from qmap.gridworld.training import make_learner
from qmap.train_mario import MarioConfig
from qmap.utils import checkpoint
from qmap.utils.errors import UserError

GAMMA = 0.9
RIGHT = 2


def small_level() -> Level:
    walls = np.ones((28, 60), bool)
    walls[1:-1, 1:-1] = False
    walls[5:20, 20] = True
    return Level(walls)


def make_env(level: Level) -> gymnasium.Env:
    return gymnasium.make(
        "qmap.envs:qmap/GridWorld-v0",
        level=level,
        render_mode="rgb_array",
        disable_env_checker=True,
    )


@pytest.fixture
def player() -> Iterator[Player]:
    """In the middle of a level with a wall."""
    envs = Envs(partial(make_env, small_level()), 1, seeds=[3], timeout=60.0)
    player = Player(envs, stack=3, skip=2)
    player.begin()
    yield player
    envs.close()


class Knowing:
    """A Q-map that knows the truth: it is told where the player is."""

    def __init__(self, player: Player, level: Level) -> None:
        self.player = player
        self.level = level

    def q_frames(self, observations: np.ndarray) -> np.ndarray:
        place = self.level.places[tuple(self.player.place)][None]
        return true_q_frames(self.level, place, GAMMA)


def test_a_player_goes_on_exactly_from_where_it_was_saved(player: Player) -> None:
    generator = np.random.default_rng(0)
    for action in generator.integers(0, 4, 9):
        player.step(int(action))
    state = player.save()
    actions = generator.integers(0, 4, 12)
    seen = []
    for _ in range(2):
        assert player.restore(state)
        for action in actions:
            player.step(int(action))
            seen.append((player.observation.tobytes(), tuple(player.place), player.window))
    assert seen[:12] == seen[12:]
    assert len(set(seen)) > 3


def test_who_knows_the_truth_arrives_as_it_believes_and_the_controls_do_not(
    player: Player,
) -> None:
    level, generator = small_level(), np.random.default_rng(0)
    knowing = Knowing(player, level)

    def truth(place: np.ndarray) -> np.ndarray:
        return steps_of(knowing.q_frames(player.observation)[0].max(axis=-1), GAMMA)

    walks: list[Walk] = []
    for _ in range(6):
        for action in generator.integers(0, 4, 20):
            player.step(int(action))
        place = tuple(player.place)
        mean = generator.random((28, 32, 4))
        walks += navigate(player, knowing, mean, GAMMA, generator, truth)
        assert tuple(player.place) == place
    ours = [walk for walk in walks if walk.way == "q-map"]
    assert {walk.believed for walk in ours} >= {5, 10, 15}
    assert all(walk.steps == walk.believed == pytest.approx(walk.true) for walk in ours)
    others = [walk.steps is not None for walk in walks if walk.way != "q-map"]
    assert len(others) == 3 * len(ours)
    assert np.mean(others) < 0.3
    found = report.calibration(walks)["10"]
    assert found["taken"]["mean"] == pytest.approx(found["true"]["mean"]) == 10.0
    assert report.navigation(walks)["10"]["q-map"]["share"] == 1.0


def test_goals_that_are_not_reached_count_for_the_share_and_not_for_the_steps() -> None:
    walks = [Walk(5, "q-map", None, np.inf), Walk(5, "q-map", 6, 6.0)]
    found = report.calibration(walks)["5"]
    assert found["goals"] == 2
    assert found["taken"]["mean"] == 6.0
    assert found["reachable"]["share"] == 0.5


def test_sight_is_compared_with_the_mean_picture_and_with_the_way_ahead(player: Player) -> None:
    # On open ground: each step scrolls the window by a column.
    player.envs._copy.env.unwrapped._place = int(small_level().places[25, 30])
    player.step(RIGHT)
    sights = Sights()
    for _ in range(8):  # the brightest cell is 3 cells ahead
        row, col = player.on_screen
        q_frames = np.zeros((28, 32, 4))
        q_frames[row, col + 3] = 1.0
        sights.add(q_frames, player, 1)
        player.step(RIGHT)
    assert np.diff(sights.windows).tolist() == [1] * 7
    assert not sights.seen.any()
    assert sights.seen_ahead.tolist() == [True] * 7 + [False]
    sights.episodes[4:] = [2] * 4  # what comes in another episode is not its way
    assert sights.seen_ahead.tolist() == [True] * 3 + [False] + [True] * 3 + [False]
    assert not sights.seen_by_mean.any()


def test_foresight_is_what_values_are_before_deaths_beside_all_of_them(player: Player) -> None:
    sights = Sights()
    values = {1: [4.0, 4.0, 4.0, 2.0, 0.0], 2: [4.0, 1.0], 3: [5.0] * 3}
    for episode, each in values.items():
        for value in each:  # the best of the actions, all over the screen
            q_frames = np.full((28, 32, 4), value)
            q_frames[..., 1:] = 0.0
            sights.add(q_frames, player, episode)
        if episode < 3:  # the third one was cut off
            sights.die()
    mean = 3.4
    found = report.foresight(sights)
    assert list(found) == ["1", "2", "3", "5"]
    assert [found[steps]["n"] for steps in found] == [2, 2, 1, 1]
    expected = [0.5 / mean, 3.0 / mean, 4.0 / mean, 4.0 / mean]
    assert [found[steps]["mean"] for steps in found] == pytest.approx(expected)
    assert report.foresight(Sights()) == {}


@pytest.mark.parametrize(
    ("action", "deaths"), [("LEFT", [0, 1]), ("RIGHT", []), ("NOOP", [])], ids=str
)
def test_a_finished_level_and_a_time_limit_are_no_deaths(action: str, deaths: list[int]) -> None:
    envs = Envs(Corridor, 1, seeds=[0], timeout=60.0)
    sights, chosen = Sights(), Corridor.action_names.index(action)
    behavior = SimpleNamespace(
        policy=SimpleNamespace(drop_goal=lambda: None),
        act=lambda _: (chosen, np.zeros((4, LENGTH, 3))),
    )
    episodes = list(play(Player(envs, 1, 1), behavior, 2, 500, sights, lambda *_: None))
    envs.close()
    assert all(episode.ended for episode in episodes)
    assert sights.deaths == deaths


def test_samples_are_spread_over_all_that_was_passed() -> None:
    class Numbered:
        def __init__(self, number: int) -> None:
            self.number = number

        def save(self) -> int:
            return self.number

    counts = np.zeros(20, int)
    for seed in range(60):
        samples = Samples(5, np.random.default_rng(seed))
        for number in range(20):
            samples.offer(Numbered(number))
        assert len(set(samples.states)) == 5
        counts[samples.states] += 1
    assert counts.min() > 5
    assert counts.max() < 27


def test_intervals_are_those_of_the_textbook() -> None:
    share = report.share_of([True] * 8 + [False] * 2)
    assert share["interval"] == pytest.approx([0.4902, 0.9433], abs=1e-4)
    mean = report.mean_of([1.0, 2.0, 3.0])
    assert mean["interval"] == pytest.approx([2 - 2.4841, 2 + 2.4841], abs=1e-3)
    assert report.mean_of([4.0])["interval"] is None


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
    assert "seen by mean picture" in capsys.readouterr().out


@pytest.mark.parametrize("centers", [True, False])
def test_only_who_centers_frames_looks_at_another_level_first(
    player: Player, centers: bool
) -> None:
    shown: list[np.ndarray] = []
    q_map = SimpleNamespace(centers=centers, center_on=shown.append)
    before = player.view
    center(SimpleNamespace(q_map=q_map), player, np.random.default_rng(0))
    assert (player.view is before) == (not centers)
    if centers:
        (observations,) = shown
        assert observations.shape == (CENTERING_STEPS, *player.observation.shape[1:])
        assert len(np.unique(observations, axis=0)) > 10


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
    for name, world in (("step_32", "level1"), ("step_32_gridworld_level3", "level3")):
        told = json.loads((run_folder / "evaluation" / name / "evaluation.json").read_text())
        assert told["world"] == f"gridworld_{world}"
    with pytest.raises(UserError, match="has no level level9; expected one of level1, level2"):
        main([path, *options, "--level", "level9"])
    assert len(list((run_folder / "evaluation").iterdir())) == 2


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
    with pytest.raises(UserError, match="--episodes is 0"):
        main([str(run_folder / "tensorflow" / "step_32.ckpt"), "--episodes", "0"])
    (run_folder / "config.json").write_text('{"program": "else", "options": {}}')
    with pytest.raises(UserError, match=r"does not say what step_32\.ckpt is"):
        find(run_folder / "tensorflow" / "step_32.ckpt")


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
