"""Copies of an environment on the machines of a Ray cluster.

Ray chooses the machines and keeps an actor on each, around which its copies live in processes of
their own. With these the learner talks directly: a call of an actor takes as long as a step of
some emulators, a message over a connection of one's own a fifteenth of that.
"""

from __future__ import annotations

import hmac
import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from qmap.envs.contract import EnvironmentFailure, World, one_line
from qmap.envs.worker import MakeEnv, Worker, start
from qmap.utils.errors import UserError

PATIENCE = 2.0  # seconds for an actor to answer when its machine may be gone
SECRET = 32  # bytes, without which a connection is not taken


def start_there(ray: Any, makers: Sequence[MakeEnv], world: World, timeout: float) -> list[Worker]:
    """Return copies on all machines of a cluster, in proportion to their cores.

    Args:
        ray: the module, connected to a cluster.
        makers: makes the environment of each copy.
        world: what all copies have in common.
        timeout: seconds that each machine may take.

    Raises:
        UserError: no machine has a core, or one cannot be reached.
        EnvironmentFailure: the processes cannot be started.
    """
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
    cores = {each: node["Resources"].get("CPU", 0) for each, node in nodes.items()}
    secret = secrets.token_bytes(SECRET)
    homes = []
    for node, numbers in distributed(cores, len(makers)).items():
        # No cores are set aside: copies in lockstep need them for moments, and must not wait for
        # each other at the beginning.
        here = NodeAffinitySchedulingStrategy(node, soft=False)
        remote = ray.remote(Home).options(num_cpus=0, scheduling_strategy=here)
        host = nodes[node]["NodeManagerAddress"]
        actor = remote.remote(host, secret)
        port = actor.port.remote()
        started = actor.start.remote({number: makers[number] for number in numbers}, world)
        homes.append((FarHome(ray, actor), host, port, started, numbers))
    workers = {}
    for home, host, port, started, numbers in homes:
        try:
            address = host, ray.get(port, timeout=timeout)
            for number in numbers:
                connection = _connected(address, secret, timeout)
                workers[number] = Worker(connection, FarProcess(home, number), world, number)
            ray.get(started, timeout=timeout)
        except RayError as error:
            raise EnvironmentFailure(
                f"{world.name}, copy {numbers[0]} could not be started on {host} "
                f"({one_line(getattr(error, 'cause', None) or error)})",
                numbers[0],
            ) from error
    return [workers[number] for number in range(len(makers))]


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


class FarHome:
    """Asks the actor of a machine; it ends when nobody knows it any more.

    Args:
        ray: the module.
        actor: a `Home`.
    """

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray = ray
        self._actor = actor
        self._lost = False

    def ask(self, method: str, *arguments: Any, patience: float = PATIENCE) -> Any:
        """Return what a method of `Home` returns, None once it does not answer."""
        if not self._lost:
            try:
                asked = getattr(self._actor, method).remote(*arguments)
                return self._ray.get(asked, timeout=patience)
            except Exception:  # process, machine or cluster may be gone
                self._lost = True
        return None


class FarProcess:
    """Stands for the process of a copy far away, see `qmap.envs.worker.Process`.

    Args:
        home: of the process.
        number: of the copy.
    """

    def __init__(self, home: FarHome, number: int) -> None:
        self._home = home
        self._number = number

    @property
    def exitcode(self) -> int | None:
        """Its exit status; None while it lives, and if it is lost with its machine."""
        return self._home.ask("exitcode", self._number)

    def join(self, timeout: float) -> None:
        """Wait for its end, at most so many seconds."""
        self._home.ask("join", self._number, timeout, patience=timeout + PATIENCE)

    def kill(self) -> None:
        """End it at once."""
        self._home.ask("kill", self._number)


class Home:
    """The actor of a machine, which holds the processes of its copies: they end with it.

    Args:
        host: the machine's address.
        secret: what whoever connects has to say first.
    """

    def __init__(self, host: str, secret: bytes) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.create_server((host, 0), family=family)
        self._secret = secret
        self._processes: dict[int, Any] = {}

    def port(self) -> int:
        """Return where to connect to, once for each copy and in their order."""
        return self._server.getsockname()[1]

    def start(self, makers: Mapping[int, MakeEnv], world: World) -> None:
        """Start the processes of some copies, each as soon as there is a connection for it."""
        for number, make_env in makers.items():
            self._processes[number] = start(self._accepted(), make_env, world, number)
        self._server.close()

    def exitcode(self, number: int) -> int | None:
        """Return the exit status of a process, None while it lives."""
        return self._processes[number].exitcode

    def join(self, number: int, timeout: float) -> None:
        """Wait for the end of a process, at most so many seconds."""
        self._processes[number].join(timeout)

    def kill(self, number: int) -> None:
        """End a process at once."""
        self._processes[number].kill()

    def _accepted(self) -> Connection:
        """Return the next connection; those of strangers are closed."""
        while True:
            connection = _at_once(self._server.accept()[0])
            with suppress(OSError, EOFError):
                if hmac.compare_digest(connection.recv_bytes(SECRET), self._secret):
                    return connection
            connection.close()


def _connected(address: tuple[str, int], secret: bytes, timeout: float) -> Connection:
    """Return a connection to a `Home`."""
    try:
        connection = _at_once(socket.create_connection(address, timeout))
        connection.send_bytes(secret)
    except OSError as error:
        raise UserError(
            f"--ray: {address[0]} does not answer at port {address[1]} ({error.strerror or error});"
            " expected machines that reach each other at all ports"
        ) from error
    return connection


def _at_once(connected: socket.socket) -> Connection:
    """Make a connection of a socket, on which no message waits for another one."""
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.settimeout(None)
    return Connection(connected.detach())
