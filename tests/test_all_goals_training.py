"""The trainings in mazes and in Sokoban: what a run leaves behind, resume, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from qmap import train_maze, train_sokoban
from qmap.agents.adam import ClippedAdam
from qmap.all_goals.config import MazeConfig, SokobanConfig
from qmap.all_goals.training import learner_of
from qmap.utils import checkpoint
from qmap.utils.errors import UserError

QUICK = ["--eval-every", "4", "--compared", "3", "--test-worlds", "5", "--batch", "8"]
MAZE = ["--size", "5", "--model", "convdeconv3", *QUICK]
SOKOBAN = ["--size", "7", "--model", "convdeconv3", *QUICK]


def only_run(path: Path) -> Path:
    (run,) = path.glob("*/*/seed-*")
    return run


def rows(run: Path) -> np.ndarray:
    return np.loadtxt(run / "ground_truth_loss.csv", delimiter=",", skiprows=1, ndmin=2)


def last_weights(run: Path, step: int) -> list[np.ndarray]:
    loaded = checkpoint.load(run / "tensorflow" / f"step_{step}.ckpt", "checkpoint")
    (weights,) = (each for name, each in loaded.items() if name in ("q_map", "goals"))
    return list(weights["online"].values())


def test_a_training_in_mazes_leaves_its_errors_pictures_and_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--model", "any-size", "--test-size", "9", "--steps", "64", "--path", str(tmp_path)]
    assert train_maze.main([*MAZE, *options]) == 0
    run = only_run(tmp_path)
    assert run.parent.parent.name == "maze-5"
    head = (run / "ground_truth_loss.csv").read_text().splitlines()[0]
    assert head == "steps,maze-5,maze-9"
    assert rows(run)[:, 0].tolist() == [0, 32, 64]
    names = {path.name for path in (run / "images").glob("*.png")}
    assert names == {f"step_{step}_maze-{size}.png" for step in (0, 32, 64) for size in (5, 9)}
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["transitions"] == 64
    assert list(evaluation["test_sets"]) == ["maze-5", "maze-9"]
    assert evaluation["test_sets"]["maze-5"]["worlds"] == 5
    assert evaluation["test_sets"]["maze-9"]["worlds"] == 1
    assert evaluation["test_sets"]["maze-5"]["bands"][0]["pairs"] > 0
    assert "arrived 1-15" in capsys.readouterr().out


@pytest.mark.parametrize("learner", ["all-goals", "mixed"])
def test_a_resumed_run_ends_as_one_that_was_never_stopped(tmp_path: Path, learner: str) -> None:
    options = [*SOKOBAN, "--deterministic", "--learner", learner, "--save-every", "16"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train_sokoban.main([*options, "--steps", "48", "--path", str(parts)]) == 0
    shutil.copytree(parts, whole)
    run = only_run(parts)
    # As if it had been killed after the snapshot at 32.
    (run / "snapshots" / "step_48.snapshot").unlink()
    assert train_sokoban.main(["--resume", str(run)]) == 0
    np.testing.assert_array_equal(rows(run), rows(only_run(whole)))
    for one, other in zip(last_weights(run, 48), last_weights(only_run(whole), 48), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("options", "shares"),
    [
        (["--lr", "0.01", "--last-lr", "0.001"], [1.0, 0.775, 0.55, 0.325]),
        ([], [1.0, 0.7625, 0.525, 0.2875]),
    ],
)
def test_the_learning_rate_falls_in_a_straight_line(
    tmp_path: Path, shares_used: list[float], options: list[str], shares: list[float]
) -> None:
    train_maze.main([*MAZE, *options, "--steps", "32", "--path", str(tmp_path)])
    assert shares_used == pytest.approx(shares)


@pytest.mark.usefixtures("eagerly")
def test_a_run_of_before_the_learning_rate_could_fall_goes_on_with_the_one_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_maze.main([*MAZE, "--steps", "8", "--path", str(tmp_path)])
    run = only_run(tmp_path)
    stored = json.loads((run / "config.json").read_text())
    stored["options"].pop("last_lr")
    stored["options"]["steps"] = 16
    (run / "config.json").write_text(json.dumps(stored))
    monkeypatch.setattr(ClippedAdam, "apply", lambda adam, _: used.append(float(adam.share)))
    used: list[float] = []
    train_maze.main(["--resume", str(run)])
    assert used == [1.0]


@pytest.mark.usefixtures("eagerly")
def test_all_learners_of_a_seed_see_the_same_transitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qmap.all_goals import training

    seen: dict[str, list[np.ndarray]] = {}
    original = training.sample
    for learner in ("all-goals", "mixed"):
        record = seen.setdefault(learner, [])

        def sample(*arguments, record=record):  # noqa: ANN002, ANN202
            walks = original(*arguments)
            record.append(walks.observations)
            return walks

        monkeypatch.setattr(training, "sample", sample)
        options = ["--learner", learner, "--steps", "24", "--path", str(tmp_path / learner)]
        assert train_maze.main([*MAZE, *options]) == 0
    first, *others = seen.values()
    assert len(first) == 3
    for other in others:
        np.testing.assert_array_equal(first, other)


@pytest.mark.usefixtures("eagerly")
def test_a_run_starts_from_the_networks_of_another_world(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert train_maze.main([*MAZE, "--steps", "8", "--path", str(first)]) == 0
    loaded = only_run(first) / "tensorflow" / "step_8.ckpt"
    options = ["--load", str(loaded), "--steps", "8", "--lr", "1e-30", "--path", str(second)]
    assert train_sokoban.main([*SOKOBAN, *options]) == 0
    weights = last_weights(only_run(second), 8)
    for one, other in zip(last_weights(only_run(first), 8), weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("eagerly")
def test_the_target_network_is_copied_as_published_without_its_soft_moves(tmp_path: Path) -> None:
    options = ["--soft-target", "0", "--target", "2", "--lr", "1e-2", "--path", str(tmp_path)]
    assert train_maze.main([*MAZE, "--steps", "24", *options]) == 0
    run = only_run(tmp_path)
    loaded = checkpoint.load(run / "tensorflow" / "step_24.ckpt", "checkpoint")["q_map"]
    pairs = list(zip(loaded["online"].values(), loaded["target"].values(), strict=True))
    # The last of three updates came after the copy.
    assert any((online != target).any() for online, target in pairs)
    assert "target-2" in run.parent.name


@pytest.mark.usefixtures("eagerly")
def test_boards_of_a_file_are_a_test_set_of_their_own(tmp_path: Path) -> None:
    boards = tmp_path / "set.txt"
    boards.write_text("######\n#@$ .#\n######\n\n#####\n#+$ #\n#   #\n#####\n")
    options = ["--boards", str(boards), "--steps", "8", "--path", str(tmp_path)]
    assert train_sokoban.main([*SOKOBAN, *options]) == 0
    evaluation = json.loads((only_run(tmp_path) / "evaluation.json").read_text())
    assert evaluation["test_sets"]["given"]["worlds"] == 2


def test_the_defaults_are_the_tuned_ones_and_the_published_ones_can_be_asked_for() -> None:
    tuned = learner_of(MazeConfig(size=5, model="convdeconv3"))
    assert tuned.picking is tuned.online
    published = learner_of(MazeConfig(size=5, model="convdeconv3", double_order="reference"))
    assert published.picking is published.target


@pytest.mark.parametrize(
    ("main", "options", "words"),
    [
        (train_maze.main, ["--size", "14"], "the size of a maze is 14, expected an odd number"),
        (train_maze.main, ["--size", "65"], "the size of a maze is 65"),
        (
            train_maze.main,
            ["--test-size", "21", "--model", "skip1"],
            "--test-size 21 takes a screen of 24 x 24, and --model skip1 sees 16 x 16",
        ),
        (train_maze.main, ["--test-size", "16"], "the size of a maze is 16"),
        (train_maze.main, ["--learner", "mixed"], "--learner mixed has no model value-iteration"),
        (train_sokoban.main, ["--size", "6"], "the size of a Sokoban board is 6"),
        (train_sokoban.main, ["--boxes", "5"], "there are 5 boxes, expected 1 to 4"),
        (train_sokoban.main, ["--boards", "nowhere"], "cannot read boards from nowhere"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_before_anything_is_written(
    tmp_path: Path, main, options: list[str], words: str
) -> None:
    with pytest.raises(UserError) as caught:
        main([*options, "--path", str(tmp_path / "results")])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "results").exists()


def test_boards_that_are_too_large_for_the_network_are_refused(tmp_path: Path) -> None:
    boards = tmp_path / "set.txt"
    boards.write_text("#" * 12 + "\n#@$.       #\n" + "#" * 12)
    with pytest.raises(UserError, match="boards of up to 12 x 12 cells, and --model skip1 sees 8"):
        SokobanConfig(size=8, model="skip1", boards=str(boards)).check()
    SokobanConfig(size=9, model="skip1", boards=str(boards)).check()
    SokobanConfig(size=8, boards=str(boards)).check()


def test_options_that_do_nothing_are_named() -> None:
    (remark,) = MazeConfig().remarks(["target", "lr"])
    assert "--target does nothing with --soft-target" in remark


def test_a_second_test_set_is_larger_where_the_network_takes_it() -> None:
    assert MazeConfig(model="skip1").second_size(21) is None
    assert MazeConfig().second_size(21) == 21
    assert MazeConfig(size=31).second_size(21) is None
    assert MazeConfig(test_size=31).second_size(21) == 31
    assert SokobanConfig(model="skip1").second_size(12) == 12
    assert SokobanConfig(model="skip1", size=7).second_size(12) is None
