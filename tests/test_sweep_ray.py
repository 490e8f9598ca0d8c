"""A sweep on a real Ray cluster of a head and two workers, one of which is lost."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ray_cluster import Cluster
from test_sweep import Sweep, expected, numbers, wait_until

from qmap.sweep import cluster as cluster_module
from qmap.sweep.cluster import RayPool
from qmap.sweep.driver import drive
from qmap.sweep.plan import read_plan
from qmap.utils.errors import UserError

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _programs_of_the_tests_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{HERE}:{HERE.parent}:{os.environ.get('PYTHONPATH', '')}")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("ray")
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False], ids=["shared folder", "no shared folder"])
def test_a_node_that_is_lost_costs_no_run(
    cluster: Cluster, tmp_path: Path, shared: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = Sweep(tmp_path, "seeds = 4\n[options]\nsteps = 200\npace = 0.05\n")
    nodes = [cluster.add(1), cluster.add(1)]
    jobs = read_plan(sweep.file)
    sweep.results.mkdir()
    pool = RayPool(cluster.address, 2, 1, 0.0, sweep.results)
    if not shared:
        pool._mark.unlink()

    def lose_one() -> None:
        wait_until(lambda: len(list(sweep.results.rglob("snapshot"))) == 2)
        cluster.kill(nodes[0])

    killer = threading.Thread(target=lose_one)
    killer.start()
    try:
        status = drive(jobs, pool, 3)
    finally:
        pool.close()
        killer.join()
    said = capsys.readouterr().err
    assert status == 0
    assert "was lost with its machine" in said
    assert "going on with" in said
    for seed in range(4):
        log = sweep.logs[f"fake_training, seed {seed}"]
        assert numbers(log) == numbers(expected(200, seed))


@pytest.mark.slow
def test_a_sweep_on_a_cluster_stops_and_goes_on(cluster: Cluster, tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, "seeds = 3\n[options]\nsteps = 100\npace = 0.05\n")
    cluster.add(2)
    for kill in (False, True):
        driver = sweep.start("--ray", cluster.address)
        wait_until(lambda: any(sweep.results.rglob("snapshot")))
        time.sleep(1)
        driver.kill() if kill else driver.terminate()
        driver.communicate(timeout=60)
        assert driver.returncode == (-9 if kill else 143)
    driver = sweep.start("--ray", cluster.address)
    _, said = driver.communicate(timeout=120)
    assert driver.returncode == 0, said
    for seed in range(3):
        log = sweep.logs[f"fake_training, seed {seed}"]
        assert numbers(log) == numbers(expected(100, seed))


def test_shares_of_gpus_are_for_clusters(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--gpus does nothing without --ray"):
        Sweep(tmp_path).run("--gpus", "1")


class FakeRay:
    """A cluster of two machines, one of which is gone."""

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"Alive": True, "Resources": {"CPU": 4.0}},
            {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
        ]

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 4.0}


def test_runs_that_no_machine_has_room_for_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster_module, "connect", lambda address: FakeRay())
    RayPool("head:1", None, 4, 0.0, tmp_path)
    assert capsys.readouterr().err == ""
    RayPool("head:1", None, 8, 0.5, tmp_path)
    said = capsys.readouterr().err
    assert "no machine of the cluster has 8 CPU, the most is 4: the runs wait" in said
    assert "no machine of the cluster has 0.5 GPU, the most is 0" in said
