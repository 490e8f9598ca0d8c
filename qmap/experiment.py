"""What a world is to a training: how it is made, its episodes, and which of them are worth a video.

Nothing here needs TensorFlow, OpenCV or an encoder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np


@dataclass
class Episode:
    """An episode so far.

    Attributes:
        number: counts from 1 over the whole run.
        length: agent steps.
        undiscounted_return: sum of the rewards.
        discounted_return: the same, discounted with the task's gamma.
        distance: how far the character got, in pixels, where the environment tells.
        completed: whether a level was finished in any of its steps, where the environment tells.
    """

    number: int
    length: int = 0
    undiscounted_return: float = 0.0
    discounted_return: float = 0.0
    distance: int | None = None
    completed: bool = False

    def add(self, reward: float, gamma: float) -> None:
        """Count a step."""
        self.discounted_return += gamma**self.length * reward
        self.undiscounted_return += reward
        self.length += 1


@dataclass
class Bests:
    """The best of all episodes that have ended; None before there was one."""

    undiscounted_return: float | None = None
    distance: int | None = None

    def update(self, episode: Episode) -> None:
        """Take an episode that has ended into account."""
        self.undiscounted_return = _larger(self.undiscounted_return, episode.undiscounted_return)
        self.distance = _larger(self.distance, episode.distance)


def _larger(best: float | None, value: float | None) -> float | None:
    return value if best is None or (value is not None and value > best) else best


# Whether an episode is worth a video, given the bests before it.
Highlight = Callable[[Episode, Bests], bool]


@dataclass(frozen=True)
class Experiment:
    """A world to train on.

    Attributes:
        name: name of the environment in the results.
        make_env: makes one environment that keeps the project's contract.
        dqn: name of the task's network, see `qmap.agents.published.DQN`.
        video_every: after the first 50 episodes, every this many become a video.
        highlight: tells which other episodes become a video.
    """

    name: str
    make_env: Callable[[], gymnasium.Env]
    dqn: str
    video_every: int
    highlight: Highlight


class Episodes:
    """The episodes under way, one in each copy of the world, and what came of those before.

    Args:
        n_envs: number of copies.
        gamma: discount factor of the task.

    Attributes:
        under_way: the episode of each copy.
        bests: of all that have ended.
        last_return: of the one that ended last.
    """

    def __init__(self, n_envs: int, gamma: float) -> None:
        self.gamma = gamma
        self.under_way = [Episode(number) for number in range(1, n_envs + 1)]
        self.bests = Bests()
        self.last_return = 0.0

    def __str__(self) -> str:
        """How far they are, for beside a progress bar."""
        best = self.bests.undiscounted_return or 0.0
        return f"episode {self.newest}, last {self.last_return:g}, best {best:g}"

    @property
    def newest(self) -> int:
        """Number of the episode that began last."""
        return max(episode.number for episode in self.under_way)

    def add(self, rewards: np.ndarray, distances: np.ndarray | None, completed: np.ndarray) -> None:
        """Count a step of every copy, each argument (n_envs,)."""
        for env, episode in enumerate(self.under_way):
            episode.add(float(rewards[env]), self.gamma)
            # Where the end of a level is not that of the episode, only one step tells of it.
            episode.completed |= bool(completed[env])
            if distances is not None:
                episode.distance = int(distances[env])

    def end(self, env: int) -> None:
        """End the episode of a copy and begin the next one."""
        episode = self.under_way[env]
        self.bests.update(episode)
        self.last_return = episode.undiscounted_return
        self.begin(env)

    def begin(self, env: int) -> None:
        """Begin a new episode in a copy, whatever became of the one before."""
        self.under_way[env] = Episode(self.newest + 1)

    def state(self) -> dict[str, Any]:
        """Return what the next steps depend on."""
        return {
            "under_way": [dataclasses.asdict(episode) for episode in self.under_way],
            "bests": dataclasses.asdict(self.bests),
            "last_return": self.last_return,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.under_way = [Episode(**episode) for episode in state["under_way"]]
        self.bests = Bests(**state["bests"])
        self.last_return = float(state["last_return"])
