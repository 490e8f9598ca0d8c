"""What the table of hashed screens costs: `python -m benchmarks.tabular`.

The memory that a screen takes. Then steps a second of processor time, on frames of Foxglove Run,
56 x 64 pixels, that were recorded before, so that the emulator's own time is not in it: of the
agent alone (it acts, hashes, looks up and learns), and of the whole training (its loop, checks,
counts and logs, without videos). Every frame is new in the first pass over the recording, and known
afterwards.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium
import numpy as np

from benchmarks.machine import describe, peak_memory
from qmap.envs.vector import Envs
from qmap.experiment import Experiment
from qmap.tabular.config import TabularConfig
from qmap.tabular.rules import RULES
from qmap.tabular.table import Table, screen_hash
from qmap.tabular.training import make_tabular_agent, train
from qmap.train_environment import is_best
from qmap.train_tabular import make_experiment
from qmap.utils import command_line
from qmap.utils.command_line import option


@dataclass(frozen=True)
class Options:
    """What to measure."""

    frames: int = option(5_000, "frames to record", minimum=100)
    steps: int = option(20_000, "steps to time", minimum=100)
    repetitions: int = option(3, "times that it is timed; the best counts", minimum=1)
    screens: int = option(1_000_000, "screens whose memory is measured", minimum=1_000)


class Recorded(gymnasium.Env[np.ndarray, np.int64]):
    """Foxglove Run as it was played before: whatever the action, the next recorded moment comes.

    Args:
        moments: what `step` of the game returned, one after the other.
        env: the game.
    """

    render_mode = "rgb_array"

    def __init__(self, moments: Sequence[tuple], env: gymnasium.Env) -> None:
        self.moments = moments
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.action_names = env.get_wrapper_attr("action_names")
        self.coords_shape = env.get_wrapper_attr("coords_shape")
        self.screen = env.render()
        self.next = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Go on where the recording is."""
        frame, _, _, _, info = self.step(0)
        return frame, info

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Return the next moment of the recording."""
        self.next = (self.next + 1) % len(self.moments)
        return self.moments[self.next]

    def render(self) -> np.ndarray:
        """Return a screen."""
        return self.screen


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = command_line.parse(Options, __doc__.splitlines()[0], arguments, "benchmarks.tabular")
    print(describe())
    # First, for what is counted is the most that the process ever had.
    print(f"memory: {screen_memory(options.screens):.0f} bytes a screen, 6 actions, one table")
    make_env = record(options.frames)
    for rule in RULES:
        config = TabularConfig(
            rule=rule, steps=options.steps, videos=False, first_exploration=0.5, memory=None
        )
        alone = max(agent_speed(config, make_env) for _ in range(options.repetitions))
        whole = max(training_speed(config, make_env) for _ in range(options.repetitions))
        print(f"{rule}: agent {alone:,.0f} steps/s, whole training {whole:,.0f} steps/s")


def record(frames: int) -> partial[Recorded]:
    """Play Foxglove Run at random; return what makes the environment that shows it again."""
    env = make_experiment(TabularConfig(env="foxglove")).make_env()
    generator = np.random.default_rng(0)
    moments: list[tuple] = []
    env.reset(seed=0)
    while len(moments) < frames:
        moments.append(env.step(int(generator.integers(env.action_space.n))))
        if moments[-1][2]:
            env.reset()
    recorded = partial(Recorded, moments, env)
    distinct = len({screen_hash(moment[0]) for moment in moments})
    print(f"{frames:,} frames recorded, {distinct:,} of them different")
    return recorded


def agent_speed(config: TabularConfig, make_env: partial[Recorded]) -> float:
    """Return the steps a second of the agent, whatever it is given."""
    env = make_env()
    envs = Envs(make_env, 1, seeds=[0], timeout=60.0)
    agent = make_tabular_agent(config, envs)
    frames = np.array([moment[0][None] for moment in env.moments])
    rewards = np.array([[moment[1]] for moment in env.moments])
    terminals = np.array([[moment[2]] for moment in env.moments])
    coords = np.array([moment[4]["coords"][None] for moment in env.moments])
    agent.start(np.array([0]), frames[0], coords[0])
    started = time.process_time()
    for step in range(config.steps):
        at = (step + 1) % len(frames)
        agent.observe(agent.act(), rewards[at], terminals[at], frames[at], coords[at])
        if terminals[at, 0]:
            agent.start(np.array([0]), frames[at], coords[at])
    return config.steps / (time.process_time() - started)


def training_speed(config: TabularConfig, make_env: partial[Recorded]) -> float:
    """Return the steps a second of the whole training."""
    experiment = Experiment("recorded", make_env, "mario", 1000, is_best)
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        train(TabularConfig(**{**vars(config), "path": folder}), experiment, __name__)
        return config.steps / (time.process_time() - started)


def screen_memory(screens: int) -> float:
    """Return the bytes of a screen in a table that is full."""
    keys = np.random.default_rng(0).integers(0, 2**64 - 1, screens, np.uint64)
    before = peak_memory()
    table = Table(screens, 1, 6)
    for key in keys:
        row = table.row(int(key))
        table.values[row] = table.visits[row] = 1
    return (peak_memory() - before) / len(table)


if __name__ == "__main__":
    command_line.run(main)
