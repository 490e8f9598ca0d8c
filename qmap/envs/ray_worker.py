"""Copies of an environment on the machines of a Ray cluster.

Each machine has one actor, with its copies in processes of their own around it. A message of Ray's
takes as long as a step of some emulators: so there is one a machine and step, not one a copy.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from qmap.envs.contract import EnvironmentFailure, World
from qmap.envs.worker import MakeEnv, Worker, received
from qmap.utils.errors import UserError

# Number of a copy, a method of `Copy`, its arguments; no method to take the first answer.
Request = tuple[int, Callable[..., Any] | None, tuple]
# Whether the copy still answers; what `qmap.envs.worker.received` takes.
Answer = tuple[bool, tuple[bool, Any]]


class RayWorker:
    """Stands for a copy far away as `qmap.envs.worker.Worker` does for one in a process here.

    Args:
        host: of the copy.
        label: what a message calls it.
        number: of the copy, from 0.
    """

    def __init__(self, host: RayHost, label: str, number: int) -> None:
        self.number = number
        self.label = label
        self.answers = True
        self._host = host
        host.ask((number, None, ()))

    def send(self, method: Callable[..., Any], *arguments: Any) -> None:
        """Ask for a call of a method of `Copy`."""
        self._host.ask((self.number, method, arguments))

    def receive(self, deadline: float, timeout: float) -> Any:
        """Return the answer; see `qmap.envs.worker.Worker.receive`.

        Raises:
            EnvironmentFailure: there is none, or the environment raised an exception.
            UserError: what the environment returned is not as the contract says.
        """
        try:
            self.answers, message = self._host.answer(self.number, deadline, timeout)
        except ConnectionError as error:
            self.answers = False
            raise EnvironmentFailure(f"{self.label} {error}", self.number) from None
        return received(message, self.number)

    def stop(self) -> None:
        """Ask the machine to close the environments."""
        self._host.stop()

    def end(self, deadline: float) -> None:
        """Wait for them to be closed until a time of `time.monotonic()`, then end the actor."""
        self.answers = False
        self._host.end(deadline)


class RayHost:
    """Stands for the actor of a machine; collects what is asked, and asks it all at once.

    Args:
        ray: the module, connected to a cluster.
        node: the machine's id.
        makers: makes the environment of each copy there, by number.
        world: what all copies have in common.
    """

    def __init__(self, ray: Any, node: str, makers: Mapping[int, MakeEnv], world: World) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._ray = ray
        # No cores are set aside: copies in lockstep need them for moments, and must not wait for
        # each other at the beginning.
        here = NodeAffinitySchedulingStrategy(node, soft=False)
        home = ray.remote(Home).options(num_cpus=0, scheduling_strategy=here)
        self._actor = home.remote(makers, world)
        self._requests: list[Request] = []
        self._answers: dict[int, Answer] = {}
        self._gone = ""
        self._closing: Any = None

    def ask(self, request: Request) -> None:
        """Keep a request until the first answer is wanted."""
        self._requests.append(request)

    def answer(self, number: int, deadline: float, timeout: float) -> Answer:
        """Return the answer of a copy.

        Raises:
            ConnectionError: there is none; the message says what the copy did.
        """
        from ray.exceptions import RayError

        if self._requests and not self._gone:
            requests, self._requests = self._requests, []
            patience = max(0.0, deadline - time.monotonic())
            asked = self._actor.call.remote(requests, patience, timeout)
            try:
                # A little longer than the actor, which says which of its copies it waits for.
                if self._ray.wait([asked], timeout=patience + 2.0)[0]:
                    # Bytes are copied out of Ray's store, and the arrays in them made anew. Arrays
                    # of the store are read-only, and pin its memory while the replay has them.
                    self._answers |= pickle.loads(self._ray.get(asked))
                else:
                    self._gone = f"did not answer within {timeout:g} seconds (--env-timeout)"
            except RayError as error:
                self._gone = f"is lost with its machine ({type(error).__name__})"
        if number not in self._answers:
            raise ConnectionError(self._gone)
        return self._answers.pop(number)

    def stop(self) -> None:
        """Ask the actor to close its environments, once."""
        if self._closing is None and not self._gone:
            with suppress(Exception):  # the cluster may be gone
                self._closing = self._actor.close.remote()

    def end(self, deadline: float) -> None:
        """Wait for that until a time of `time.monotonic()`, then end the actor."""
        with suppress(Exception):
            if self._closing is not None:
                self._ray.wait([self._closing], timeout=max(0.0, deadline - time.monotonic()))
            self._ray.kill(self._actor)


class Home:
    """The actor of a machine, with its copies.

    Args:
        makers: makes the environment of each copy, by number.
        world: what all copies have in common.
    """

    def __init__(self, makers: Mapping[int, MakeEnv], world: World) -> None:
        self._workers = {number: Worker(make, world, number) for number, make in makers.items()}

    def call(self, requests: Sequence[Request], patience: float, timeout: float) -> bytes:
        """Do what is asked, all copies at once; return each copy's `Answer`, pickled.

        Args:
            requests: at most one of each copy.
            patience: seconds that there are.
            timeout: seconds that there were at first, for messages.
        """
        for number, method, arguments in requests:
            if method is not None:
                self._workers[number].send(method, *arguments)
        deadline = time.monotonic() + patience
        answers: dict[int, Answer] = {}
        for number, _, _ in requests:
            worker = self._workers[number]
            try:
                message = True, worker.receive(deadline, timeout)
            except EnvironmentFailure as error:
                message = False, (str(error), error.traceback)
            except UserError as error:
                message = False, (str(error), None)
            answers[number] = worker.answers, message
        return pickle.dumps(answers)

    def close(self) -> None:
        """Close the environments and end their processes."""
        deadline = time.monotonic() + 10
        for worker in self._workers.values():
            worker.stop()
        for worker in self._workers.values():
            worker.end(deadline)


def ray_workers(ray: Any, makers: Sequence[MakeEnv], world: World) -> list[RayWorker]:
    """Return copies on all machines of a cluster, in proportion to their cores.

    Args:
        ray: the module, connected to the cluster.
        makers: makes the environment of each copy.
        world: what all copies have in common.

    Raises:
        UserError: no machine has a core.
    """
    nodes = {
        node["NodeID"]: node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]
    }
    workers = []
    for node, numbers in distributed(nodes, len(makers)).items():
        host = RayHost(ray, node, {each: makers[each] for each in numbers}, world)
        workers += [RayWorker(host, f"{world.name}, copy {each}", each) for each in numbers]
    return sorted(workers, key=lambda worker: worker.number)


def distributed(cores: dict[str, float], copies: int) -> dict[str, list[int]]:
    """Return the numbers of the copies for each machine, each to the least busy one in its turn.

    Args:
        cores: of each machine.
        copies: how many there are.

    Raises:
        UserError: no machine has a core.
    """
    places: dict[str, list[int]] = {node: [] for node, each in cores.items() if each > 0}
    if not places:
        raise UserError("--ray: no machine of the cluster has a core; expected some for --envs")
    for number in range(copies):
        node = min(places, key=lambda node: (len(places[node]) + 1) / cores[node])
        places[node].append(number)
    return {node: numbers for node, numbers in places.items() if numbers}
