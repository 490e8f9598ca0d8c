"""The training on a game, measured from outside while it runs, and its floor."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import gymnasium
import numpy as np

import qmap.agents.agent
from benchmarks.floor import BareEmulator, Event, Floor
from benchmarks.machine import cores, peak_memory
from benchmarks.stopwatch import Stopwatch
from qmap.agents.acting import OnlineNetworks
from qmap.agents.agent import Agent
from qmap.agents.replay import Replay
from qmap.agents.together import together
from qmap.config import TrainingConfig
from qmap.envs.vector import Envs
from qmap.experiment import Experiment
from qmap.make_agent import make_agent, make_agent_for
from qmap.recording import Recording
from qmap.training import train

BLOCK = 100  # steps that are measured in a row, each time followed by their floor
NETWORKS_AND_EMULATOR = ("emulator", "acting", "learning")
Times = dict[str, float]  # of a block, in milliseconds per step, by part


@dataclass(frozen=True)
class GameFigures:
    """What was measured: medians over blocks of steps.

    Attributes:
        steps_per_second: agent steps of the whole training.
        ms: milliseconds per step by part: `emulator` with preprocessing, networks in `acting`,
            `choosing` goals and actions, `sampling` with priorities, networks in `learning`, and
            `other`, which is storing, logging and the loop.
        floor_ms: the same for the floor: `emulator`, `acting` and `learning`.
        floor_ratio: time of the floor by time of the training; 1 is perfect.
        outside: share of the time that is spent neither in networks nor in the emulator.
        update_ms: milliseconds of an update of each learner when the other one does nothing.
        recording: share of a step's time that goes into the video while an episode is recorded;
            None if that was not measured.
        stored: transitions in the replay when the measuring began.
        replay_bytes_per_transition: in the replay with its priorities.
        peak_memory_bytes: of the process, before the floor takes its share.
    """

    steps_per_second: float
    ms: dict[str, float]
    floor_ms: dict[str, float]
    floor_ratio: float
    outside: float
    update_ms: dict[str, float]
    recording: float | None
    stored: int
    replay_bytes_per_transition: float
    peak_memory_bytes: int


def measure(
    config: TrainingConfig,
    experiment: Experiment,
    bare_emulator: BareEmulator,
    *,
    steps: int,
    warmup: int,
    stored: int = 0,
) -> GameFigures:
    """Train for a while and return what that costs.

    Args:
        config: the training; with videos, as many blocks again are measured with a recording of
            every episode.
        experiment: the game.
        bare_emulator: the game's emulator without any processing of its screen.
        steps: steps to measure, in blocks of 100.
        warmup: steps before them, once goals of the Q-map are in use.
        stored: transitions that are in the replay by then, at least.

    Raises:
        UserError: the game cannot be played here.
    """
    experiment = dataclasses.replace(experiment, video_every=1)
    probe = Probe(config, experiment, bare_emulator, -(-steps // BLOCK), warmup, stored)
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stderr(io.StringIO()),
        probe.installed(),
        contextlib.suppress(Enough),
    ):
        config = dataclasses.replace(config, path=folder)
        probed = dataclasses.replace(experiment, make_env=probe.make_env)
        train(config, probed, __name__, make_agent_for)
    return probe.figures()


def recording_share(recorded: list[Times], times: list[Times]) -> float | None:
    """The share of a step's time that recording takes; None if nothing was recorded.

    Each recorded block is compared with the one before it, as encoding also slows what it is no
    part of.
    """
    if not recorded:
        return None
    return float(np.median(1.0 - _totals(times) / _totals(recorded)))


def floor_ratio(floor: list[Times], times: list[Times]) -> float:
    """The time of the floor by the time of the training, block by block."""
    return float(np.median(_totals(floor) / _totals(times)))


def _totals(blocks: list[Times]) -> np.ndarray:
    return np.array([sum(times.values()) for times in blocks])


class Enough(BaseException):
    """All blocks are measured. No error, so that nothing takes it for one."""


class TimedEnv(gymnasium.Wrapper):
    """An environment whose steps are timed."""

    def __init__(self, env: gymnasium.Env, stopwatch: Stopwatch, events: list[Event]) -> None:
        super().__init__(env)
        self._stopwatch = stopwatch
        self._events = events

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment and note that."""
        self._events.append(("emulator", ()))
        with self._stopwatch.part("emulator"):
            return self.env.step(action)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Reset the environment."""
        with self._stopwatch.part("emulator"):
            return self.env.reset(**options)


class Probe:
    """Watches a training: times its parts and writes down which networks ran when.

    First, the replay is filled without training until goals may be chosen; then follow the
    warm-up and the blocks. After each block the floor does again what the block did, so that both
    see the same machine if that is shared with others. So do recorded blocks, which come in
    between.
    """

    def __init__(
        self,
        config: TrainingConfig,
        experiment: Experiment,
        bare_emulator: BareEmulator,
        blocks: int,
        warmup: int,
        stored: int,
    ) -> None:
        self.config = config
        self.experiment = experiment
        self.bare_emulator = bare_emulator
        self.blocks = blocks
        self.stored = stored
        self.filled = 2 * config.learning_starts
        self.next_stop = self.filled + warmup
        self.stopwatch = Stopwatch()
        self.events: list[Event] = []
        self.times: list[Times] = []
        self.recorded_times: list[Times] = []
        self.recording: Recording | None = None
        self.recorded = False
        self.floor_times: list[Times] = []
        self.floor: Floor | None = None
        self.env: gymnasium.Env | None = None

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Watch the training that is run inside the `with` block."""
        watched = {
            "act": self._act(Agent.act),
            "train": self._train(Agent.train),
        }
        with (
            patch.multiple(Agent, **watched),
            patch.object(Recording, "add", self._add(Recording.add)),
            patch.object(OnlineNetworks, "evaluate", self._evaluate(OnlineNetworks.evaluate)),
            patch.object(qmap.agents.agent, "together", self._together),
            patch.object(Envs, "step", self._step(Envs.step)),
        ):
            yield

    @property
    def make_env(self) -> Callable[[], gymnasium.Env]:
        """Makes an environment that is watched, or one for a worker process."""
        if self.config.envs > 1:
            return self.experiment.make_env
        return self._make_watched

    def _make_watched(self) -> gymnasium.Env:
        self.env = TimedEnv(self.experiment.make_env(), self.stopwatch, self.events)
        return self.env

    def figures(self) -> GameFigures:
        """Return what all blocks together say."""
        outside = [
            1.0 - sum(times.get(part, 0.0) for part in NETWORKS_AND_EMULATOR) / total
            for times, total in zip(self.times, _totals(self.times), strict=True)
        ]
        ms = _medians(self.times)
        return GameFigures(
            steps_per_second=1e3 / sum(ms.values()),
            ms=ms,
            floor_ms={k: v for k, v in _medians(self.floor_times).items() if k != "other"},
            floor_ratio=floor_ratio(self.floor_times, self.times),
            outside=statistics.median(outside),
            update_ms=self.update_ms,
            recording=recording_share(self.recorded_times, self.times),
            stored=self.stored_then,
            replay_bytes_per_transition=self.bytes_per_transition,
            peak_memory_bytes=self.peak_memory,
        )

    def _add(self, add: Callable[..., None]) -> Callable[..., None]:
        def watched(recording: Recording, *args: Any) -> None:
            self.recording = recording
            if self.recorded:
                with self.stopwatch.part("recording"):
                    add(recording, *args)

        return watched

    def _act(self, act: Callable[[Agent], np.ndarray]) -> Callable[[Agent], np.ndarray]:
        def watched(agent: Agent) -> np.ndarray:
            if agent.step >= self.next_stop:
                self._end_block(agent)
            with self.stopwatch.part("choosing"):
                return act(agent)

        return watched

    def _train(self, train: Callable[[Agent], None]) -> Callable[[Agent], None]:
        def watched(agent: Agent) -> None:
            if agent.step >= self.filled:
                if len(agent.replay) < self.stored:
                    fill(agent.replay, self.stored)
                with self.stopwatch.part("sampling"):
                    train(agent)

        return watched

    def _evaluate(self, evaluate: Callable[..., Any]) -> Callable[..., Any]:
        def watched(
            networks: OnlineNetworks, observations: np.ndarray, **needed: bool
        ) -> tuple[np.ndarray | None, np.ndarray | None]:
            names = {"q_frames": "q_map", "greedy_actions": "dqn"}
            self.events.append(("acting", tuple(names[what] for what in needed if needed[what])))
            with self.stopwatch.part("acting"):
                return evaluate(networks, observations, **needed)

        return watched

    def _together(self, calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        if calls:
            self.events.append(("learning", tuple(calls)))
        with self.stopwatch.part("learning"):
            return together(calls)

    def _step(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any) -> Any:
            if self.config.envs == 1:  # it is timed in the environment
                return step(*args)
            self.events += [("emulator", ())] * self.config.envs
            with self.stopwatch.part("emulator"):
                return step(*args)

        return watched

    def _end_block(self, agent: Agent) -> None:
        """Note the block's times, let the floor do the same, begin the next block."""
        if self.recorded:
            with self.stopwatch.part("recording"):
                while self.recording.videos.waiting > 10:
                    time.sleep(0.001)
        times = self.stopwatch.read()
        if self.floor is None:  # that was the warm-up
            self.stored_then = len(agent.replay)
            self.peak_memory = peak_memory()
            self.bytes_per_transition = bytes_per_transition(agent)
            self.floor = self._make_floor(agent)
        elif self.recorded:
            self.recorded_times.append(_per_step(times, agent.step - self.block_start))
            self.recorded = False
        else:
            self.times.append(_per_step(times, agent.step - self.block_start))
            self.floor_times.append(self._floor_of_block(agent))
            self.recorded = self.config.videos
        if len(self.times) == self.blocks and not self.recorded:
            self.update_ms = {k: 1e3 * v for k, v in self.floor.alone("learning").items()}
            raise Enough
        self.block_start = agent.step
        self.next_stop = agent.step + BLOCK
        self.events.clear()
        self.stopwatch.reset()

    def _floor_of_block(self, agent: Agent) -> Times:
        with self.bare_emulator(self.env or self.experiment.make_env()) as emulate:
            seconds = self.floor.seconds(self.events, emulate)
        if self.config.envs > 1:
            seconds["emulator"] /= min(self.config.envs, cores())
        return _per_step(seconds, agent.step - self.block_start)

    def _make_floor(self, agent: Agent) -> Floor:
        observations = agent.observations()
        twin = make_agent(
            dataclasses.replace(self.config, replay=1000),
            self.experiment.dqn,
            (*observations.shape[1:3], observations.shape[3] // self.config.stack),
            agent.replay.coords_shape,
            agent.policies[0].n_actions,
        )
        slots = np.arange(self.config.batch) + agent.replay.history
        return Floor(
            twin.learners,
            agent.replay.transitions(slots),
            observations,
        )


def fill(replay: Replay, count: int) -> None:
    """Store steps on random frames until there are `count` of them, or no room for more."""
    generator = np.random.default_rng(0)
    envs = replay.n_envs
    count = min(count, replay.capacity)
    coords = np.zeros((envs, 3), np.int64)
    while len(replay) < count:
        frames = generator.integers(256, size=(envs, *replay.frame_shape), dtype=np.uint8)
        coords[:, :2] = generator.integers(replay.coords_shape, size=(envs, 2))
        replay.add(np.zeros(envs, np.int64), np.zeros(envs), np.zeros(envs, bool), frames, coords)


def bytes_per_transition(agent: Agent) -> float:
    """Bytes of the replay and its priorities for each stored transition."""
    replay = agent.replay
    trees = sum(priorities.tree.nbytes for priorities in replay.priorities.values())
    return replay.nbytes / len(replay) + trees / replay.capacity


def _per_step(seconds: Mapping[str, float], steps: int) -> Times:
    return {part: 1e3 * value / steps for part, value in seconds.items()}


def _medians(times: list[Times]) -> Times:
    parts = sorted({part for block in times for part in block})
    return {part: statistics.median(block.get(part, 0.0) for block in times) for part in parts}
