"""Rollouts of a policy that begin along a demonstration."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from qmap.demonstration.ppo import PPO, Sequences, advantages
from qmap.demonstration.rollout import Rollout
from qmap.demonstration.starts import Starts
from qmap.demonstration.trail import Trail
from qmap.demonstration.watching import Watching
from qmap.envs.vector import Envs

EPSILON = 1e-8


class Rollouts:
    """Copies of the world in which a policy goes on from along a demonstration.

    A rollout ends when its episode does, when it has scored as well as the demonstration from its
    start, and when it has less than the demonstration had got `lag` steps earlier. What the policy
    remembers at its beginning is computed from the `warm_up` steps of the demonstration before.

    Args:
        envs: copies of the world.
        trail: the demonstration.
        starts: where rollouts begin.
        ppo: who acts.
        generator: draws the actions.
        stack: frames in an observation.
        gamma: discount factor.
        trace: share of what follows in the advantages, see `advantages`.
        signs: whether it learns from the signs of the rewards; else from what share they are of the
            largest that the demonstration got.
        lag: see there.
        deficit: points that it may lack, in both comparisons.
        warm_up: see there.
        watching: is shown the first copy.
    """

    def __init__(
        self,
        envs: Envs,
        trail: Trail,
        starts: Starts,
        ppo: PPO,
        generator: np.random.Generator,
        *,
        stack: int,
        gamma: float,
        trace: float,
        signs: bool,
        lag: int,
        deficit: float = 0.0,
        warm_up: int,
        watching: Watching,
    ) -> None:
        self.envs = envs
        self.trail = trail
        self.starts = starts
        self.ppo = ppo
        self.stack = stack
        self.gamma = gamma
        self.trace = trace
        self.signs = signs
        self.lag = lag
        self.deficit = deficit
        self.warm_up = warm_up
        self.watching = watching
        self.under_way = [Rollout(number) for number in range(1, envs.n_envs + 1)]
        self._generator = generator
        height, width, channels = envs.frame_shape
        copies = envs.n_envs
        self._observations = np.zeros((copies, height, width, channels * stack), np.uint8)
        self._memory = np.zeros((copies, ppo.network.units), np.float32)
        self._coords = np.zeros((copies, 3), np.int64)
        self._screen: np.ndarray | None = None
        self._largest = np.abs(trail.rewards).max()
        # What is remembered at a start, as long as the weights stay.
        self._remembered: dict[int, np.ndarray] = {}

    def begin(self) -> None:
        """Begin a rollout in every copy, none of which has been reset."""
        self.envs.reset()
        self._begin(range(self.envs.n_envs))

    def collect(self, steps: int) -> tuple[Sequences, list[Rollout]]:
        """Go on for a number of steps in every copy.

        Returns:
            What was done, a sequence for each copy, and the rollouts that have ended.
        """
        self._remembered.clear()
        copies, units = self._memory.shape
        observations = np.zeros((steps, *self._observations.shape), np.uint8)
        memory = np.zeros((steps, copies, units), np.float32)
        begins, ends = np.zeros((2, steps, copies), bool)
        actions = np.zeros((steps, copies), np.int32)
        log_probabilities, rewards, values = np.zeros((3, steps, copies), np.float32)
        ended: list[Rollout] = []
        for step in range(steps):
            begins[step] = [rollout.length == 0 for rollout in self.under_way]
            observations[step], memory[step] = self._observations, self._memory
            known, values[step], self._memory = self.ppo.act(self._observations, self._memory)
            # The largest of the log-probabilities plus Gumbel noise is drawn by the probabilities.
            actions[step] = (known + self._generator.gumbel(size=known.shape)).argmax(axis=-1)
            log_probabilities[step] = known[np.arange(copies), actions[step]]
            rewards[step], ends[step] = self._step(actions[step])
            ended += self._end(ends[step])
        _, last_values, _ = self.ppo.act(self._observations, self._memory)
        estimates = advantages(rewards, values, ends, last_values, self.gamma, self.trace)
        normal = (estimates - estimates.mean()) / (estimates.std() + EPSILON)
        done = (actions, log_probabilities, normal, estimates + values)
        return Sequences(observations, begins, memory, *done), ended

    def state(self) -> dict[str, Any]:
        """Return what the next steps depend on."""
        return {
            "envs": self.envs.state(),
            "generator": self._generator.bit_generator.state,
            "under_way": [dataclasses.asdict(rollout) for rollout in self.under_way],
            "observations": self._observations.copy(),
            "memory": self._memory.copy(),
            "coords": self._coords.copy(),
            "watching": self.watching.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned, in copies that have not been reset."""
        begun, _ = self.envs.restore(state["envs"])
        self._generator.bit_generator.state = state["generator"]
        self.under_way = [Rollout(**rollout) for rollout in state["under_way"]]
        self._observations[:] = state["observations"]
        self._memory = state["memory"].copy()
        self._coords[:] = state["coords"]
        if "watching" in state:  # not in snapshots of earlier versions
            self.watching.restore(state["watching"])
        self._begin(np.flatnonzero(begun).tolist())

    def _step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take an action in every copy; return the rewards to learn from, and which have ended."""
        if self.watching.looks:
            if self._screen is None:
                self._screen = self.envs.screen()
            seen = (self._observations[0], self._screen, self._coords[0])
            self.watching.add(self.under_way[0], *seen, int(actions[0]))
        view, rewards, terminals, truncations = self.envs.step(actions)
        self._push(view.frames)
        self._coords[:], self._screen = view.coords, view.screen
        learned = np.sign(rewards) if self.signs else rewards / self._largest
        ends = terminals.copy()
        for copy, rollout in enumerate(self.under_way):
            rollout.add(float(rewards[copy]), self.gamma)
            # Where the end of a level is not that of the episode, only one step tells of it.
            rollout.completed |= bool(view.completed[copy])
            score = rollout.undiscounted_return + self.deficit
            rollout.success = self.trail.matched(rollout.start, score)
            behind = self.trail.behind(rollout.start, rollout.length, score, self.lag)
            ends[copy] |= rollout.success or behind
        cut_off = truncations & ~ends
        if cut_off.any():
            # Without the limit it would have gone on to get what the value says.
            _, values, _ = self.ppo.act(self._observations, self._memory)
            learned[cut_off] += self.gamma * values[cut_off]
        return learned, ends | cut_off

    def _end(self, ends: np.ndarray) -> list[Rollout]:
        """End the rollouts of some copies, bool (copies,), begin others; return the ended ones."""
        ended = [self.under_way[copy] for copy in np.flatnonzero(ends)]
        for rollout in ended:
            self.starts.end(rollout.start, rollout.success)
        if ends[0]:
            self.watching.end(self.under_way[0])
        self._begin(np.flatnonzero(ends).tolist())
        return ended

    def _begin(self, copies: Sequence[int]) -> None:
        """Begin rollouts in some copies."""
        states = {}
        newest = max(rollout.number for rollout in self.under_way)
        for number, copy in enumerate(copies, newest + 1):
            start = self.starts.draw(copy)
            states[copy] = self.trail.state(start)
            self.under_way[copy] = Rollout(number, start=start)
            self._observations[copy] = self._stacked(start)
            self._coords[copy] = self.trail.coords[start]
            self._memory[copy] = self._memory_at(start)
        self.envs.jump(states)
        if 0 in states:
            self._screen = None
            self.watching.start(self.under_way[0])

    def _memory_at(self, start: int) -> np.ndarray:
        """Return what the policy remembers at the beginning of a rollout, (units,)."""
        if start not in self._remembered:
            before = [self._stacked(max(start - ago, 0)) for ago in range(self.warm_up, 0, -1)]
            count = min(start, self.warm_up)
            nothing = np.zeros(self.ppo.network.units, np.float32)
            self._remembered[start] = (
                self.ppo.remember(np.array(before), count) if count else nothing
            )
        return self._remembered[start]

    def _stacked(self, step: int) -> np.ndarray:
        """Return the demonstration's observation at a step, (height, width, channels)."""
        steps = np.maximum(np.arange(step - self.stack + 1, step + 1), 0)
        return np.concatenate(self.trail.frames[steps], axis=-1)

    def _push(self, frames: np.ndarray) -> None:
        """Put the newest frames behind the others, and forget the oldest."""
        channels = frames.shape[-1]
        self._observations[..., :-channels] = self._observations[..., channels:].copy()
        self._observations[..., -channels:] = frames
