from __future__ import annotations

import json
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

from qmap.evaluate.trained import find
from qmap.page.game import Game
from qmap.page.picture import MOST, packed
from qmap.page.tries import Tries
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


def test_the_policy_of_the_training_is_told_where_an_episode_ends(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[int] = []
    told = SimpleNamespace(end_episode=lambda player: ends.append(int(player.place[1])))
    monkeypatch.setattr(game, "_policy", told)
    row, col = here(game)
    game.go_to(row, col + 5)
    step_until_still(game)
    game.restart()
    assert ends == [col + 5], "where it was, not where the next one begins"
    assert here(game)[1] != col + 5


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
    centered = []
    monkeypatch.setattr("qmap.page.game.center", lambda trained, *_: centered.append(trained))
    game.change_level("level2")
    assert game.level == "level2"
    assert centered == [game.trained]
    assert unpacked(game.picture())[2].shape == (448, 512, 3)

    def refuse(*arguments: object) -> None:
        raise UserError("no such level")

    monkeypatch.setattr("qmap.page.game.on_level", refuse)
    with pytest.raises(UserError):
        game.change_level("level3")
    assert game.level == "level2"
    game.step()


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
