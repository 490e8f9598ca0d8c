"""What becomes of a screen, and of a world's actions, before an agent sees and chooses."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.config import TrainingConfig
from qmap.envs.chosen_actions import ChosenActions, find_actions, split_actions
from qmap.envs.contract import check_contract
from qmap.envs.make_env import make_env
from qmap.envs.pipeline import Pipeline, PipelineFrames
from qmap.envs.vector import Envs
from qmap.envs.wrappers import GoalGrid
from qmap.parse_config import parse
from qmap.train_montezuma import make_experiment
from qmap.utils.errors import UserError
from qmap.utils.observe import draw, main, play
from qmap.utils.picture import POSITION

EXAMPLE = str(Path(__file__).parents[1] / "examples" / "frozen_lake.py")
LUMA = (0.299, 0.587, 0.114)


def random_screen(seed: int, shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def config_of(flags: str) -> TrainingConfig:
    return parse(TrainingConfig, "a program", "A program.", ["--no-qmap", *flags.split()])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 999),
    crop=st.lists(st.integers(0, 5), min_size=4, max_size=4),
    half=st.tuples(st.sampled_from((1, 2)), st.sampled_from((1, 2))),
    size=st.tuples(st.integers(3, 6), st.integers(3, 6)),
    color=st.booleans(),
)
def test_frames_are_the_means_of_what_the_crop_leaves(
    seed: int, crop: list[int], half: tuple[int, int], size: tuple[int, int], color: bool
) -> None:
    top, bottom, left, right = crop
    height, width = half[0] * size[0], half[1] * size[1]
    screen = random_screen(seed, (top + height + bottom, left + width + right))
    pipeline = Pipeline(color=color, crop=tuple(crop), resize=(1 / half[0], 1 / half[1]))
    frame = pipeline(screen, (1, 1))
    assert frame.shape == (*size, 3 if color else 1)
    kept = screen[top : top + height, left : left + width].astype(float)
    kept = kept if color else (kept @ LUMA)[..., None]
    for row, col in np.ndindex(*size):
        pixels = kept[half[0] * row :, half[1] * col :][: half[0], : half[1]]
        # Luma and mean are rounded one after the other.
        np.testing.assert_allclose(frame[row, col], pixels.mean(axis=(0, 1)), atol=1.01)


def test_edges_are_where_the_picture_changes_and_nowhere_else() -> None:
    screen = np.zeros((40, 60, 3), np.uint8)
    screen[:, 20:40] = 255
    edges = Pipeline(frame_size=(40, 60), edges=(100, 200))(screen, (1, 1))
    assert set(np.unique(edges)) == {0, 255}
    assert set(np.flatnonzero(edges.any(axis=(0, 2)))) <= {19, 20, 39, 40}
    assert edges[20, [19, 20]].any()
    assert edges[20, [39, 40]].any()


def test_weak_edges_need_low_thresholds() -> None:
    screen = np.zeros((20, 20, 3), np.uint8)
    screen[:, 10:] = 20  # a gradient of 80
    assert not Pipeline(frame_size=(20, 20), edges=(100, 200))(screen, (1, 1)).any()
    assert Pipeline(frame_size=(20, 20), edges=(10, 50))(screen, (1, 1)).any()


def test_a_screen_can_be_enlarged() -> None:
    screen = random_screen(0, (10, 10))
    assert Pipeline(frame_size=(24, 30))(screen, (1, 1)).shape == (24, 30, 1)
    assert Pipeline(resize=(2.0, 0.5))(screen, (1, 1)).shape == (20, 5, 1)


@pytest.mark.parametrize(
    ("shape", "factors", "expected"),
    [
        ((100, 100), (0.29, 0.57), (29, 57)),  # products just below these
        ((101, 99), (0.33, 0.34), (33, 34)),
        ((30, 30), (1.35, 1.32), (40, 40)),
        ((4, 4), (0.01, 0.1), (1, 1)),
        ((224 - 56, 320 - 80), (0.5, 0.5), (84, 120)),  # of the preset for Sonic
    ],
)
def test_sizes_by_factors_are_rounded_as_opencv_does(
    shape: tuple[int, int], factors: tuple[float, float], expected: tuple[int, int]
) -> None:
    screen = random_screen(0, shape)
    assert Pipeline(resize=factors)(screen, (1, 1)).shape == (*expected, 1)
    if min(shape) * min(factors) > 0.5:
        theirs = cv2.resize(screen, None, fx=factors[1], fy=factors[0])
        assert theirs.shape[:2] == expected


class Lamp(gymnasium.Env[int, int]):
    """A screen of 27 x 30 pixels on which one cell of 9 x 6 is white."""

    action_space = gymnasium.spaces.Discrete(3)
    observation_space = gymnasium.spaces.Discrete(1)
    metadata = {"render_modes": ["rgb_array"]}
    render_mode = "rgb_array"

    def __init__(self) -> None:
        self.cell, self.action = (1, 3), -1

    def reset(self, **_: Any) -> tuple[int, dict[str, Any]]:
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.action = action
        return 0, 0.0, False, False, {}

    def render(self) -> np.ndarray:
        screen = np.zeros((27, 30, 3), np.uint8)
        row, col = self.cell
        screen[9 * row : 9 * row + 9, 6 * col : 6 * col + 6] = 255
        return screen


def lamp() -> gymnasium.Env:
    """The lamp with its goal grid of 3 x 5 cells, filled up to 4 x 8."""
    return GoalGrid(Lamp(), (3, 5), lambda env, *_: env.unwrapped.cell)


def test_without_crop_and_size_the_goal_grid_lies_over_the_frame() -> None:
    env = PipelineFrames(lamp(), Pipeline(color=True))
    assert env.observation_space.shape == (8, 16, 3)
    frame, info = env.reset()
    row, col = info["coords"][:2]
    expected = np.zeros((8, 16, 3))
    expected[2 * row : 2 * row + 2, 2 * col : 2 * col + 2] = 255
    np.testing.assert_array_equal(frame, expected)
    check_contract(env)


def test_gray_frames_over_the_goal_grid_are_the_worlds_own() -> None:
    world = lamp()
    own, _ = world.reset()
    frame, _ = PipelineFrames(world, Pipeline()).reset()
    np.testing.assert_array_equal(frame, own)


def test_the_rows_that_pad_a_grid_are_black() -> None:
    env = config_of("--color").adapted(partial(make_env, "qmap/Montezuma-v0"))()
    frame, info = env.reset()
    assert frame.shape == (56, 40, 3)
    assert not frame[53:].any(), "the screen has 210 rows, the grid 224"
    row, col, _ = info["coords"]
    around = frame[2 * row - 2 : 2 * row + 6, 2 * col - 2 : 2 * col + 6].reshape(-1, 3)
    assert (around[:, 0] > around[:, 1] + 50).any(), "the character is red"


def test_what_is_asked_for_reaches_the_copies_of_the_world() -> None:
    config = config_of("--crop 56 0 80 0 --resize 0.5 --edges 100 200 --actions RIGHT;LEFT;NOOP")
    make = make_experiment(config).make_env
    envs = Envs(make, 1, seeds=[0], timeout=60.0)
    assert envs.frame_shape == ((210 - 56) // 2, (160 - 80) // 2, 1)
    assert envs.action_names == ("RIGHT", "LEFT", "NOOP")
    assert set(np.unique(envs.reset().frames)) <= {0, 255}
    envs.close()
    pickle.loads(pickle.dumps(make))


def test_without_options_a_world_is_left_alone() -> None:
    assert config_of("").adapted(lamp) is lamp


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--crop 1 2", "--crop 1 2: expected 4 numbers: pixels off the top, bottom, left and"),
        ("--resize 1 2 3", "--resize 1 2 3: expected 1 or 2 factors"),
        ("--frame-size 84", "--frame-size 84: expected 2 numbers: height and width"),
        ("--edges 5", "--edges 5: expected 2 numbers"),
        ("--edges 200 100", "--edges 200 100: expected the low threshold first"),
        ("--edges 1 2 --color", "--color and --edges exclude each other"),
        ("--resize 0.5 --frame-size 8 8", "--resize and --frame-size exclude each other"),
        ("--actions LEFT;;UP", "--actions 'LEFT;;UP': expected different actions like"),
        ("--actions A+B;B+A", "--actions 'A+B;B+A': expected different actions like"),
    ],
)
def test_options_that_do_not_fit_together_are_refused_in_one_line(flags: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        config_of(flags)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("flags", ["--crop 1 1 1 1", "--resize 0.5", "--frame-size 84 84"])
def test_a_q_map_needs_the_goal_grid_over_its_frames(flags: str) -> None:
    with pytest.raises(UserError, match="leave them out, or add --no-qmap"):
        parse(TrainingConfig, "a program", "A program.", flags.split())
    parse(TrainingConfig, "a program", "A program.", ["--edges", "100", "200"])


def test_a_crop_that_leaves_nothing_is_refused_with_the_screens_size() -> None:
    with pytest.raises(UserError, match="--crop 20 7 0 0 leaves nothing of a screen of 27 x 30"):
        PipelineFrames(lamp(), Pipeline(crop=(20, 7, 0, 0)))


@pytest.mark.parametrize(
    ("factors", "made"),
    [
        ((500.0, 500.0), "13500 x 15000"),
        ((1.0, 34.2), "27 x 1026"),
        ((1.0, 34.16), "27 x 1024.8"),
        ((1e308, 1.0), "inf x 30"),
    ],
)
def test_a_frame_that_would_fill_the_memory_is_refused(
    factors: tuple[float, float], made: str
) -> None:
    said = f"makes frames of {made} pixels from 27 x 30; expected at most 1024 x 1024"
    with pytest.raises(UserError, match=said):
        PipelineFrames(lamp(), Pipeline(resize=factors))
    assert Pipeline(resize=(1.0, 34.14))(random_screen(0, (27, 30)), (1, 1)).shape[1] == 1024


def test_an_action_is_found_by_its_name_and_else_by_its_buttons() -> None:
    names = ("NOOP", "A+B", "B+A", "A+LEFT", "C+A+B", "B+A+C")
    assert find_actions("A+B", names) == [1]
    assert find_actions("B+A", names) == [2]
    assert find_actions("LEFT+ A", names) == [3]
    assert find_actions("B+C+A", names) == [4, 5]
    assert find_actions("A", names) == []


def test_buttons_that_stand_for_several_actions_are_refused() -> None:
    names = ("C+A+B", "B+A+C", "RIGHT")
    world = GoalGrid(Lamp(), (3, 5), lambda *_: (0, 0), action_names=names)
    assert ChosenActions(world, ("B+A+C", "C+A+B")).action(1) == 0
    with pytest.raises(UserError, match=r"Lamp has several actions A\+B\+C: C\+A\+B;B\+A\+C; na"):
        ChosenActions(world, ("A+B+C",))


def test_actions_are_chosen_by_name_in_the_order_that_is_asked_for() -> None:
    world = GoalGrid(Lamp(), (3, 5), lambda *_: (0, 0), action_names=("NOOP", "B+LEFT", "RIGHT"))
    env = ChosenActions(world, split_actions("RIGHT; LEFT+B"))
    assert env.action_names == ("RIGHT", "LEFT+B")
    assert env.action_space.n == 2
    env.reset()
    for action, own in enumerate((2, 1)):
        env.step(action)
        assert env.unwrapped.action == own
    with pytest.raises(UserError, match=r"Lamp has no action UP; there are NOOP;B\+LEFT;RIGHT"):
        ChosenActions(world, ("UP",))


def test_observe_shows_what_the_options_make_of_the_screen(tmp_path: Path) -> None:
    output = tmp_path / "seen.png"
    main(["--env", EXAMPLE, "--steps", "1", "--edges", "50", "100", "--output", str(output)])
    assert output.stat().st_size > 1000
    env = PipelineFrames(make_env(EXAMPLE), Pipeline(frame_size=(20, 30)))
    moments = play(env, 2, 1, 0, stack=4, skip=1)
    assert [len(moment.frames) for moment in moments] == [4, 4, 4]
    assert moments[0].frames[0].shape == (20, 30, 1)
    with_box, without = (draw(env, "lake", moments, on_grid) for on_grid in (True, False))
    counts = [(each == POSITION).all(axis=2).sum() for each in (with_box, without)]
    assert counts[1] < counts[0], "a cell is not marked on frames that the grid does not lie over"
