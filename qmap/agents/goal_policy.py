"""Exploration by walking to goals a chosen number of steps away (Q-map paper, section 4)."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmap.agents.goal_counts import GoalCounts
from qmap.agents.means import Means
from qmap.agents.policy import Goal, Kind, Needs
from qmap.agents.random_actions import RandomActions
from qmap.agents.return_first import ReturnFirst


class GoalPolicy:
    """Random steps, steps towards a goal of the Q-map, and greedy steps of the DQN.

    Args:
        coords_shape: (rows, cols) of the on-screen goal grid.
        n_actions: number of actions.
        gamma: the Q-map's discount factor; Q is `gamma ** (steps - 1)`.
        min_steps: goals are chosen at least this many steps away, as the Q-map believes.
        max_steps: and at most this many.
        greedy_bias: probability to prefer goals towards which the greedy action leads.
        timer_bonus: share of steps allowed for a goal beyond the expected number.
        margin: a goal is reached when the character is at most this many rows and columns away
            from it; 0 as published.
        gives_up: whether a goal that is believed farther away than its timer allows is dropped for
            another at once, one on whose way the character dies has had all of its steps, and one
            that is passed in a random step is reached; as published a goal is gone for until the
            timer is over.
        counts: goals are drawn with its probabilities; None draws them evenly, as published.
        returns: whether the goals of an episode lead to a column where few steps were spent first,
            by `counts`, without which it does nothing; see `ReturnFirst`.
        repeat: fewest and most steps for which a random action is kept; see `RandomActions`.
        generator: source of random numbers.
        means: takes how goals ended: "goals reached" (1 or 0), and of those that were "believed
            steps" and "taken steps".

    Attributes:
        goal: where the character is going, None if nowhere.
        timer: steps left to get there.
        kind: kind of the last step.
        candidates: (rows, cols) bool, the cells among which the goal was drawn, on the screen as
            it was then; None without a goal.
        candidates_window: the window's column at that time.
    """

    def __init__(
        self,
        coords_shape: tuple[int, int],
        n_actions: int,
        *,
        gamma: float,
        min_steps: int,
        max_steps: int,
        greedy_bias: float,
        timer_bonus: float,
        generator: np.random.Generator,
        means: Means,
        margin: int = 0,
        gives_up: bool = False,
        counts: GoalCounts | None = None,
        returns: bool = False,
        repeat: tuple[int, int] = (1, 1),
    ) -> None:
        self.coords_shape = coords_shape
        self.n_actions = n_actions
        self.gamma = gamma
        self.nearest = gamma ** (min_steps - 1)
        self.farthest = gamma ** (max_steps - 1)
        self.greedy_bias = greedy_bias
        self.timer_bonus = timer_bonus
        self.margin = margin
        self.gives_up = gives_up
        self.counts = counts
        self.return_first = (
            ReturnFirst(counts, generator) if returns and counts is not None else None
        )
        self.random_actions = RandomActions(n_actions, repeat, generator)
        self.generator = generator
        self.means = means
        self.kind = Kind.RANDOM
        self._random = False
        self._choosing = False
        self._row = self._col = self._window = self._room = 0
        self.drop_goal()

    def drop_goal(self) -> None:
        """Go nowhere in particular."""
        self.goal: Goal | None = None
        self.timer = 0
        self.expected = 0.0
        self.goal_room = 0
        self.candidates: np.ndarray | None = None
        self.candidates_window = 0

    def end_goal(self, coords: np.ndarray, in_vain: bool = False) -> None:
        """Note how the goal ended, and drop it.

        Args:
            coords: (3,) where the character is.
            in_vain: all steps that a goal that is missed could have had count as spent on it.
                Fewer would soon make it a goal again.
        """
        if self.goal is not None:
            reached = self._reached(int(coords[0]), int(coords[1]))
            allowed = self._timer_of(self.expected)
            taken = allowed - self.timer
            self.means.add("goals reached", reached)
            if reached:
                self.means.add("believed steps", self.expected)
                self.means.add("taken steps", taken)
            if self.counts is not None and not reached:
                steps = allowed if in_vain else taken
                self.counts.missed(self.goal_room, self.goal, steps)
            self.drop_goal()

    def end_episode(self, coords: np.ndarray, died: bool = False) -> None:
        """End the goal with the episode.

        Args:
            coords: (3,) where the character was last.
            died: whether it ended by what was done there, which did not finish a level.
        """
        self.end_goal(coords, in_vain=died and self.gives_up)
        self.random_actions.stop()
        if self.return_first is not None:
            self.return_first.end_episode()

    def plan(
        self,
        coords: np.ndarray,
        *,
        random_proba: float,
        goal_proba: float,
        use_q_map: bool,
        use_dqn: bool,
        room: int = 0,
    ) -> Needs:
        """Decide what kind of step comes next.

        Args:
            coords: (3,) row, column and window of the character, in world coordinates.
            random_proba: wanted share of steps with a random action.
            goal_proba: probability of choosing a goal where there is none.
            use_q_map: whether goals may be chosen at all.
            use_dqn: whether there is a task to be greedy for.
            room: in which the character is; only `counts` tell rooms apart.

        Returns:
            Which Q-values `act` needs.
        """
        self._row, self._col, self._window = (int(value) for value in coords)
        self._room = room
        self._random = self.random_actions.going_on or (
            self.generator.random() < self.random_actions.begin_probability(random_proba)
        )
        self._choosing = False
        if self._random:
            # As published, who is on the goal when a random step comes has not reached it yet.
            has_goal = self.gives_up and self.goal is not None
            if has_goal and self._reached(self._row, self._col):
                self.end_goal(coords)
            return Needs(q_frames=False, greedy_action=False)
        if not use_q_map:
            return Needs(q_frames=False, greedy_action=use_dqn)
        if self.goal is not None and (
            self._reached(self._row, self._col) or self.timer <= 0 or not self._on_screen(self.goal)
        ):
            self.end_goal(coords)
        if self.goal is None:
            self._choosing = self.generator.random() < goal_proba
        wants_goal = self._choosing or self.goal is not None
        return Needs(q_frames=wants_goal, greedy_action=use_dqn)

    def act(self, q_frames: np.ndarray | None, greedy_action: int | None) -> int:
        """Return the action of the step that `plan` planned.

        Args:
            q_frames: (rows, cols, actions) Q-frames of the observation, if `plan` needs them.
            greedy_action: the DQN's choice, if `plan` needs it.
        """
        if not self._random and self._hopeless(q_frames):
            self.end_goal(np.array((self._row, self._col, self._window)), in_vain=True)
            self._choosing = True
        if self._choosing:
            self._choose_goal(q_frames, greedy_action)
        if self.goal is not None and not self._random:
            action = int(np.argmax(q_frames[self.goal.row, self.goal.col - self._window]))
            self.kind = Kind.GREEDY_GOAL if action == greedy_action else Kind.GOAL
        elif self._random:
            action = self.random_actions.act()
            self.kind = Kind.RANDOM
        elif self._choosing or greedy_action is None:
            action = int(self.generator.integers(self.n_actions))
            self.kind = Kind.RANDOM
        else:
            action = int(greedy_action)
            self.kind = Kind.GREEDY
        self.timer -= self.goal is not None
        return action

    def _choose_goal(self, q_frames: np.ndarray, greedy_action: int | None) -> None:
        """Draw a goal that the Q-map believes to be min_steps to max_steps away."""
        nearness = q_frames.max(axis=-1)
        candidates = (nearness >= self.farthest) & (nearness <= self.nearest)
        if self.margin:
            candidates[self._within_margin()] = False
        if greedy_action is not None and self.generator.random() < self.greedy_bias:
            agreeing = candidates & (q_frames.argmax(axis=-1) == greedy_action)
            if agreeing.any():
                candidates = agreeing
        if self.return_first is not None and candidates.any():
            candidates = self.return_first.on_the_way(
                candidates, room=self._room, col=self._col, window=self._window
            )
        cells = np.flatnonzero(candidates)
        if len(cells) == 0:
            return
        shares = None
        if self.counts is not None:
            shares = self.counts.probabilities(self._room, self._window, self.coords_shape, cells)
        row, col = divmod(int(self.generator.choice(cells, p=shares)), self.coords_shape[1])
        self.expected = self._steps(nearness[row, col])
        self.goal = Goal(row, col + self._window)
        self.goal_room = self._room
        self.timer = self._timer_of(self.expected)
        self.candidates = candidates
        self.candidates_window = self._window

    def _steps(self, nearness: float) -> float:
        """Return the believed number of steps to a cell whose largest Q-value that is."""
        return float(np.log(nearness) / np.log(self.gamma) + 1.0)

    def _hopeless(self, q_frames: np.ndarray | None) -> bool:
        """Whether the goal is to be given up: there is too little time left to get there."""
        if not self.gives_up or self.goal is None:
            return False
        nearness = q_frames[self.goal.row, self.goal.col - self._window].max()
        # Whole steps, or a rounding error would do.
        return nearness <= 0 or int(self._steps(nearness)) > self.timer

    def _timer_of(self, expected: float) -> int:
        return int(np.ceil((1.0 + self.timer_bonus) * expected))

    def _reached(self, row: int, col: int) -> bool:
        """Whether the goal is reached by a character there."""
        return max(abs(self.goal.row - row), abs(self.goal.col - col)) <= self.margin

    def _within_margin(self) -> tuple[slice, slice]:
        """The cells of the screen from which a goal where the character is would be reached."""
        row, col = self._row, self._col - self._window
        return tuple(
            slice(max(place - self.margin, 0), max(place + self.margin + 1, 0))
            for place in (row, col)
        )

    def _on_screen(self, goal: Goal) -> bool:
        return 0 <= goal.col - self._window < self.coords_shape[1]

    def state(self) -> dict[str, Any]:
        """Return what the next step depends on, without the generator."""
        return {
            "goal": None if self.goal is None else list(self.goal),
            "timer": self.timer,
            "expected": self.expected,
            "goal_room": self.goal_room,
            "candidates": self.candidates,
            "candidates_window": self.candidates_window,
            "kept": self.random_actions.state(),
            **({} if self.return_first is None else self.return_first.state()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.goal = None if state["goal"] is None else Goal(*state["goal"])
        self.timer = state["timer"]
        self.expected = state["expected"]
        self.goal_room = state.get("goal_room", 0)  # not in snapshots of earlier versions
        self.candidates = state["candidates"]
        self.candidates_window = state["candidates_window"]
        self.random_actions.restore(state.get("kept", [0, 0]))  # nor this
        if self.return_first is not None:
            self.return_first.restore(state)
