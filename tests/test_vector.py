"""Copies of an environment: what they show, how they fail, how they go on, and that they end."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import psutil
import pytest
from gymnasium import wrappers

from qmap.envs.contract import EnvironmentFailure
from qmap.envs.vector import Envs, Step, View, warn_of_losses
from qmap.utils import checkpoint
from qmap.utils.errors import UserError

N_SIDES = 4


class Dice(gymnasium.Env):
    """A world whose future is in its generator alone; `trouble` changes what a step returns."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    observation_space = gymnasium.spaces.Box(0, 255, (8, 8, 1), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)
    coords_shape = (N_SIDES, N_SIDES)
    action_names = ("a", "b")
    render_mode = "rgb_array"

    def __init__(self, trouble: Callable[[Dice], Any] | None = None, at: int = 3) -> None:
        self.trouble = trouble
        self.at = at
        self.t = 0

    def look(self) -> tuple[np.ndarray, dict[str, Any]]:
        row, col = self.np_random.integers(N_SIDES, size=2)
        place = {"coords": np.array((row, col, 0)), "position": np.array((row, col))}
        return np.full((8, 8, 1), row * 8 + col, np.uint8), place

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        return self.look()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.t += 1
        frame, info = self.look()
        reward = float(action)
        if self.trouble and self.t == self.at:
            reward = self.trouble(self)
        return frame, reward, False, False, info

    def render(self) -> np.ndarray:
        return np.full((8, 8, 3), self.t, np.uint8)


class SavedDice(Dice):
    def save_state(self) -> dict[str, Any]:
        return {"t": self.t}

    def restore_state(self, state: dict[str, Any]) -> None:
        self.t = state["t"]


class GlobalDice(SavedDice):
    """Draws from the generators that everybody shares, the number of its sides to begin with."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = random.randrange(10**6)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        frame, info = super().reset(seed=seed)
        return frame, {**info, "position": self.throw()}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        *rest, info = super().step(action)
        return (*rest, {**info, "position": self.throw()})

    def throw(self) -> np.ndarray:
        return np.array((self.sides, random.randrange(10**6) + np.random.randint(10**6)))  # noqa: NPY002


class LateTrouble(SavedDice):
    """A world whose state can be saved for two steps."""

    def save_state(self) -> dict[str, Any]:
        if self.t > 2:
            raise OSError("the simulator's disk is full")
        return super().save_state()


def raises(world: Dice) -> float:
    raise ValueError("simulation\nbecame unstable")


def leaves(world: Dice) -> float:
    sys.exit()


class Panic(BaseException):
    """As those of worlds written in Rust: no `Exception`."""


def panics(world: Dice) -> float:
    raise Panic("index out of bounds")


def dies(world: Dice) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0.0


def hangs(world: Dice) -> float:
    time.sleep(10_000)
    return 0.0


def nothing(world: Dice) -> Any:
    return None


def open_envs(make: Callable[[], gymnasium.Env], n_envs: int = 1, **options: Any) -> Envs:
    return Envs(make, n_envs, **{"seeds": range(n_envs), "timeout": 60, **options})


def go(envs: Envs, steps: int) -> list[Step]:
    return [envs.step(np.arange(envs.n_envs) % 2) for _ in range(steps)]


def places(views: list[View]) -> list[list[list[int]]]:
    return [view.coords.tolist() for view in views]


def written(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    checkpoint.save(folder / "file", "snapshot", state)
    return checkpoint.load(folder / "file", "snapshot")


@pytest.fixture(autouse=True)
def no_worker_stays() -> Iterator[None]:
    yield
    children = [child for child in psutil.Process().children() if "spawn_main" in command(child)]
    assert not children


def command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_copies_in_processes_show_what_single_ones_show() -> None:
    with closing(open_envs(Dice, 3, seeds=[5, 6, 7])) as envs:
        envs.recording = True
        views = [envs.reset()]
        steps = go(envs, 4)
        views += [step.view for step in steps]
        restarted = envs.restart(np.array([False, True, True]))
        views.append(envs.step(np.zeros(3, int)).view)
        screen = envs.screen()
    assert [step.rewards.tolist() for step in steps] == [[0, 1, 0]] * 4
    assert all(not (step.terminals.any() or step.truncations.any()) for step in steps)
    assert views[0].frames.shape == (3, 8, 8, 1)
    assert views[0].frames.dtype == np.uint8
    assert [view.screen[0, 0, 0] for view in views] == [0, 1, 2, 3, 4, 5]
    assert restarted.screen is None, "the first copy is not among them"
    assert screen[0, 0, 0] == 5
    for number in range(3):
        with closing(open_envs(Dice, seeds=[5 + number])) as single:
            alone = [single.reset(), *(step.view for step in go(single, 4))]
            if number:
                again = single.restart(np.array([True]))
                assert again.coords[0].tolist() == restarted.coords[number - 1].tolist()
            alone.append(single.step(np.zeros(1, int)).view)
        for many, one in zip(views, alone, strict=True):
            np.testing.assert_array_equal(many.frames[number], one.frames[0])
            assert many.coords[number].tolist() == one.coords[0].tolist()
            assert many.positions[number].tolist() == one.positions[0].tolist()


class Strict(Dice):
    """A world that counts, and that refuses to be reset within an episode."""

    made: list[Strict] = []
    running = closed = False

    def __init__(self) -> None:
        super().__init__()
        assert all(world.closed for world in self.made), "an emulator may allow only one"
        self.made.append(self)

    def reset(self, **options: Any) -> tuple[np.ndarray, dict]:
        if self.running:
            raise RuntimeError("reset before done")
        self.running = True
        return super().reset(**options)

    def close(self) -> None:
        self.closed = True


def test_what_is_trained_in_is_not_what_was_checked() -> None:
    Strict.made.clear()
    with closing(open_envs(Strict)) as envs:
        assert [world.closed for world in Strict.made] == [True, False]
        assert Strict.made[1].t == 0
        assert not Strict.made[1].running
        envs.reset()
    assert Strict.made[1].closed
    envs.close()


def no_start(refuses: bool, folder: str) -> gymnasium.Env:
    """Make a world once, for the check, and never again."""
    if not (first := Path(folder) / "first").exists():
        first.touch()
        return Dice()
    if refuses:
        raise UserError("there is no ROM")
    raise OSError("no more licences")


@pytest.mark.parametrize("n_envs", [1, 2])
def test_a_copy_that_cannot_be_made_is_told(tmp_path: Path, n_envs: int) -> None:
    with pytest.raises(EnvironmentFailure, match=r"raised OSError: no more licences$") as error:
        open_envs(partial(no_start, False, str(tmp_path)), n_envs)
    assert "no_start" in error.value.traceback
    (tmp_path / "first").unlink()
    with pytest.raises(UserError, match=r"^there is no ROM$"):
        open_envs(partial(no_start, True, str(tmp_path)), n_envs)


@pytest.mark.parametrize(
    ("trouble", "n_envs", "message", "trace"),
    [
        (raises, 1, r"^Dice, step 3 raised ValueError: simulation became unstable$", "in raises"),
        (raises, 2, r"^Dice, copy 0, step 3 raised ValueError: simulation bec", "in raises"),
        (leaves, 1, r"^Dice, step 3 raised SystemExit: $", "in leaves"),
        (leaves, 2, r"^Dice, copy 0, step 3 raised SystemExit: $", "in leaves"),
        (panics, 1, r"^Dice, step 3 raised Panic: index out of bounds$", "in panics"),
        (panics, 2, r"^Dice, copy 0, step 3 raised Panic: index out of bounds$", "in panics"),
        (dies, 2, r"^the process of Dice, copy 0 died \(exit status -9\)", ""),
        (hangs, 2, r"^Dice, copy 0 did not answer within 2 seconds \(--env-timeout\)$", ""),
        (nothing, 1, r"^Dice, step 3: reward is None, expected a number", None),
        (nothing, 2, r"^Dice, copy 0, step 3: reward is None, expected a number", None),
    ],
)
def test_trouble_in_a_copy_is_told_and_leaves_what_was_before_the_step(
    trouble: Callable[[Dice], Any],
    n_envs: int,
    message: str,
    trace: str | None,
    tmp_path: Path,
) -> None:
    expected = UserError if trace is None else EnvironmentFailure
    with closing(open_envs(partial(Dice, trouble), n_envs)) as envs:
        first = envs.reset()
        envs._timeout = 60 if trouble is not hangs else 2
        go(envs, 2)
        with pytest.raises(expected, match=message) as error:
            go(envs, 1)
        assert "\n" not in str(error.value)
        if trace is not None:
            assert error.value.copy == 0
            assert trace in error.value.traceback
        state = written(envs.state(), tmp_path)
    with closing(open_envs(Dice, n_envs, seeds=[99] * n_envs)) as envs:
        restored = envs.restore(state)
        # All of them have gone on, or may have: nobody has seen where to.
        assert restored.begun.all()
        assert restored.view.frames.shape[0] == n_envs
        assert places([restored.view]) != places([first]), "the first level is not played again"


def test_a_single_copy_that_hangs_is_told_too() -> None:
    # In a process of its own: the test runner has the alarm signal.
    program = """
        from functools import partial
        from test_vector import *
        envs = open_envs(partial(Dice, hangs), timeout=2)
        envs.reset()
        try:
            go(envs, 3)
        except EnvironmentFailure as error:
            print(error)
            print("time.sleep" in error.traceback)
        envs.state()
        envs.close()
        print(signal.getsignal(signal.SIGALRM) is signal.SIG_DFL)
    """
    run = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(
        run, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parent
    )
    expected = ["Dice, step 3 did not answer within 2 seconds (--env-timeout)", "True", "True"]
    assert done.stdout.splitlines() == expected, done.stderr


class Slip(Dice):
    """Fails in the reset that follows its first episode in one of the copies."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        if self.t >= 3:
            raise ValueError("no next level")
        return super().reset(seed=seed)

    save_state = SavedDice.save_state
    restore_state = SavedDice.restore_state


def test_a_failed_restart_leaves_the_other_copies_where_they_were() -> None:
    with closing(open_envs(Slip, 2)) as envs:
        envs.reset()
        go(envs, 3)
        with pytest.raises(EnvironmentFailure, match="copy 1, step 3 raised ValueError: no next"):
            envs.restart(np.array([False, True]))
        state = envs.state()
    with closing(open_envs(SavedDice, 2)) as envs:
        assert envs.restore(state).begun.tolist() == [False, True]
        assert envs.screen()[0, 0, 0] == 3


class Odd(Dice):
    """Its `info` is of another type in every copy and at every step."""

    def look(self) -> tuple[np.ndarray, dict[str, Any]]:
        frame, info = super().look()
        own = (None, 1, np.arange(self.t), {"coins": 1}, lambda: 0)[frame[0, 0, 0] % 5]
        return frame, {**info, "own": own, "room": "kitchen", "distance": None, "screen": -1}


def test_the_worlds_own_info_is_left_alone() -> None:
    with closing(open_envs(Odd, 2)) as envs:
        envs.reset()
        view = go(envs, 20)[-1].view
    assert view.rooms.tolist() == [0, 0]
    assert view.distances is None
    assert view.screen is None


class Far(Dice):
    """Tells a distance once in an episode, at a time that its seed decides."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        result = super().reset(seed=seed)
        self.t, self.at = 0, 1 if seed == 1 else 3
        return result

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        frame, reward, _, _, info = super().step(action)
        ours = {"room": self.t, "completed": self.t == 2}
        if self.t == self.at:
            ours["distance"] = 10 * self.t
        return frame, reward, False, False, {**info, "qmap": ours}


def test_the_last_distance_of_an_episode_stands(tmp_path: Path) -> None:
    with closing(open_envs(Far, 2)) as envs:
        assert envs.reset().distances is None
        views = [step.view for step in go(envs, 3)]
        assert [view.distances.tolist() for view in views] == [[0, 10], [0, 10], [30, 10]]
        assert [view.rooms.tolist() for view in views] == [[1, 1], [2, 2], [3, 3]]
        assert [view.completed.tolist() for view in views] == [[False] * 2, [True] * 2, [False] * 2]
        assert envs.restart(np.array([True, False])).distances is None
        assert go(envs, 1)[-1].view.distances.tolist() == [0, 10]


def limited(kind: type[Dice]) -> gymnasium.Env:
    return wrappers.TimeLimit(wrappers.NormalizeReward(kind()), 9)


@pytest.mark.parametrize("n_envs", [1, 2])
def test_saved_worlds_go_on_with_their_luck_and_their_wrappers(tmp_path: Path, n_envs: int) -> None:
    make = partial(limited, SavedDice)
    with closing(open_envs(make, n_envs, seeds=range(3, 3 + n_envs))) as one:
        one.reset()
        go(one, 4)
        state = written(one.state(), tmp_path)
        expected = go(one, 5)
        with closing(open_envs(make, n_envs, seeds=[0] * n_envs)) as other:
            restored = other.restore(state)
            assert not restored.begun.any()
            assert restored.view is None
            got = go(other, 5)
        for step, wanted in zip(got, expected, strict=True):
            assert step.view.coords.tolist() == wanted.view.coords.tolist()
            assert step.rewards.tolist() == wanted.rewards.tolist()
            assert step.truncations.tolist() == wanted.truncations.tolist()
        assert expected[-1].truncations.all(), "the limit is reached"
        assert not expected[-2].truncations.any()


@pytest.mark.parametrize("n_envs", [1, 2])
def test_an_episode_that_cannot_be_saved_any_more_costs_itself_and_not_the_snapshot(
    tmp_path: Path, n_envs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_envs(LateTrouble, n_envs)) as one:
        one.reset()
        go(one, 2)
        assert all(state["world"] is not None for state in one.state().values())
        go(one, 1)
        state = written(one.state(), tmp_path)
        told = capsys.readouterr().err
        assert told.count("the episode cannot be saved, OSError: the simulator's disk") == n_envs
        expected = one.restart(np.ones(n_envs, bool))
    with closing(open_envs(LateTrouble, n_envs, seeds=[9] * n_envs)) as other:
        restored = other.restore(state)
        assert restored.begun.all()
        assert places([restored.view]) == places([expected])


@pytest.mark.parametrize("n_envs", [1, 2])
def test_worlds_that_draw_from_global_generators_have_luck_of_their_own_that_goes_on(
    tmp_path: Path, n_envs: int
) -> None:
    seeds = range(3, 3 + n_envs)

    def luck(envs: Envs, steps: int) -> list[list[list[int]]]:
        return [step.view.positions.tolist() for step in go(envs, steps)]

    with closing(open_envs(GlobalDice, n_envs, seeds=seeds)) as one:
        one.reset()
        first = luck(one, 4)
        state = written(one.state(), tmp_path)
        expected = luck(one, 5)
    with closing(open_envs(GlobalDice, n_envs, seeds=seeds)) as other:
        random.random()  # somebody else draws
        other.restore(state)
        assert luck(other, 5) == expected
    for number, seed in enumerate(seeds):
        with closing(open_envs(GlobalDice, seeds=[seed])) as alone:
            alone.reset()
            assert [step[0] for step in luck(alone, 4)] == [step[number] for step in first]
    assert len({sides for sides, _ in first[0]}) == n_envs


def test_worlds_that_cannot_be_saved_begin_the_next_episode_of_their_luck(tmp_path: Path) -> None:
    make = partial(limited, Dice)
    with closing(open_envs(make)) as one:
        one.reset()
        go(one, 4)
        state = written(one.state(), tmp_path)
        expected = [one.restart(np.array([True])), *(step.view for step in go(one, 9))]
        truncated = go(one, 1)[-1].truncations
    with closing(open_envs(make, seeds=[8])) as other:
        restored = other.restore(state)
        assert restored.begun.tolist() == [True]
        assert places([restored.view, *(step.view for step in go(other, 8))]) == places(
            expected[:9]
        )
        assert go(other, 1)[-1].truncations.all()
    assert truncated.all()


class Counter(gymnasium.Wrapper):
    """Keeps what nobody saves."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self.steps = 0
        self.scale = 3.0

    def step(self, action: int) -> Any:
        self.steps += 1
        return self.env.step(action)


class Scale(gymnasium.RewardWrapper):
    """Keeps nothing but a constant."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self.scale = np.array([2.0])

    def reward(self, reward: float) -> float:
        return 2 * reward


class SavedCounter(Counter):
    def save_state(self) -> int:
        return self.steps

    def restore_state(self, state: int) -> None:
        self.steps = state


def wrapped() -> gymnasium.Env:
    env = wrappers.OrderEnforcing(wrappers.PassiveEnvChecker(Dice()))
    return Scale(SavedCounter(Counter(wrappers.RecordEpisodeStatistics(env))))


def test_wrappers_whose_state_is_not_saved_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(open_envs(wrapped)) as envs:
        assert envs.forgetful == ("Counter",)
        warn_of_losses(envs)
        assert "Counter of Dice cannot be saved" in capsys.readouterr().err
        envs.reset()
        go(envs, 4)
        state = envs.state()
    with closing(open_envs(wrapped)) as envs:
        envs.restore(state)
        again = envs.state()
    assert again["00"]["wrappers"]["1"] == 4


class OneScreen(Dice):
    """Draws every screen into the same array."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = np.zeros((8, 8, 3), np.uint8)

    def render(self) -> np.ndarray:
        self.drawn[:] = self.t
        return self.drawn


def test_a_screen_stays_as_it_was_when_the_next_one_is_drawn() -> None:
    with closing(open_envs(OneScreen)) as envs:
        envs.recording = True
        screens = [envs.reset().screen, *(step.view.screen for step in go(envs, 2)), envs.screen()]
    assert [screen.max() for screen in screens] == [0, 1, 2, 2]


class LateProcess:
    """Makes a world; the process that is to make it takes 6 seconds to begin."""

    def __init__(self) -> None:
        self.seconds = 6

    def __setstate__(self, state: dict[str, Any]) -> None:
        time.sleep(state["seconds"])

    def __call__(self) -> gymnasium.Env:
        return Dice()


def test_the_time_that_a_process_takes_to_begin_is_not_its_worlds() -> None:
    with closing(open_envs(LateProcess(), 2, timeout=5)) as envs:
        envs._timeout = 60
        envs.reset()


def refuses(world: Dice) -> float:
    raise UserError("coords of Dice: got None, expected (row, col)")


@pytest.mark.parametrize(("n_envs", "where"), [(1, "Dice, step 3"), (2, "Dice, copy 0, step 3")])
def test_what_a_wrapper_of_ours_refuses_is_told_with_copy_and_step(n_envs: int, where: str) -> None:
    with closing(open_envs(partial(Dice, refuses), n_envs)) as envs:
        envs.reset()
        with pytest.raises(UserError, match=f"^{where}: coords of Dice: got None, expected"):
            go(envs, 3)


class Parent(Dice):
    """A world with a process of its own, as simulators have it."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        child = multiprocessing.get_context("spawn").Process(target=abs, args=(1,))
        child.start()
        child.join()
        return super().reset(seed=seed)


def test_a_world_may_have_processes_of_its_own_in_each_copy() -> None:
    with closing(open_envs(Parent, 2)) as envs:
        envs.reset()
        go(envs, 1)


def test_environments_that_cannot_show_their_screen_are_refused() -> None:
    class Blind(Dice):
        render_mode = None

    with pytest.raises(UserError, match="Blind has render_mode=None, expected 'rgb_array'"):
        open_envs(Blind)


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    return [child for child in process.children() if "spawn_main" in command(child)]


def test_workers_ignore_what_stops_their_owner_and_end_with_it_even_in_a_step() -> None:
    program = """
        from functools import partial
        from test_vector import *
        if __name__ == "__main__":
            envs = open_envs(partial(Dice, hangs), 2, timeout=1000)
            envs.reset()
            go(envs, 2)
            for worker in workers_of(psutil.Process()):
                for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    worker.send_signal(stop)
            envs.state()
            print(*(worker.pid for worker in workers_of(psutil.Process())), flush=True)
            go(envs, 1)
    """
    run = [sys.executable, "-c", textwrap.dedent(program)]
    owner = subprocess.Popen(run, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent)
    workers = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
    assert len(workers) == 2
    owner.kill()
    owner.wait()
    psutil.wait_procs(workers)


def test_a_program_that_forgets_to_close_its_environments_ends_all_the_same() -> None:
    program = """
        from test_vector import *
        if __name__ == "__main__":
            envs = open_envs(Dice, 2)
            envs.reset()
            print("done")
    """
    run = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(
        run, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parent
    )
    assert (done.returncode, done.stdout.split()) == (0, ["done"]), done.stderr
