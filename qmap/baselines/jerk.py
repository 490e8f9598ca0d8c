"""JERK, "just enough retained knowledge": the Retro Contest's baseline for side-scrolling games.

Nichol et al. 2018, "Gotta Learn Fast: A New Benchmark for Generalization in RL". There the reward
was how far the character got to the right; here that is counted in columns of the goal grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from qmap.agents.policy import Kind, Needs
from qmap.utils.errors import UserError

FORWARD = 100  # steps to the right, before it looks whether that led anywhere
BACK = 70  # steps to the left, where it did not
JUMP_PROBA = 0.1  # that a step begins a jump
JUMP_STEPS = 4
EXPLOIT_BIAS = 0.25
MOST_SOLUTIONS = 1000  # that are kept, the best: a long run has no end of them


class Moves(NamedTuple):
    """The actions that it takes."""

    right: int
    jump_right: int
    left: int
    jump_left: int


# What games call them.
NAMES = (
    Moves("RIGHT", "JUMP+RIGHT", "LEFT", "JUMP+LEFT"),
    Moves("RIGHT", "RIGHTFIRE", "LEFT", "LEFTFIRE"),
)


def find_moves(action_names: Sequence[str]) -> Moves:
    """Return the actions to run and jump with.

    Raises:
        UserError: the world has none of these names.
    """
    for names in NAMES:
        if set(names) <= set(action_names):
            return Moves(*map(action_names.index, names))
    raise UserError(
        f"--jerk needs actions of the names {', '.join(NAMES[0])}; the environment has "
        f"{', '.join(action_names)}"
    )


@dataclass
class Solution:
    """What led an episode to its farthest column.

    Attributes:
        actions: from the start of the episode.
        columns: how far they led, each time they were taken.
    """

    actions: list[int]
    columns: list[int]

    @property
    def mean(self) -> float:
        """How far they lead on average."""
        return sum(self.columns) / len(self.columns)


@dataclass
class Attempt:
    """The episode under way.

    Attributes:
        columns: where the character was, at the start and after each action but the last.
        actions: that were taken.
        replayed: number of the solution that it began with, None for none.
        run_from: the number of steps before the run to the right, or before backing off.
        back: whether it backs off.
        jump_left: steps left of a jump.
    """

    columns: list[int] = field(default_factory=list)
    actions: list[int] = field(default_factory=list)
    replayed: int | None = None
    run_from: int = 0
    back: bool = False
    jump_left: int = 0


class Jerk:
    """Runs right with jumps, backs off where that leads nowhere, and replays the best it found.

    An episode begins with the best solution with a probability of `EXPLOIT_BIAS` at first, which
    grows to 1 over the run. After it the contest's agent stood still until the end of the episode;
    this one runs on, because not every world has a clock.

    Args:
        moves: the actions that it takes.
        steps: of the whole run.
        generator: source of random numbers.

    Attributes:
        solutions: the best of what the episodes found, `MOST_SOLUTIONS` at most.
    """

    kind = Kind.RANDOM
    goal = None

    def __init__(self, moves: Moves, steps: int, generator: np.random.Generator) -> None:
        self.moves = moves
        self.steps = steps
        self.generator = generator
        self.solutions: list[Solution] = []
        self._step = 0
        self._attempt = Attempt()

    @property
    def exploit_proba(self) -> float:
        """Probability that an episode that begins now replays the best solution."""
        return EXPLOIT_BIAS + self._step / self.steps

    def plan(self, coords: np.ndarray, **_: Any) -> Needs:
        """Note where the character is; see `qmap.agents.policy.Policy`."""
        self._attempt.columns.append(int(coords[1]))
        return Needs(q_frames=False, greedy_action=False)

    def act(self, q_frames: None = None, greedy_action: None = None) -> int:
        """Return the action of the step."""
        attempt, step = self._attempt, len(self._attempt.actions)
        if step == 0 and self.solutions and self.generator.random() < self.exploit_proba:
            attempt.replayed = max(range(len(self.solutions)), key=self._value)
            attempt.run_from = len(self.solutions[attempt.replayed].actions)
        if step < attempt.run_from and attempt.replayed is not None:
            action = self.solutions[attempt.replayed].actions[step]
        else:
            action = self._run(step)
        attempt.actions.append(action)
        self._step += 1
        return action

    def end_episode(self, coords: np.ndarray, died: bool = False) -> None:
        """Keep what the episode found; it ended at `coords`, (3,)."""
        attempt, self._attempt = self._attempt, Attempt()
        if not attempt.actions:
            return
        columns, known = [*attempt.columns, int(coords[1])], 0
        if attempt.replayed is not None:
            solution = self.solutions[attempt.replayed]
            known = len(solution.actions)
            solution.columns.append(max(columns[: known + 1]))
        farthest = max(columns)
        if (length := columns.index(farthest)) > known:
            self.solutions.append(Solution(attempt.actions[:length], [farthest]))
            if len(self.solutions) > MOST_SOLUTIONS:
                del self.solutions[min(range(len(self.solutions)), key=self._value)]

    def state(self) -> dict[str, Any]:
        """Return what the next step depends on."""
        return {
            "step": self._step,
            "attempt": asdict(self._attempt),
            "solutions": [asdict(solution) for solution in self.solutions],
            "generator": self.generator.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self._step = state["step"]
        self._attempt = Attempt(**state["attempt"])
        self.solutions = [Solution(**solution) for solution in state["solutions"]]
        self.generator.bit_generator.state = state["generator"]

    def _value(self, number: int) -> tuple[float, int]:
        """What a solution is worth: of equally good ones, the newest is the best."""
        return self.solutions[number].mean, number

    def _run(self, step: int) -> int:
        """Return the next action of a run to the right, or of backing off."""
        attempt, columns = self._attempt, self._attempt.columns
        if step - attempt.run_from == (BACK if attempt.back else FORWARD):
            led_on = max(columns[attempt.run_from + 1 :]) > max(columns[: attempt.run_from + 1])
            attempt.back = not attempt.back and not led_on
            attempt.run_from, attempt.jump_left = step, 0
        if attempt.jump_left == 0 and self.generator.random() < JUMP_PROBA:
            attempt.jump_left = JUMP_STEPS
        jumps = attempt.jump_left > 0
        attempt.jump_left -= jumps
        right, jump_right, left, jump_left = self.moves
        if attempt.back:
            return jump_left if jumps else left
        return jump_right if jumps else right
