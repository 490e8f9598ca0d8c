"""What the comparison of ways to learn to see keeps and prints; the learning takes minutes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import seeing
from benchmarks.seeing import COLUMNS, Frames, Options, Play, learn, main
from qmap.agents.replay import Replay
from qmap.utils.errors import UserError
from qmap.utils.image_file import read_image

WORLD = "foxglove_1.1"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[str, ...], int]]:
    """What is measured, in order; the shares rise with the updates, by a hundredth a seed."""
    found = []

    def measure(
        options: Options, world: str, ways: list[str], seed: int
    ) -> Iterator[tuple[str, list[list[float]]]]:
        found.append((world, tuple(ways), seed))
        moments = seeing.measured_at(options)
        for way in ways:
            yield way, [[at, at / 500 + seed / 100, 0.9, 0.25] for at in moments]

    monkeypatch.setattr(seeing, "measure", measure)
    monkeypatch.setattr(seeing.device, "set_up", lambda **_: None)
    return found


def command(tmp_path: Path, *further: str) -> list[str]:
    results = str(tmp_path / "t.csv")
    return ["--worlds", WORLD, "--updates", "100", "--results", results, *further]


def test_only_what_is_missing_or_came_less_far_is_measured(
    tmp_path: Path, asked: list[tuple[str, tuple[str, ...], int]]
) -> None:
    main(command(tmp_path, "--ways", "published", "--seeds", "1"))
    main(command(tmp_path, "--ways", "published", "tuned", "--seeds", "2"))
    assert asked == [
        (WORLD, ("published",), 0),
        (WORLD, ("tuned",), 0),
        (WORLD, ("published", "tuned"), 1),
    ]
    asked.clear()
    main(command(tmp_path, "--ways", "tuned", "--seeds", "1", "--updates", "150"))
    main(command(tmp_path, "--ways", "tuned", "--seeds", "2"))
    main(command(tmp_path, "--ways", "tuned", "--seeds", "1", "--precision", "bfloat16"))
    main(command(tmp_path, "--ways", "tuned", "--seeds", "1", "--steps", "2000"))
    main(command(tmp_path, "--ways", "skip", "--only-there"))
    assert asked == [(WORLD, ("tuned",), 0)] * 3
    table = pd.read_csv(tmp_path / "t.csv")
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 + 2 + 2 + 3 + 2 + 2


def test_the_table_has_means_of_seeds_and_at_the_end_each_with_an_interval(
    tmp_path: Path, asked: list, capsys: pytest.CaptureFixture[str]
) -> None:
    main(command(tmp_path, "--ways", "tuned", "--pictures", str(tmp_path)))
    main(command(tmp_path, "--ways", "tuned", "skip", "--seeds", "4", "--only-there"))
    out = capsys.readouterr().out
    # t of 2 degrees of freedom is 4.303, times a deviation of 1, by the root of 3.
    assert "| tuned | 11 | 21 | 21 ± 2 (20, 21, 22) | 90 ± 0 (90, 90, 90) | 25 ± 0" in out
    assert "missing: tuned (1 of 4 seeds), skip (4 of 4 seeds)" in out
    assert read_image(tmp_path / f"{WORLD}.png", "L", (4000, 4000)).pixels.std() > 10


def test_a_table_that_is_not_there_is_refused_where_nothing_is_measured(
    tmp_path: Path, asked: list, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=r"^there is no table .*t\.csv: leave .* make it$"):
        main(command(tmp_path, "--only-there"))
    assert (asked, capsys.readouterr().out) == ([], "")


class FakeQMap:
    """Believes to be where frames say, but for the brightness of a pixel."""

    def q_frames(self, observations: np.ndarray) -> np.ndarray:
        return observations[..., None].astype(float)


def test_seen_is_near_the_character_and_its_way_is_up_to_four_steps_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seeing, "FRAMES", 4)
    observations = np.zeros((4, 16, 16), np.uint8)
    observations[[0, 1, 2, 3], 8, [2, 6, 10, 14]] = 1, 2, 3, 100
    places = np.full((4, 5, 2), -1000)
    places[:, 0] = [(10, 4), (8, 9), (5, 10), (8, 12)]  # seen; 3 columns; 3 rows off; seen
    places[1, 4] = 8, 8  # it goes there
    assert Frames(observations, places).sight(FakeQMap()) == (0.5, 0.75, 0.25)


def test_learning_is_that_of_a_training_and_is_measured_at_the_moments() -> None:
    class Agent:
        """Counts its updates, of which one is due every fourth step from step 1,000 on."""

        class settings:
            learning_starts, train_every = 1000, 4

        step = updates = 0
        q_map = None

        def train(self) -> None:
            self.updates += (self.step - 1000) % 4 == 0

    agent, calls = Agent(), []

    class Seen:
        def sight(self, q_map: None) -> tuple[float, float, float]:
            return agent.updates / 10, 0.5, 0.0

    rows = learn(agent, Seen(), [2, 5], lambda: calls.append(1))
    assert rows == [[2, 0.2, 0.5, 0.0], [5, 0.5, 0.5, 0.0]]
    assert len(calls) == 5


def test_a_replay_has_room_for_all_of_a_play_of_many_episodes() -> None:
    play = object.__new__(Play)
    generator = np.random.default_rng(0)
    play.episodes = np.repeat(np.arange(20), 3).tolist()
    n = len(play.episodes)
    play.frames = list(generator.integers(256, size=(n, 1, 4, 4, 1), dtype=np.uint8))
    play.coords = list(np.zeros((n, 1, 3), np.int64))
    play.actions = [np.zeros(1, np.int64)] * n
    views = [SimpleNamespace(frames=frames, coords=play.coords[0]) for frames in play.frames]
    ended = {"rewards": np.zeros(1), "terminals": np.zeros(1, bool)}
    play.steps = [SimpleNamespace(view=view, **ended) for view in [*views[1:], views[0]]]
    replay = Replay(play.room, (4, 4, 1), (4, 4), stack=1, skip=1)
    slots = play.feed(replay)
    assert np.array_equal(replay.observations(slots)[..., 0], np.concatenate(play.frames)[..., 0])
