"""Copies of an environment that fail: what is told, and what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from dice import Dice, SavedDice, go, hangs, open_envs, places, written

from qmap.envs.contract import EnvironmentFailure
from qmap.utils.errors import UserError

pytestmark = pytest.mark.usefixtures("no_worker_stays")


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


def nothing(world: Dice) -> Any:
    return None


def refuses(world: Dice) -> float:
    raise UserError("coords of Dice: got None, expected (row, col)")


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
        import signal
        from functools import partial
        from dice import Dice, go, hangs, open_envs
        from qmap.envs.contract import EnvironmentFailure
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


@pytest.mark.parametrize(("n_envs", "where"), [(1, "Dice, step 3"), (2, "Dice, copy 0, step 3")])
def test_what_a_wrapper_of_ours_refuses_is_told_with_copy_and_step(n_envs: int, where: str) -> None:
    with closing(open_envs(partial(Dice, refuses), n_envs)) as envs:
        envs.reset()
        with pytest.raises(UserError, match=f"^{where}: coords of Dice: got None, expected"):
            go(envs, 3)


def test_environments_that_cannot_show_their_screen_are_refused() -> None:
    class Blind(Dice):
        render_mode = None

    with pytest.raises(UserError, match="Blind has render_mode=None, expected 'rgb_array'"):
        open_envs(Blind)
