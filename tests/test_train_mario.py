"""Training on a side-scrolling game from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import eager, run_folder

from qmap import train_mario
from qmap.experiment import Bests, Episode
from qmap.utils.errors import UserError

SHORT = ["--game", "foxglove", "--steps", "130", "--learning-starts", "50", "--batch", "2"]


@pytest.mark.usefixtures("small_networks")
def test_the_free_game_trains_without_further_set_up_and_its_network_moves_on_to_another_level(
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    flags = [*SHORT, "--replay", "1000"]
    assert train_mario.main([*flags, "--path", str(first)]) == 0
    run = run_folder(first)
    assert run.parts[-3:-1] == ("foxglove_1.1", "q-map+dqn")
    assert len(pd.read_csv(run / "exploration.csv")) == 1
    visits = np.load(run / "coords" / "step_130.npy", allow_pickle=False)
    assert visits[:, 3].sum() >= 131
    checkpoint = str(run / "tensorflow" / "step_130.ckpt")
    flags += ["--level", "2.1", "--load", checkpoint, "--no-videos", "--path", str(second)]
    with eager():
        assert train_mario.main([*flags, "--steps", "60"]) == 0
    assert run_folder(second).parts[-3] == "foxglove_2.1"


def test_without_a_rom_one_line_says_what_to_do(tmp_path: Path) -> None:
    game = Path(__file__).parents[1] / "SuperMarioAllStars-Snes"
    if (game / "rom.sfc").exists():
        pytest.skip("the ROM is there")
    with pytest.raises(UserError) as refusal:
        train_mario.main(["--path", str(tmp_path)])
    (line,) = str(refusal.value).splitlines()
    assert "rom.sfc, or give it as --rom FILE" in line
    assert "python -m qmap.envs.record_levels" in line
    assert "the free game, foxglove" in line
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_an_unknown_level_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"1\.1.*2\.2"):
        train_mario.main(["--game", "foxglove", "--level", "9.9", "--path", str(tmp_path)])


@pytest.mark.parametrize(
    ("score", "distance", "worth"),
    [(10, 100, False), (11, 100, True), (10, 101, True), (9, 99, False)],
)
def test_a_video_is_kept_for_a_new_best_score_or_distance(
    score: float, distance: int, worth: bool
) -> None:
    episode = Episode(60, undiscounted_return=score, distance=distance)
    assert train_mario.is_best(episode, Bests(10.0, 100)) is worth
