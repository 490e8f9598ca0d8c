"""What is kept of the episodes to be looked at: videos, and a few moments for the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qmap.agents.sight import brightest
from qmap.envs.vector import Envs
from qmap.evaluate.picture import Moment
from qmap.evaluate.play import Behavior, EpisodeResult
from qmap.evaluate.player import Player
from qmap.evaluate.trained import Trained
from qmap.utils.picture import Picture, StepRecord
from qmap.utils.video import VideoRecorder


def video_name(episode: EpisodeResult) -> str:
    """Return what the video of an episode is called, without its ending."""
    return f"episode-{episode.episode:03d}_score-{episode.score:g}"


class Watching:
    """Videos of all episodes, if they are wanted, and some moments.

    Args:
        envs: the copy of the world.
        trained: who plays.
        output: folder of the results; None for no videos.
        moments: how many are kept.
        generator: source of random numbers.

    Attributes:
        moments: with a Q-map, moments each as likely as any other.
    """

    def __init__(
        self,
        envs: Envs,
        trained: Trained,
        output: Path | None,
        moments: int,
        generator: np.random.Generator,
    ) -> None:
        self.moments: list[Moment] = []
        self._envs = envs
        self._count = moments
        self._generator = np.random.default_rng(generator.integers(2**31))
        self._passed = 0
        self._recorder = self._video = None
        if output is not None:
            picture = Picture(
                envs.coords_shape,
                envs.screen().shape,
                q_map=trained.q_map is not None,
                frame_channels=envs.frame_shape[-1],
                gamma=trained.gamma,
                on_grid=trained.on_grid,
            )
            (output / "videos").mkdir(exist_ok=True)
            self._recorder = VideoRecorder(output / "videos", picture.draw, patience=2.0)

    def add(
        self,
        behavior: Behavior,
        player: Player,
        action: int,
        q_frames: np.ndarray | None,
        step: int,
        score: float,
    ) -> None:
        """Look at a step before it is taken."""
        q_max = None if q_frames is None else q_frames.max(axis=-1)
        if q_max is not None:
            self._passed += 1
            index = int(self._generator.integers(self._passed))
            if index < self._count:
                moment = Moment(
                    self._envs.screen(), q_max, player.on_screen, brightest(q_max[None])[0]
                )
                self.moments[index : index + 1] = [moment]
        if self._recorder is None:
            return
        if self._video is None:
            self._video = self._recorder.stream()
        goal = behavior.policy.goal
        self._video.add(
            StepRecord(
                observation=player.observation[0],
                screen=self._envs.screen(),
                q_max=q_max,
                coords=tuple(int(value) for value in player.on_screen),
                goal=None if goal is None else (goal.row, goal.col - player.window),
                candidates=None,
                kind=behavior.policy.kind.value,
                action=self._envs.action_names[action],
                step=step,
                episode_return=score,
            )
        )

    def end(self, episode: EpisodeResult) -> None:
        """End the video of an episode."""
        if self._video is not None:
            self._video.end(video_name(episode))
            self._video = None

    def close(self) -> None:
        """Finish the videos."""
        if self._recorder is not None:
            self._recorder.close(timeout=60.0)
