"""Worlds in which something goes wrong while an agent is trained in them."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
import pytest
from conftest import run_folder

from qmap import train_environment
from qmap.envs.wrappers import GoalGrid
from qmap.utils import command_line, snapshots
from qmap.utils.errors import UserError

RANDOM = ["--no-dqn", "--no-qmap", "--no-videos", "--steps", "120", "--save-every", "50"]
TROUBLE_AT = 73


class Dot(gymnasium.Env):
    """A dot on a grid of 8 x 8, whose 73rd step goes wrong in every process, once."""

    metadata = {"render_modes": ["rgb_array"]}
    action_space = gymnasium.spaces.Discrete(4)
    observation_space = gymnasium.spaces.Box(0, 8, (2,), np.int64)
    trouble = True
    steps = 0

    def __init__(self, kind: str, render_mode: str | None = None) -> None:
        self.kind = kind
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple:
        super().reset(seed=seed)
        if self.kind == "start":
            raise OSError("no level to begin with")
        self.place, self.length = np.array((4, 4)), 0
        return self.place, {}

    def step(self, action: int) -> tuple:
        Dot.steps += 1
        self.length += 1
        move = ((-1, 0), (0, -1), (0, 1), (1, 0))[action]
        self.place = np.clip(self.place + move, 0, 7)
        reward = 1.0
        if Dot.trouble and Dot.steps == TROUBLE_AT:
            if self.kind == "raises":
                raise ValueError("simulation became unstable")
            if self.kind == "stops":
                raise KeyboardInterrupt
            reward = {"nan": float("nan"), "huge": 1e39, "none": None}[self.kind]
        return self.place, reward, self.length == 20, False, {"distance": "far", "room": "kitchen"}

    def render(self) -> np.ndarray:
        screen = np.zeros((64, 64, 3), np.uint8)
        row, col = 8 * self.place
        screen[row : row + 8, col : col + 8] = 255
        return screen


def make(kind: str, render_mode: str | None = None) -> gymnasium.Env:
    return GoalGrid(Dot(kind, render_mode), (8, 8), lambda env, place, info: place)


for each in ("raises", "stops", "nan", "huge", "none", "start"):
    gymnasium.register(f"trouble/{each}-v0", make, kwargs={"kind": each})


@pytest.fixture(autouse=True)
def _in_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dot, "trouble", True)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("raises", "raised ValueError: simulation became unstable"),
        ("stops", "the world raised KeyboardInterrupt"),
        ("nan", "reward is nan"),
        ("huge", "reward is 1e\\+39"),
        ("none", "reward is None"),
    ],
)
def test_a_world_in_trouble_costs_its_episode_and_not_the_run(
    kind: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The contract's check, in an instance apart, has taken its steps by then.
    monkeypatch.setattr(Dot, "steps", 0)
    with pytest.raises(UserError, match=told) as error:
        train_environment.main(["--env", f"trouble/{kind}-v0", *RANDOM, "--path", str(tmp_path)])
    message, run = str(error.value), run_folder(tmp_path)
    assert "\n" not in message
    assert f"go on with: python -m qmap.train_environment --resume {run}" in message
    assert ("simulation became unstable" in error.value.traceback) == (kind == "raises")
    saved = max(snapshots.steps(run / "snapshots"))
    assert saved > 50, "more than the last snapshot that was due"
    monkeypatch.setattr(Dot, "trouble", False)
    assert train_environment.main(["--resume", str(run)]) == 0
    exploration = pd.read_csv(run / "exploration.csv")
    assert list(exploration.steps) == [100]
    score = pd.read_csv(run / "score.csv")
    assert (score["undiscounted return"] == score["episode length"]).all(), "nothing was made up"


def test_a_world_that_cannot_begin_is_told_in_one_line_below_its_own_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--env", "trouble/start-v0", *RANDOM, "--path", str(tmp_path)]
    with pytest.raises(SystemExit) as exit_status:
        command_line.run(lambda: train_environment.main(flags))
    assert exit_status.value.code == 2
    *trace, error = capsys.readouterr().err.splitlines()
    assert error == "error: the environment raised OSError: no level to begin with"
    assert trace[-1] == "OSError: no level to begin with"
    assert "Traceback (most recent call last):" in trace
    assert not list(tmp_path.iterdir())
