"""Training in the grid world: evaluation against slow obvious models, files, flags, resuming."""

from __future__ import annotations

import json
import os
import signal
from collections import deque
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.agents.published import GRID_WORLD, q_frames_maker
from qmap.agents.q_map import QMapLearner
from qmap.envs.gridworld_level import MOVES, SCREEN_COL, Level, load_level
from qmap.envs.gridworld_paths import true_q_frames
from qmap.gridworld.comparison import is_drawn
from qmap.gridworld.evaluation import GroundTruth, evaluate, follow
from qmap.gridworld.reached import ReachedCells
from qmap.gridworld.strip import CELL, GAP, LABELS, TITLE, draw_strip
from qmap.gridworld.training import GridWorldTraining, sample_transitions
from qmap.train_gridworld import main
from qmap.utils import checkpoint
from qmap.utils.errors import UserError


def small_level(seed: int = 0, width: int = 40, share: float = 0.25) -> Level:
    walls = np.random.default_rng(seed).random((28, width)) < share
    walls[[0, -1]] = walls[:, [0, -1]] = True
    walls[1, 1] = False
    return Level(walls, f"small{seed}")


def places_of(level: Level, observations: np.ndarray) -> np.ndarray:
    seen = {
        observation.tobytes(): place
        for place, observation in enumerate(level.observations(np.arange(len(level.positions))))
    }
    assert len(seen) == len(level.positions), "cells of this level look alike"
    return np.array([seen[observation.tobytes()] for observation in observations])


def steps_between(level: Level, start: int) -> dict[int, int]:
    """Breadth-first search over the whole level: steps to each place that can be reached."""
    steps = {start: 0}
    queue = deque([start])
    while queue:
        place = queue.popleft()
        for move in MOVES:
            reached = int(level.places[tuple(level.positions[place] + move)])
            if reached >= 0 and reached not in steps:
                steps[reached] = steps[place] + 1
                queue.append(reached)
    return steps


def follow_one(level: Level, greedy: np.ndarray, start: int, goal: int, limit: int) -> bool:
    here = start
    row, col = level.positions[goal]
    for _ in range(limit):
        screen_col = col - (level.positions[here, 1] - SCREEN_COL)
        if not 0 <= screen_col < 32:
            return False
        here = level.next_places[here, greedy[here, row, screen_col]]
        if here == goal:
            return True
    return False


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0, 0.5), width=st.integers(33, 50))
def test_followed_policies_arrive_where_single_ones_do(seed: int, share: float, width: int) -> None:
    level = small_level(seed, width, share)
    generator = np.random.default_rng(seed)
    greedy = true_q_frames(level, np.arange(len(level.positions)), 0.9).argmax(axis=-1)
    wrong = generator.random(greedy.shape) < 0.2
    greedy[wrong] = generator.integers(4, size=wrong.sum())
    starts, goals = generator.integers(len(level.positions), size=(2, 60))
    near = abs(level.positions[starts, 1] - level.positions[goals, 1]) <= 15
    starts, goals = (places[near & (starts != goals)] for places in (starts, goals))
    limits = generator.integers(1, 30, size=len(starts))
    arrived = follow(level, greedy, starts, goals, limits)
    expected = [
        follow_one(level, greedy, *pair) for pair in zip(starts, goals, limits, strict=True)
    ]
    np.testing.assert_array_equal(arrived, expected)


def test_the_truth_itself_is_evaluated_as_perfect() -> None:
    level = small_level()

    def perfect(observations: np.ndarray) -> np.ndarray:
        return true_q_frames(level, places_of(level, observations), 0.9)

    evaluation = evaluate(level, perfect, 0.9)
    assert evaluation.positions == len(level.positions)
    assert evaluation.mean_squared_error == pytest.approx(0, abs=1e-12)
    assert evaluation.mean_absolute_error_steps == pytest.approx(0, abs=1e-4)
    assert evaluation.arrived == 1
    pairs = 0
    for start in range(len(level.positions)):
        pairs += sum(1 <= steps <= 15 for steps in steps_between(level, start).values())
    assert evaluation.pairs == pairs


def test_errors_of_q_frames_are_measured_as_defined() -> None:
    level = small_level()
    truth = true_q_frames(level, np.arange(len(level.positions)), 0.9)

    def one_step_too_far(observations: np.ndarray) -> np.ndarray:
        return true_q_frames(level, places_of(level, observations), 0.9) * np.float32(0.9)

    evaluation = evaluate(level, one_step_too_far, 0.9)
    assert evaluation.mean_squared_error == pytest.approx(np.square(0.1 * truth).mean(), rel=1e-4)
    # The cells farthest away are clipped to the longest way there is.
    farthest = (truth[truth > 0] == truth[truth > 0].min()).mean()
    assert evaluation.mean_absolute_error_steps == pytest.approx(1 - farthest, abs=1e-3)
    assert evaluation.arrived == 1


def test_useless_q_frames_are_far_off_and_never_arrive() -> None:
    level = small_level()
    evaluation = evaluate(level, lambda seen: np.zeros((len(seen), 28, 32, 4), np.float32), 0.9)
    truth = true_q_frames(level, np.arange(len(level.positions)), 0.9)
    assert evaluation.mean_squared_error == pytest.approx(np.square(truth).mean(), rel=1e-5)
    assert evaluation.mean_absolute_error_steps > 10
    # All actions alike, the first is taken: up, which is right for some goals.
    assert 0 < evaluation.arrived < 0.3


def test_the_truth_covers_the_free_cells_of_the_first_30_interior_columns() -> None:
    level = load_level("level2")
    truth = GroundTruth(level, 0.9)
    assert len(truth.observations) == (~level.walls[:, 1:31]).sum()
    noise = np.random.default_rng(0).normal(0, 0.1, truth.q_frames.shape).astype(np.float32)
    predictions = iter(np.split(truth.q_frames + noise, range(256, len(noise), 256)))
    loss, shown = truth.compare(lambda _: next(predictions))
    assert loss == pytest.approx(np.square(noise).mean(), rel=1e-4)
    np.testing.assert_array_equal(shown, (truth.q_frames + noise)[truth.shown])
    assert len(set(truth.shown)) == 20


def test_a_strip_shows_what_is_seen_and_both_values() -> None:
    level = load_level("level1")
    truth = GroundTruth(level, 0.9)
    shown = truth.shown
    learned = 0.5 * truth.q_frames[shown]
    strip = draw_strip("title", truth.observations[shown], truth.q_frames[shown], learned)
    height, width = 28 * CELL + GAP, 32 * CELL + GAP
    assert strip.shape == (TITLE + 3 * height, LABELS + 20 * width, 3)
    row = int(np.argwhere(truth.observations[shown[3], ..., 0])[0, 0])
    x = LABELS + 3 * width + SCREEN_COL * CELL + 1
    seen, true, half = (strip[TITLE + line * height + row * CELL + 1, x] for line in range(3))
    assert tuple(seen) == (220, 30, 30)
    values = truth.q_frames[shown[3], row, SCREEN_COL].max()
    assert true.sum() > half.sum() > 100 or values < 0.8


def test_transitions_are_single_steps_that_the_learner_takes() -> None:
    level = small_level()
    batch = sample_transitions(level, np.random.default_rng(0), 5)
    moves = level.sample_moves(np.random.default_rng(0), 5)
    np.testing.assert_array_equal(batch.observations, moves.observations)
    np.testing.assert_array_equal(batch.rows[:, 0], moves.rows)
    np.testing.assert_array_equal(batch.window_shifts[:, 0], moves.window_shifts)
    assert batch.terminals.shape == batch.rewards.shape == (5, 1)
    assert not batch.terminals.any()
    assert (batch.lengths == 1).all()
    assert batch.reached is True
    reached = ReachedCells(level)
    batch = sample_transitions(level, np.random.default_rng(0), 5, reached)
    np.testing.assert_array_equal(batch.reached, reached.windows(moves))
    assert all(batch.reached[range(5), moves.rows, moves.cols + moves.window_shifts])


def test_every_comparison_of_a_short_run_is_drawn_and_few_of_a_long_one() -> None:
    assert all(is_drawn(comparison) for comparison in range(1000))
    assert [c for c in range(1000, 1030) if is_drawn(c)] == [1000, 1010, 1020]
    assert sum(is_drawn(comparison) for comparison in range(62_500)) < 3000


def test_a_soft_target_moves_by_its_share_of_the_difference() -> None:
    make = q_frames_maker("mlp2", (28, 32, 3), 4, dueling=False, layer_norm=True)
    learner = QMapLearner(make, learning_rate=1e-3, gamma=0.9, clip_norm=1000.0)
    for weight in learner.online.weights:
        weight.assign(weight + 1.0)
    before = [weight.numpy() for weight in learner.target.weights]
    learner.update_target(0.25)
    for weight, old in zip(learner.target.weights, before, strict=True):
        np.testing.assert_allclose(weight, old + 0.25, atol=1e-6)


@pytest.mark.parametrize("model", GRID_WORLD)
@pytest.mark.parametrize("plain", [False, True])
def test_every_model_gives_q_frames_for_all_cells_and_actions(model: str, plain: bool) -> None:
    sizes = []
    for small_start in (False, True):
        keras.utils.set_random_seed(0)
        options = {"dueling": not plain, "layer_norm": not plain, "small_start": small_start}
        network = q_frames_maker(model, (28, 32, 3), 4, **options)()
        q_frames = network(load_level("level1").observations(np.arange(2)))
        assert q_frames.shape == (2, 28, 32, 4)
        sizes.append(np.abs(q_frames).mean())
    assert sizes[1] == pytest.approx(0.1 * sizes[0], rel=1e-3)


def image(folder: Path, walls: np.ndarray, name: str) -> str:
    path = folder / f"{name}.png"
    cv2.imwrite(str(path), np.where(walls, 0, 255).astype(np.uint8))
    return str(path)


def run(tmp_path: Path, *flags: str, seed: int = 0) -> tuple[int, Path]:
    """Train for a moment on small levels; return the exit status and the run's folder."""
    levels = [image(tmp_path, small_level(number).walls, f"small{number}") for number in (0, 1)]
    arguments = ["--model", "convdeconv3", "--batch", "4", "--steps", "40", "--eval-every", "4"]
    arguments += ["--train-level", levels[0], "--test-levels", *levels]
    arguments += ["--path", str(tmp_path / "results"), "--seed", str(seed), *flags]
    status = main(arguments)
    return status, max((tmp_path / "results").glob("gridworld/*/*"), key=os.path.getmtime)


@pytest.fixture(autouse=True)
def _tensorflow_is_set_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qmap.agents.device.set_up", lambda **_: None)


def losses(folder: Path) -> np.ndarray:
    return np.loadtxt(folder / "ground_truth_loss.csv", delimiter=",", skiprows=1)


def test_a_run_leaves_losses_strips_a_checkpoint_and_an_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--no-dueling", "--small-start", "--lr", "1e-3", "--soft-target", "0.5"]
    flags += ["--hidden", "24"]
    status, folder = run(tmp_path, *flags, seed=7)
    assert status == 0
    assert folder.name.startswith("seed-7_")
    for setting in (
        "convdeconv3",
        "hidden-24",
        "lr-0.001",
        "batch-4",
        "soft-0.5",
        "no-dueling",
        "small-start",
        "small0",
    ):
        assert setting in folder.parent.name.split("_")
    text = (folder / "ground_truth_loss.csv").read_text()
    assert text.startswith("steps,small0,small1\n")
    np.testing.assert_array_equal(losses(folder)[:, 0], [0, 16, 32])
    strips = {path.name for path in (folder / "images").iterdir()}
    assert strips == {f"step_{s}_small{n}.png" for s in (0, 16, 32) for n in (0, 1)}
    assert cv2.imread(str(folder / "images" / "step_16_small0.png")).shape[2] == 3
    saved = checkpoint.load(folder / "tensorflow" / "step_40.ckpt", "checkpoint")["q_map"]
    assert {24} <= {size for weight in saved["online"].values() for size in weight.shape}
    results = json.loads((folder / "evaluation.json").read_text())
    assert results["transitions"] == 40
    assert set(results["levels"]) == {"small0", "small1"}
    assert results["levels"]["small0"]["positions"] == len(small_level(0).positions)
    printed = capsys.readouterr().out
    for each in results["levels"].values():
        assert f"{each['mean_squared_error']:.5f}" in printed
    assert json.loads((folder / "config.json").read_text())["options"]["seed"] == 7


@pytest.mark.usefixtures("eagerly", "few_columns")
@pytest.mark.parametrize(
    ("flags", "shares"), [(["--last-lr", "0.001"], [1.0, 0.775, 0.55, 0.325]), ([], [1.0] * 4)]
)
def test_the_learning_rate_falls_in_a_straight_line_if_asked_to(
    tmp_path: Path, shares_used: list[float], flags: list[str], shares: list[float]
) -> None:
    _, folder = run(tmp_path, "--lr", "0.01", *flags, "--batch", "8", "--steps", "32")
    assert shares_used == pytest.approx(shares)
    assert ("lr-0.01-0.001" in folder.parent.name.split("_")) == bool(flags)


@pytest.mark.usefixtures("eagerly")
def test_a_loaded_checkpoint_is_where_the_new_run_starts(tmp_path: Path) -> None:
    _, first = run(tmp_path, "--lr", "1e-3", "--steps", "32")
    ckpt = first / "tensorflow" / "step_32.ckpt"
    _, second = run(tmp_path, "--load", str(ckpt), "--steps", "4", seed=1)
    np.testing.assert_allclose(losses(second).reshape(-1, 3)[0, 1:], losses(first)[-1, 1:], 1e-4)
    with pytest.raises(UserError, match="does not fit here: its q_map network has other layers"):
        run(tmp_path, "--load", str(ckpt), "--model", "mlp2")


@pytest.mark.usefixtures("eagerly", "few_columns")
@pytest.mark.parametrize("unreached", ["bootstrap", "zero"])
def test_a_resumed_run_ends_like_one_that_was_not_interrupted(
    unreached: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = ["--target", "3", "--unreached", unreached]
    _, whole = run(tmp_path, *flags)
    update = GridWorldTraining.step

    def update_then_stop(self: GridWorldTraining) -> None:
        update(self)
        if self.updates == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as context:
        context.setattr(GridWorldTraining, "step", update_then_stop)
        status, stopped = run(tmp_path, *flags, "--path", str(tmp_path / "other"))
        stopped = next((tmp_path / "other").glob("gridworld/*/*"))
    assert status == 130
    assert f"--resume {stopped}" in capsys.readouterr().err
    assert not (stopped / "evaluation.json").exists()
    assert main(["--resume", str(stopped)]) == 0
    np.testing.assert_allclose(losses(stopped), losses(whole), rtol=1e-5)
    one, other = (json.loads((f / "evaluation.json").read_text()) for f in (whole, stopped))
    assert one["levels"]["small1"] == pytest.approx(other["levels"]["small1"], rel=1e-3)


def bad_level(folder: Path, kind: str) -> str:
    walls = small_level().walls.copy()
    if kind == "missing":
        return str(folder / "nowhere.png")
    if kind == "text":
        (folder / "text.png").write_text("no image")
        return str(folder / "text.png")
    if kind == "open":
        walls[0, 4] = False
    return image(folder, {"tall": walls[:20], "full": walls | True}.get(kind, walls), kind)


@pytest.mark.parametrize("flag", ["--train-level", "--test-levels"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "expected an image file or one of level1, level2, level3"),
        ("text", "not an image"),
        ("tall", "has 20 rows"),
        ("full", "no free cell"),
        ("open", "open at its border"),
    ],
)
def test_bad_levels_are_refused_before_anything_is_written(
    tmp_path: Path, flag: str, kind: str, words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        main([flag, bad_level(tmp_path, kind), "--path", str(tmp_path / "results")])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--gamma", "1"], "--gamma: '1' given, expected a number above 0 and below 1"),
        (["--gamma", "0"], "above 0 and below 1"),
        (["--gamma", "-0.5"], "above 0 and below 1"),
        (["--gamma", "nan"], "above 0 and below 1"),
        (["--model", "resnet"], "convdeconv1"),
        (["--batch", "0"], "at least 1"),
        (["--steps", "many"], "expected a whole number"),
        (["--unknown-columns", "guess"], "keep"),
    ],
)
def test_bad_flags_are_refused_in_one_line(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(flags)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1


def test_an_unknown_model_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--model", "resnet"])
    message = capsys.readouterr().err
    assert all(model in message for model in GRID_WORLD)


def test_test_levels_of_the_same_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    levels = [image(folder, small_level().walls, "a") for folder in (tmp_path, tmp_path / "other")]
    with pytest.raises(UserError, match="expected different names"):
        main(["--test-levels", *levels])


def test_a_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no checkpoint"):
        main(["--load", str(tmp_path / "step_1.ckpt"), "--path", str(tmp_path)])


def test_divergence_is_reported_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: Any) -> None:
        raise FloatingPointError("the loss of q_map is nan")

    monkeypatch.setattr("qmap.agents.q_map.QMapLearner.train", diverge)
    with pytest.raises(UserError, match="training diverged at step 0"):
        run(tmp_path)
