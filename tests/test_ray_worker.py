"""Copies of an environment in the actors of a Ray cluster, and what a run makes of them."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
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
from dice import Dice, SavedDice, go, places
from ray_cluster import Cluster
from test_worlds_that_fail import raises

from benchmarks.faults import differences
from qmap.envs.contract import EnvironmentFailure
from qmap.envs.ray_worker import SECRET, FarProcess, Home, _connected, distributed
from qmap.envs.vector import Envs, _checked
from qmap.envs.worker import Copy, Worker
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


class HomeHere:
    """Asks a `Home` of this process, as `FarHome` does an actor."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def ask(self, method: str, *arguments: Any, patience: float = 0.0) -> Any:
        return getattr(self.home, method)(*arguments)


def test_copies_of_a_machine_answer_with_what_they_return_or_raise_and_not_to_strangers() -> None:
    secret, world, numbers = b"s" * SECRET, _checked(Dice), [3, 4]
    home = Home("127.0.0.1", secret)
    address = "127.0.0.1", home.port()
    strangers = [_connected(address, b"t" * each, 5.0) for each in (1, SECRET, SECRET + 1)]
    makers = dict.fromkeys(numbers, partial(Dice, raises, 2))
    threading.Thread(target=home.start, args=(makers, world)).start()
    workers = [
        Worker(_connected(address, secret, 5.0), FarProcess(HomeHere(home), number), world, number)
        for number in numbers
    ]
    deadline = time.monotonic() + 60

    def answers(method: Any, *arguments: Any) -> list[Any]:
        for worker in workers:
            worker.send(method, *arguments)
        return [worker.receive(deadline, 60) for worker in workers]

    for stranger in strangers:
        with pytest.raises((EOFError, OSError)):
            stranger.recv()
    for _ in ("the processes have begun", "the worlds are made"):
        assert [worker.receive(deadline, 60) for worker in workers] == [None, None]
    one, other = answers(Copy.reset, 5, False)
    assert one.moment.frame.flags.writeable
    np.testing.assert_equal(one, other)
    answers(Copy.step, 0, False)
    with pytest.raises(EnvironmentFailure, match="copy 3, step 2 raised ValueError") as error:
        answers(Copy.step, 0, False)
    assert error.value.copy == 3
    assert "Traceback" in error.value.traceback
    workers[0].process.kill()
    workers[0].send(Copy.screen)
    with pytest.raises(EnvironmentFailure, match=r"copy 3 died \(exit status -9\)"):
        workers[0].receive(deadline, 60)
    for worker in workers:
        worker.stop()
        worker.end(deadline)
    assert workers[1].process.exitcode == 0


def test_a_machine_that_cannot_be_reached_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    with pytest.raises(UserError, match=r"127.0.0.1 does not answer at port \d+ \(Connection ref"):
        _connected(address, b"", 1.0)


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


def homes(cluster: Cluster) -> list[psutil.Process]:
    """The processes of the actors."""
    found = []
    for node in cluster.nodes:
        for process in psutil.Process(node.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "ray::Home" in process.name() or process.cmdline()[:1] == ["ray::Home"]:
                    found.append(process)
    return found


@pytest.mark.slow
def test_copies_on_a_cluster_show_what_copies_here_show(cluster: Cluster) -> None:
    options = {"seeds": [5, 6, 7], "timeout": 300}
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
        np.testing.assert_equal(state_2, state)
    wait_until_none_is_left(cluster)


@pytest.mark.slow
def test_a_lost_actor_is_one_line_and_leaves_a_state_to_go_on_with(cluster: Cluster) -> None:
    options = {"seeds": [5, 6], "timeout": 300, "ray": cluster.address}
    with closing(Envs(SavedDice, 2, **options)) as envs:
        envs.reset()
        go(envs, 3)
        home = homes(cluster)[0]
        family = [home, *home.children()]
        home.kill()
        assert not psutil.wait_procs(family, timeout=60)[1], "copies end with their actor"
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


def wait_until_none_is_left(cluster: Cluster) -> None:
    while homes(cluster):
        time.sleep(0.1)
