"""Copies of an environment in the actors of a Ray cluster, and what a run makes of them."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from conftest import run_folder
from ray_cluster import Cluster
from test_vector import Dice, SavedDice, go, places, raises

from benchmarks.faults import differences
from qmap.envs.contract import EnvironmentFailure
from qmap.envs.ray_worker import Home, distributed
from qmap.envs.vector import Envs, _checked
from qmap.envs.worker import Copy, received
from qmap.utils.errors import UserError


@pytest.mark.parametrize(
    ("cores", "copies", "expected"),
    [
        ({"a": 8.0}, 3, {"a": [0, 1, 2]}),
        ({"head": 0.0, "a": 1.0, "b": 1.0}, 3, {"a": [0, 2], "b": [1]}),
        ({"a": 3.0, "b": 1.0}, 4, {"a": [0, 1, 2], "b": [3]}),
        ({"a": 1.0, "b": 64.0}, 2, {"b": [0, 1]}),
    ],
)
def test_machines_have_copies_in_proportion_to_their_cores(
    cores: dict[str, float], copies: int, expected: dict[str, list[int]]
) -> None:
    assert distributed(cores, copies) == expected


def test_a_cluster_without_cores_is_refused() -> None:
    with pytest.raises(UserError, match="no machine of the cluster has a core"):
        distributed({"head": 0.0}, 2)


def test_an_actor_answers_with_what_its_copies_return_or_raise() -> None:
    make = partial(Dice, raises, 2)
    with closing(Home(make, _checked(Dice), [3, 4])) as home:

        def call(*requests: Any) -> dict[int, Any]:
            return pickle.loads(home.call(requests, 60.0, 60.0))

        answers = call((3, None, ()), (4, None, ()))
        assert [answers[number][0] for number in (3, 4)] == [True, True]
        answers = call((3, Copy.reset, (5, False)), (4, Copy.reset, (5, False)))
        seen = [received(answers[number][1], number) for number in (3, 4)]
        assert seen[0].moment.frame.flags.writeable
        np.testing.assert_equal(seen[0], seen[1])
        call((4, Copy.step, (0, False)))
        answers = call((3, Copy.step, (0, False)), (4, Copy.step, (0, False)))
        received(answers[3][1], 3)
        with pytest.raises(EnvironmentFailure, match="copy 4, step 2 raised ValueError") as error:
            received(answers[4][1], 4)
        assert error.value.copy == 4
        assert "Traceback" in error.value.traceback


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("ray")
    cluster = Cluster()
    cluster.add(1)
    cluster.add(1)
    yield cluster
    import ray

    ray.shutdown()
    cluster.close()


def homes() -> list[psutil.Process]:
    """The processes of the actors."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[:1] == ["ray::Home"] or "ray::Home" in process.name():
                found.append(process)
    return found


@pytest.mark.slow
def test_copies_on_a_cluster_show_what_copies_here_show(cluster: Cluster) -> None:
    options = {"seeds": [5, 6, 7], "timeout": 60}
    with (
        closing(Envs(SavedDice, 3, **options)) as here,
        closing(Envs(SavedDice, 3, ray=cluster.address, **options)) as there,
    ):
        seen = []
        for envs in (here, there):
            envs.recording = True
            first, steps = envs.reset(), go(envs, 5)
            ended = np.array([True, False, True])
            again, state = envs.restart(ended), envs.state()
            seen.append((first, steps, again, state))
        (first, steps, again, state), (first_2, steps_2, again_2, state_2) = seen
        for one, other in ((first, first_2), (again, again_2), *zip(steps, steps_2, strict=True)):
            np.testing.assert_equal(other, one)
        assert state_2 == state
    wait_until_none_is_left()


@pytest.mark.slow
def test_a_lost_actor_is_one_line_and_leaves_a_state_to_go_on_with(cluster: Cluster) -> None:
    options = {"seeds": [5, 6], "timeout": 30, "ray": cluster.address}
    with closing(Envs(SavedDice, 2, **options)) as envs:
        envs.reset()
        go(envs, 3)
        homes()[0].kill()
        with pytest.raises(EnvironmentFailure, match="copy . is lost with its machine") as error:
            go(envs, 1)
        assert "\n" not in str(error.value)
        state = envs.state()
    with closing(Envs(SavedDice, 2, **options)) as envs:
        begun, _ = envs.restore(state)
        assert begun.sum() == 2
        assert len(places([step.view for step in go(envs, 2)])) == 2


@pytest.mark.slow
def test_a_run_on_a_cluster_has_the_logs_of_a_run_here(cluster: Cluster, tmp_path: Path) -> None:
    flags = ["--no-qmap", "--envs", "2", "--deterministic", "--steps", "160", "--no-videos"]
    flags += ["--learning-starts", "20", "--batch", "2", "--replay", "100", "--keep-moments"]
    for name, more in (("here", []), ("there", ["--ray", cluster.address])):
        command = [sys.executable, "-m", "qmap.train_montezuma", *flags, *more]
        subprocess.run([*command, "--path", str(tmp_path / name)], check=True)
    assert differences(run_folder(tmp_path / "here"), run_folder(tmp_path / "there")) == []


def wait_until_none_is_left() -> None:
    while homes():
        time.sleep(0.1)
