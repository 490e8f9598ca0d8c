from __future__ import annotations

import json
import multiprocessing
import struct
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import corridor_agent
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.envs.maze_paths import distances_after
from qmap.envs.mazes import random_mazes
from qmap.evaluate.trained import find
from qmap.page import game_loop
from qmap.page.commands import FASTEST, Command
from qmap.page.game import Game
from qmap.page.game_loop import PICTURES, GameLoop
from qmap.page.picture import MOST, packed
from qmap.page.tries import Tries
from qmap.page.way import way_to
from qmap.utils.errors import UserError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corridor_agent.write_run(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def the_game(run: Path) -> Iterator[Game]:
    game = Game(find(run / "tensorflow" / "step_100.ckpt"), seed=3)
    yield game
    game.close()


@pytest.fixture
def game(the_game: Game) -> Game:
    """In a corridor, far from its ends, with a Q-map that knows it, and nothing done so far."""
    the_game.change_level(the_game.level_names[0])
    the_game.let_drive("nothing")
    the_game.shown, the_game.held = "best", None
    the_game.tries, the_game.recorded = Tries(), []
    assert 40 < here(the_game)[1] < corridor_agent.WIDTH - 40
    return the_game


def here(game: Game) -> tuple[int, int]:
    words, _, _ = unpacked(game.picture())
    row, col = words["place"]
    return row, col + words["window"]


def unpacked(picture: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray], np.ndarray]:
    """The parts of a picture, as the page reads them."""
    (length,) = struct.unpack_from("<I", picture)
    words, offset, maps = json.loads(picture[4 : 4 + length]), 4 + length, {}
    for name, (rows, cols) in words["maps"].items():
        assert offset % 2 == 0
        values = np.frombuffer(picture, "<u2", rows * cols, offset)
        maps[name] = values.reshape(rows, cols) / MOST
        offset += 2 * rows * cols
    image = cv2.imdecode(np.frombuffer(picture, np.uint8, offset=offset), cv2.IMREAD_COLOR)
    return words, maps, image[..., ::-1]


def step_until_still(game: Game) -> int:
    steps = 0
    while game.is_moving:
        game.step()
        steps += 1
        assert steps < 400
    return steps


def test_it_walks_to_a_click_and_takes_the_steps_that_it_believed(game: Game) -> None:
    row, col = here(game)
    for away in (-9, 3, 12):
        col += away
        assert game.go_to(row, col)
        assert step_until_still(game) == abs(away)
        assert here(game) == (row, col)
        newest = game.tries_words()["list"][0]
        assert newest["goal"] == [row, col]
        assert newest["believed"] == newest["taken"] == abs(away)
        assert newest["outcome"] == "arrived"
    assert (game.tries.ended, game.tries.arrived) == (3, 3)


def test_where_there_is_no_way_it_gives_up_and_says_so(game: Game) -> None:
    row, col = here(game)
    assert game.go_to(row + 5, col + 1)
    step_until_still(game)
    assert game.tries_words()["list"][0]["outcome"] == "did not arrive"
    assert (game.tries.ended, game.tries.arrived) == (1, 0)


def test_a_place_off_the_screen_is_no_goal(game: Game) -> None:
    row, col = here(game)
    assert not game.go_to(row, col + 40)
    assert not game.go_to(-1, col)
    assert not game.go_to(28, col)
    assert not game.is_moving


def test_a_key_breaks_the_walk_off_and_moves_the_agent(game: Game) -> None:
    row, col = here(game)
    game.go_to(row, col + 9)
    game.step()
    game.held = 1
    game.step()
    game.step()
    assert here(game) == (row, col - 1)
    game.held = None
    assert not game.is_moving
    assert game.tries_words()["list"][0]["outcome"] == "broken off"
    assert game.tries.ended == 0


def test_a_new_click_takes_the_place_of_the_goal_before(game: Game) -> None:
    row, col = here(game)
    game.go_to(row, col + 9)
    game.go_to(row, col - 2)
    step_until_still(game)
    assert here(game) == (row, col - 2)
    outcomes = [each["outcome"] for each in game.tries_words()["list"]]
    assert outcomes == ["arrived", "broken off"]


def test_goals_that_it_chooses_itself_are_as_far_as_in_training(game: Game) -> None:
    game.let_drive("goals")
    for _ in range(60):
        game.step()
    listed = game.tries_words()["list"]
    ended = [each for each in listed if each["outcome"] != "under way"]
    assert len(ended) >= 2
    assert all(each["believed"] >= 15 - 1e-6 for each in listed)
    assert all(each["outcome"] == "arrived" for each in ended)


def test_who_stops_choosing_goals_drops_its_own_and_not_a_click(game: Game) -> None:
    game.let_drive("goals")
    game.step()
    assert game.goal is not None
    game.let_drive("nothing")
    assert game.goal is None
    row, col = here(game)
    game.go_to(row, col + 3)
    game.let_drive("goals")
    assert game.goal == (row, col + 3)


def test_the_picture_has_the_screen_the_maps_and_the_way(game: Game) -> None:
    row, col = here(game)
    game.go_to(row, col + 4)
    game.shown, game.shown_action = "action", 1
    words, maps, screen = unpacked(game.picture())
    assert (screen == game._envs.screen()).all()
    frames = corridor_agent.q_frames()
    np.testing.assert_allclose(maps["best"], frames.max(axis=-1), atol=1e-4)
    np.testing.assert_allclose(maps["shown"], frames[..., 1], atol=1e-4)
    np.testing.assert_allclose(maps["true"], frames.max(axis=-1), atol=1e-4)
    assert words["error"] < 1e-6
    assert words["way"] == [[row, 15 + step] for step in range(5)]
    assert words["left"] == pytest.approx(4)


def test_candidates_are_shown_as_they_would_be_chosen_from(game: Game) -> None:
    game.shown = "candidates"
    _, maps, _ = unpacked(game.picture())
    away = np.abs(np.arange(32) - 15)
    assert ((maps["shown"][corridor_agent.ROW] > 0) == (away >= 15)).all()
    assert not np.delete(maps["shown"], corridor_agent.ROW, axis=0).any()


def test_a_wall_changes_what_is_true_at_once(game: Game) -> None:
    row, col = here(game)
    game.set_wall(row, col + 2, True)
    words, maps, _ = unpacked(game.picture())
    assert maps["true"][row, 16] > 0
    assert not maps["true"][row, 17:].any()
    assert words["error"] > 1e-3
    game.go_to(row, col + 5)
    step_until_still(game)
    assert here(game) == (row, col + 1)
    game.set_wall(row, col + 2, False)
    game.go_to(row, col + 5)
    step_until_still(game)
    assert here(game) == (row, col + 5)


def test_a_video_of_what_was_played_appears_in_the_runs_folder(game: Game, run: Path) -> None:
    game.record(True)
    row, col = here(game)
    game.go_to(row, col + 6)
    step_until_still(game)
    game.record(False)
    ((path, actions, _),) = game.recorded
    assert actions is None  # nobody demonstrates in a world of cells
    assert path.parent == run / "played"
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    game.record(True)
    game.record(False)
    assert len(game.recorded) == 1


def test_recordings_of_one_second_and_one_score_are_files_of_their_own(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> StoppedClock:
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr("qmap.page.film.datetime", StoppedClock)
    for _ in range(3):
        game.record(True)
        game.held = 0
        game.step()
        game.record(False)
    names = [made.video.name for made in game.recorded]
    name = "played_2026-01-02_03-04-05_score-0"
    assert names == [f"{name}.mp4", f"{name}_2.mp4", f"{name}_3.mp4"]
    assert all(made.video.is_file() for made in game.recorded)


def test_another_level_keeps_the_networks_and_one_that_fails_changes_nothing(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    game.change_level("level2")
    assert game.level == "level2"
    assert unpacked(game.picture())[2].shape == (448, 512, 3)

    def refuse(*arguments: object) -> None:
        raise UserError("no such level")

    monkeypatch.setattr("qmap.page.game.on_level", refuse)
    with pytest.raises(UserError):
        game.change_level("level3")
    assert game.level == "level2"
    game.step()


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


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([5, 9, 15]))
def test_the_way_on_a_true_map_of_a_maze_is_a_shortest_way(seed: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    maze = random_mazes(generator, 1, size, 0.1)
    steps = distances_after(maze)[0].min(axis=-1).astype(float) + 1
    place = divmod(int(maze.characters[0]), maze.side)
    goals = np.argwhere(~maze.walls.reshape(maze.side, maze.side))
    goal = tuple(int(index) for index in generator.choice(goals))
    way = way_to(steps, place, goal, by_cells=True)
    assert tuple(way[0]) == place
    assert (np.abs(np.diff(way, axis=0)).sum(axis=1) == 1).all(), "around no corner"
    way = way_to(steps, place, goal)
    assert tuple(way[0]) == place
    assert tuple(way[-1]) == goal
    believed = steps[tuple(way[1:].T)]
    assert (np.diff(believed) > 0).all()
    assert not maze.walls.reshape(maze.side, maze.side)[tuple(way.T)].any()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**31), st.booleans())
def test_the_way_on_any_map_comes_to_an_end(seed: int, by_cells: bool) -> None:
    generator = np.random.default_rng(seed)
    steps = generator.integers(0, 5, (6, 8)).astype(float)
    place, goal = ((int(generator.integers(6)), int(generator.integers(8))) for _ in range(2))
    way = way_to(steps, place, goal, by_cells=by_cells)
    assert tuple(way[-1]) == goal
    believed = steps[tuple(way.T)]
    assert (np.diff(believed[tuple(way[0]) == place :]) > 0).all()


def test_a_picture_says_what_it_was_given() -> None:
    generator = np.random.default_rng(0)
    screen = generator.integers(0, 256, (20, 30, 3), np.uint8)
    maps = {"best": generator.random((4, 6)), "true": np.array([[np.nan, 2.0], [-1.0, 1.0]])}
    for word in ("", "ä", "abc"):
        words, found, image = unpacked(packed({"word": word}, maps, screen))
        assert words["word"] == word
        np.testing.assert_allclose(found["best"], maps["best"], atol=1 / MOST)
        assert found["true"].tolist() == [[0, 1], [0, 1]]
        assert (image == screen).all()


def test_the_training_s_policy_explores_as_the_schedule_says_that_it_had() -> None:
    from qmap.config import TrainingConfig
    from qmap.evaluate.trained import Origin, Trained
    from qmap.page.drivers import TrainingPolicy

    for exploration, expected in (("linear", 0.55), ("phases", 0.1), ("geometric", 0.99**50)):
        config = TrainingConfig(
            qmap=False,
            steps=100,
            exploration=exploration,
            learning_starts=10,
            anneal=20,
            exploration_factor=0.99,
            last_exploration=0.1,
        )
        origin = Origin(Path("step_50.ckpt"), 50, config, "somewhere", lambda: None)
        trained = Trained(None, object(), 0.9)
        policy = TrainingPolicy(origin, trained, (4, 4), 3, np.random.default_rng(0))
        assert policy._random == policy._planned == pytest.approx(expected)


def test_the_training_s_policy_draws_and_reaches_goals_as_the_training_did() -> None:
    from qmap.config import TrainingConfig
    from qmap.evaluate.trained import Origin, Trained
    from qmap.page.drivers import TrainingPolicy

    config = TrainingConfig(
        steps=10_000, learning_starts=10, min_goal=2, max_goal=2, goal_rarity=100.0, goal_margin=1
    )
    origin = Origin(Path("step_50.ckpt"), 50, config, "somewhere", lambda: None)
    trained = Trained(object(), object(), 0.9)
    policy = TrainingPolicy(origin, trained, (4, 4), 3, np.random.default_rng(0))
    policy._random = 0.0
    q_frames = np.zeros((4, 4, 3), np.float32)
    q_frames[0, 3] = q_frames[3, 0] = 0.9  # 2 steps away
    for row, col, goal in ((0, 2, (3, 0)), (3, 0, (0, 3)), (1, 3, (3, 0))):
        # Within the margin nothing is a goal, and a goal there is reached.
        view = SimpleNamespace(coords=np.array([[row, col, 0]]), rooms=np.array([7]))
        policy.act(SimpleNamespace(view=view), q_frames, 0)
        assert policy.policy.goal == goal
    assert policy._counts.visits.rows()[:, 0].tolist() == [7, 7, 7]
