"""A game that is played on the page: the world, who drives in it, and what is shown of it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from qmap.envs.gridworld_paths import UNREACHABLE
from qmap.envs.vector import Envs
from qmap.evaluate.levels import center, levels, on_level
from qmap.evaluate.navigation import PATIENCE, Going, steps_of
from qmap.evaluate.player import Player
from qmap.evaluate.trained import Origin, load
from qmap.experiment import Episode
from qmap.page.drivers import GOALS, NOTHING, POLICY, TASK, Choice, TrainingPolicy, drivers_of
from qmap.page.film import FOLDER, Film
from qmap.page.picture import packed
from qmap.page.tape import EpisodeTape
from qmap.page.tries import Tries
from qmap.page.way import way_to
from qmap.utils import streams

BEST, ACTION, CANDIDATES, VALUES, NONE = "best", "action", "candidates", "values", "none"
BY_HAND = "by hand"
CLICK, ITSELF = "click", "itself"  # who chose a goal
FEWEST = 10  # steps that are allowed to any goal, however near it is believed to be
ENV_TIMEOUT = 60.0  # seconds


class Recorded(NamedTuple):
    """What was recorded of an episode.

    Attributes:
        video: its file.
        actions: that of all actions since the episode's reset; None: it would not replay.
        steps: of the episode.
    """

    video: Path
    actions: Path | None
    steps: int


class Game:
    """A checkpoint in its world, one step at a time.

    Args:
        origin: the checkpoint.
        seed: of everything random.

    Attributes:
        drive: what drives where nobody has pointed anywhere, see `let_drive`.
        shown: which map is shown.
        shown_action: whose Q-frame, if it is that of an action.
        speed: steps a second, `commands.FASTEST` for as fast as it goes, None for one at a time.
        held: the action of the key that is pressed, None for none.
        truth: whether the true distances are shown too, where they are known.
        tries: the goals that were tried.
        recorded: what `record` has made.

    Raises:
        UserError: the checkpoint cannot be used.
        EnvironmentFailure: the world does not work; from every method.
    """

    def __init__(self, origin: Origin, seed: int) -> None:
        self.origin = origin
        self.drive, self.shown, self.shown_action = NOTHING, BEST, 0
        self.speed: int | None = 15
        self.truth = True
        self.held: int | None = None
        self.tries = Tries()
        self.film: Film | None = None
        self.recorded: list[Recorded] = []
        self.level_names, self.level = levels(origin)
        self._seed = seed
        self._generator = streams.generator(seed, "page")
        self._world = ExitStack()
        try:
            self._enter(origin)
            self.trained = load(origin, self._envs)
        except BaseException:
            self.close()
            raise
        self.drivers = drivers_of(origin, self.trained)
        self._start_world()

    # What the page asks for.

    def go_to(self, row: int, col: int) -> bool:
        """Walk to a cell of the world by the Q-map alone; False if it is not on the screen."""
        if not self._is_on_screen(row, col) or self.trained.q_map is None:
            return False
        self._break_off()
        if (row, col) != tuple(self._player.place):
            self._set_out((row, col), CLICK)
        return True

    def let_drive(self, by: str) -> None:
        """Let something else drive; a goal that was not clicked is dropped."""
        if by != self.drive and self._going_by_itself:
            self._break_off()
        self.drive = by

    def restart(self) -> None:
        """Begin an episode."""
        self._break_off()
        self._end_film()
        self._begin()

    def change_level(self, level: str) -> None:
        """Go to another level, one of `level_names`; stay where it cannot be used."""
        origin = on_level(self.origin, level)
        self._break_off()
        self._end_film()
        self._world.close()
        try:
            self._enter(origin)
        except BaseException:
            self._enter(self.origin)
            self._start_world()
            raise
        self.origin, self.level = origin, level
        player = Player(self._envs, self.trained.stack, self.trained.skip)
        center(self.trained, player, streams.generator(self._seed, "centering"))
        self._start_world()

    def set_wall(self, row: int, col: int, wall: bool) -> None:
        """Build a wall or take it away, where the world has walls and this one may change."""
        frame = self._env.unwrapped.set_wall(row, col, wall) if self.has_walls else None
        if frame is not None:
            self._player.look_again(frame[None])
            self._look()

    def record(self, wanted: bool) -> None:
        """Begin a video, or end the one under way; each ends with its episode, too.

        With a video goes a demonstration, where the world can be played again: it begins where
        the episode did.
        """
        if not wanted:
            self._end_film()
        elif self.film is None:
            self.film = Film(self.origin.folder, self._envs, self.trained)

    # What goes on by itself.

    @property
    def is_moving(self) -> bool:
        """Whether there is anything to do without being asked for every step."""
        if self.speed is None:
            return False
        return self._going is not None or self.held is not None or self.drive != NOTHING

    def step(self) -> None:
        """Take a step; the one after the end of an episode begins the next."""
        if self._player.over:
            self._end_film()
            self._begin()
            return
        choice = self._choose()
        if choice is None:
            return
        if self.film is not None:
            goal = None if self.goal is None else (self.goal[0], self.goal[1] - self._window)
            self.film.add(self._player, choice, self._q_frames, goal, self._episode)
        if self._tape is not None:
            name = self._envs.action_names[choice.action]
            self._tape.add(self._episode, self._envs.screen(), name)
        self._episode.add(self._player.step(choice.action), 1.0)
        self._choice = choice
        if self._going is not None:
            self._going.judge(self._player)
            if self._going.arrived is not None:
                self.tries.end(self._going)
                self._going = None
        self._look()

    def close(self) -> None:
        """End the world, and the video if there is one."""
        self._end_film()
        self._world.close()

    @property
    def has_walls(self) -> bool:
        """Whether walls can be drawn."""
        return hasattr(self._env.unwrapped, "set_wall")

    @property
    def goal(self) -> tuple[int, int] | None:
        """Where the agent is going, row and column in the world; None if nowhere."""
        if self._going is not None:
            return self._going.goal
        policy = self._policy
        return policy.policy.goal if policy is not None and self.drive == POLICY else None

    def world_words(self) -> dict[str, Any]:
        """Return what does not change from picture to picture."""
        has_map = self.trained.q_map is not None
        shown = [BEST, ACTION, CANDIDATES] * has_map + [VALUES] * (self.trained.dqn is not None)
        return {
            "name": self.origin.name,
            "checkpoint_step": self.origin.step,
            "actions": list(self._envs.action_names),
            "grid": list(self._envs.coords_shape),
            "cell": list(self._envs.cell_shape),
            "gamma": self.trained.gamma,
            "drivers": self.drivers,
            "maps": [*shown, NONE],
            "has_map": has_map,
            "levels": self.level_names,
            "has_walls": self.has_walls,
            "demonstrations": self._tape is not None,
        }

    def state_words(self) -> dict[str, Any]:
        """Return how the switches stand."""
        return {
            "drive": self.drive,
            "map": self.shown,
            "action": self.shown_action,
            "speed": self.speed,
            "level": self.level,
            "truth": self.truth,
            "recording": self.film is not None,
            "recorded": [
                {
                    "video": str(each.video),
                    "actions": None if each.actions is None else str(each.actions),
                    "steps": each.steps,
                }
                for each in self.recorded
            ],
        }

    def tries_words(self) -> dict[str, Any]:
        """Return what was tried."""
        return self.tries.words(self._going)

    def picture(self) -> bytes:
        """Return the picture of this moment, see `qmap.page.picture`."""
        player, window = self._player, self._window
        place = tuple(int(index) for index in player.on_screen)
        words: dict[str, Any] = {
            "place": place,
            "window": window,
            "goal": None,
            "step": self._episode.length,
            "episode": self._episode.number,
            "return": self._episode.undiscounted_return,
            "kind": None if self._choice is None else self._choice.kind,
            "acted": None if self._choice is None else self._choice.action,
            "over": player.over,
            "completed": bool(player.view.completed[0]),
        }
        maps: dict[str, np.ndarray] = {}
        if self._q_frames is not None:
            best = self._q_frames.max(axis=-1)
            maps["best"] = best
            if self.shown == ACTION:
                maps["shown"] = self._q_frames[..., self.shown_action]
            elif self.shown == CANDIDATES:
                maps["shown"] = self._candidates()
            if self.truth and self.has_walls and (true := self._true_best()) is not None:
                maps["true"] = true
                words["error"] = float(np.square(best - true).mean())
        if self.goal is not None and self._is_on_screen(*self.goal):
            goal = (int(self.goal[0]), int(self.goal[1]) - window)
            words["goal"] = goal
            if self._going is not None and self._q_frames is not None:
                steps = steps_of(self._q_frames.max(axis=-1), self.trained.gamma)
                words["left"] = float(steps[goal])
                words["taken"] = self._going.steps
                way = way_to(steps, place, goal, by_cells=self.has_walls)
                words["way"] = way.tolist()
        if self.shown == VALUES and self.trained.dqn is not None:
            words["values"] = self.trained.dqn.q_values(player.observation)[0].tolist()
        return packed(words, maps, self._envs.screen())

    # How that is done.

    def _enter(self, origin: Origin) -> None:
        self._world = ExitStack()

        def make_env() -> gymnasium.Env:
            self._env = origin.make_env()
            return self._env

        seeds = [streams.number(self._seed, "page")]
        self._envs = Envs(make_env, 1, seeds=seeds, timeout=ENV_TIMEOUT)
        self._world.callback(self._envs.close)

    def _start_world(self) -> None:
        self._player = Player(self._envs, self.trained.stack, self.trained.skip)
        self._policy = None
        if POLICY in self.drivers:
            shape, n_actions = self._envs.coords_shape, self._envs.n_actions
            self._policy = TrainingPolicy(
                self.origin, self.trained, shape, n_actions, self._generator
            )
        self._going: Going | None = None
        self._going_by_itself = False
        self._episode = Episode(0)
        self._tape = EpisodeTape.of(self.origin, self._env, self.origin.folder / FOLDER)
        self._begin()

    def _begin(self) -> None:
        if self._tape is not None:
            self._tape.start()
        if self._policy is not None:
            self._policy.end_episode(self._player)
        self._player.begin()
        self._episode = Episode(self._episode.number + 1)
        self._choice: Choice | None = None
        self._look()

    def _look(self) -> None:
        """Let the networks see what there is to see: once for each moment."""
        self._q_frames, self._greedy = self.trained.look(self._player.observation)

    @property
    def _window(self) -> int:
        return self._player.window

    def _is_on_screen(self, row: int, col: int) -> bool:
        rows, cols = self._envs.coords_shape
        return 0 <= row < rows and 0 <= col - self._window < cols

    def _choose(self) -> Choice | None:
        if self.held is not None:
            self._break_off()
            return Choice(self.held, BY_HAND)
        if self._going is None and self.drive == GOALS:
            cells = np.argwhere(self._candidates())
            if not len(cells):
                return Choice(int(self._generator.integers(self._envs.n_actions)), "random")
            row, col = self._generator.choice(cells)
            self._set_out((int(row), int(col) + self._window), ITSELF)
        if self._going is not None:
            row, col = self._going.goal
            return Choice(int(self._q_frames[row, col - self._window].argmax()), "goal")
        if self.drive == TASK:
            return Choice(self._greedy, "greedy")
        if self.drive == POLICY:
            return self._policy.act(self._player, self._q_frames, self._greedy)
        return None

    def _candidates(self) -> np.ndarray:
        """Return the cells that a training would choose goals from, (rows, cols) bool."""
        steps = steps_of(self._q_frames.max(axis=-1), self.trained.gamma)
        return (steps >= self.trained.min_goal) & (steps <= self.trained.max_goal)

    def _set_out(self, goal: tuple[int, int], chosen_by: str) -> None:
        value = self._q_frames[goal[0], goal[1] - self._window].max()
        believed = float(steps_of(value, self.trained.gamma))
        limit = max(int(np.ceil(PATIENCE * believed)), FEWEST)
        self._going = Going(self._player, goal, limit)
        self._going_by_itself = chosen_by == ITSELF
        self.tries.begin(self._going, believed, chosen_by)

    def _break_off(self) -> None:
        self._going = None

    def _true_best(self) -> np.ndarray | None:
        """Return the true closeness of every cell, (rows, cols) in [0, 1]; None if not known."""
        distances = self._env.unwrapped.true_distances()
        if distances is None:
            return None
        nearest = distances.min(axis=-1)
        powers = np.power(self.trained.gamma, nearest, dtype=np.float32)
        return np.where(nearest < UNREACHABLE, powers, np.float32(0))

    def _end_film(self) -> None:
        film, self.film = self.film, None
        if film is None or (video := film.end(self._episode)) is None:
            return
        actions = None if self._tape is None else self._tape.end(self._episode, video.stem)
        self.recorded.append(Recorded(video, actions, self._episode.length))
