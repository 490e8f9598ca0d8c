"""Copies of an environment: what they show, and that their processes end."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import psutil
import pytest
from dice import Dice, go, open_envs

pytestmark = pytest.mark.usefixtures("no_worker_stays")


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


def test_workers_ignore_what_stops_their_owner_and_end_with_it_even_in_a_step() -> None:
    program = """
        import signal
        from functools import partial
        import psutil
        from dice import Dice, go, hangs, open_envs, workers_of
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
        from dice import Dice, open_envs
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
