"""The agent of the paper's games, as a training's options want it."""

from __future__ import annotations

import keras
import numpy as np

from qmap.agents.agent import Agent
from qmap.agents.dqn import DQNLearner
from qmap.agents.networks import ConvQFrames, DuelingDQN
from qmap.agents.q_map import QMapLearner
from qmap.config import TrainingConfig
from qmap.experiment import Experiment
from qmap.utils.errors import UserError


def make_agent(
    config: TrainingConfig,
    experiment: Experiment,
    frame_shape: tuple[int, int, int],
    coords_shape: tuple[int, int],
    n_actions: int,
) -> Agent:
    """Make the networks of the paper's games, the learners and the agent.

    Raises:
        UserError: the goal grid is not what the Q-frame network gives for such frames, or there
            is not enough memory for the replay.
    """
    height, width, channels = frame_shape
    observation_shape = (height, width, channels * config.stack)

    def q_frame_network() -> keras.Model:
        return ConvQFrames(
            observation_shape,
            n_actions,
            encoder=[(32, 8, 2), (32, 6, 2), (64, 4, 2)],
            hidden=[1024],
            decoder=[(64, 4, 2), (32, 6, 2)],
            last=(4, 1),
        )

    def dqn_network() -> keras.Model:
        return DuelingDQN(
            observation_shape, n_actions, encoder=experiment.dqn_encoder, hidden=[1024]
        )

    q_map = dqn = None
    if config.qmap:
        q_map = QMapLearner(
            q_frame_network,
            learning_rate=config.qmap_lr,
            gamma=config.qmap_gamma,
            clip_norm=config.qmap_clip,
            double_q=config.double,
            double_order=config.double_order,
            unknown_columns=config.unknown_columns,
        )
        empty = np.zeros((config.envs, *observation_shape), np.uint8)
        rows, cols = q_map.q_frames(empty).shape[1:3]
        if (rows, cols) != coords_shape:
            raise UserError(
                f"frames of {height} x {width} pixels give Q-frames of {rows} x {cols} cells, but "
                f"coords_shape is {coords_shape}; expected half the frame, in multiples of 4"
            )
    if config.dqn:
        dqn = DQNLearner(
            dqn_network,
            learning_rate=config.dqn_lr,
            gamma=config.dqn_gamma,
            clip_norm=config.dqn_clip,
            double_q=config.double,
        )
    try:
        return Agent(
            config,
            frame_shape=frame_shape,
            coords_shape=coords_shape,
            n_actions=n_actions,
            n_envs=config.envs,
            q_map=q_map,
            dqn=dqn,
            generator=np.random.default_rng(config.seed),
        )
    except MemoryError as error:
        raise UserError(
            f"there is not enough memory for a replay of {config.replay:,} frames: {error}; "
            "give a smaller --replay"
        ) from error


def agent_name(config: TrainingConfig) -> str:
    """Name of the agent in the results: "q-map+dqn", "q-map", "dqn" or "random"."""
    parts = ["q-map"] * config.qmap + ["dqn"] * config.dqn
    return "+".join(parts) or "random"
