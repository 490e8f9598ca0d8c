"""Copies of an environment side by side: here, in a process each, or on a Ray cluster."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qmap.envs.alarm import Alarm, TimeIsUp
from qmap.envs.contract import EnvironmentFailure, check_contract, check_screen
from qmap.envs.make_env import make_sticky
from qmap.envs.ray_worker import start_there
from qmap.envs.worker import Copy, MakeEnv, Seen, Worker, close, described, start_here
from qmap.utils import streams
from qmap.utils.errors import UserError
from qmap.utils.ray_cluster import connect
from qmap.utils.terminal import warn

if TYPE_CHECKING:
    from qmap.game_options import GameOptions

# How long an environment may take to close at the end.
CLOSING = 10.0
# How long processes may take to begin: on a busy machine many do take long, for no world's fault.
BEGINNING = 300.0


class View(NamedTuple):
    """What copies show at one moment: n rows, one a copy.

    Attributes:
        frames: uint8 (n, height, width, channels).
        coords: int64 (n, 3), row and column on the goal grid and the window's column.
        positions: int64 (n, 2), row and column at full resolution.
        rooms: int64 (n,).
        distances: int64 (n,), the last that each copy has told in its episode, 0 before it has
            told one; None if no copy of the view has.
        completed: bool (n,), the level was finished.
        clipped: bool (n,), the coordinates were off the grid and were moved to it.
        screen: uint8 (height, width, 3) in RGB, of the first copy; None unless it is in the view
            and `Envs.recording` is set.
    """

    frames: np.ndarray
    coords: np.ndarray
    positions: np.ndarray
    rooms: np.ndarray
    distances: np.ndarray | None
    completed: np.ndarray
    clipped: np.ndarray
    screen: np.ndarray | None


class Step(NamedTuple):
    """What a step of all copies led to.

    Attributes:
        view: what they show now.
        rewards: float64 (n,), finite in 32 bits too.
        terminals: bool (n,).
        truncations: bool (n,).
    """

    view: View
    rewards: np.ndarray
    terminals: np.ndarray
    truncations: np.ndarray


class Restored(NamedTuple):
    """Which copies had to begin an episode, since the one they were in could not be restored.

    Attributes:
        begun: bool (n,).
        view: what these show, one row for each in order; None if there are none.
    """

    begun: np.ndarray
    view: View | None


class Envs:
    """`n_envs` copies of an environment.

    `reset` or `restore` comes first; `restart` begins the next episodes where some have ended. A
    copy of its own, closed before the others are made, is used to check the contract.

    After an error `state` still works and is that of before the step: copies that have gone on
    without the agent knowing begin an episode when that state is restored.

    Args:
        make_env: makes one environment, with `render_mode="rgb_array"`.
        n_envs: number of copies. A single one lives in this process; several live in a worker
            process each, because an emulator may allow only one in a process.
        seeds: one for each copy, from 0; below 2**31 suits every world.
        timeout: seconds that each call may take (of a single copy: see `Alarm`).
        ray: address of a Ray cluster on whose machines all copies live; None for this machine.

    Attributes:
        recording: whether views show the screen of the first copy.
        name: by which the user knows the environment.
        frame_shape: (height, width, channels) of a frame.
        coords_shape: (rows, cols) of the goal grid.
        n_actions: number of actions.
        action_names: their names.
        cell_shape: (height, width) of a goal cell in pixels of the screen.
        forgetful: names of the wrappers with a state that `state` lacks.

    Raises:
        UserError: the environment does not keep the contract; from every method.
        EnvironmentFailure: it raised an exception, died or did not answer; from every method.
    """

    def __init__(
        self,
        make_env: MakeEnv,
        n_envs: int,
        *,
        seeds: Sequence[int],
        timeout: float,
        ray: str | None = None,
    ) -> None:
        if len(seeds) != n_envs:
            raise ValueError(f"{len(seeds)} seeds for {n_envs} copies")
        self.n_envs = n_envs
        self.recording = False
        self._seeds = [int(seed) for seed in seeds]
        self._timeout = timeout
        self._astray = np.zeros(n_envs, bool)
        self._copy: Copy | None = None
        self._workers: list[Worker] = []
        self._alarm = Alarm(timeout)
        try:
            world = self._here(None, _checked, make_env)
            self.name, self.frame_shape, self.coords_shape = world[:3]
            self.action_names, self.cell_shape = world.action_names, world.cell_shape
            self.n_actions = len(world.action_names)
            self.forgetful = world.forgetful
            makers = [partial(streams.made_with_luck, make_env, seed) for seed in self._seeds]
            if ray is not None:
                self._workers += start_there(connect(ray), makers, world, timeout)
            elif n_envs == 1:
                self._copy = Copy(self._here(None, *makers), world, self.name)
            else:
                for number, make in enumerate(makers):
                    self._workers.append(start_here(make, world, number))
            for seconds in (max(BEGINNING, timeout), timeout):  # the process, then its world
                self._answers(range(len(self._workers)), seconds)
        except BaseException:
            self.close()
            raise

    def reset(self) -> View:
        """Begin the first episode of every copy, seeded with the copy's own seed."""
        arguments = {env: (seed, self._shows(env)) for env, seed in enumerate(self._seeds)}
        return _view(self._ask(Copy.reset, arguments))

    def step(self, actions: np.ndarray) -> Step:
        """Take an action in every copy, int (n_envs,)."""
        arguments = {env: (action, self._shows(env)) for env, action in enumerate(actions.tolist())}
        steps = self._ask(Copy.step, arguments, moves=True)
        seen, rewards, terminals, truncations = zip(*steps, strict=True)
        return Step(_view(seen), np.array(rewards), np.array(terminals), np.array(truncations))

    def restart(self, ended: np.ndarray) -> View:
        """Begin an episode in every copy of a mask, bool (n_envs,); one row for each of these."""
        arguments = {env: (None, self._shows(env)) for env in np.flatnonzero(ended).tolist()}
        return _view(self._ask(Copy.reset, arguments, moves=True))

    def screen(self) -> np.ndarray:
        """Return the screen of the first copy as it is now, uint8 (height, width, 3) in RGB."""
        return self._ask(Copy.screen, {0: ()})[0]

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, for `qmap.utils.checkpoint` to write."""
        # Nothing is known of a copy that does not answer: its world begins with another seed.
        states = {f"{env:02d}": {"seed": _next(seed)} for env, seed in enumerate(self._seeds)}
        alive = [env for env in range(self.n_envs) if self._copy or self._workers[env].answers]
        arguments = {env: (bool(self._astray[env]),) for env in alive}
        for env, state in zip(alive, self._ask(Copy.state, arguments), strict=True):
            if trouble := state.pop("trouble"):
                warn(f"{trouble}; a run that is resumed here begins a new one")
            states[f"{env:02d}"] = {"seed": self._seeds[env], **state}
        return states

    def restore(self, state: Mapping[str, Any]) -> Restored:
        """Go on from what `state` returned, in copies that have not been reset."""
        states = [state[f"{env:02d}"] for env in range(self.n_envs)]
        self._seeds = [int(each["seed"]) for each in states]
        known = {env: each for env, each in enumerate(states) if "world" in each}
        seen: dict[int, Seen] = dict.fromkeys(range(self.n_envs))
        arguments = {env: (each, each["seed"]) for env, each in known.items()}
        seen |= zip(known, self._ask(Copy.restore, arguments), strict=True)
        unknown = {env: (self._seeds[env], False) for env in seen if env not in known}
        seen |= zip(unknown, self._ask(Copy.reset, unknown), strict=True)
        begun = [each for each in seen.values() if each is not None]
        mask = np.array([each is not None for each in seen.values()])
        return Restored(mask, _view(begun) if begun else None)

    def jump(self, states: Mapping[int, Mapping[str, Any]]) -> None:
        """Bring copies, by their numbers, to moments of an episode that were saved.

        Args:
            states: each one of the values that `state` returned, of any copy of the same world,
                and whose world has `save_state`.
        """
        arguments = {env: (state, self._seeds[env]) for env, state in states.items()}
        self._ask(Copy.restore, arguments, moves=True)

    def close(self) -> None:
        """Close the environments; no process outlives this, and it may be called again."""
        if self._copy is not None:
            copy, self._copy = self._copy, None
            self._alarm.seconds = min(CLOSING, self._timeout)
            try:
                with self._alarm:
                    copy.close()
            except TimeIsUp:
                pass  # the process is about to end anyway
        self._alarm.close()
        for worker in self._workers:
            worker.stop()
        deadline = time.monotonic() + min(CLOSING, self._timeout)
        for worker in self._workers:
            worker.end(deadline)
        self._workers = []

    def _shows(self, env: int) -> bool:
        return self.recording and env == 0

    def _ask(
        self, method: Callable[..., Any], arguments: Mapping[int, tuple], moves: bool = False
    ) -> list[Any]:
        """Call a method of `Copy` in some copies, all at once; return what each returned.

        Args:
            method: the method.
            arguments: what to call it with, by the number of the copy.
            moves: the copies go on in their world; if one fails, none is where it was any more.
        """
        try:
            if (copy := self._copy) is not None:
                return [self._here(copy, method, copy, *each) for each in arguments.values()]
            for env, each in arguments.items():
                self._workers[env].send(method, *each)
            return self._answers(arguments, self._timeout)
        except BaseException:
            if moves:
                self._astray[list(arguments)] = True
            raise

    def _answers(self, envs: Sequence[int] | Mapping[int, Any], seconds: float) -> list[Any]:
        """Return the workers' answers; all are fetched before an error is raised."""
        deadline = time.monotonic() + seconds
        answers, errors = [], []
        for env in envs:
            try:
                answers.append(self._workers[env].receive(deadline, seconds))
            except UserError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return answers

    def _here(self, copy: Copy | None, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in this process, in time; tell the world's errors as such."""
        try:
            with self._alarm:
                return function(*arguments)
        except (UserError, KeyboardInterrupt):
            raise
        except TimeIsUp:
            what = f"did not answer within {self._timeout:g} seconds (--env-timeout)"
            trace = traceback.format_exc()
        except BaseException as error:
            what = f"raised {described(error)}"
            trace = traceback.format_exc()
        where = "the environment" if copy is None else copy
        raise EnvironmentFailure(f"{where} {what}", 0, trace)


def make_envs(make_env: MakeEnv, options: GameOptions) -> Envs:
    """Make the copies of an environment that the options of a run ask for.

    Args:
        make_env: makes one, without sticky actions.
        options: how many there are and where, how sticky, and the seed that theirs come from.

    Raises:
        UserError: as `Envs`.
    """
    if options.sticky:
        make_env = partial(make_sticky, make_env, options.sticky)
    seeds = [streams.number(options.seed, "environments", env) for env in range(options.envs)]
    return Envs(make_env, options.envs, seeds=seeds, timeout=options.env_timeout, ray=options.ray)


def warn_of_losses(envs: Envs) -> None:
    """Say by name which wrappers' states are lost in what `Envs.state` returns, if any are."""
    if envs.forgetful:
        warn(
            f"{', '.join(envs.forgetful)} of {envs.name} cannot be saved: a run that is stopped "
            "and resumed will differ from one that was not"
        )


def _checked(make_env: MakeEnv) -> Any:
    """Check the contract in an environment apart."""
    env = make_env()
    try:
        return check_contract(env)._replace(cell_shape=check_screen(env))
    finally:
        close(env)


def _view(seen: Sequence[Seen]) -> View:
    moments, screens = zip(*seen, strict=True)
    frames, coords, positions, rooms, distances, completed, clipped = zip(*moments, strict=True)
    told = any(distance is not None for distance in distances)
    return View(
        frames=np.array(frames),
        coords=np.array(coords),
        positions=np.array(positions),
        rooms=np.array(rooms),
        distances=np.array([distance or 0 for distance in distances]) if told else None,
        completed=np.array(completed),
        clipped=np.array(clipped),
        screen=screens[0],
    )


def _next(seed: int) -> int:
    """Return another seed, below 2**31, which every world takes."""
    return int(np.random.SeedSequence((seed, 1)).generate_state(1)[0] >> 1)
