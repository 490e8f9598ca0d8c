"""A trained agent for tests, made without training: in a corridor, where a Q-map needs no eyes.

The window scrolls with the character, and the corridor is one cell high, so that the distances to
all cells of the screen are always the same: the biases of a network whose weights are 0.
"""

from __future__ import annotations

import dataclasses
import json
from contextlib import closing
from pathlib import Path

import numpy as np

from qmap.envs.gridworld_level import COLS, ROWS, SCREEN_COL
from qmap.utils import checkpoint
from qmap.utils.image_file import write_image

ROW, WIDTH, GAMMA = 14, 600, 0.9


def write_run(folder: Path) -> Path:
    """Write a run of the grid world whose checkpoint knows the corridor; return its folder."""
    from qmap.gridworld.config import GridWorldConfig
    from qmap.gridworld.training import make_learner

    run = folder / "gridworld" / "corridor" / "seed-0_2026-01-01_00-00-00"
    (run / "tensorflow").mkdir(parents=True)
    level = np.zeros((ROWS, WIDTH, 3), np.uint8)
    level[ROW, 1:-1] = 255
    write_image(run / "corridor.png", level)
    config = GridWorldConfig(
        train_level=str(run / "corridor.png"),
        model="mlp2",
        dueling=False,
        norm=False,
        double=False,
        gamma=GAMMA,
    )
    words = {"program": "qmap.train_gridworld", "options": dataclasses.asdict(config)}
    (run / "config.json").write_text(json.dumps(words))
    learner = make_learner(config)
    last = learner.online.advantage[0].dense
    last.kernel.assign(np.zeros(last.kernel.shape))
    last.bias.assign(q_frames().ravel())
    tree = {learner.name: learner.weights(False)}
    checkpoint.save(run / "tensorflow" / "step_100.ckpt", "checkpoint", tree)
    return run


def q_frames() -> np.ndarray:
    """Return the true Q-frames everywhere in the corridor but near its ends."""
    frames = np.zeros((ROWS, COLS, 4), np.float32)
    away = np.arange(COLS) - SCREEN_COL
    for action, move in enumerate((0, -1, 1, 0)):
        frames[ROW, :, action] = GAMMA ** np.abs(away - move)
    return frames


def write_game_run(folder: Path, env: str) -> Path:
    """Write a run of `qmap.train_environment` with an untrained checkpoint; return its folder."""
    from qmap.envs.vector import Envs
    from qmap.make_agent import make_agent
    from qmap.train_environment import EnvironmentConfig, make_experiment

    config = EnvironmentConfig(env=env, qmap=False, stack=2, replay=100)
    experiment = make_experiment(config)
    run = folder / experiment.name / "dqn" / "seed-0_2026-01-01_00-00-00"
    (run / "tensorflow").mkdir(parents=True)
    words = {"program": "qmap.train_environment", "options": dataclasses.asdict(config)}
    (run / "config.json").write_text(json.dumps(words))
    with closing(Envs(experiment.make_env, 1, seeds=[0], timeout=60.0)) as envs:
        shapes = envs.frame_shape, envs.coords_shape, envs.n_actions
        agent = make_agent(config, experiment.dqn, *shapes)
    tree = agent.weights(False)
    checkpoint.save(run / "tensorflow" / "step_100.ckpt", "checkpoint", tree)
    return run
