"""The figure of learned and true Q-frames: drawn from a checkpoint, refusing what is not one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from qmap.envs.gridworld_level import load_level
from qmap.gridworld.config import GridWorldConfig
from qmap.gridworld.figure import main, spread
from qmap.gridworld.training import make_learner
from qmap.utils import checkpoint
from qmap.utils.errors import UserError


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = GridWorldConfig(model="convdeconv3", dueling=False)
    path = tmp_path_factory.mktemp("tensorflow") / "step_1.ckpt"
    weights = make_learner(config).weights()
    checkpoint.save(path, "checkpoint", {"q_map": weights, "config": dataclasses.asdict(config)})
    return path


def test_the_figure_is_drawn_from_a_checkpoint_with_its_own_settings(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    widths = []
    for positions in ("1", "3"):
        output = tmp_path / f"{positions}.png"
        flags = ["--positions", positions, "--levels", "level3", "level1"]
        assert main(["--load", str(stored), "--output", str(output), *flags]) == 0
        picture = cv2.imread(str(output))
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
        widths.append(picture.shape[1])
        assert str(output) in capsys.readouterr().out
    assert widths[1] > 2 * widths[0]


def test_its_positions_are_spread_over_the_level_beyond_the_columns_of_training() -> None:
    level = load_level("level1")
    cols = level.positions[spread(level, 10), 1]
    assert (cols > 30).all()
    assert (np.diff(cols) > 20).all()


def test_what_is_no_checkpoint_of_the_grid_world_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "step_1.ckpt"
    checkpoint.save(path, "checkpoint", {"dqn": {"online": np.zeros(3)}})
    for flags, words in (
        ([], "--load is missing"),
        (["--load", str(tmp_path / "none.ckpt")], "there is no checkpoint"),
        (["--load", str(path)], "expected a checkpoint that qmap.train_gridworld wrote"),
    ):
        with pytest.raises(UserError, match=words):
            main([*flags, "--output", str(tmp_path / "figure.png")])
    assert not (tmp_path / "figure.png").exists()


def test_a_figure_that_cannot_be_written_is_an_error_of_one_line(
    stored: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="cannot write"):
        main(["--load", str(stored), "--output", str(tmp_path / "no" / "folder.png")])
