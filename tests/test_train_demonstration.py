"""Trainings from a demonstration: they move the start back, resume, and refuse in one line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import run_folder
from corridor import COINS

from benchmarks.faults import differences
from qmap import record_demonstration, train_demonstration
from qmap.demonstration.actions_file import Step, read_actions, write_actions
from qmap.demonstration.rollouts import Rollouts
from qmap.demonstration.starts import Starts
from qmap.demonstration.trail import Trail, replay
from qmap.demonstration.training import Training
from qmap.demonstration.worlds import find_world
from qmap.envs.vector import Envs
from qmap.utils.errors import UserError
from qmap.utils.plot import main as plot

CORRIDOR = str(Path(__file__).parent / "corridor.py")
SMALL = ["--env", CORRIDOR, "--envs", "1", "--minibatches", "1", "--horizon", "32"]
SMALL += ["--units", "8", "--stack", "2", "--spread", "3", "--warm-up", "3", "--deterministic"]


@pytest.fixture
def demo(tmp_path: Path) -> str:
    path = tmp_path / "corridor.actions"
    write_actions(path, "corridor", [Step("RIGHT")] * 10)
    return str(path)


def test_the_start_gets_back_to_the_beginning(demo: str, tmp_path: Path) -> None:
    flags = [*SMALL, "--demo", demo, "--path", str(tmp_path / "results"), "--steps", "640"]
    flags += ["--back", "3", "--rollouts", "4", "--lr", "0.003"]
    assert train_demonstration.main(flags) == 0
    run = run_folder(tmp_path / "results")
    assert run.relative_to(tmp_path / "results").parts[:2] == ("corridor", "demonstration")
    log = pd.read_csv(run / "demonstration.csv")
    assert log["start"].iloc[-1] == 0
    assert log["start"].is_monotonic_decreasing
    assert log["success from part 1 of 10"].iloc[-1] > 0.1
    score = pd.read_csv(run / "score.csv")
    assert score["undiscounted return"].max() == 2 * len(COINS)
    assert len(pd.read_csv(run / "completed.csv"))
    assert list((run / "videos").glob("*_as-well.mp4"))
    plot(["--path", str(tmp_path / "results"), "--format", "png"])
    assert (tmp_path / "results" / "corridor" / "demonstration.png").stat().st_size > 10_000


class Death(Exception):
    """Ends a run in this process as suddenly as a signal would."""


@pytest.mark.parametrize(
    "copies", [[], ["--envs", "4", "--horizon", "8", "--sequence", "4", "--minibatches", "2"]]
)
def test_a_run_that_died_goes_on_as_if_nothing_had_happened(
    copies: list[str], demo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = [*SMALL, *copies, "--demo", demo, "--steps", "320", "--save-every", "100"]
    flags += ["--no-videos"]
    flags += ["--keep-moments"]
    assert train_demonstration.main([*flags, "--path", str(tmp_path / "whole")]) == 0
    step = Training.step

    def step_or_die(training: Training) -> None:
        step(training)
        if training.run.step >= 256:
            raise Death

    with monkeypatch.context() as context:
        context.setattr(Training, "step", step_or_die)
        with pytest.raises(Death):
            train_demonstration.main([*flags, "--path", str(tmp_path / "other")])
    Path(demo).unlink()  # the run has its own
    run = run_folder(tmp_path / "other")
    assert train_demonstration.main(["--resume", str(run)]) == 0
    whole = run_folder(tmp_path / "whole")
    assert differences(whole, run) == []
    for name in ("demonstration.csv", "score.csv"):
        assert (whole / name).read_bytes() == (run / name).read_bytes()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--demo", "x.actions"], "--env is missing"),
        (["--env", CORRIDOR], "--demo is missing.*qmap.record_demonstration"),
        (["--env", CORRIDOR, "--demo", "x.actions"], "cannot read x.actions"),
        (["--env", "none.py", "--demo", "x.actions"], "there is no file none.py"),
        (["--env", "foxglove:7.1", "--demo", "x.actions"], "has no level '7.1'"),
        (
            ["--env", CORRIDOR, "--demo", "x", "--minibatches", "3"],
            "--minibatches 3 does not divide the 32 sequences of --sequence 32 steps",
        ),
        (
            ["--env", CORRIDOR, "--demo", "x", "--sequence", "24"],
            "--sequence 24 does not divide --horizon 128",
        ),
    ],
)
def test_what_is_missing_or_does_not_fit_is_refused_in_one_line(
    flags: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        train_demonstration.main(flags)
    assert "\n" not in str(error.value)


def test_a_demonstration_of_another_world_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "demo.actions"
    write_actions(path, "montezuma", [Step("RIGHT")])
    flags = ["--demo", str(path), "--path", str(tmp_path / "results")]
    with pytest.raises(UserError, match="is a demonstration of montezuma, expected one of corr"):
        train_demonstration.main([*SMALL, *flags])
    assert not (tmp_path / "results").exists()


class Script:
    """A policy that does what it is told, and remembers how often it was asked."""

    network = SimpleNamespace(units=1)

    def __init__(self, actions: list[int]) -> None:
        self.actions = iter(actions)

    def act(self, observations: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, ...]:
        logs = np.full((1, 3), -1e9, np.float32)
        logs[0, next(self.actions, 1)] = 0.0
        return logs, np.full(1, 7.0, np.float32), memory + 1

    def remember(self, observations: np.ndarray, count: int) -> np.ndarray:
        return np.full(1, 100.0 * count)


class Unseen:
    """Nobody watches."""

    looks = False

    def start(self, rollout: Any) -> None:
        pass

    def end(self, rollout: Any) -> None:
        pass

    def state(self) -> None:
        pass

    def restore(self, state: None) -> None:
        pass


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Trail:
    path = tmp_path_factory.mktemp("demo") / "corridor.actions"
    write_actions(path, "corridor", [Step("RIGHT")] * 10)
    return replay(read_actions(path), find_world(CORRIDOR), 60.0)


def rollouts_with(trail: Trail, actions: list[int], start: int, **options: Any) -> Rollouts:
    starts = Starts(
        len(trail),
        1,
        spread=0,
        own=1.0,
        threshold=1.0,
        rollouts=100,
        back=1,
        generator=np.random.default_rng(0),
    )
    starts.start = start
    defaults = {"stack": 2, "gamma": 0.5, "trace": 0.0, "signs": True, "lag": 3, "warm_up": 4}
    rollouts = Rollouts(
        Envs(find_world(CORRIDOR).make_env, 1, seeds=[0], timeout=60.0),
        trail,
        starts,
        Script(actions),
        np.random.default_rng(0),
        **{**defaults, **options},
        watching=Unseen(),
    )
    rollouts.begin()
    return rollouts


LEFT, NOOP, RIGHT = range(3)


def test_a_rollout_that_scores_as_well_has_succeeded(trail: Trail) -> None:
    rollouts = rollouts_with(trail, [NOOP, RIGHT, RIGHT, RIGHT, RIGHT], start=7)
    sequences, ended = rollouts.collect(5)
    (rollout,) = ended
    assert (rollout.start, rollout.length, rollout.success, rollout.completed) == (7, 4, True, True)
    assert rollout.undiscounted_return == 2.0
    assert rollout.discounted_return == 0.5**3 * 2.0
    # The memory of four steps before the start, and nothing of the rollout before.
    assert sequences.begins[:, 0].tolist() == [True, False, False, False, True]
    assert sequences.memory[:, 0, 0].tolist() == [400.0, 401.0, 402.0, 403.0, 400.0]
    assert np.array_equal(sequences.observations[4], sequences.observations[0])
    expected = np.concatenate([trail.frames[6], trail.frames[7]], axis=-1)
    assert np.array_equal(sequences.observations[0, 0], expected)


def test_what_is_remembered_at_a_start_is_computed_once_for_all_rollouts_of_the_same_weights(
    trail: Trail,
) -> None:
    rollouts = rollouts_with(trail, [RIGHT] * 20, start=9)
    asked = []
    rollouts.ppo.remember = lambda seen, count: asked.append(count) or np.full(1, 100.0 * count)
    for times in (1, 2):
        sequences, ended = rollouts.collect(4)
        assert len(ended) == 4
        assert asked == [4] * times
        assert sequences.memory[1:, 0, 0].tolist() == [400.0] * 3


def test_a_level_that_was_completed_before_the_end_of_the_rollout_counts(trail: Trail) -> None:
    rollouts = rollouts_with(trail, [NOOP, NOOP, RIGHT, RIGHT], start=8)
    step = rollouts.envs.step

    def step_that_completes_something_first(actions: np.ndarray) -> Any:
        completes = np.array([rollouts.under_way[0].length == 1])
        found = step(actions)
        return found._replace(view=found.view._replace(completed=completes))

    rollouts.envs.step = step_that_completes_something_first
    _, (rollout,) = rollouts.collect(4)
    assert (rollout.length, rollout.completed) == (4, True)


def test_a_rollout_that_falls_behind_ends(trail: Trail) -> None:
    # From before the third action, with the coin of which it begins; the lag is 3 steps.
    _, ended = rollouts_with(trail, [NOOP] * 4, start=2).collect(4)
    (rollout,) = ended
    assert (rollout.length, rollout.success) == (4, False)
    _, ended = rollouts_with(trail, [NOOP, NOOP, NOOP, RIGHT, NOOP], start=2).collect(5)
    assert not ended


def test_a_rollout_may_lack_the_deficit(trail: Trail) -> None:
    # Two coins are left, of 2 each, the first of them in the second step; the lag is 3.
    for deficit, lengths in ((0.0, [5]), (1.9, [5]), (2.0, [])):
        _, ended = rollouts_with(trail, [NOOP] * 6, start=5, deficit=deficit).collect(6)
        assert [rollout.length for rollout in ended] == lengths
        assert not any(rollout.success for rollout in ended)
    (rollout,) = rollouts_with(trail, [RIGHT] * 3, start=5, deficit=2.0).collect(3)[1]
    assert (rollout.undiscounted_return, rollout.success) == (2.0, True)


def test_a_deficit_of_all_that_is_left_to_get_is_refused_before_anything_is_written(
    demo: str, tmp_path: Path
) -> None:
    flags = [*SMALL, "--demo", demo, "--path", str(tmp_path / "results"), "--deficit"]
    with pytest.raises(UserError, match="--deficit 2: expected less than 2, the least"):
        train_demonstration.main([*flags, "2"])
    assert not (tmp_path / "results").exists()


def test_it_learns_from_the_signs_of_rewards_or_from_their_shares_of_the_largest(
    trail: Trail,
) -> None:
    halves = dataclasses.replace(trail, rewards=2 * trail.rewards)  # it got twice as much
    for played, signs, coin in ((halves, True, 1.0), (halves, False, 0.5), (trail, False, 1.0)):
        rollouts = rollouts_with(played, [NOOP, RIGHT, RIGHT], start=2, signs=signs)
        sequences, _ = rollouts.collect(3)
        # With a trace of 0, the target is the reward and half of the next value, 7.
        assert sequences.returns[:, 0] == pytest.approx([3.5, coin + 3.5, 3.5])


def test_after_an_end_nothing_follows_and_after_a_limit_what_would_have(trail: Trail) -> None:
    sequences, _ = rollouts_with(trail, [RIGHT, RIGHT], start=9).collect(2)
    assert sequences.returns[:, 0] == pytest.approx([1.0, 1.0])
    rollouts = rollouts_with(trail, [NOOP, NOOP], start=3, lag=1000)
    rollouts.envs._copy.env.unwrapped.steps = 198
    sequences, ended = rollouts.collect(3)
    assert sequences.returns[:, 0] == pytest.approx([3.5, 3.5, 3.5])
    assert [rollout.length for rollout in ended] == [2]


def test_a_demonstration_that_ends_with_a_loss_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    world = tmp_path / "toll.py"
    world.write_text(
        "from corridor import Corridor\n\n\nclass Toll(Corridor):\n"
        "    def step(self, action):\n"
        "        frame, reward, *rest = super().step(action)\n"
        "        return frame, reward - 3.0 * (self.cell == 9), *rest\n\n\n"
        "def make(render_mode=None):\n    return Toll(render_mode)\n"
    )
    demo = tmp_path / "toll.actions"
    demo.write_text("RIGHT*8\n")
    flags = [*SMALL, "--env", str(world), "--demo", str(demo), "--deficit", "1"]
    with pytest.raises(UserError, match="gets -1 from action 4 on.*end it after action 7, where"):
        train_demonstration.main([*flags, "--path", str(tmp_path / "results")])
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("flag", ["--horizon", "--warm-up"])
def test_more_steps_than_the_memory_holds_are_refused_before_anything_is_written(
    flag: str, demo: str, tmp_path: Path
) -> None:
    flags = [*SMALL, "--demo", demo, "--path", str(tmp_path / "results"), flag, "1e11"]
    with pytest.raises(UserError, match=f"{flag} 100,000,000,000 needs .* GB .*: {flag} .* fits"):
        train_demonstration.main(flags)
    assert not (tmp_path / "results").exists()


def test_a_run_goes_on_with_the_options_of_its_world(tmp_path: Path) -> None:
    demo = tmp_path / "corridor.actions"
    write_actions(demo, "corridor", [Step("NOOP"), *[Step("RIGHT")] * 10])
    options = ["--actions", "RIGHT;NOOP", "--crop", "2", "2", "0", "0"]
    flags = [*SMALL, "--demo", str(demo), "--steps", "64", "--no-videos", *options]
    assert train_demonstration.main([*flags, "--stop-at", "32", "--path", str(tmp_path)]) == 0
    run = run_folder(tmp_path)
    resumed = ["--resume", str(run), "--stop-at", "64"]
    with pytest.raises(
        UserError, match="--actions RIGHT contradicts the run, which has RIGHT;NOOP"
    ):
        train_demonstration.main([*resumed, "--actions", "RIGHT"])
    with pytest.raises(UserError, match="--crop 1 1 0 0 contradicts the run"):
        train_demonstration.main([*resumed, "--crop", "1", "1", "0", "0"])
    assert train_demonstration.main(resumed) == 0


def test_a_run_that_began_before_its_world_had_options_goes_on(demo: str, tmp_path: Path) -> None:
    flags = [*SMALL, "--demo", demo, "--steps", "64", "--no-videos", "--path", str(tmp_path)]
    assert train_demonstration.main([*flags, "--stop-at", "32"]) == 0
    run = run_folder(tmp_path)
    config = json.loads((run / "config.json").read_text())
    for name in ("actions", "color", "crop", "resize", "frame_size", "edges", "game_dir", "state"):
        del config["options"][name]
    for name in ("row", "col", "window", "rom"):
        del config["options"][name]
    (run / "config.json").write_text(json.dumps(config))
    assert train_demonstration.main(["--resume", str(run), "--stop-at", "64"]) == 0


@pytest.mark.parametrize("main", [train_demonstration.main, record_demonstration.main])
def test_without_a_rom_one_line_says_what_to_do(
    main: Callable[[list[str]], int | None], tmp_path: Path
) -> None:
    if (Path(__file__).parents[1] / "SuperMarioAllStars-Snes" / "rom.sfc").exists():
        pytest.skip("the ROM is there")
    flags = ["--env", "super_mario:1.1", "--demo", "x.actions"]
    if main is record_demonstration.main:
        flags += ["--output", str(tmp_path / "y.actions")]
    with pytest.raises(UserError, match="rom.sfc, or give it as --rom FILE, and record") as error:
        main(flags)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="no ROM at mine.sfc; --rom gives the file of Super Mario"):
        main([*flags, "--rom", "mine.sfc"])
