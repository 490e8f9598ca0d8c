"""What is played on the page becomes a demonstration, where a world can be played again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import corridor_agent
import pytest
from conftest import run_folder

from qmap import train_demonstration
from qmap.all_goals.config import MazeConfig
from qmap.config import TrainingConfig
from qmap.demonstration.actions_file import read_actions
from qmap.demonstration.trail import replay
from qmap.demonstration.worlds import env_of, find_world
from qmap.evaluate.trained import find
from qmap.gridworld.config import GridWorldConfig
from qmap.page.game import Game, Recorded
from qmap.train_environment import EnvironmentConfig
from qmap.train_mario import MarioConfig
from qmap.utils.errors import UserError

CORRIDOR = str(Path(__file__).parent / "corridor.py")
LEFT, NOOP, RIGHT = range(3)


@pytest.fixture
def play(tmp_path: Path, small_networks: None) -> Iterator[Callable[..., Game]]:
    """Begins a game in a corridor, with an untrained agent; `world` names one of the corridors."""
    with ExitStack() as games:

        def begin(world: str = "") -> Game:
            run = corridor_agent.write_game_run(tmp_path / "results", CORRIDOR + world)
            game = Game(find(run / "tensorflow" / "step_100.ckpt"), seed=3)
            games.callback(game.close)
            return game

        yield begin


def by_hand(game: Game, *actions: int) -> None:
    """Press keys, each for a step."""
    for action in actions:
        game.held = action
        game.step()
    game.held = None


def recorded(game: Game, before: list[int], after: list[int]) -> Recorded:
    """Play, and press Record in the middle of it."""
    by_hand(game, *before)
    game.record(True)
    by_hand(game, *after)
    game.record(False)
    return game.recorded[-1]


def test_the_demonstration_is_of_the_whole_episode_wherever_the_video_begins(
    play: Callable[..., Game],
) -> None:
    made = recorded(play(), [RIGHT, LEFT, RIGHT], [RIGHT, NOOP, RIGHT])
    assert made.actions == made.video.with_suffix(".actions")
    assert made.actions.parent.name == "played"
    assert made.steps == 6
    demonstration = read_actions(made.video)
    assert demonstration.world == "corridor"
    names = ["RIGHT", "LEFT", "RIGHT", "RIGHT", "NOOP", "RIGHT"]
    assert [step.action for step in demonstration.steps] == names
    assert [step.reward for step in demonstration.steps] == [0, 0, 0, 0, 0, 2]


def test_it_replays_screen_for_screen_and_a_training_accepts_it(
    play: Callable[..., Game], tmp_path: Path
) -> None:
    made = recorded(play(), [RIGHT, NOOP], [RIGHT, RIGHT, RIGHT])
    trail = replay(read_actions(made.actions), find_world(CORRIDOR), 60.0)
    assert trail.returns.tolist() == [0, 0, 0, 0, 2]
    flags = ["--env", CORRIDOR, "--demo", str(made.video), "--steps", "32", "--no-videos"]
    flags += ["--envs", "1", "--minibatches", "1", "--horizon", "32", "--units", "8"]
    assert train_demonstration.main([*flags, "--path", str(tmp_path / "trained")]) == 0
    own = run_folder(tmp_path / "trained") / "demonstration.actions"
    assert [step.action for step in read_actions(own).steps][:2] == ["RIGHT", "NOOP"]


@pytest.mark.parametrize("end", ["in the pit", "by a click"])
def test_it_begins_anew_with_each_episode_and_ends_with_it(
    play: Callable[..., Game], end: str
) -> None:
    game = play()
    by_hand(game, RIGHT, LEFT)
    if end == "in the pit":
        by_hand(game, LEFT, NOOP)  # a step after the end begins the next episode
    else:
        game.restart()
    game.record(True)
    by_hand(game, *[RIGHT] * 10, RIGHT, NOOP)  # the 11th only begins the next episode
    (made,) = game.recorded
    demonstration = read_actions(made.actions)
    assert [step.action for step in demonstration.steps] == ["RIGHT"] * 10
    assert [step.reward for step in demonstration.steps if step.reward] == [2, 2, 2]


def test_where_chance_played_a_part_there_is_a_video_alone(play: Callable[..., Game]) -> None:
    game = play(":lucky")
    # So far nothing was drawn: the same actions would do the same.
    assert recorded(game, [RIGHT], [RIGHT]).actions is not None
    made = recorded(game, [], [RIGHT])
    assert made.video.exists()
    assert made.actions is None
    assert game.world_words()["demonstrations"]


def test_a_world_without_states_says_that_it_makes_no_demonstrations(
    play: Callable[..., Game],
) -> None:
    game = play(":stateless")
    assert not game.world_words()["demonstrations"]
    assert recorded(game, [RIGHT], [RIGHT]).actions is None


def test_nothing_is_recorded_where_a_link_leads_out_of_the_run(
    play: Callable[..., Game], tmp_path: Path
) -> None:
    game = play()
    (tmp_path / "elsewhere").mkdir()
    (game.origin.folder / "played").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="leads elsewhere"):
        game.record(True)
    by_hand(game, RIGHT)
    game.record(False)
    assert not game.recorded
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("config", "env"),
    [
        (TrainingConfig(), "montezuma"),
        (TrainingConfig(color=True, sticky=0.25), "montezuma"),
        (TrainingConfig(actions="LEFT;RIGHT"), None),
        (MarioConfig(game="foxglove", level="1.2"), "foxglove:1.2"),
        (EnvironmentConfig(env=CORRIDOR), CORRIDOR),
        (EnvironmentConfig(env="retro:Airstriker-Genesis-v0"), "retro:Airstriker-Genesis-v0"),
        (EnvironmentConfig(env="retro:Airstriker-Genesis-v0", state="Level1"), None),
        (EnvironmentConfig(env="retro:Mine", game_dir="somewhere"), None),
        (GridWorldConfig(), None),
        (MazeConfig(), None),
    ],
)
def test_the_name_of_a_training_s_world_for_a_demonstration(config: Any, env: str | None) -> None:
    assert env_of(config) == env


def test_a_game_of_the_project_is_found_under_its_name() -> None:
    config = MarioConfig(game="foxglove", level="1.1")
    assert find_world(env_of(config)).name == "foxglove_1.1"
