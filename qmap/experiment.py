"""A game to train on."""

from __future__ import annotations

from dataclasses import dataclass

from qmap.envs.vector import MakeEnv
from qmap.recording import Highlight


@dataclass(frozen=True)
class Experiment:
    """A game to train on.

    Attributes:
        name: name of the environment in the results.
        make_env: makes one environment that keeps the project's contract.
        dqn_encoder: convolutions of the DQN, each (channels, kernel, stride).
        video_every: after the first 50 episodes, every this many become a video.
        highlight: tells which other episodes become a video.
    """

    name: str
    make_env: MakeEnv
    dqn_encoder: tuple[tuple[int, int, int], ...]
    video_every: int
    highlight: Highlight
