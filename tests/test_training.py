"""A real, short training run from the command line, and everything it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import gymnasium
import imageio.v3 as imageio
import numpy as np
import pandas as pd
import pytest
from conftest import run_folder

from qmap import train_environment, train_montezuma
from qmap.envs.montezuma import MontezumaEnv
from qmap.envs.wrappers import GoalGrid
from qmap.utils.errors import UserError
from qmap.utils.level_pictures import load_pictures

SHORT = ["--steps", "240", "--learning-starts", "50", "--batch", "4", "--replay", "2000"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run in a process of its own, as a user would start it."""
    results = tmp_path_factory.mktemp("results")
    command = [sys.executable, "-m", "qmap.train_montezuma", "--path", str(results)]
    command += [*SHORT, "--seed", "4", "--checkpoint-every", "100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert str(results) in done.stderr, "the terminal says where the results go"
    return run_folder(results)


def test_the_run_is_in_a_folder_named_after_what_was_run(trained: Path) -> None:
    assert trained.parts[-3:-1] == ("montezuma", "q-map+dqn")
    assert trained.name.startswith("seed-4_20")
    config = json.loads((trained / "config.json").read_text())
    assert config["program"] == "qmap.train_montezuma"
    assert config["options"]["steps"] == 240
    assert config["options"]["qmap_gamma"] == 0.9


def test_the_scores_are_one_line_an_episode(trained: Path) -> None:
    score = pd.read_csv(trained / "score.csv")
    assert list(score) == ["steps", "undiscounted return", "discounted return", "episode length"]
    assert len(score) >= 1
    assert score.steps.iloc[0] == score["episode length"].iloc[0]
    assert (score.steps.diff().dropna() == score["episode length"].iloc[1:]).all()


def test_the_exploration_is_one_line_every_hundred_steps(trained: Path) -> None:
    exploration = pd.read_csv(trained / "exploration.csv")
    assert list(exploration.steps) == [100, 200]
    shares = exploration[["random actions", "goal actions", "greedy actions"]].sum(axis=1)
    np.testing.assert_allclose(shares, 1.0, atol=1e-6)
    np.testing.assert_allclose(
        exploration["planned exploration"], 1 - 0.95 * exploration.steps / 240, atol=1e-6
    )


def test_checkpoints_and_snapshots_are_named_after_their_steps(trained: Path) -> None:
    checkpoints = {path.name for path in (trained / "tensorflow").iterdir()}
    assert checkpoints == {"step_100.ckpt", "step_200.ckpt", "step_240.ckpt"}
    assert [path.name for path in (trained / "snapshots").iterdir()] == ["step_240.snapshot"]


def test_the_first_episodes_are_videos_that_can_be_read(trained: Path) -> None:
    score = pd.read_csv(trained / "score.csv")
    videos = sorted((trained / "videos").glob("*.mp4"))
    assert len(videos) == len(score)
    frames = imageio.imread(videos[0])
    assert len(frames) == score["episode length"].iloc[0]
    assert frames.std() > 10, "something is drawn"


def test_the_visits_count_every_step(trained: Path) -> None:
    score = pd.read_csv(trained / "score.csv")
    for name in ("visits", "coords"):
        visits = np.load(trained / name / "step_240.npy", allow_pickle=False)
        # Every step shows one more place, and so does the start of every episode.
        assert visits[:, 3].sum() == 240 + len(score) + 1
    assert (trained / "images" / "room_1.png").is_file()


def test_a_checkpoint_is_where_another_run_starts(trained: Path, tmp_path: Path) -> None:
    checkpoint = str(trained / "tensorflow" / "step_240.ckpt")
    arguments = ["--load", checkpoint, "--path", str(tmp_path), "--steps", "20", "--no-videos"]
    assert train_montezuma.main(arguments) == 0
    loaded = (run_folder(tmp_path) / "tensorflow" / "step_20.ckpt").read_bytes()
    # Nothing is trained in 20 steps: the weights and the optimizers are still the same.
    assert loaded == Path(checkpoint).read_bytes()


@pytest.mark.usefixtures("eagerly", "small_networks")
@pytest.mark.parametrize(
    ("flags", "agent"),
    [
        (["--no-dqn"], "q-map"),
        (["--no-qmap"], "dqn"),
        (["--no-dqn", "--no-qmap"], "random"),
    ],
)
def test_either_learner_can_be_left_out(flags: list[str], agent: str, tmp_path: Path) -> None:
    arguments = ["--path", str(tmp_path), "--steps", "104", "--learning-starts", "90"]
    arguments += ["--batch", "2", "--replay", "1000", "--no-videos", *flags]
    assert train_montezuma.main(arguments) == 0
    run = run_folder(tmp_path)
    assert run.parent.name == agent
    exploration = pd.read_csv(run / "exploration.csv")
    if agent == "random":
        assert (exploration["random actions"] == 1.0).all()


@pytest.mark.parametrize("envs", ["1", "2"])
def test_without_videos_rooms_are_still_pictured(envs: str, tmp_path: Path) -> None:
    arguments = ["--path", str(tmp_path), "--steps", "60", "--no-dqn", "--no-qmap"]
    assert train_montezuma.main([*arguments, "--no-videos", "--envs", envs]) == 0
    picture = load_pictures(run_folder(tmp_path) / "images")[1].pixels
    env = MontezumaEnv("rgb_array")
    env.reset()
    assert (picture[..., :3] == env.render()).all(axis=-1).mean() > 0.95
    assert (picture[..., 3] == 255).all()


def test_a_checkpoint_of_other_networks_is_refused_in_one_line(
    trained: Path, tmp_path: Path
) -> None:
    checkpoint = str(trained / "tensorflow" / "step_240.ckpt")
    with pytest.raises(UserError, match="does not fit") as refusal:
        train_montezuma.main(["--load", checkpoint, "--path", str(tmp_path), "--stack", "2"])
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == [], "nothing is written"


def test_goals_must_be_in_order(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--min-goal"):
        train_montezuma.main(["--min-goal", "31", "--path", str(tmp_path)])


def test_results_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        train_montezuma.main(["--path", str(tmp_path / "file"), "--steps", "5"])


def frozen_lake(**options: object) -> gymnasium.Env:
    """Frozen Lake of 8 x 8 tiles, as an environment for Q-map."""
    env = gymnasium.make("FrozenLake-v1", map_name="8x8", **options)
    return GoalGrid(env, (8, 8), lambda env, observation, info: divmod(int(observation), 8))


@pytest.mark.usefixtures("eagerly", "small_networks")
def test_anybodys_environment_can_be_trained_on(tmp_path: Path) -> None:
    gymnasium.register("test/Lake-v0", entry_point=frozen_lake)
    arguments = ["--env", "test/Lake-v0", "--path", str(tmp_path), "--steps", "60", "--batch", "4"]
    arguments += ["--learning-starts", "20", "--replay", "2000"]
    assert train_environment.main(arguments) == 0
    visits = np.load(run_folder(tmp_path) / "coords" / "step_60.npy", allow_pickle=False)
    assert visits[:, 1:3].min() >= 0
    assert visits[:, 1:3].max() <= 7


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("CartPole-v1", "has no coordinates"),
        ("NoSuchThing-v0", "cannot make the environment"),
        ("no_such_package:Thing-v0", "cannot make the environment"),
    ],
)
def test_an_environment_that_cannot_be_used_is_named_in_one_line(
    env_id: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message) as refusal:
        train_environment.main(["--env", env_id, "--path", str(tmp_path)])
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == [], "nothing is written"
