"""Episodes with networks that do not learn: how well the task goes, and how much is seen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from qmap.agents.goal_policy import GoalPolicy
from qmap.agents.means import Means
from qmap.agents.sight import brightest, near, near_any, places_ahead
from qmap.evaluate.player import Player
from qmap.evaluate.trained import Trained
from qmap.utils import streams


@dataclass(frozen=True)
class EpisodeResult:
    """An episode, a row of episodes.csv.

    Attributes:
        episode: its number, from 1.
        random_start: random steps before it, whose rewards and frames do not count.
        score: sum of the rewards.
        length: steps.
        distance: how far the character got, in pixels; None where the world does not tell.
        completed: whether a level was finished in any of its steps.
        ended: whether it ended by itself; False if it was cut off.
        seen: share of its frames in which the character was seen; None without a Q-map.
        actions: digest of the actions, random ones at the start too: equal for equal actions.
    """

    episode: int
    random_start: int
    score: float
    length: int
    distance: int | None
    completed: bool
    ended: bool
    seen: float | None
    actions: str


@dataclass
class Sights:
    """What the Q-map showed in all frames, of episodes or of walks to goals.

    Attributes:
        places: of the character in each frame, row and on-screen column.
        windows: column of the world at which the screen began in each.
        episodes: number of the episode of each.
        stretches: number of the stretch of each, an episode or a walk: frames of one follow each
            other.
        brightest: the brightest cell in each.
        best_values: mean over all cells of the best Q-value of each: how near all places are
            together.
        taken_values: mean over all cells of the Q-values of the action that was chosen there.
        deaths: numbers of the frames whose step ended an episode, other than by finishing a level.
    """

    places: list[np.ndarray] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)
    episodes: list[int] = field(default_factory=list)
    stretches: list[int] = field(default_factory=list)
    brightest: list[np.ndarray] = field(default_factory=list)
    best_values: list[float] = field(default_factory=list)
    taken_values: list[float] = field(default_factory=list)
    deaths: list[int] = field(default_factory=list)
    _q_frames: np.ndarray | float = 0.0  # sum, (rows, cols, actions)
    _pictures: np.ndarray | float = 0.0  # sum, (rows, cols)
    _episode: int = 0
    _stretch: int = 0

    def begin(self, episode: int) -> None:
        """Begin a stretch: the frames that come now follow each other, in this episode."""
        self._episode = episode
        self._stretch += 1

    def add(self, q_frames: np.ndarray, player: Player, action: int) -> None:
        """Count a frame: its Q-frames (rows, cols, actions), where it is, the action chosen."""
        self.places.append(player.on_screen)
        self.windows.append(player.window)
        self.episodes.append(self._episode)
        self.stretches.append(self._stretch)
        best = q_frames.max(axis=-1)
        self.brightest.append(brightest(best[None])[0])
        self.best_values.append(float(best.mean()))
        self.taken_values.append(float(q_frames[..., action].mean()))
        self._q_frames = self._q_frames + q_frames
        self._pictures = self._pictures + best

    def die(self) -> None:
        """Note that the step of the last frame was the character's last."""
        self.deaths.append(len(self.places) - 1)

    def frames_before_deaths(self, steps: int) -> np.ndarray:
        """Numbers of the frames so many steps before the deaths, of episodes that had them."""
        stretches, deaths = np.array(self.stretches), np.array(self.deaths, int)
        frames = deaths - (steps - 1)
        frames, deaths = frames[frames >= 0], deaths[frames >= 0]
        return frames[stretches[frames] == stretches[deaths]]

    @property
    def mean_q_frames(self) -> np.ndarray:
        """The mean Q-frames, (rows, cols, actions): what somebody blind would act by."""
        return self._q_frames / len(self.places)

    @property
    def mean_picture(self) -> np.ndarray:
        """The mean of the pictures, each the maximum over actions, (rows, cols)."""
        return self._pictures / len(self.places)

    @property
    def seen(self) -> np.ndarray:
        """In which frames the character was seen, (n,) bool."""
        return near(np.array(self.brightest), np.array(self.places))

    @property
    def seen_ahead(self) -> np.ndarray:
        """In which frames the brightest cell is near where the character was, or went in 4 steps.

        Cells that a jump passes by may or may not be hit; where it lands is certain, and brighter.
        """
        windows, stretches = np.array(self.windows), np.array(self.stretches)
        in_world = np.array(self.places) + np.outer(windows, (0, 1))
        return near_any(np.array(self.brightest), places_ahead(in_world, windows, stretches))

    @property
    def seen_by_mean(self) -> np.ndarray:
        """In which frames the mean picture would have shown it."""
        return near(brightest(self.mean_picture[None])[0], np.array(self.places))


class Sample(NamedTuple):
    """A state of the player, see `Player.save`, and the episode that it is from."""

    episode: int
    state: dict[str, Any]


class Samples:
    """A few states of all that are passed by, each as likely as any other.

    Args:
        count: how many are kept at most.
        generator: source of random numbers.
    """

    def __init__(self, count: int, generator: np.random.Generator) -> None:
        self.states: list[Sample] = []
        self._count = count
        self._generator = generator
        self._passed = 0

    def offer(self, player: Player, episode: int) -> None:
        """Keep this state, perhaps in place of an earlier one."""
        self._passed += 1
        index = int(self._generator.integers(self._passed))
        if len(self.states) < self._count:
            self.states.append(Sample(episode, player.save()))
        elif index < self._count:
            self.states[index] = Sample(episode, player.save())


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


def random_start(seed: int, episode: int, most: int, n_actions: int) -> list[int]:
    """Return 0 to `most` random actions, the same for every agent with this seed and episode."""
    generator = streams.generator(seed, "evaluation", episode)
    return generator.integers(n_actions, size=generator.integers(most + 1)).tolist()


def play(
    player: Player,
    behavior: Behavior,
    episodes: int,
    max_steps: int,
    sights: Sights,
    on_step: OnStep,
    start: Callable[[int], Sequence[int]] = lambda _: (),
) -> Iterator[EpisodeResult]:
    """Play episodes, so many and each at most `max_steps` long.

    Args:
        player: it is in no episode that has to be ended.
        behavior: chooses the actions.
        episodes: how many.
        max_steps: after which an episode is cut off.
        sights: gets every frame after the start.
        on_step: is called before each step after the start.
        start: from the number of an episode to the actions that it begins with; where these end
            it, the rest of them begins the next one.
    """
    for number in range(1, episodes + 1):
        player.begin()
        actions = list(start(number))
        started = len(actions)
        for action in actions:
            player.step(action)
            if player.over:
                player.begin()
        behavior.policy.drop_goal()
        sights.begin(number)
        first = len(sights.places)
        score, length, completed = 0.0, 0, False
        while not player.over and length < max_steps:
            action, q_frames = behavior.act(player)
            if q_frames is not None:
                sights.add(q_frames, player, action)
            on_step(player, action, q_frames, length, score)
            actions.append(action)
            score += player.step(action)
            length += 1
            completed |= bool(player.view.completed[0])
        died = player.terminal and not player.view.completed[0]
        if died and len(sights.places) > first:
            sights.die()
        distances = player.view.distances
        yield EpisodeResult(
            episode=number,
            random_start=started,
            score=score,
            length=length,
            distance=None if distances is None else int(distances[0]),
            completed=completed,
            ended=player.over,
            seen=float(sights.seen[first:].mean()) if len(sights.places) > first else None,
            actions=hashlib.blake2b(np.array(actions, "<i4").tobytes(), digest_size=8).hexdigest(),
        )
