"""Which episodes become videos, and what of the agent goes into their pictures."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from qmap.demonstration.actions_file import Tape
from qmap.experiment import Bests, Episode, Experiment
from qmap.utils.newest_picture import NewestPicture
from qmap.utils.picture import Picture, StepRecord
from qmap.utils.terminal import Warnings
from qmap.utils.video import FILL_BATCH, BufferedEpisode, StreamedEpisode, VideoRecorder
from qmap.utils.window import LiveWindow

if TYPE_CHECKING:
    from qmap.agents.trainable import TrainableAgent
    from qmap.envs.vector import Envs
    from qmap.game_options import GameOptions
    from qmap.run import Run

FIRST_EPISODES = 50
PATIENCE = 10  # steps that who watches waits for one whose Q-frames acting has needed


def make_recording(
    config: GameOptions,
    experiment: Experiment,
    run: Run,
    agent: TrainableAgent,
    envs: Envs,
    screen_shape: tuple[int, int, int],
) -> Recording:
    """Make what turns the steps of a run's first copy into videos and shows them live."""
    picture = Picture(
        envs.coords_shape,
        screen_shape,
        q_map=agent.q_map is not None,
        frame_channels=envs.frame_shape[-1],
        gamma=None if agent.q_map is None else agent.q_map.gamma,
        on_grid=config.shows_places,
    )
    videos = tape = None
    if config.videos:
        with run.warnings.tolerate("videos"):
            folder = run.folder.subfolder("videos")
            videos = VideoRecorder(folder, picture.draw, patience=2.0)
            # With sticky actions, what the agent chose is not what was done.
            tape = None if config.sticky else Tape(folder, experiment.name)
    return Recording(
        agent,
        picture,
        videos,
        run.window,
        run.newest_picture,
        action_names=envs.action_names,
        experiment=experiment,
        tape=tape,
        warnings=run.warnings,
    )


class Recording:
    """Videos of the first environment's episodes, the live window, and the newest picture.

    The first 50 episodes and then every `every`-th are encoded as they happen. All others wait in
    memory until their end shows whether they are worth keeping.

    Args:
        agent: the agent whose steps are drawn.
        picture: draws a step.
        videos: encodes, None for no videos.
        window: shows every step live, None for no window.
        newest_picture: shows a few steps a second to who watches.
        action_names: names of the actions.
        experiment: tells which episodes become a video.
        tape: writes the actions of an episode beside its video, None for no such files.
        warnings: what it cannot write is said there.
    """

    def __init__(
        self,
        agent: TrainableAgent,
        picture: Picture,
        videos: VideoRecorder | None,
        window: LiveWindow | None,
        newest_picture: NewestPicture,
        *,
        action_names: tuple[str, ...],
        experiment: Experiment,
        tape: Tape | None = None,
        warnings: Warnings | None = None,
    ) -> None:
        self.agent = agent
        self.picture = picture
        self.videos = videos
        self.window = window
        self.newest_picture = newest_picture
        self.action_names = action_names
        self.experiment = experiment
        self.tape = tape
        self.warnings = warnings or Warnings()
        self._wanted = False
        self._waited = 0
        self._video: StreamedEpisode | BufferedEpisode | None = None

    def start(self, episode: Episode) -> None:
        """Begin an episode."""
        every = self.experiment.video_every
        self._wanted = episode.number <= FIRST_EPISODES or episode.number % every == 0
        if self.videos is not None:
            fill = self._q_max if self.agent.q_map is not None else None
            self._video = self.videos.stream() if self._wanted else self.videos.buffer(fill)
        if self.tape is not None:
            self.tape.start()

    def add(self, episode: Episode, screen: np.ndarray, action: int, show: bool = False) -> None:
        """Record the step that the agent has just chosen, on the screen that it saw.

        Args:
            episode: the episode before the step.
            screen: (height, width, 3) uint8 RGB.
            action: what the agent chose.
            show: what `shows` said.
        """
        if self.tape is not None:
            self.tape.add(episode, screen, self.action_names[action])
        if self._video is None and self.window is None and not show:
            return
        record = self._record(episode, screen, action)
        if self._wanted or self.window is not None:
            record = self._complete(record)
        if self._video is not None:
            self._video.add(record)
        if self.window is not None:
            self.window.show(self.picture.draw(record))
        if show:
            self.newest_picture.show(partial(self.picture.draw, record))

    def shows(self) -> bool:
        """Whether to show the step that the agent has just chosen to who watches; ask once."""
        if not self.newest_picture.due():
            return False
        self._waited += 1
        lacking = self.agent.q_frames is None and self.agent.q_map is not None
        if lacking and self.agent.q_map_in_use and self._waited < PATIENCE:
            return False
        self._waited = 0
        return True

    def end(self, episode: Episode, bests: Bests, step: int) -> None:
        """End the episode; `bests` are those before it, `step` the number of steps of the run."""
        if self._video is None:
            return
        wanted = self._wanted or self.experiment.highlight(episode, bests)
        name = f"episode-{episode.number:06d}_step-{step:07d}"
        name += f"_score-{episode.undiscounted_return:g}"
        if episode.distance is not None:
            name += f"_distance-{episode.distance}"
        self._video.end(name if wanted else None)
        self._video = None
        if wanted and self.tape is not None:
            with self.warnings.tolerate("files of actions"):
                self.tape.end(episode, name)

    def close(self) -> None:
        """Drop the video of an unfinished episode and finish the others."""
        if self._video is not None:
            self._video.end(None)
        if self.videos is not None:
            self.videos.close()

    def _record(self, episode: Episode, screen: np.ndarray, action: int) -> StepRecord:
        agent, policy = self.agent, self.agent.policies[0]
        row, col, window = (int(value) for value in agent.coords[0])
        goal = candidates = None
        if policy.goal is not None:
            goal = (policy.goal.row, policy.goal.col - window)
            candidates = _scrolled(policy.candidates, window - policy.candidates_window)
        return StepRecord(
            observation=agent.observations()[0],
            screen=screen,
            q_max=None if agent.q_frames is None else agent.q_frames[0].max(axis=-1),
            coords=(row, col - window),
            goal=goal,
            candidates=candidates,
            kind=policy.kind.value,
            action=self.action_names[action],
            step=episode.length,
            episode_return=episode.undiscounted_return,
        )

    def _complete(self, record: StepRecord) -> StepRecord:
        """Add the Q-frames where acting did without."""
        if record.q_max is not None or self.agent.q_map is None:
            return record
        q_frames = self.agent.q_map.q_frames(record.observation[None])
        return dataclasses.replace(record, q_max=q_frames[0].max(axis=-1))

    def _q_max(self, observations: np.ndarray) -> np.ndarray:
        """Maximum over actions of the Q-frames, always from a batch of the same size."""
        padded = np.zeros((FILL_BATCH, *observations.shape[1:]), np.uint8)
        padded[: len(observations)] = observations
        return self.agent.q_map.q_frames(padded)[: len(observations)].max(axis=-1)


def _scrolled(cells: np.ndarray, columns: int) -> np.ndarray:
    """Move a mask of cells left by as many columns as the window moved right."""
    cols = np.arange(cells.shape[1]) + columns
    inside = (cols >= 0) & (cols < cells.shape[1])
    return np.where(inside, cells[:, np.clip(cols, 0, cells.shape[1] - 1)], False)
