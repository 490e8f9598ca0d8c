"""The agent that looks up what it knows: epsilon-greedy, with a table that learns at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qmap.agents.exploration_balance import ExplorationBalance
from qmap.agents.means import Means
from qmap.agents.policy import Kind
from qmap.agents.schedules import linear
from qmap.tabular.memory import entries_of, tree_of
from qmap.tabular.rules import Rule
from qmap.tabular.table import ABSENT, Entries, Table, merged, screen_hash
from qmap.utils.terminal import Warnings

if TYPE_CHECKING:
    from qmap.tabular.config import TabularConfig


@dataclass
class Choice:
    """What kind of step a copy's last one was; a table goes to no goal."""

    kind: Kind = Kind.RANDOM
    goal: None = None


class TabularAgent:
    """A table that plays in one or more environments, a `TrainableAgent`.

    A greedy step takes the action with the highest value, one of the best at random if there are
    several. On a screen where nothing was tried yet, every step is a random one.

    Args:
        settings: how it explores.
        table: what it knows.
        rule: how that changes.
        origin: what the table is of, see `qmap.tabular.memory`.
        n_envs: number of environments.
        generators: sources of random numbers: "acting", and "sampling", which is the rule's.

    Attributes:
        name: of the table, in weights.
        learners: who learns: the agent itself.
        step: steps taken so far.
        balance: running shares of the kinds of steps.
        policies: what each environment's last step was.
        coords: (n_envs, 3) where the characters are.
    """

    name = "table"
    q_map = None
    q_frames = None
    q_map_in_use = False
    snapshot_bytes = 0  # beside the table

    def __init__(
        self,
        settings: TabularConfig,
        table: Table,
        rule: Rule,
        origin: dict[str, Any],
        *,
        n_envs: int,
        generators: dict[str, np.random.Generator],
    ) -> None:
        self.settings = settings
        self.table = table
        self.rule = rule
        self.origin = origin
        self.generators = generators
        self.learners = [self]
        self.step = 0
        self.balance = ExplorationBalance()
        self.means = Means()
        self.policies = [Choice() for _ in range(n_envs)]
        self.coords = np.zeros((n_envs, 3), np.int64)
        self._rows = np.full(n_envs, ABSENT)
        self._frames: np.ndarray | None = None
        self._begun_with = 0
        self._warnings = Warnings()

    @property
    def new_screens(self) -> int:
        """Number of screens that this run was the first to see."""
        return len(self.table) - self._begun_with

    @property
    def growth_bytes(self) -> int:
        """The most by which `weights` may grow: to as many screens as the table takes."""
        return (self.table.limit - len(self.table)) * self.table.stored_bytes

    @property
    def planned_exploration(self) -> float:
        """Probability of a random action now."""
        settings = self.settings
        return linear(
            self.step, settings.steps, settings.first_exploration, settings.last_exploration
        )

    def start(
        self, envs: np.ndarray, frames: np.ndarray, coords: np.ndarray, rooms: np.ndarray | int = 0
    ) -> None:
        """Begin an episode in each of `envs`: first frames (k, h, w, c) and coords (k, 3).

        A room is known by what it looks like.
        """
        if self._frames is None:
            self._frames = np.zeros((len(self.policies), *frames.shape[1:]), np.uint8)
        self._frames[envs] = frames
        self.coords[envs] = coords
        for env, frame in zip(envs, frames, strict=True):
            self._rows[env] = self._look_up(frame)

    def observations(self) -> np.ndarray:
        """What the agent sees now: the frame of every environment, uint8."""
        return self._frames

    def act(self) -> np.ndarray:
        """Choose an action for every environment, (n_envs,)."""
        acting, exploration = self.generators["acting"], self.planned_exploration
        actions = np.empty(len(self.policies), np.int64)
        for env, row in enumerate(self._rows.tolist()):
            explores = acting.random() < exploration
            best = np.empty(0) if explores else self.best_actions(row)
            self.policies[env].kind = Kind.GREEDY if len(best) else Kind.RANDOM
            if len(best) == 0:
                actions[env] = acting.integers(self.table.visits.shape[1])
            else:
                actions[env] = best[acting.integers(len(best))] if len(best) > 1 else best[0]
        return actions

    def best_actions(self, row: int) -> np.ndarray:
        """Return the actions with the highest value on a screen; none where none was tried."""
        if row == ABSENT or not self.table.visits[row].any():
            return np.empty(0, np.int64)
        values = self.table.values[row].sum(axis=0)
        return np.flatnonzero(values == values.max())

    def observe(
        self,
        actions: np.ndarray,
        rewards: np.ndarray,
        terminals: np.ndarray,
        frames: np.ndarray,
        coords: np.ndarray,
        rooms: np.ndarray | int = 0,
        completed: np.ndarray | bool = False,
    ) -> None:
        """Learn from one step of every environment; the arguments are those of `Replay.add`."""
        for env, (action, reward, terminal) in enumerate(
            zip(actions.tolist(), rewards.tolist(), terminals.tolist(), strict=True)
        ):
            self.balance.count(self.policies[env].kind)
            row = int(self._rows[env])
            following = ABSENT if terminal else self._look_up(frames[env])
            if row != ABSENT:
                change = self.rule.update(self.table, row, action, reward, following, terminal)
                self.table.visits[row, action] += 1
                self.means.add("table change", abs(change))
            self._rows[env] = following
        self._frames[:] = frames
        self.coords[:] = coords
        self.step += len(actions)

    def train(self) -> None:
        """Do nothing: what there is to learn from a step was learned in `observe`."""

    def measured(self, name: str) -> float | None:
        """Return what the column of learning.csv says; means are those since it was last asked."""
        counts = {"screens": len(self.table), "new screens": self.new_screens}
        return counts[name] if name in counts else self.means.take(name)

    def remember(self, entries: Entries) -> None:
        """Begin with these entries, merged into what is there.

        Raises:
            ValueError: they do not fit.
        """
        self.table.fill(merged(self.table.entries(), entries, self.rule.better))
        self._begun_with = len(self.table)

    def weights(self, moments: bool = True) -> dict[str, Any]:
        """Return the table: what another run can start from."""
        return {self.name: tree_of(self.table.entries(), self.origin)}

    def start_from(self, weights: dict[str, Any]) -> None:
        """Start from what `weights` of an agent in the same game returned.

        Raises:
            ValueError: the game or the rule was another.
        """
        self.remember(entries_of(weights[self.name], self.origin))

    def state(self) -> dict[str, Any]:
        """Everything that the next steps depend on."""
        return {
            "step": self.step,
            "coords": self.coords,
            "rows": self._rows,
            "frames": self._frames,
            "begun_with": self._begun_with,
            "generators": {
                name: generator.bit_generator.state for name, generator in self.generators.items()
            },
            "means": self.means.state(),
            "balance": self.balance.state(),
            "table": tree_of(self.table.entries(), self.origin),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.step = state["step"]
        self.coords[:] = state["coords"]
        self._rows[:] = state["rows"]
        self._frames = state["frames"].copy()
        self._begun_with = state["begun_with"]
        for name, generator in self.generators.items():
            generator.bit_generator.state = state["generators"][name]
        self.means.restore(state["means"])
        self.balance.restore(state["balance"])
        self.table.fill(entries_of(state["table"], self.origin))

    def _look_up(self, frame: np.ndarray) -> int:
        """Return the row of the screen that comes now."""
        known = len(self.table)
        row = self.table.row(screen_hash(frame))
        self.means.add("known screens", row != ABSENT and row < known)
        if row == ABSENT:
            self._warnings.warn(
                "full",
                f"the table is full: what comes on screens beyond the first {self.table.limit:,} "
                "(--screens) is not learned, and steps there are random",
            )
        return row
