"""Episodes with networks that do not learn: how well the task goes, and how much is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qmap.agents.goal_policy import GoalPolicy
from qmap.agents.means import Means
from qmap.agents.sight import brightest, near
from qmap.evaluate.player import Player
from qmap.evaluate.trained import Trained


@dataclass(frozen=True)
class EpisodeResult:
    """An episode, a row of episodes.csv.

    Attributes:
        episode: its number, from 1.
        score: sum of the rewards.
        length: steps.
        distance: how far the character got, in pixels; None where the world does not tell.
        completed: whether the level was finished.
        ended: whether it ended by itself; False if it was cut off.
        seen: share of its frames in which the character was seen; None without a Q-map.
    """

    episode: int
    score: float
    length: int
    distance: int | None
    completed: bool
    ended: bool
    seen: float | None


AHEAD = 4  # steps


@dataclass
class Sights:
    """What the Q-map showed in all frames.

    Attributes:
        places: of the character in each frame, row and on-screen column.
        windows: column of the world at which the screen began in each.
        episodes: number of the episode of each.
        brightest: the brightest cell in each.
        values: mean over all cells of the best Q-value of each: how near all places are together.
        deaths: numbers of the frames whose step ended an episode, other than by finishing a level.
        total: sum of the Q-frames, (rows, cols, actions).
    """

    places: list[np.ndarray] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)
    episodes: list[int] = field(default_factory=list)
    brightest: list[np.ndarray] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    deaths: list[int] = field(default_factory=list)
    total: np.ndarray | float = 0.0

    def add(self, q_frames: np.ndarray, player: Player, episode: int) -> None:
        """Count a frame: Q-frames (rows, cols, actions) and where the character is."""
        self.places.append(player.on_screen)
        self.windows.append(player.window)
        self.episodes.append(episode)
        best = q_frames.max(axis=-1)
        self.brightest.append(brightest(best[None])[0])
        self.values.append(float(best.mean()))
        self.total = self.total + q_frames

    def die(self) -> None:
        """Note that the step of the last frame was the character's last."""
        self.deaths.append(len(self.places) - 1)

    def values_before(self, steps: int) -> np.ndarray:
        """The values so many steps before each death, as shares of their mean over all frames.

        No place can be reached after a death: who foresees it for certain is at 0.
        """
        if not self.deaths:
            return np.empty(0)
        episodes, deaths = np.array(self.episodes), np.array(self.deaths)
        frames = deaths - (steps - 1)
        same = (frames >= 0) & (episodes[frames] == episodes[deaths])
        return np.array(self.values)[frames[same]] / np.mean(self.values)

    @property
    def mean(self) -> np.ndarray:
        """The mean Q-frames, (rows, cols, actions): what a blind Q-map would show."""
        return self.total / len(self.places)

    @property
    def seen(self) -> np.ndarray:
        """In which frames the character was seen, (n,) bool."""
        return near(np.array(self.brightest), np.array(self.places))

    @property
    def seen_ahead(self) -> np.ndarray:
        """In which frames the brightest cell is near where the character was, or went in 4 steps.

        Cells that a jump passes by may or may not be hit; where it lands is certain, and brighter.
        """
        cells, places = np.array(self.brightest), np.array(self.places)
        windows, episodes = np.array(self.windows), np.array(self.episodes)
        found = near(cells, places)
        for steps in range(1, min(AHEAD, len(cells) - 1) + 1):
            later = places[steps:] + np.outer(windows[steps:] - windows[:-steps], (0, 1))
            together = episodes[steps:] == episodes[:-steps]
            found[:-steps] |= near(cells[:-steps], later) & together
        return found

    @property
    def seen_by_mean(self) -> np.ndarray:
        """In which frames the mean picture would have shown it."""
        cell = brightest(self.mean.max(axis=-1)[None])[0]
        return near(cell, np.array(self.places))


class Samples:
    """A few states of all that are passed by, each as likely as any other.

    Args:
        count: how many are kept at most.
        generator: source of random numbers.
    """

    def __init__(self, count: int, generator: np.random.Generator) -> None:
        self.states: list[dict[str, Any]] = []
        self._count = count
        self._generator = generator
        self._passed = 0

    def offer(self, player: Player) -> None:
        """Keep this state, perhaps in place of an earlier one."""
        self._passed += 1
        index = int(self._generator.integers(self._passed))
        if len(self.states) < self._count:
            self.states.append(player.save())
        elif index < self._count:
            self.states[index] = player.save()


class Behavior:
    """How networks that do not learn act: for the task, else from goal to goal, else at random.

    Args:
        trained: the networks.
        coords_shape: (rows, cols) of the goal grid.
        n_actions: number of actions.
        random: share of random steps.
        generator: source of random numbers.
    """

    def __init__(
        self,
        trained: Trained,
        coords_shape: tuple[int, int],
        n_actions: int,
        random: float,
        generator: np.random.Generator,
    ) -> None:
        self.trained = trained
        self.random = random
        self.policy = GoalPolicy(
            coords_shape,
            n_actions,
            gamma=trained.gamma,
            min_steps=trained.min_goal,
            max_steps=trained.max_goal,
            greedy_bias=0.0,
            timer_bonus=0.5,
            generator=generator,
            means=Means(),
        )

    def act(self, player: Player) -> tuple[int, np.ndarray | None]:
        """Return the action, and the Q-frames (rows, cols, actions), None without a Q-map."""
        uses_q_map, uses_dqn = self.trained.q_map is not None, self.trained.dqn is not None
        q_frames, greedy = self.trained.look(player.observation)
        self.policy.plan(
            player.view.coords[0],
            random_proba=self.random,
            goal_proba=0.0 if uses_dqn else 1.0,
            use_q_map=uses_q_map,
            use_dqn=uses_dqn,
        )
        return self.policy.act(q_frames, greedy), q_frames


# From the player before a step, the action and the Q-frames, the step's number and the return.
OnStep = Callable[[Player, int, "np.ndarray | None", int, float], None]


def play(
    player: Player,
    behavior: Behavior,
    episodes: int,
    max_steps: int,
    sights: Sights,
    on_step: OnStep,
) -> Iterator[EpisodeResult]:
    """Play episodes; `sights` gets every frame."""
    for number in range(1, episodes + 1):
        player.begin()
        behavior.policy.drop_goal()
        first = len(sights.places)
        score, length = 0.0, 0
        while not player.over and length < max_steps:
            action, q_frames = behavior.act(player)
            if q_frames is not None:
                sights.add(q_frames, player, number)
            on_step(player, action, q_frames, length, score)
            score += player.step(action)
            length += 1
        completed = bool(player.view.completed[0])
        if player.terminal and not completed and len(sights.places) > first:
            sights.die()
        distances = player.view.distances
        yield EpisodeResult(
            episode=number,
            score=score,
            length=length,
            distance=None if distances is None else int(distances[0]),
            completed=completed,
            ended=player.over,
            seen=float(sights.seen[first:].mean()) if len(sights.places) > first else None,
        )
