"""The picture of what an agent will see, and the watch over coordinates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qmap.envs.coordinates_watch import PERIOD, CoordinatesWatch
from qmap.envs.make_env import make_env
from qmap.utils.errors import UserError
from qmap.utils.observe import draw, main, play
from qmap.utils.picture import GOAL, POSITION

EXAMPLE = str(Path(__file__).parents[1] / "examples" / "frozen_lake.py")


def colored(picture: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((picture == color).all(axis=2).sum())


def test_the_picture_of_an_environment_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "seen.png"
    main(["--env", EXAMPLE, "--steps", "3", "--output", str(output)])
    assert capsys.readouterr().out.strip() == str(output)
    picture = np.array(Image.open(output))
    assert picture.shape[2] == 3
    assert colored(picture, POSITION) > 4 * 4 * 60
    assert colored(picture, GOAL) == 0


def test_play_is_at_random_and_the_same_for_a_seed() -> None:
    def places(seed: int) -> list[list[int]]:
        env = make_env(EXAMPLE)
        return [moment.info["coords"].tolist() for moment in play(env, 20, 1, seed)]

    assert places(1) == places(1)
    assert len(places(1)) == 21
    assert places(1) != places(2)


def test_what_is_shown_are_the_frames_that_an_agent_gets() -> None:
    env = make_env(EXAMPLE)
    frames = [moment.frames for moment in play(env, 6, 1, 4)]
    newest = [stack[-1] for stack in frames]
    np.testing.assert_array_equal(frames[0], [newest[0]] * 3)
    np.testing.assert_array_equal(frames[1], [newest[0], newest[0], newest[1]])


def test_coordinates_off_the_grid_are_red() -> None:
    env = make_env(EXAMPLE)
    env._locate = lambda *_: (9, 9)
    picture = draw(env, "lake", play(env, 1, 1, 0))
    assert colored(picture, GOAL) > 100


def test_any_of_our_worlds_can_be_observed() -> None:
    for name in ("qmap/GridWorld-v0", "qmap/Montezuma-v0"):
        env = make_env(name)
        picture = draw(env, name, play(env, 2, 3, 0))
        assert colored(picture, POSITION) > 100


def test_what_cannot_be_observed_is_said() -> None:
    with pytest.raises(UserError, match=r"--env is missing"):
        main([])
    with pytest.raises(
        UserError,
        match=r"FrozenLake-v1 has no coordinates: expected coords_shape.*GoalGrid adds both",
    ):
        main(["--env", "FrozenLake-v1"])


def coords(row: int) -> np.ndarray:
    return np.array([[row, 0, 0], [3, 3, 0]])


def test_coordinates_that_never_change_are_said_once() -> None:
    watch = CoordinatesWatch()
    for step in range(3 * PERIOD):
        watch.add(coords(2))
        message = watch.message()
        assert (message is not None) == (2 * (step + 1) == PERIOD)
        if message:
            assert "have not changed in the first 1,000 steps (row 2, column 0)" in message
            assert "\n" not in message


@pytest.mark.parametrize(("share", "said"), [(0.4, False), (0.6, True)])
def test_coordinates_that_are_clipped_in_most_steps_are_said(share: float, said: bool) -> None:
    watch = CoordinatesWatch()
    messages = []
    for step in range(4 * PERIOD):
        clipped = step % 10 < 10 * share
        watch.add(coords(step % 3), np.array([clipped, clipped]))
        messages.append(watch.message())
    found = [message for message in messages if message]
    assert len(found) == said
    assert not said or "clipped, in 600 of the last 1,000 steps" in found[0]


def test_coordinates_that_move_are_not_complained_about() -> None:
    watch = CoordinatesWatch()
    watch.add(coords(1))
    for _ in range(3 * PERIOD):
        watch.add(coords(2))
    assert watch.message() is None
