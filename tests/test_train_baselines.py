"""Baselines in the real training: from the command line to what they leave behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import run_folder

from qmap import train_montezuma
from qmap.baselines.kept_actions import load_kept_actions
from qmap.envs.montezuma import MontezumaEnv

BASELINE = ["--no-dqn", "--no-qmap", "--no-videos", "--steps", "600"]


def run_of(results: Path, *flags: str) -> Path:
    """The folder of a run, which is made."""
    assert train_montezuma.main([*BASELINE, "--path", str(results), *flags]) == 0
    return run_folder(results)


def actions_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The actions that the game is given from now on; None where an episode begins."""
    actions: list[int | None] = []
    reset, step = MontezumaEnv.reset, MontezumaEnv.step
    monkeypatch.setattr(
        MontezumaEnv, "reset", lambda self, **given: (actions.append(None), reset(self, **given))[1]
    )
    monkeypatch.setattr(
        MontezumaEnv,
        "step",
        lambda self, action: (actions.append(int(action)), step(self, action))[1],
    )
    return actions


def lengths_of(actions: list[int | None]) -> dict[int, int]:
    """How many actions were kept for how many steps, without the last, which may go on."""
    counts: dict[int, int] = {}
    length = 1
    for before, action in zip(actions[:-1], actions[1:], strict=True):
        if action == before:
            length += 1
        else:
            if before is not None:
                counts[length] = counts.get(length, 0) + 1
            length = 1
    return counts


def test_random_actions_are_repeated_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions = actions_of(monkeypatch)
    run = run_of(tmp_path, "--repeat", "7")
    assert run.parent.name == "repeat-7"
    played = actions[-(600 + actions[::-1][:600].count(None)) :]
    counted = dict(load_kept_actions(run).tolist())
    assert counted == lengths_of(played)
    assert sum(count for length, count in counted.items() if length % 7 == 0) > 20


def test_actions_are_kept_as_long_as_in_another_run(tmp_path: Path) -> None:
    (tmp_path / "kept_actions.csv").write_text("steps,actions\n9,1\n")
    run = run_of(tmp_path / "like", "--repeat-like", str(tmp_path))
    assert run.parent.name == "repeat-like"
    lengths, counts = load_kept_actions(run).T
    assert lengths[-1] == 9, "an action is followed by another one"
    assert counts[-1] > 0.8 * counts.sum(), "the ends of episodes cut off the others"


@pytest.mark.parametrize("flags", [["--jerk", "--sticky", "0.25"], ["--repeat", "2", "8"]])
def test_a_baseline_that_is_stopped_and_resumed_goes_on_as_if_nothing_had_happened(
    flags: list[str], tmp_path: Path
) -> None:
    whole = run_of(tmp_path / "whole", *flags)
    run = run_of(tmp_path / "stopped", *flags, "--stop-at", "370")
    assert train_montezuma.main(["--resume", str(run), "--stop-at", "600"]) == 0
    for name in ("score.csv", "kept_actions.csv", "coords/step_600.npy"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()


def test_sticky_actions_reach_the_game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    actions = actions_of(monkeypatch)
    run_of(tmp_path, "--sticky", "0.75")
    lengths, counts = np.array(sorted(lengths_of(actions).items())).T
    # Of 7 actions the same one is drawn again once in 7 times: 1 / (0.25 * 6 / 7) steps.
    assert lengths @ counts / counts.sum() == pytest.approx(14 / 3, rel=0.3)
