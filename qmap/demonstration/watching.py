"""Videos of rollouts, and the live window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qmap.utils.picture import Picture, StepRecord
from qmap.utils.video import BufferedEpisode, VideoRecorder
from qmap.utils.window import LiveWindow

if TYPE_CHECKING:
    from qmap.demonstration.rollout import Rollout

VIDEO_EVERY = 100


class Watching:
    """Shows the first copy's rollouts.

    Those become videos that are one of a hundred, and those that succeed from farther back than
    any before.

    Args:
        picture: draws a step.
        videos: encodes, None for no videos.
        window: shows every step live, None for no window.
        action_names: names of the actions.
    """

    def __init__(
        self,
        picture: Picture,
        videos: VideoRecorder | None,
        window: LiveWindow | None,
        action_names: tuple[str, ...],
    ) -> None:
        self.picture = picture
        self.videos = videos
        self.window = window
        self.action_names = action_names
        self._farthest: int | None = None
        self._count = 0
        self._video: BufferedEpisode | None = None

    @property
    def looks(self) -> bool:
        """Whether anything is done with what is shown."""
        return self.videos is not None or self.window is not None

    def start(self, rollout: Rollout) -> None:
        """Begin a rollout."""
        if self.videos is not None:
            self._video = self.videos.buffer()

    def add(
        self,
        rollout: Rollout,
        observation: np.ndarray,
        screen: np.ndarray,
        coords: np.ndarray,
        action: int,
    ) -> None:
        """Show a step that is about to be taken.

        Args:
            rollout: before the step.
            observation: uint8 (height, width, channels).
            screen: uint8 (height, width, 3).
            coords: (3,) row, column and window.
            action: the policy's.
        """
        row, col, window = coords.tolist()
        record = StepRecord(
            observation=observation.copy(),
            screen=screen,
            q_max=None,
            coords=(row, col - window),
            goal=None,
            candidates=None,
            kind=f"from {rollout.start:,}",
            action=self.action_names[action],
            step=rollout.length,
            episode_return=rollout.undiscounted_return,
        )
        if self._video is not None:
            self._video.add(record)
        if self.window is not None:
            self.window.show(self.picture.draw(record))

    def end(self, rollout: Rollout) -> None:
        """End a rollout."""
        wanted = self._count % VIDEO_EVERY == 0
        self._count += 1
        if rollout.success and (self._farthest is None or rollout.start < self._farthest):
            self._farthest, wanted = rollout.start, True
        if self._video is not None:
            name = f"rollout-{rollout.number:07d}_start-{rollout.start:05d}"
            name += f"_score-{rollout.undiscounted_return:g}"
            name += "_as-well" * rollout.success
            self._video.end(name if wanted else None)
            self._video = None

    def state(self) -> dict[str, int | None]:
        """Return what decides which rollouts become videos."""
        return {"farthest": self._farthest, "count": self._count}

    def restore(self, state: dict[str, int | None]) -> None:
        """Continue from what `state` returned."""
        self._farthest, self._count = state["farthest"], state["count"]

    def close(self) -> None:
        """Drop the video of an unfinished rollout and finish the others."""
        if self._video is not None:
            self._video.end(None)
        if self.videos is not None:
            self.videos.close()
