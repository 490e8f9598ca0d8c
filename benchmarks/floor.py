"""What the machine allows: networks, optimizers and emulator alone, in the rhythm of a real run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial

import gymnasium
import numpy as np
import tensorflow as tf

from benchmarks.stopwatch import Stopwatch
from qmap.agents.dqn import DQNLearner
from qmap.agents.learner import Learner, preferences
from qmap.agents.replay import Transitions

# One step of an emulator.
Emulate = Callable[[], None]
# From an environment to its emulator alone; the environment is afterwards as it was before.
BareEmulator = Callable[[gymnasium.Env], AbstractContextManager[Emulate]]
# A part of a step, and the learners whose networks took part in it.
Event = tuple[str, tuple[str, ...]]


class Floor:
    """Does again what a run did, without anything that is not a network or the emulator.

    Every combination of learners that work at the same time is one compiled function on constant
    batches: nothing is sampled, converted or read back, and there are no targets.

    Args:
        learners: learners of their own, because they learn nonsense here.
        batch: transitions for the training steps.
        observations: what the networks see when acting, (n_envs, height, width, channels).
    """

    def __init__(
        self,
        learners: Iterable[Learner],
        batch: Transitions,
        observations: np.ndarray,
    ) -> None:
        self.learners = {learner.name: learner for learner in learners}
        self.observations = tf.constant(observations)
        self.before = tf.constant(batch.observations)
        self.after = tf.constant(batch.next_observations)
        self._functions: dict[Event, Callable[[], object]] = {}

    def seconds(self, events: Iterable[Event], emulate: Emulate | None = None) -> dict[str, float]:
        """Do what the events say, with `emulate` for the steps; return the seconds by part."""
        events = list(events)
        functions = {event: self._function(event, emulate) for event in set(events)}
        stopwatch = Stopwatch()
        for event in events:
            with stopwatch.part(event[0]):
                functions[event]()
        return stopwatch.read()

    def alone(self, part: str, repetitions: int = 15) -> dict[str, float]:
        """Median seconds of the part for each learner when the other one does nothing."""
        return {
            name: statistics.median(
                self.seconds([(part, (name,))])[part] for _ in range(repetitions)
            )
            for name in self.learners
        }

    def _function(self, event: Event, emulate: Emulate | None) -> Callable[[], object]:
        part, names = event
        if part == "emulator":
            return emulate
        if event not in self._functions:
            learners = [self.learners[name] for name in names]
            self._functions[event] = (
                partial(_forwards(learners), self.observations)
                if part == "acting"
                else partial(_updates(learners), self.before, self.after)
            )
            self._functions[event]()
        return self._functions[event]


def _forwards(learners: list[Learner]) -> Callable[..., object]:
    @tf.function
    def forwards(observations: tf.Tensor) -> list[tf.Tensor]:
        return [
            preferences(learner.online, observations)
            if isinstance(learner, DQNLearner)
            else learner.online(observations)
            for learner in learners
        ]

    return forwards


def _updates(learners: list[Learner]) -> Callable[..., object]:
    @tf.function
    def updates(before: tf.Tensor, after: tf.Tensor) -> list[tf.Tensor]:
        values = []
        for learner in learners:
            # Returned, or TensorFlow would see that nobody needs them.
            values += learner.next_values(after)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(learner.online(before)))
            learner.optimizer.apply(tape.gradient(loss, learner.optimizer.variables))
        return values

    return updates
