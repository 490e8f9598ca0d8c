"""Joining a Ray cluster, here with a stand-in for Ray that has its bad manners."""

from __future__ import annotations

import os
import random
import signal
import sys
from types import ModuleType
from typing import Any

import pytest

from qmap.utils import ray_cluster
from qmap.utils.errors import UserError


class Ray(ModuleType):
    """Draws from Python's generator and takes over SIGTERM when it is started, as Ray does."""

    def __init__(self, trouble: dict[str, Exception] | None = None) -> None:
        super().__init__("ray")
        self.trouble = trouble or {}
        self.addresses: list[str] = []

    def is_initialized(self) -> bool:
        return False

    def init(self, address: str, **options: Any) -> None:
        self.addresses.append(address)
        random.random()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if address in self.trouble:
            raise self.trouble[address]


@pytest.fixture(autouse=True)
def _anything_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster.socket, "create_connection", lambda *_, **__: FakeConnection())


class FakeConnection:
    def close(self) -> None:
        pass


def test_random_numbers_and_signals_are_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", Ray())
    before = random.getstate(), signal.getsignal(signal.SIGTERM)
    ray_cluster.connect("head:6379")
    assert (random.getstate(), signal.getsignal(signal.SIGTERM)) == before


def test_auto_starts_a_cluster_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = Ray({"auto": ConnectionError("no cluster")})
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delenv("RAY_worker_niceness", raising=False)
    ray_cluster.connect("auto")
    assert ray.addresses == ["auto", "local"]
    assert ("RAY_worker_niceness", "0") in os.environ.items()


@pytest.mark.parametrize("error", [ConnectionError("lost\nit"), RuntimeError("lost it")])
def test_a_cluster_that_cannot_be_joined_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", Ray({"head:1": error}))
    with pytest.raises(
        UserError, match="^--ray head:1: lost it; expected a cluster with the Ray and .*"
    ):
        ray_cluster.connect("head:1")


@pytest.mark.parametrize("address", ["nowhere", "ray://x:1", "x:y", ":", "127.0.0.1:123456"])
def test_what_is_no_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", Ray())
    with pytest.raises(UserError, match="expected HOST:PORT of the head node, or auto"):
        ray_cluster.connect(address)


def test_an_address_that_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "ray", Ray())
    with pytest.raises(UserError, match="127.0.0.1:1 does not answer"):
        ray_cluster.connect("127.0.0.1:1")


def test_without_ray_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"Ray is not installed.*qmap\[ray\]"):
        ray_cluster.connect("auto")
