"""One copy of an environment, and the process that it lives in when there are several."""

from __future__ import annotations

import atexit
import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
from gymnasium.vector.utils import CloudpickleWrapper

from qmap.envs import saving
from qmap.envs.alarm import TimeIsUp
from qmap.envs.contract import (
    MAX_REWARD,
    EnvironmentFailure,
    Moment,
    World,
    check_flag,
    check_moment,
    check_reward,
    checked_screen,
    one_line,
)
from qmap.utils.errors import UserError

MakeEnv = Callable[[], gymnasium.Env]

STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
PR_SET_PDEATHSIG = 1
# What passes through an environment without being its own fault. All else that it raises is, such
# as sys.exit(), or the panics of worlds written in Rust, which are no `Exception` either.
NOT_ITS_FAULT = (KeyboardInterrupt, TimeIsUp)


class Seen(NamedTuple):
    """A moment of one copy and its screen, None unless it was asked for."""

    moment: Moment
    screen: np.ndarray | None


class Stepped(NamedTuple):
    """What a step of one copy led to."""

    seen: Seen
    reward: float
    terminated: bool
    truncated: bool


class Copy:
    """One copy: everything that its environment returns is checked here.

    Args:
        env: the environment.
        world: what all copies have in common.
        label: what a message calls this copy.
    """

    def __init__(self, env: gymnasium.Env, world: World, label: str) -> None:
        self.env = env
        self.world = world
        self.label = label
        self.steps = 0
        self.distance: int | None = None

    def __str__(self) -> str:
        """The copy and how many steps it has begun, for a message."""
        return f"{self.label}, step {self.steps:,}"

    def reset(self, seed: int | None, screen: bool) -> Seen:
        """Begin an episode."""
        observation, info = self._told(self.env.reset, seed=seed)
        self.distance = None
        return self._seen(observation, info, screen)

    def step(self, action: int, screen: bool) -> Stepped:
        """Take an action."""
        self.steps += 1
        observation, reward, terminated, truncated, info = self._told(self.env.step, action)
        # Called for what is not plainly right only: this is done at every step.
        if type(reward) is not float or not -MAX_REWARD <= reward <= MAX_REWARD:
            reward = check_reward(self, reward)
        if type(terminated) is not bool:
            terminated = check_flag(self, "terminated", terminated)
        if type(truncated) is not bool:
            truncated = check_flag(self, "truncated", truncated)
        return Stepped(self._seen(observation, info, screen), reward, terminated, truncated)

    def screen(self) -> np.ndarray:
        """Return the screen as it is now."""
        # A world may draw the next one into the same array.
        return checked_screen(self, self.env.render()).copy()

    def state(self, anew: bool) -> dict[str, Any]:
        """Return what `restore` needs; `anew`: to begin an episode instead of going on in this.

        So it has to be where the episode cannot be saved: "trouble" tells why, if there is any.
        """
        world, layers, trouble = None, {}, ""
        try:
            world = None if anew else saving.save_world(self.env)
            layers = saving.save_wrappers(self.env)
        except NOT_ITS_FAULT:
            raise
        except BaseException as error:
            world, trouble = None, f"{self}: the episode cannot be saved, {described(error)}"
        return {
            "world": world,
            "streams": saving.save_streams(self.env),
            "wrappers": layers,
            "steps": self.steps,
            "distance": self.distance,
            "trouble": trouble,
        }

    def restore(self, state: dict[str, Any], seed: int) -> Seen | None:
        """Go on from a state; return what is seen where an episode had to be begun for that."""
        self.steps = state["steps"]
        goes_on = state["world"] is not None
        if goes_on:
            self.env.reset(seed=seed)
            saving.restore_world(self.env, state["world"])
        saving.restore_streams(self.env, state["streams"])
        saving.restore_wrappers(self.env, state["wrappers"])
        if not goes_on:
            return self.reset(None, screen=False)
        self.distance = state["distance"]
        return None

    def close(self) -> None:
        """Close the environment."""
        close(self.env)

    def _told(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Return what `call` returns; what a wrapper of ours refuses in it gets its place and time.

        Raises:
            UserError: `GoalGrid`, for one, has found what it was told not to be as it should.
        """
        try:
            return call(*arguments, **options)
        except EnvironmentFailure:
            raise
        except UserError as error:
            raise UserError(f"{self}: {error}") from error

    def _seen(self, observation: Any, info: Any, screen: bool) -> Seen:
        moment = check_moment(self, self.world, observation, info)
        if moment.distance is not None:
            self.distance = moment.distance
        elif self.distance is not None:
            moment = moment._replace(distance=self.distance)
        return Seen(moment, self.screen() if screen else None)


def close(env: gymnasium.Env) -> None:
    """Close an environment; what it raises is shown and changes nothing."""
    try:
        env.close()
    except NOT_ITS_FAULT:
        raise
    except BaseException:
        traceback.print_exc()


class Process(Protocol):
    """A process that a copy lives in: one of this machine's, or one far away."""

    @property
    def exitcode(self) -> int | None:
        """Its exit status; None while it lives, and if it is lost with its machine."""

    def join(self, timeout: float) -> None:
        """Wait for its end, at most so many seconds."""

    def kill(self) -> None:
        """End it at once."""


class Worker:
    """A copy in a process of its own.

    Ask it with `send` and fetch each answer with `receive`.

    Args:
        connection: to the process.
        process: it was started with the other end, see `start`.
        world: what all copies have in common.
        number: of the copy, from 0.
    """

    def __init__(self, connection: Connection, process: Process, world: World, number: int) -> None:
        self._connection = connection
        self.process = process
        self.number = number
        self.label = label(world, number)
        self.answers = True
        # Python asks its daemons to end and then waits; this one does not hear that (`STOPPING`).
        atexit.register(self.kill)

    def send(self, method: Callable[..., Any], *arguments: Any) -> None:
        """Ask for a call of a method of `Copy`."""
        try:
            self._connection.send((method, arguments))
        except OSError:
            self.answers = False  # `receive` says so

    def receive(self, deadline: float, timeout: float) -> Any:
        """Return the answer.

        Args:
            deadline: of `time.monotonic()`; when it has passed, the process is ended.
            timeout: the seconds that there were, for the message.

        Raises:
            EnvironmentFailure: there is none, or the environment raised an exception.
            UserError: what the environment returned is not as the contract says.
        """
        try:
            if not wait([self._connection], max(0.0, deadline - time.monotonic())):
                self.kill()
                raise EnvironmentFailure(
                    f"{self.label} did not answer within {timeout:g} seconds (--env-timeout)",
                    self.number,
                )
            message = self._connection.recv()
        except (EOFError, OSError):
            self.kill()
            status = self.process.exitcode
            fate = "is lost with its machine"
            if status is not None:
                fate = f"died (exit status {status}), for want of memory maybe"
            raise EnvironmentFailure(f"the process of {self.label} {fate}", self.number) from None
        return received(message, self.number)

    def kill(self) -> None:
        """End the process at once."""
        self.answers = False
        self.process.kill()
        self.process.join(5)
        atexit.unregister(self.kill)

    def stop(self) -> None:
        """Ask the process to close its environment and end."""
        if self.answers:
            self.send(Copy.close)

    def end(self, deadline: float) -> None:
        """Wait for the process to end until a time of `time.monotonic()`, then end it."""
        if self.answers:
            self.process.join(max(0.0, deadline - time.monotonic()))
        self.kill()
        self._connection.close()


def start_here(make_env: MakeEnv, world: World, number: int) -> Worker:
    """Return a copy in a process of this machine."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    return Worker(ours, start(theirs, make_env, world, number), world, number)


def start(
    connection: Connection, make_env: MakeEnv, world: World, number: int
) -> multiprocessing.process.BaseProcess:
    """Start the process of a copy, which takes over the connection."""
    arguments = (connection, CloudpickleWrapper(make_env), world, label(world, number), os.getpid())
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments, daemon=True)
    # It inherits what is blocked, and so cannot be stopped before it has learned not to be.
    blocks = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING) if blocks else ()
    try:
        process.start()
    finally:
        if blocks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        connection.close()
    return process


def label(world: World, number: int) -> str:
    """Return what a message calls a copy."""
    return f"{world.name}, copy {number}"


def work(
    connection: Connection, make_env: CloudpickleWrapper, world: World, name: str, owner: int
) -> None:
    """Live as a worker process: tell that it has begun, make a copy, tell of that, then serve."""
    end_with_owner(owner)
    # Its owner ends it, as a daemon; it may all the same have processes of its own, for its world.
    multiprocessing.current_process().daemon = False
    # What stops the training may reach workers too (Ctrl-C does); they must live until it has
    # saved their state.
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    copy: Copy | None = None

    def make() -> None:
        nonlocal copy
        copy = Copy(make_env.fn(), world, name)

    try:
        connection.send_bytes(answer(lambda: name, lambda: None))
        connection.send_bytes(answer(lambda: name, make))
        while copy is not None:
            method, arguments = connection.recv()
            done = answer(lambda: copy, lambda m=method, a=arguments: m(copy, *a))
            connection.send_bytes(done)
            if method is Copy.close:
                return
    except (EOFError, OSError):
        return  # nobody is there any more


def answer(where: Callable[[], object], call: Callable[[], Any]) -> bytes:
    """Return what `call` returns, or its error as text, for `received`."""
    try:
        return pickle.dumps((True, call()))
    except UserError as error:
        return pickle.dumps((False, (str(error), None)))
    except BaseException as error:  # Ctrl-C is ignored here, and there is no alarm
        text = f"{where()} raised {described(error)}"
        return pickle.dumps((False, (text, traceback.format_exc())))


def received(message: tuple[bool, Any], number: int) -> Any:
    """Return what the call in `answer` returned.

    Args:
        message: what `answer` pickled.
        number: of the copy that sent it.

    Raises:
        EnvironmentFailure: the environment raised an exception.
        UserError: what the environment returned is not as the contract says.
    """
    good, content = message
    if good:
        return content
    text, trace = content
    if trace is None:
        raise UserError(text)
    raise EnvironmentFailure(text, number, trace)


def described(error: BaseException) -> str:
    """Return an exception in one line."""
    return f"{type(error).__name__}: {one_line(error)}"


def end_with_owner(owner: int) -> None:
    """Make this process end as soon as its owner does, whatever it is doing."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    # Native code that never returns keeps the thread from running; the kernel needs no thread.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != owner:
            os._exit(1)
