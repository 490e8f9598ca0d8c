"""Ways to goals that the Q-map believes to be some steps away, beside those of three controls.

All walk from the same states towards the same goals, so what a control reaches, the place gives
away, or luck: random actions, one random action again and again, and the action of the mean
picture, which knows where goals usually are but not where the character is.

A goal is reached when the character's coordinates are the goal's. Whoever was trained to come near
alone is not comparable by that, so the steps until the character is within 1 cell are kept too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qmap.agents.q_map import QMapLearner
from qmap.evaluate.play import Sights
from qmap.evaluate.player import Player

DISTANCES = (5, 10, 15, 20, 30)
PATIENCE = 1.5
CLOSE = 1  # cells
WAYS = ("q-map", "random", "repeated", "mean picture")


@dataclass(frozen=True)
class Walk:
    """One way from one state to one goal.

    Attributes:
        believed: steps that the Q-map believes it takes.
        way: who walked.
        steps: that it took, None if it did not arrive within 1.5 times the belief.
        steps_until_close: after which it first was within 1 cell, in rows and in columns; None if
            never. Some goals are that close from the first step on, for the controls as well.
        true: steps of the shortest way, None where they are not known.
        episode: of the play, that the state is from.
    """

    believed: int
    way: str
    steps: int | None
    steps_until_close: int | None
    true: float | None
    episode: int


def navigate(
    player: Player,
    q_map: QMapLearner,
    mean: np.ndarray,
    gamma: float,
    generator: np.random.Generator,
    episode: int,
    sights: Sights,
    true_steps: Callable[[np.ndarray], np.ndarray] | None = None,
) -> list[Walk]:
    """Walk from where the player is to a goal at each distance, in every way.

    Args:
        player: it is brought back to where it was before each walk.
        q_map: the goal learner.
        mean: (rows, cols, actions), the mean Q-frames of the play.
        gamma: discount factor of the distances.
        generator: source of random numbers.
        episode: of the play, that the player is in.
        sights: gets the frames of the Q-map's walks.
        true_steps: from row and column to the true steps to each cell of the screen.

    Returns:
        Four walks for each distance at which the Q-map believes that there is a cell.
    """
    start = player.save()
    true = None if true_steps is None else true_steps(player.place)
    believed = steps_of(q_map.q_frames(player.observation)[0].max(axis=-1), gamma)
    walks = []
    for distance in DISTANCES:
        candidates = np.round(believed) == distance
        candidates[tuple(player.on_screen)] = False
        if not candidates.any():
            continue
        row, col = generator.choice(np.argwhere(candidates))
        goal = (int(row), int(col) + player.window)
        for way in WAYS:
            sights.begin(episode)
            choose = chooser(way, q_map, mean, goal, generator, sights)
            going = walk(player, choose, goal, int(np.floor(PATIENCE * distance)))
            steps = going.steps if going.arrived else None
            shortest = None if true is None else float(true[row, col])
            walks.append(Walk(distance, way, steps, going.steps_until_close, shortest, episode))
            player.restore(start)
    return walks


def steps_of(q_max: np.ndarray, gamma: float) -> np.ndarray:
    """Return the number of steps that values stand for: `value = gamma ** (steps - 1)`."""
    return np.log(q_max.clip(1e-9, 1.0)) / np.log(gamma) + 1.0


def chooser(
    way: str,
    q_map: QMapLearner,
    mean: np.ndarray,
    goal: tuple[int, int],
    generator: np.random.Generator,
    sights: Sights,
) -> Callable[[Player], int]:
    """Return what chooses the actions of a walk to `goal`, row and column in the world.

    The Q-map's own way adds its frames to `sights`.
    """
    n_actions = mean.shape[-1]
    repeated = int(generator.integers(n_actions))

    def best(q_frames: np.ndarray, player: Player) -> int:
        return int(q_frames[goal[0], goal[1] - player.window].argmax())

    def by_q_map(player: Player) -> int:
        q_frames = q_map.q_frames(player.observation)[0]
        action = best(q_frames, player)
        sights.add(q_frames, player, action)
        return action

    return {
        "q-map": by_q_map,
        "random": lambda player: int(generator.integers(n_actions)),
        "repeated": lambda player: repeated,
        "mean picture": lambda player: best(mean, player),
    }[way]


class Going:
    """The way to a goal, judged after each step.

    Args:
        player: where the way begins.
        goal: row and column in the world.
        limit: steps after which it is given up.

    Attributes:
        steps: taken so far.
        arrived: None while under way; False if the goal was not reached in time, or left the
            screen, or the episode or the room ended before.
        steps_until_close: after which the character first was within 1 cell of the goal, in rows
            and in columns; None if it has not been.
    """

    def __init__(self, player: Player, goal: tuple[int, int], limit: int) -> None:
        self.goal = goal
        self.limit = limit
        self.steps = 0
        self.arrived: bool | None = None
        self.steps_until_close: int | None = None
        self._room = player.room

    def judge(self, player: Player) -> None:
        """Count a step that the player has taken."""
        self.steps += 1
        on_screen = 0 <= self.goal[1] - player.window < player.envs.coords_shape[1]
        if player.room != self._room:
            self.arrived = False
            return
        away = int(np.abs(np.subtract(player.place, self.goal)).max())
        if away <= CLOSE and self.steps_until_close is None:
            self.steps_until_close = self.steps
        if away == 0:
            self.arrived = True
        elif player.over or not on_screen or self.steps >= self.limit:
            self.arrived = False


def walk(
    player: Player, choose: Callable[[Player], int], goal: tuple[int, int], limit: int
) -> Going:
    """Walk until the goal is reached, the time is over or the goal has left the screen."""
    going = Going(player, goal, limit)
    while going.arrived is None:
        player.step(choose(player))
        going.judge(player)
    return going
