"""What is measured of trained networks: sight, ways to goals, foresight."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
from corridor import LENGTH, Corridor

from benchmarks import seeing
from qmap.envs.gridworld_level import Level
from qmap.envs.gridworld_paths import true_q_frames
from qmap.envs.vector import Envs
from qmap.evaluate import picture, report
from qmap.evaluate.levels import CENTERING_STEPS, center
from qmap.evaluate.navigation import Going, Walk, navigate, steps_of
from qmap.evaluate.play import Samples, Sights, play, random_start
from qmap.evaluate.player import Player

GAMMA = 0.9
RIGHT = 2


def small_level() -> Level:
    walls = np.ones((28, 60), bool)
    walls[1:-1, 1:-1] = False
    walls[5:20, 20] = True
    return Level(walls)


def make_env(level: Level) -> gymnasium.Env:
    return gymnasium.make(
        "qmap.envs:qmap/GridWorld-v0",
        level=level,
        render_mode="rgb_array",
        disable_env_checker=True,
    )


@pytest.fixture
def player() -> Iterator[Player]:
    """In the middle of a level with a wall."""
    envs = Envs(partial(make_env, small_level()), 1, seeds=[3], timeout=60.0)
    player = Player(envs, stack=3, skip=2)
    player.begin()
    yield player
    envs.close()


class Knowing:
    """A Q-map that knows the truth: it is told where the player is."""

    def __init__(self, player: Player, level: Level) -> None:
        self.player = player
        self.level = level

    def q_frames(self, observations: np.ndarray) -> np.ndarray:
        place = self.level.places[tuple(self.player.place)][None]
        return true_q_frames(self.level, place, GAMMA)


def test_a_player_goes_on_exactly_from_where_it_was_saved(player: Player) -> None:
    generator = np.random.default_rng(0)
    for action in generator.integers(0, 4, 9):
        player.step(int(action))
    state = player.save()
    actions = generator.integers(0, 4, 12)
    seen = []
    for _ in range(2):
        assert player.restore(state)
        for action in actions:
            player.step(int(action))
            seen.append((player.observation.tobytes(), tuple(player.place), player.window))
    assert seen[:12] == seen[12:]
    assert len(set(seen)) > 3


def test_who_knows_the_truth_arrives_as_it_believes_and_the_controls_do_not(
    player: Player,
) -> None:
    level, generator = small_level(), np.random.default_rng(0)
    knowing = Knowing(player, level)

    def truth(place: np.ndarray) -> np.ndarray:
        return steps_of(knowing.q_frames(player.observation)[0].max(axis=-1), GAMMA)

    walks: list[Walk] = []
    sights = Sights()
    for episode in range(6):
        for action in generator.integers(0, 4, 20):
            player.step(int(action))
        place = tuple(player.place)
        mean = generator.random((28, 32, 4))
        walks += navigate(player, knowing, mean, GAMMA, generator, episode, sights, truth)
        assert tuple(player.place) == place
    ours = [walk for walk in walks if walk.way == "q-map"]
    assert {walk.believed for walk in ours} >= {5, 10, 15}
    assert all(walk.steps == walk.believed == pytest.approx(walk.true) for walk in ours)
    others = [walk.steps is not None for walk in walks if walk.way != "q-map"]
    assert len(others) == 3 * len(ours)
    assert np.mean(others) < 0.3
    found = report.calibration(walks)["10"]
    assert found["taken"]["mean"] == pytest.approx(found["true"]["mean"]) == 10.0
    assert report.navigation(walks)["10"]["q-map"]["share"] == 1.0
    # On its own walks it sees, from each state apart.
    assert len(sights.places) == sum(walk.steps for walk in ours)
    assert len(set(sights.stretches)) == len(ours)
    assert sorted(set(sights.episodes)) == list(range(6))
    assert report.sight(sights)["seen"]["share"] == 1.0
    assert report.sight(sights)["seen by mean picture"]["share"] < 0.5


def walk_of(steps: int | None, close: int | None, true: float | None = None, **other) -> Walk:
    return Walk(
        **{"believed": 5, "way": "q-map", "episode": 1, **other},
        steps=steps,
        steps_until_close=close,
        true=true,
    )


def test_goals_that_are_not_reached_count_for_the_share_and_not_for_the_steps() -> None:
    walks = [walk_of(None, None, np.inf), walk_of(6, 5, 6.0)]
    found = report.calibration(walks)["5"]
    assert found["goals"] == 2
    assert found["arrived"]["share"] == 0.5
    assert found["taken"]["mean"] == 6.0
    assert found["reachable"]["share"] == 0.5
    assert found["true"]["mean"] == 6.0


class Walking:
    """A player that is led through places."""

    envs = SimpleNamespace(coords_shape=(20, 20))
    window, room, over = 0, 0, False

    def __init__(self, *places: tuple[int, int]) -> None:
        self.places = list(places)

    def judged(self, going: Going) -> Going:
        for place in self.places:
            self.place = np.array(place)
            going.judge(self)
        return going


@pytest.mark.parametrize(
    ("places", "arrived", "close"),
    [
        ([(5, 7), (5, 6), (5, 5)], True, 2),
        ([(5, 7), (4, 6), (4, 7)], False, 2),
        ([(5, 7), (7, 5), (5, 7)], False, None),
    ],
)
def test_a_goal_is_reached_at_its_cell_and_coming_close_is_told_apart(
    places: list[tuple[int, int]], arrived: bool, close: int | None
) -> None:
    player = Walking(*places)
    going = player.judged(Going(player, (5, 5), limit=3))
    assert (going.arrived, going.steps_until_close) == (arrived, close)


def test_nobody_comes_close_in_another_room() -> None:
    player = Walking((5, 5))
    going = Going(player, (5, 5), limit=3)
    player.room = 1
    assert player.judged(going).steps_until_close is None


def test_coming_close_is_counted_beside_arriving() -> None:
    walks = [walk_of(6, 5), walk_of(None, 4), walk_of(None, None), walk_of(None, 2, way="random")]
    exact, close = report.navigation(walks)["5"], report.navigation(walks, report.came_close)["5"]
    assert (exact["q-map"]["share"], exact["random"]["share"]) == (pytest.approx(1 / 3), 0.0)
    assert (close["q-map"]["share"], close["random"]["share"]) == (pytest.approx(2 / 3), 1.0)


class Lost:
    """A Q-map that believes one cell to be 5 steps away, and goes against a wall."""

    def q_frames(self, observations: np.ndarray) -> np.ndarray:
        q_frames = np.zeros((1, 28, 32, 4))
        q_frames[0, 14, 16] = GAMMA**4 * np.array((1.0, 0.9, 0.9, 0.9))
        return q_frames


def test_no_walk_takes_more_than_one_and_a_half_times_the_belief(player: Player) -> None:
    sights = Sights()
    navigate(player, Lost(), np.zeros((28, 32, 4)), GAMMA, np.random.default_rng(0), 1, sights)
    assert len(sights.places) == 7


def test_sight_is_compared_with_the_mean_picture_and_with_the_way_ahead(player: Player) -> None:
    # On open ground: each step scrolls the window by a column.
    player.envs._copy.env.unwrapped._place = int(small_level().places[25, 30])
    player.step(RIGHT)
    sights = Sights()
    sights.begin(1)
    for _ in range(8):  # the brightest cell is 3 cells ahead
        row, col = player.on_screen
        q_frames = np.zeros((28, 32, 4))
        q_frames[row, col + 3] = 1.0
        sights.add(q_frames, player, RIGHT)
        player.step(RIGHT)
    assert np.diff(sights.windows).tolist() == [1] * 7
    assert not sights.seen.any()
    assert sights.seen_ahead.tolist() == [True] * 7 + [False]
    sights.stretches[4:] = [2] * 4  # what comes in another episode or walk is not its way
    assert sights.seen_ahead.tolist() == [True] * 3 + [False] + [True] * 3 + [False]
    assert not sights.seen_by_mean.any()


def test_the_mean_picture_is_the_mean_of_pictures_as_in_the_benchmark(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    sights, (row, col) = Sights(), player.on_screen
    q_frames = np.zeros((2, 28, 32, 4))
    # A cell that is bright for another action each time, and one for the same one, less bright.
    q_frames[[0, 1], row, col, [0, 1]] = 1.0
    q_frames[:, 0, 0, 0] = 0.8
    for each in q_frames:
        sights.add(each, player, 0)
    assert sights.mean_q_frames.max(axis=-1).argmax() == 0
    assert sights.mean_picture[row, col] == 1.0
    assert sights.seen_by_mean.all()
    monkeypatch.setattr(seeing, "FRAMES", 2)
    frames = seeing.Frames(np.arange(2), np.tile(player.on_screen, (2, 5, 1)))
    q_map = SimpleNamespace(q_frames=lambda observations: q_frames[observations])
    assert frames.sight(q_map) == (1.0, 1.0, 1.0)


def dying(player: Player) -> Sights:
    """Two deaths, and an episode that was cut off."""
    sights = Sights()
    values = {1: [4.0, 4.0, 4.0, 2.0, 0.0], 2: [4.0, 1.0], 3: [5.0] * 3}
    for episode, each in values.items():
        sights.begin(episode)
        for value in each:  # of the best action, all over the screen; the one taken has less
            q_frames = np.zeros((28, 32, 4))
            q_frames[..., 0], q_frames[..., 1] = value, value / 2
            if episode == 2:
                q_frames[..., 1] = value / 4
            sights.add(q_frames, player, 1)
        if episode < 3:
            sights.die()
    return sights


def test_foresight_is_what_values_are_before_deaths_beside_all_of_them(player: Player) -> None:
    sights = dying(player)
    mean = 3.4
    found = report.foresight(sights, sights.best_values)
    assert list(found) == ["1", "2", "3", "5"]
    assert [found[steps]["n"] for steps in found] == [2, 2, 1, 1]
    assert [found[steps]["episodes"] for steps in found] == [2, 2, 1, 1]
    expected = [0.5 / mean, 3.0 / mean, 4.0 / mean, 4.0 / mean]
    assert [found[steps]["mean"] for steps in found] == pytest.approx(expected)
    assert found["3"]["interval"] is None
    assert report.foresight(Sights(), []) == {}


def test_foresight_of_the_action_taken_is_told_from_that_of_the_best(player: Player) -> None:
    sights = dying(player)
    mean = (7.0 + 1.25 + 7.5) / 10
    found = report.foresight(sights, sights.taken_values)
    expected = [0.125 / mean, 1.0 / mean, 2.0 / mean, 2.0 / mean]
    assert [found[steps]["mean"] for steps in found] == pytest.approx(expected)


def test_a_death_after_few_frames_has_none_many_steps_before(player: Player) -> None:
    sights = Sights()
    for _ in range(2):
        sights.add(np.ones((28, 32, 4)), player, 0)
    sights.die()
    assert sights.frames_before_deaths(2).tolist() == [0]
    assert sights.frames_before_deaths(10).tolist() == []


@pytest.mark.parametrize(
    ("action", "deaths"), [("LEFT", [0, 1]), ("RIGHT", []), ("NOOP", [])], ids=str
)
def test_a_finished_level_and_a_time_limit_are_no_deaths(action: str, deaths: list[int]) -> None:
    envs = Envs(Corridor, 1, seeds=[0], timeout=60.0)
    sights, chosen = Sights(), Corridor.action_names.index(action)
    behavior = SimpleNamespace(
        policy=SimpleNamespace(drop_goal=lambda: None),
        act=lambda _: (chosen, np.zeros((4, LENGTH, 3))),
    )
    episodes = list(play(Player(envs, 1, 1), behavior, 2, 500, sights, lambda *_: None))
    envs.close()
    assert all(episode.ended for episode in episodes)
    assert sights.deaths == deaths
    assert report.episodes(episodes) == {"n": 2, "distinct": 1}


def test_episodes_begin_with_the_random_steps_of_their_seed_which_do_not_count() -> None:
    starts = [random_start(0, episode, 4, 3) for episode in range(1, 41)]
    assert starts == [random_start(0, episode, 4, 3) for episode in range(1, 41)]
    assert {len(start) for start in starts} == set(range(5))
    assert starts != [random_start(1, episode, 4, 3) for episode in range(1, 41)]
    assert not any(random_start(0, episode, 0, 3) for episode in range(1, 41))

    left, right = 0, 2
    given = {1: [], 2: [right] * 3, 3: [left, right]}  # the first step of the third one ends it
    envs = Envs(Corridor, 1, seeds=[0], timeout=60.0)
    player, sights, begun = Player(envs, 1, 1), Sights(), []
    behavior = SimpleNamespace(
        policy=SimpleNamespace(drop_goal=lambda: begun.append(int(player.place[1]))),
        act=lambda _: (right, np.zeros((4, LENGTH, 3))),
    )
    episodes = list(play(player, behavior, 3, 500, sights, lambda *_: None, given.get))
    envs.close()
    assert begun == [1, 4, 2]
    assert [episode.random_start for episode in episodes] == [0, 3, 2]
    assert [episode.length for episode in episodes] == [10, 7, 9]
    assert [episode.score for episode in episodes] == [6.0, 4.0, 6.0]
    assert len(sights.places) == 10 + 7 + 9
    assert report.episodes(episodes) == {"n": 3, "distinct": 3}


def test_samples_are_spread_over_all_that_was_passed() -> None:
    class Numbered:
        def __init__(self, number: int) -> None:
            self.number = number

        def save(self) -> int:
            return self.number

    counts = np.zeros(20, int)
    for seed in range(60):
        samples = Samples(5, np.random.default_rng(seed))
        for number in range(20):
            samples.offer(Numbered(number), episode=number // 2)
        states = [sample.state for sample in samples.states]
        assert [sample.episode for sample in samples.states] == [state // 2 for state in states]
        assert len(set(states)) == 5
        counts[states] += 1
    assert counts.min() > 5
    assert counts.max() < 27


def results_of(distinct: int, sticky: float = 0.0) -> dict:
    share = report.share_over_episodes([True, False, True], [1, 2, 2])
    return {
        "episodes": {"n": 10, "distinct": distinct},
        "sticky": sticky,
        "task": {"score": report.mean_of([3.0] * 10)},
        "sight": {"seen": share, "seen by mean picture": share},
    }


def test_copies_of_one_episode_have_no_intervals_and_few_a_warning() -> None:
    bare = report.without_intervals(results_of(1))
    assert bare["task"]["score"] == {"mean": 3.0, "interval": None, "n": 10}
    assert bare["sight"]["seen"]["share"] == pytest.approx(2 / 3)
    assert bare["sight"]["seen"]["interval"] is None
    assert "distinct: 1\nno two episodes that differ: no intervals" in report.text(bare)
    assert "few episodes that differ" in report.text(results_of(9))
    assert "few" not in report.text(results_of(10))


def test_the_terminal_says_whose_values_fall_and_how_many_goals_were_reached(
    player: Player,
) -> None:
    sights = dying(player)
    walks = [walk_of(6, 5), walk_of(None, 4), walk_of(None, None, way="random")]
    walks += [walk_of(None, None, way=way) for way in ("repeated", "mean picture")]
    lines = report.text(
        {
            **results_of(10, sticky=0.25),
            "sight on walks": report.sight(sights),
            "foresight": report.foresight(sights, sights.best_values),
            "foresight of the action taken": report.foresight(sights, sights.taken_values),
            "navigation": report.navigation(walks),
            "navigation within 1 cell": report.navigation(walks, report.came_close),
            "calibration": report.calibration(walks),
        }
    ).splitlines()
    cells = [line.split() for line in lines]
    assert ["sticky", "actions", "0.25,", "as", "in", "the", "training"] in cells
    assert ["5", "steps", "1.18", "1.27", "of", "1"] in cells
    assert ["5", "steps", "50%", "0%", "0%", "0%", "of", "2"] in cells
    assert ["5", "steps", "100%", "0%", "0%", "0%", "of", "2"] in cells
    assert ["5", "steps", "6.00", "50%", "arrived"] in cells


def test_the_picture_says_which_goals_its_steps_are_of(player: Player) -> None:
    sights = dying(player)
    walks = [walk_of(6, 5), walk_of(None, 4)]
    walks += [walk_of(None, None, way=way) for way in ("random", "repeated", "mean picture")]
    results = {
        "sight": report.sight(sights),
        "sight on walks": report.sight(sights),
        "navigation": report.navigation(walks),
        "navigation within 1 cell": report.navigation(walks, report.came_close),
    }
    for each in (results, report.without_intervals(results)):
        figure = picture.draw("", each, sights, walks, [])
        titles = [axis.get_title() for axis in figure.axes[:3]]
        assert titles[0].splitlines()[1].startswith("on walks to goals: ")
        assert titles[2] == "steps taken to the 50% of goals that were reached"


@pytest.mark.parametrize("centers", [True, False])
def test_only_who_centers_frames_looks_at_another_level_first(
    player: Player, centers: bool
) -> None:
    shown: list[np.ndarray] = []
    q_map = SimpleNamespace(centers=centers, center_on=shown.append)
    before = player.view
    center(SimpleNamespace(q_map=q_map), player, np.random.default_rng(0))
    assert (player.view is before) == (not centers)
    if centers:
        (observations,) = shown
        assert observations.shape == (CENTERING_STEPS, *player.observation.shape[1:])
        assert len(np.unique(observations, axis=0)) > 10
