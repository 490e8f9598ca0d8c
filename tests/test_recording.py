"""Which episodes become videos, and what of the agent is drawn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qmap.agents.policy import Goal, Kind
from qmap.experiment import Bests, Episode, Experiment
from qmap.recording import FIRST_EPISODES, PATIENCE, Recording
from qmap.utils.picture import StepRecord

COORDS_SHAPE = (4, 6)


class Video:
    """A video under way."""

    def __init__(self, kind: str, log: list[tuple[str, str | None]]) -> None:
        self.kind = kind
        self.log = log
        self.records: list[StepRecord] = []

    def add(self, record: StepRecord) -> None:
        self.records.append(record)

    def end(self, name: str | None) -> None:
        self.log.append((self.kind, name))


class Videos:
    """What encodes, noting which episodes are streamed and which only wait."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str | None]] = []
        self.current: Video

    def stream(self) -> Video:
        self.current = Video("streamed", self.log)
        return self.current

    def buffer(self, fill: Any) -> Video:
        self.current = Video("buffered", self.log)
        return self.current

    def close(self) -> None:
        self.log.append(("closed", None))


class Newest:
    """The newest picture, for somebody who watches or for nobody."""

    def __init__(self, watched: bool = False) -> None:
        self.watched = watched
        self.shown: list[Any] = []

    def due(self) -> bool:
        return self.watched

    def show(self, draw: Any) -> None:
        self.shown.append(draw())


def agent_with(goal: Goal | None = None, window: int = 0, q_frames: bool = True) -> Any:
    """An agent that has just chosen its action."""
    candidates = np.zeros(COORDS_SHAPE, bool)
    candidates[1, 4] = True
    values = np.random.default_rng(0).random((1, *COORDS_SHAPE, 3))
    policy = SimpleNamespace(
        goal=goal, candidates=candidates if goal else None, candidates_window=2, kind=Kind.GOAL
    )
    return SimpleNamespace(
        policies=[policy],
        coords=np.array([[2, window + 3, window]]),
        q_frames=values if q_frames else None,
        q_map=SimpleNamespace(q_frames=lambda observations: values),
        q_map_in_use=True,
        observations=lambda: np.zeros((1, 8, 12, 3), np.uint8),
    )


def recording_with(agent: Any, highlight: bool = False) -> tuple[Recording, Videos]:
    experiment = Experiment("world", None, "mario", 10, lambda episode, bests: highlight)
    videos = Videos()
    names = ("LEFT", "NOOP", "RIGHT")
    recording = Recording(
        agent, None, videos, None, Newest(), action_names=names, experiment=experiment
    )
    return recording, videos


@pytest.mark.parametrize(
    ("number", "highlight", "kind", "kept"),
    [
        (1, False, "streamed", True),
        (FIRST_EPISODES, False, "streamed", True),
        (FIRST_EPISODES + 1, False, "buffered", False),
        (FIRST_EPISODES + 1, True, "buffered", True),
        (60, False, "streamed", True),
    ],
)
def test_the_first_episodes_each_tenth_and_highlights_become_videos(
    number: int, highlight: bool, kind: str, kept: bool
) -> None:
    recording, videos = recording_with(agent_with(), highlight)
    recording.start(Episode(number))
    recording.end(Episode(number, undiscounted_return=2.5, distance=70), Bests(), 1234)
    name = f"episode-{number:06d}_step-0001234_score-2.5_distance-70"
    assert videos.log == [(kind, name if kept else None)]


def test_a_step_is_drawn_as_it_was_chosen() -> None:
    agent = agent_with(Goal(1, 8), window=3)
    recording, videos = recording_with(agent)
    episode = Episode(1, length=7, undiscounted_return=4.0)
    recording.start(episode)
    recording.add(episode, np.zeros((8, 12, 3), np.uint8), 2)
    (record,) = videos.current.records
    assert (record.action, record.step, record.episode_return) == ("RIGHT", 7, 4.0)
    assert record.coords == (2, 3)
    assert record.goal == (1, 5)
    assert record.kind == "goal"
    assert np.array_equal(record.q_max, agent.q_frames[0].max(axis=-1))
    # The screen has scrolled by one column since the candidates were found.
    assert np.argwhere(record.candidates).tolist() == [[1, 3]]


@pytest.mark.parametrize(("number", "completed"), [(1, True), (FIRST_EPISODES + 1, False)])
def test_q_frames_that_acting_did_without_are_computed_only_for_certain_videos(
    number: int, completed: bool
) -> None:
    recording, videos = recording_with(agent_with(q_frames=False))
    recording.start(Episode(number))
    recording.add(Episode(number), np.zeros((8, 12, 3), np.uint8), 0)
    assert (videos.current.records[0].q_max is not None) == completed


class Tape:
    """What writes actions, noting for which videos it did."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def start(self) -> None:
        self.log.append("start")

    def add(self, episode: Episode, screen: np.ndarray, action: str) -> None:
        self.log.append(action)

    def end(self, episode: Episode, name: str) -> None:
        self.log.append(name.partition("_")[0])


def test_the_actions_of_an_episode_are_written_with_its_video_only() -> None:
    recording, _ = recording_with(agent_with())
    recording.tape = Tape()
    for number in (2, FIRST_EPISODES + 1):
        recording.start(Episode(number))
        recording.add(Episode(number), np.zeros((8, 12, 3), np.uint8), 2)
        recording.end(Episode(number), Bests(), 9)
    assert recording.tape.log == ["start", "RIGHT", "episode-000002", "start", "RIGHT"]


def test_an_unfinished_video_is_dropped_and_the_encoder_closed() -> None:
    recording, videos = recording_with(agent_with())
    recording.start(Episode(1))
    recording.close()
    assert videos.log == [("streamed", None), ("closed", None)]


def test_who_watches_sees_the_step_that_was_chosen_without_videos_or_a_window() -> None:
    recording, _ = recording_with(agent_with())
    recording.videos = None
    recording.picture = SimpleNamespace(draw=lambda record: record)
    screen = np.zeros((8, 12, 3), np.uint8)
    recording.start(Episode(1))
    assert not recording.shows()
    recording.add(Episode(1), screen, 0)
    assert not recording.newest_picture.shown
    recording.newest_picture.watched = True
    assert recording.shows()
    recording.add(Episode(1, length=7), screen, 2, show=True)
    (record,) = recording.newest_picture.shown
    assert (record.action, record.step) == ("RIGHT", 7)
    assert record.q_max is not None


@pytest.mark.parametrize(
    ("change", "waits"),
    [
        ({}, PATIENCE - 1),
        ({"q_frames": np.zeros((1, *COORDS_SHAPE, 3))}, 0),
        ({"q_map_in_use": False}, 0),
        ({"q_map": None}, 0),
    ],
)
def test_who_watches_waits_a_little_for_a_step_with_q_frames(
    change: dict[str, Any], waits: int
) -> None:
    agent = agent_with(q_frames=False)
    vars(agent).update(change)
    recording, _ = recording_with(agent)
    recording.newest_picture.watched = True
    for _ in range(2):
        assert [recording.shows() for _ in range(waits + 1)] == [False] * waits + [True]
