"""A video of what is played on the page, drawn as the videos of a training are."""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path

import numpy as np

from qmap.envs.vector import Envs
from qmap.evaluate.player import Player
from qmap.evaluate.trained import Trained
from qmap.experiment import Episode
from qmap.page.drivers import Choice
from qmap.utils.errors import UserError
from qmap.utils.files import cannot
from qmap.utils.picture import Picture, StepRecord
from qmap.utils.video import VideoRecorder

FOLDER = "played"  # in the run's folder


class Film:
    """A video under way.

    Args:
        folder: the run's.
        envs: the world.
        trained: who plays in it.

    Raises:
        UserError: nothing can be written there, or not within the run.
    """

    def __init__(self, folder: Path, envs: Envs, trained: Trained) -> None:
        self.folder = folder / FOLDER
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise cannot("write", self.folder, error) from error
        if self.folder.is_symlink():
            raise UserError(f"{self.folder} leads elsewhere; expected a folder of the run's own")
        picture = Picture(
            envs.coords_shape,
            envs.screen().shape,
            q_map=trained.q_map is not None,
            frame_channels=envs.frame_shape[-1],
            gamma=trained.gamma,
        )
        self._envs = envs
        self._problems: list[str] = []
        self._recorder = VideoRecorder(
            self.folder, picture.draw, patience=2.0, warn=self._problems.append
        )
        self._video = self._recorder.stream()
        self._steps = 0

    def add(
        self,
        player: Player,
        choice: Choice,
        q_frames: np.ndarray | None,
        goal: tuple[int, int] | None,
        episode: Episode,
    ) -> None:
        """Add a step before it is taken; `goal` is on the screen."""
        row, col = player.on_screen
        self._steps += 1
        self._video.add(
            StepRecord(
                observation=player.observation[0],
                screen=self._envs.screen(),
                q_max=None if q_frames is None else q_frames.max(axis=-1),
                coords=(int(row), int(col)),
                goal=goal,
                candidates=None,
                kind=choice.kind,
                action=self._envs.action_names[choice.action],
                step=episode.length,
                episode_return=episode.undiscounted_return,
            )
        )

    def end(self, episode: Episode) -> Path | None:
        """Finish the video; return its file, None if there was nothing to see.

        Raises:
            UserError: it could not be written.
        """
        score = f"score-{episode.undiscounted_return:g}"
        name = f"played_{datetime.now():%Y-%m-%d_%H-%M-%S}_{score}"
        names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
        name = next(name for name in names if not (self.folder / f"{name}.mp4").exists())
        self._video.end(name if self._steps else None)
        self._recorder.close()
        if self._problems:
            raise UserError(self._problems[0])
        return self.folder / f"{name}.mp4" if self._steps else None
