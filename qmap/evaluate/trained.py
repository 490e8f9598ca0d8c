"""A checkpoint brought back to life: its world, its networks and how it acts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from qmap.all_goals.config import AllGoalsConfig, MazeConfig, SokobanConfig
from qmap.config import TrainingConfig
from qmap.envs.make_env import make_sticky
from qmap.experiment import Experiment
from qmap.game_options import GameOptions
from qmap.gridworld.config import GridWorldConfig
from qmap.parse_config import check_stored
from qmap.run_options import RunOptions
from qmap.train_environment import EnvironmentConfig
from qmap.train_environment import make_experiment as make_environment
from qmap.train_mario import MarioConfig
from qmap.train_mario import make_experiment as make_mario
from qmap.train_montezuma import make_experiment as make_montezuma
from qmap.utils import checkpoint
from qmap.utils.errors import UserError
from qmap.utils.run_folder import CONFIG, read_json

if TYPE_CHECKING:
    from qmap.agents.acting import OnlineNetworks
    from qmap.agents.dqn import DQNLearner
    from qmap.agents.q_map import QMapLearner
    from qmap.envs.vector import Envs

MakeExperiment = Callable[[Any], Experiment]
GAMES: dict[str, tuple[type[TrainingConfig], MakeExperiment]] = {
    "qmap.train_mario": (MarioConfig, make_mario),
    "qmap.train_montezuma": (TrainingConfig, make_montezuma),
    "qmap.train_environment": (EnvironmentConfig, make_environment),
}
# Trainings that learn goals alone, in worlds of cells.
CELLS: dict[str, type[RunOptions]] = {
    "qmap.train_gridworld": GridWorldConfig,
    "qmap.train_maze": MazeConfig,
    "qmap.train_sokoban": SokobanConfig,
}


@dataclass(frozen=True)
class Origin:
    """What was trained, from the folder of its run.

    Attributes:
        path: the checkpoint.
        step: its step.
        config: the options of the run.
        name: name of the world.
        make_env: makes it, without sticky actions.
        dqn: name of the task's network.
    """

    path: Path
    step: int
    config: RunOptions
    name: str
    make_env: Callable[[], gymnasium.Env]
    dqn: str = ""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.path.parent.parent

    @property
    def sticky(self) -> float:
        """Probability that a step of the run took the action before instead."""
        return self.config.sticky if isinstance(self.config, GameOptions) else 0.0

    def make_trained_env(self) -> gymnasium.Env:
        """Make the world as it was trained in, with sticky actions if it had any."""
        return make_sticky(self.make_env, self.sticky) if self.sticky else self.make_env()


@dataclass(frozen=True)
class Trained:
    """Networks that act and do not learn.

    Attributes:
        q_map: the goal learner, None for none.
        dqn: the task learner, None for none.
        gamma: discount factor of the distances.
        stack: frames in an observation.
        skip: steps between two of them.
        min_goal: goals are chosen at least as many steps away where there is no task.
        max_goal: and at most as many.
        on_grid: whether the goal grid lies over the frames.
    """

    q_map: QMapLearner | None
    dqn: DQNLearner | None
    gamma: float
    stack: int = 1
    skip: int = 1
    min_goal: int = 15
    max_goal: int = 30
    on_grid: bool = True

    def look(self, observation: np.ndarray) -> tuple[np.ndarray | None, int | None]:
        """Return what the networks say of one observation, None for what there is no network of.

        Args:
            observation: (1, height, width, channels) uint8.

        Returns:
            Q-frames (rows, cols, actions), and the task's best action.
        """
        if self.dqn is None:
            return None if self.q_map is None else self.q_map.q_frames(observation)[0], None
        uses_q_map = self.q_map is not None
        q_frames, greedy = self._networks.evaluate(
            observation, q_frames=uses_q_map, greedy_actions=True
        )
        return q_frames[0] if uses_q_map else None, int(greedy[0])

    @cached_property
    def _networks(self) -> OnlineNetworks:
        from qmap.agents.acting import OnlineNetworks

        return OnlineNetworks(self.q_map, self.dqn)


def find(path: Path) -> Origin:
    """Read what a checkpoint belongs to: RUN/tensorflow/step_N.ckpt to RUN/config.json.

    Raises:
        UserError: it is not there, nothing that can be evaluated, or the options of its run are
            damaged.
    """
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}; expected RUN/tensorflow/step_N.ckpt")
    told = path.parent.parent / CONFIG
    program, options = read_json(told)
    try:
        step = int(path.stem.removeprefix("step_"))
        config = CELLS.get(program) or GAMES[program][0]
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{told} does not say what {path.name} is ({error!r}); expected the folder of a run "
            "of this version, and in it tensorflow/step_N.ckpt"
        ) from error
    return origin_of(path, step, config(**check_stored(config, told, options)))


def origin_of(path: Path, step: int, config: RunOptions) -> Origin:
    """Return what a checkpoint of a run with these options belongs to.

    Raises:
        UserError: there is no such world here.
    """
    if isinstance(config, tuple(CELLS.values())):
        name, make_env = _world_of_cells(config)
        return Origin(path, step, config, name, make_env)
    make_experiment = next(make for kind, make in GAMES.values() if type(config) is kind)
    experiment = make_experiment(config)
    return Origin(path, step, config, experiment.name, experiment.make_env, experiment.dqn)


def load(origin: Origin, envs: Envs) -> Trained:
    """Make the networks and give them the weights of the checkpoint.

    Raises:
        UserError: it is damaged or does not fit.
    """
    from qmap.all_goals.training import learner_of
    from qmap.gridworld.training import make_learner
    from qmap.make_agent import make_agent

    loaded = checkpoint.load(origin.path, "checkpoint")
    with checkpoint.fitting(str(origin.path), loaded):
        if isinstance(origin.config, (GridWorldConfig, AllGoalsConfig)):
            cells = isinstance(origin.config, GridWorldConfig)
            learner = (make_learner if cells else learner_of)(origin.config)
            learner.restore_weights(loaded[learner.name])
            return Trained(learner, None, origin.config.gamma)
        # What was trained on is not needed: only the networks are.
        slots = 100 + origin.config.stack * origin.config.skip + origin.config.n_steps
        config = dataclasses.replace(origin.config, envs=1, replay=slots)
        agent = make_agent(config, origin.dqn, envs.frame_shape, envs.coords_shape, envs.n_actions)
        agent.restore_weights(loaded)
    return Trained(
        agent.q_map,
        agent.dqn,
        config.qmap_gamma,
        config.stack,
        config.skip,
        config.min_goal,
        config.max_goal,
        config.shows_places,
    )


def true_steps(level: str, place: np.ndarray) -> np.ndarray:
    """Return the true number of steps from a place of the grid world to the cells of its window.

    Args:
        level: name of the level.
        place: (2,) row and column.

    Returns:
        (rows, cols) float, infinite where there is no way within the window.
    """
    from qmap.envs.gridworld_level import load_level
    from qmap.envs.gridworld_paths import UNREACHABLE, distances_after

    world = load_level(level)
    distances = distances_after(world, world.places[tuple(place)][None])[0].min(axis=-1)
    return np.where(distances < UNREACHABLE, distances + 1.0, np.inf)


def _world_of_cells(config: RunOptions) -> tuple[str, Callable[[], gymnasium.Env]]:
    """Return the name of a world of cells and what makes it."""
    if isinstance(config, GridWorldConfig):
        name, world = f"gridworld_{config.train_level}", "GridWorld"
        options: dict[str, Any] = {"level": config.train_level}
    elif isinstance(config, MazeConfig):
        name, world = f"maze-{config.size}", "Maze"
        options = {"size": config.size, "open_walls": config.open_walls}
    else:
        name, world = f"sokoban-{config.size}-{config.boxes}", "Sokoban"
        options = {"size": config.size, "boxes": config.boxes, "goals": config.goals}
    return name, partial(
        gymnasium.make,
        f"qmap.envs:qmap/{world}-v0",
        render_mode="rgb_array",
        disable_env_checker=True,
        **options,
    )
