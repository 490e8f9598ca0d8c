"""Runs of the first version go on with what their snapshots hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import pytest
from conftest import run_folder
from gymnasium import wrappers
from test_resume import RANDOM, assert_same, die_at

from qmap import train_montezuma
from qmap.config import TrainingConfig
from qmap.earlier_runs import as_of_today, is_earlier
from qmap.envs import saving
from qmap.gridworld.config import GridWorldConfig
from qmap.utils import snapshots, streams


def as_it_was(tree: dict[str, Any]) -> dict[str, Any]:
    """Lay a snapshot of today out as the first version did."""
    agent = {**tree["agent"], "generator": tree["agent"]["generators"]["acting"]}
    for name in ("generators", "means"):
        del agent[name]
    for policy in agent["policies"].values():
        del policy["expected"]
    episodes = tree["episodes"]
    for episode in episodes["under_way"]:
        del episode["completed"]
    worlds = {
        name: {
            "env": saving.unpack(copy["world"]),
            "generator": copy["streams"]["0"]["_np_random"]["generator"],
            "elapsed": [],
        }
        for name, copy in tree["envs"].items()
    }
    return {
        "agent": agent,
        "envs": worlds,
        "episodes": episodes["under_way"],
        "bests": episodes["bests"],
        "last_score": episodes["last_return"],
        "maps": tree["maps"],
    }


def test_a_run_of_the_first_version_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train_montezuma.main([*RANDOM, "--path", str(tmp_path / "whole")]) == 0
    flags = [*RANDOM, "--path", str(tmp_path / "other")]
    die_at(monkeypatch, 301, lambda: train_montezuma.main(flags))
    run = run_folder(tmp_path / "other")
    folder = run / "snapshots"
    snapshots.save(folder, 300, as_it_was(snapshots.load_latest(folder)))
    # The headers had underscores then, and no one counted how long actions were kept.
    score = run / "score.csv"
    header, rows = score.read_text().split("\n", 1)
    score.write_text("\n".join([header.replace(" ", "_"), rows]))
    assert train_montezuma.main(["--resume", str(run)]) == 0
    score.write_text(score.read_text().replace("_", " "))
    for path in (run, run_folder(tmp_path / "whole")):
        (path / "kept_actions.csv").unlink()
    assert_same(run_folder(tmp_path / "whole"), run)


def test_the_grid_worlds_too() -> None:
    tree = {"progress": {"updates": 7, "losses": {}}, "generator": {}, "weights": {}}
    assert is_earlier(tree)
    assert as_of_today(tree, GridWorldConfig(batch=32)) == {"step": 224, "learning": tree}


def test_so_do_their_limits_of_time() -> None:
    env = wrappers.TimeLimit(wrappers.TimeLimit(gymnasium.make("CartPole-v1"), 9), 8)
    env.reset(seed=0)
    saving.restore_wrappers(env, {saving.TIME_LIMITS: [3, 4, 5]})
    assert (env._elapsed_steps, env.env._elapsed_steps) == (3, 4)
    assert env.env.env._elapsed_steps == 5


def test_a_copy_that_could_not_be_saved_has_a_seed_alone() -> None:
    agent = {"step": 9, "generator": {}, "policies": {}}
    tree = {"agent": agent, "envs": {"00": None}, "episodes": [{}], "bests": {}, "maps": {}}
    assert is_earlier(tree)
    worlds = as_of_today({**tree, "last_score": 0.0}, TrainingConfig(seed=3))["envs"]
    assert worlds == {"00": {"seed": streams.number(3, "environments", 0)}}
