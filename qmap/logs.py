"""What a training on a game writes down: a CSV file a subject, all counted in steps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from qmap.experiment import Episode, Episodes
from qmap.run import Run

if TYPE_CHECKING:
    from qmap.agents.trainable import TrainableAgent

SCORE = ("steps", "undiscounted return", "discounted return", "episode length")
COMPLETED = ("steps", "undiscounted return")
EXPLORATION = (
    "steps",
    "planned exploration",
    "current exploration",
    "random actions",
    "goal actions",
    "greedy actions",
)
# Of each learner there is.
LEARNING = {
    "dqn": ("dqn loss", "dqn error"),
    "q_map": (
        "q-map loss",
        "q-map error",
        "mean best q",
        "sight",
        "goals reached",
        "believed steps",
        "taken steps",
    ),
    "table": ("table change", "known screens", "screens", "new screens"),
}


class Logs:
    """score.csv, completed.csv, exploration.csv, learning.csv, and at the end unfinished.csv.

    Args:
        run: it is open, and restored if it was resumed.
        agent: whose exploration and learning is logged.

    Raises:
        UserError: a file cannot be written.
    """

    def __init__(self, run: Run, agent: TrainableAgent) -> None:
        self._run = run
        self._agent = agent
        # Episodes that were under way when the run stopped are under way again.
        (run.folder.path / "unfinished.csv").unlink(missing_ok=True)
        self._score = run.log("score", SCORE)
        self._completed = run.log("completed", COMPLETED)
        self._exploration = run.log("exploration", EXPLORATION)
        if agent.learners:
            columns = [name for each in agent.learners for name in LEARNING[each.name]]
            self._learning = run.log("learning", ("steps", *columns, "steps per second"))
        self._clock = (run.step, time.monotonic())

    def episode(self, episode: Episode) -> None:
        """Write an episode that has ended."""
        self._score.write(*_row(self._run.step, episode))
        if episode.completed:
            self._completed.write(self._run.step, episode.undiscounted_return)

    def exploration(self) -> None:
        """Write how the agent explores."""
        balance = self._agent.balance
        shares = (balance.exploring, balance.random, balance.goal, balance.greedy)
        self._exploration.write(self._run.step, self._agent.planned_exploration, *shares)

    def learning(self) -> None:
        """Write what was found out since the last row, if anything is learned yet."""
        settings = self._agent.settings
        if self._agent.learners and self._run.step >= settings.learning_starts:
            measured = [self._agent.measured(name) for name in self._learning.columns[1:-1]]
            (step, then), self._clock = self._clock, (self._run.step, time.monotonic())
            speed = (self._run.step - step) / (self._clock[1] - then)
            self._learning.write(self._run.step, *measured, speed)

    def unfinished(self, episodes: Episodes) -> None:
        """Write what the episodes under way have come to, at the end of the run."""
        log = self._run.log("unfinished", SCORE)
        for episode in episodes.under_way:
            if episode.length:
                log.write(*_row(self._run.step, episode))


def _row(step: int, episode: Episode) -> tuple[float, ...]:
    returns = (episode.undiscounted_return, episode.discounted_return)
    return (step, *returns, episode.length)
