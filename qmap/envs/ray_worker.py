"""A copy of an environment in an actor of a Ray cluster, on any of its machines."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from qmap.envs.contract import EnvironmentFailure, World
from qmap.envs.worker import Copy, MakeEnv, answer, received
from qmap.utils.errors import UserError

SMALLEST = 1 / 64  # share of a core for a copy


class RayWorker:
    """Stands for a copy in an actor as `qmap.envs.worker.Worker` does for one in a process.

    Args:
        ray: the module, connected to a cluster.
        share: cores that are set aside for the copy.
        make_env: makes the environment.
        world: what all copies have in common.
        number: of the copy, from 0.
    """

    def __init__(self, ray: Any, share: float, make_env: MakeEnv, world: World, number: int):
        self.number = number
        self.label = f"{world.name}, copy {number}"
        self.answers = True
        self._ray = ray
        # Copies of one machine would wait for each other: they go side by side over all machines.
        home = ray.remote(Home).options(num_cpus=share, scheduling_strategy="SPREAD")
        self._actor = home.remote(make_env, world, self.label)
        self._asked = [self._actor.make.remote()]

    def send(self, method: Callable[..., Any], *arguments: Any) -> None:
        """Ask for a call of a method of `Copy`."""
        self._asked.append(self._actor.call.remote(method, arguments))

    def receive(self, deadline: float, timeout: float) -> Any:
        """Return the answer; see `qmap.envs.worker.Worker.receive`.

        Raises:
            EnvironmentFailure: there is none, or the environment raised an exception.
            UserError: what the environment returned is not as the contract says.
        """
        from ray.exceptions import RayError

        asked = self._asked.pop(0)
        try:
            patience = max(0.0, deadline - time.monotonic())
            if not self._ray.wait([asked], timeout=patience)[0]:
                self.kill()
                raise EnvironmentFailure(
                    f"{self.label} did not answer within {timeout:g} seconds (--env-timeout), its "
                    "machine may be gone, or the cluster has no room",
                    self.number,
                )
            # Bytes are copied out of Ray's store, and the arrays in them are made anew. Arrays of
            # the store itself are read-only, and would pin its memory while the replay has them.
            return received(pickle.loads(self._ray.get(asked)), self.number)
        except RayError as error:
            self.kill()
            reason = " ".join(str(error).split())[:100]
            raise EnvironmentFailure(
                f"the actor of {self.label} died ({reason})", self.number
            ) from None

    def kill(self) -> None:
        """End the actor at once."""
        self.answers = False
        with suppress(Exception):  # it may be gone, and so may the cluster
            self._ray.kill(self._actor)

    def stop(self) -> None:
        """Ask the actor to close its environment."""
        if self.answers:
            self.send(Copy.close)

    def end(self, deadline: float) -> None:
        """Wait for the environment to be closed until a time of `time.monotonic()`, then end."""
        if self.answers:
            with suppress(Exception):
                self._ray.wait(self._asked[-1:], timeout=max(0.0, deadline - time.monotonic()))
        self.kill()


class Home:
    """Lives in an actor, with a copy.

    Args:
        make_env: makes the environment.
        world: what all copies have in common.
        label: what a message calls this copy.
    """

    def __init__(self, make_env: MakeEnv, world: World, label: str) -> None:
        self._parts = (make_env, world, label)
        self._copy: Copy | None = None

    def make(self) -> bytes:
        """Make the copy; return whether that went well, as `answer` does."""
        make_env, world, label = self._parts

        def make() -> None:
            self._copy = Copy(make_env(), world, label)

        return answer(lambda: label, make)

    def call(self, method: Callable[..., Any], arguments: Sequence[Any]) -> bytes:
        """Call a method of the copy; return what `answer` does."""
        return answer(lambda: self._copy.where, lambda: method(self._copy, *arguments))


def share_of_cores(ray: Any, copies: int) -> float:
    """Return the largest of 1, 1/2, 1/4... cores of which there are enough for all copies.

    Raises:
        UserError: the cluster is far too small.
    """
    there = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
    share = 1.0
    while sum(int(cores / share) for cores in there) < copies:
        share /= 2
        if share < SMALLEST:
            raise UserError(
                f"--ray: the cluster has {sum(there):g} cores for --envs {copies}; expected at "
                f"least one for {1 / SMALLEST:g} copies"
            )
    return share
