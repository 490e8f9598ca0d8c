"""Any game of stable-retro: tried on the two whose ROMs are free."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pandas as pd
import pytest
import stable_retro
from conftest import run_folder
from hypothesis import given
from hypothesis import strategies as st

from qmap import train_environment
from qmap.envs.contract import check_contract
from qmap.envs.integration import find_integration
from qmap.envs.known_games import KNOWN_GAMES, ONE, known_game, read_number
from qmap.envs.make_env import make_env
from qmap.envs.mario import MarioEnv
from qmap.envs.retro_game import RetroGame, RetroGameOptions
from qmap.envs.vector import Envs
from qmap.parse_config import parse
from qmap.shaping import ShapedRewards
from qmap.train_environment import EnvironmentConfig, make_experiment
from qmap.utils.errors import UserError

AIRSTRIKER, FOXGLOVE = "Airstriker-Genesis", "FoxgloveRun-Snes"
OURS = Path(__file__).parents[1] / FOXGLOVE


@pytest.fixture
def make() -> Iterator[Any]:
    """Makes a game that is closed at the end."""
    made = []

    def make_game(game: str, **options: str | bool) -> gymnasium.Env:
        made.append(make_env(f"retro:{game}", **options))
        return made[-1]

    yield make_game
    for env in made:
        env.close()


def config_of(flags: str) -> EnvironmentConfig:
    return parse(EnvironmentConfig, "a program", "A program.", flags.split())


def test_the_game_that_stable_retro_ships_is_played_with_its_own_actions(make: Any) -> None:
    env = make(AIRSTRIKER)
    assert len(env.action_names) == 126
    assert {"NOOP", "B", "B+LEFT"} <= set(env.action_names)
    assert env.coords_shape == (28, 40)
    check_contract(env)
    frame, info = env.reset()
    assert frame.shape == (56, 80, 1)
    assert frame.std() > 5, "there is something on the screen"
    assert info["lives"] == 3
    assert env.render().shape == (224, 320, 3)


def test_both_ways_to_play_foxglove_run_are_the_same_game(make: Any) -> None:
    mario = MarioEnv("foxglove", "1.1", render_mode="rgb_array")
    rightwards = np.random.default_rng(1).choice((2, 5), 60).tolist()

    def played(env: gymnasium.Env) -> list[tuple[Any, ...]]:
        frame, info = env.reset()
        seen = [(frame, info["coords"], info["position"], 0.0, env.render())]
        for action in rightwards:
            frame, reward, terminated, _, info = env.step(action)
            seen.append((frame, info["coords"], info["position"], reward, env.render()))
            if terminated:
                break
        return seen

    expected = played(mario)
    mario.close()
    env = make(FOXGLOVE, actions=";".join(mario.action_names))
    found = played(env)
    assert len(found) == len(expected) > 40
    assert any(one[3] for one in expected), "there is something to score"
    for one, other in zip(expected, found, strict=True):
        for index in (0, 1, 2, 4):
            np.testing.assert_array_equal(one[index], other[index])
        assert other[3] == pytest.approx(100 * one[3])


def test_a_saved_game_goes_on_exactly(make: Any) -> None:
    env = make(AIRSTRIKER, actions="LEFT+B;RIGHT;B;NOOP")
    env.reset()
    actions = np.random.default_rng(4).integers(0, 4, 140).tolist()
    for action in actions[:55]:
        env.step(action)
    state = env.unwrapped.save_state()

    def steps() -> list[tuple[Any, ...]]:
        seen = []
        for action in actions[55:]:
            frame, reward, terminated, _, info = env.step(action)
            seen.append((frame.tobytes(), reward, terminated, info["score"], info["lives"]))
            if terminated:
                break
        return seen

    first = steps()
    assert sum(each[1] for each in first) > 0
    env.reset()
    env.unwrapped.restore_state(state)
    env.restore_state(None)
    np.testing.assert_array_equal(env.render(), state["screen"])
    assert steps() == first


def test_the_end_of_an_episode_is_that_of_the_scenario(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = make(FOXGLOVE, actions="RIGHT")
    with pytest.raises(UserError, match="outside of an episode"):
        env.step(0)
    env.reset()
    assert not env.step(0)[2]
    env.unwrapped._data.set_value("engine_state", 1)  # dying
    frames = []
    run_frame = env.unwrapped._run_frame
    monkeypatch.setattr(env.unwrapped, "_run_frame", lambda: frames.append(run_frame()))
    _, _, terminated, truncated, info = env.step(0)
    assert (terminated, truncated, len(frames)) == (True, False, 1)
    assert info["qmap"]["completed"] is False
    with pytest.raises(UserError, match="outside of an episode"):
        env.step(0)
    env.reset()
    env.step(0)


def test_an_episode_of_one_life_ends_when_it_is_lost(make: Any) -> None:
    for one_life in (False, True):
        env = make(AIRSTRIKER, actions="NOOP", one_life=one_life)
        for _ in range(2):
            _, info = env.reset()
            terminated, steps = False, 0
            while info["lives"] == 3:
                assert not terminated
                _, _, terminated, truncated, info = env.step(0)
                steps += 1
            assert (steps, info["lives"], truncated) == (78, 2, False)
            assert terminated == one_life
        assert info["qmap"]["completed"] is False
        env.close()


def test_a_saved_episode_of_one_life_ends_as_it_would_have(make: Any) -> None:
    env = make(AIRSTRIKER, actions="NOOP", one_life=True)
    env.reset()
    for _ in range(70):
        env.step(0)
    state = env.unwrapped.save_state()
    for _ in range(2):
        assert [env.step(0)[2] for _ in range(8)] == [*[False] * 7, True]
        env.reset()
        env.unwrapped.restore_state(state)
        env.restore_state(None)


def test_a_life_that_is_lost_is_a_death_for_shaped_rewards() -> None:
    flags = "--no-qmap --actions NOOP --one-life --death-reward -5"
    config = config_of(f"--env retro:{AIRSTRIKER} {flags}")
    with closing(Envs(config.make_env(), 1, seeds=[0], timeout=60.0)) as envs:
        shaped = ShapedRewards(config)
        shaped.begin(np.array([True]), envs.reset().positions)
        rewards = [shaped(envs.step(np.array([0])))[0] for _ in range(78)]
    assert rewards == [*[0] * 77, -5]


def test_one_life_needs_to_know_the_lives() -> None:
    with pytest.raises(UserError, match="--one-life needs a variable lives, which .* lacks; there"):
        config_of(f"--env retro:{FOXGLOVE} --one-life")
    config_of(f"--env retro:{AIRSTRIKER} --no-qmap --one-life")


def test_a_finished_level_is_told(make: Any) -> None:
    env = make(FOXGLOVE)
    env.reset()
    env.unwrapped._data.set_value("engine_state", 2)
    _, _, terminated, _, info = env.step(0)
    assert terminated
    assert info["qmap"]["completed"] is True


@pytest.mark.parametrize("state", ["foxglove_level_1_2", "foxglove_level_2_1"])
def test_a_state_says_where_episodes_begin(make: Any, state: str) -> None:
    _, info = make(FOXGLOVE, state=state).reset()
    assert f"foxglove_level_{info['world']}_{info['level']}" == state


def test_without_a_state_the_game_begins_when_it_is_switched_on(make: Any, tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "metadata.json").unlink()
    env = make(FOXGLOVE, game_dir=str(folder))
    assert env.reset()[1]["mode"] == 0, "the title is shown"
    check_contract(env)


def test_places_are_what_the_options_say(make: Any) -> None:
    env = make(FOXGLOVE, row="player_row-16", col="2*player_column+8", window="")
    _, info = env.reset()
    assert info["position"].tolist() == [info["player_row"] - 16, 2 * info["player_column"] + 8]


def test_buttons_are_those_of_the_console(make: Any) -> None:
    env = make(FOXGLOVE, actions="NOOP;RIGHT;RIGHT+JUMP;LEFT+B+Y")
    assert env.action_names == ("NOOP", "RIGHT", "RIGHT+JUMP", "LEFT+B+Y")
    held = [
        {name for name, down in zip(env.unwrapped._names, mask, strict=True) if down}
        for mask in env.unwrapped._masks
    ]
    assert held == [set(), {"RIGHT"}, {"RIGHT", "B"}, {"LEFT", "B", "Y"}]


def test_a_mistake_leaves_the_only_emulator_free(make: Any) -> None:
    with pytest.raises(UserError, match="Snes has no button C; there are B, Y,.*JUMP for B, and"):
        make_env(f"retro:{FOXGLOVE}", actions="C")
    make(FOXGLOVE)
    with pytest.raises(UserError, match="an emulator is already open"):
        make_env(f"retro:{FOXGLOVE}")


def test_nobody_guesses_which_button_jumps(tmp_path: Path) -> None:
    folder = str(copied(tmp_path))
    with pytest.raises(UserError, match="Snes has no button JUMP; there are .*, R, and NOOP"):
        make_env("retro:Somebodys-Snes", game_dir=folder, actions="RIGHT+JUMP")


def copied(tmp_path: Path) -> Path:
    """Foxglove Run in a folder of somebody's own."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for path in OURS.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    return folder


def change(tmp_path: Path, what: str) -> str:
    """The flags for a folder with something wrong in it."""
    folder = copied(tmp_path)
    if what == "no rom":
        (folder / "rom.sfc").unlink()
    elif what == "other rom":
        (folder / "rom.sfc").write_bytes(b"another game")
    elif what == "no json":
        (folder / "data.json").write_text("{")
    elif what == "no data":
        (folder / "data.json").unlink()
    elif what == "no state":
        (folder / "foxglove_level_1_1.state").write_bytes(b"no gzip")
    elif what == "deep json":
        (folder / "data.json").write_text(100_000 * "[")
    elif what == "no variables":
        (folder / "data.json").write_text('{"info": 5}')
    elif what == "no name of a state":
        (folder / "metadata.json").write_text('{"default_state": 5}')
    elif what == "no hash":
        (folder / "rom.sha").write_bytes(b"\xff")
    return f"--env retro:{FOXGLOVE} --game-dir {folder}"


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (f"--env retro:{FOXGLOVE}", True),
        (f"--env retro:{FOXGLOVE} --no-qmap --frame-size 84 84", False),
        (f"--env retro:{AIRSTRIKER} --no-qmap", False),
        (f"--env retro:{AIRSTRIKER} --row lives --col score", True),
        ("--env FrozenLake-v1", True),
    ],
)
def test_pictures_show_places_that_somebody_knows(flags: str, shown: bool) -> None:
    assert parse(EnvironmentConfig, "", "", flags.split()).shows_places == shown


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--env retro:Sonic-Genesis", "stable-retro knows no game 'Sonic-Genesis': is it "),
        ("--env retro:../../x", r"stable-retro knows no game '../../x' \(--game-dir gives"),
        (
            "--env retro:SuperMarioBros-Nes",
            r"no ROM of SuperMarioBros-Nes: put yours \(SHA-1 facee.*rom\.nes, or import all that",
        ),
        (f"--env retro:{AIRSTRIKER}", "nobody knows where the character of Airstriker-Genesis is"),
        (
            f"--env retro:{AIRSTRIKER} --row y --col score",
            r"data.json has no variable y; there are gameover, lives, score",
        ),
        (f"--env retro:{FOXGLOVE} --row 3y", "--row '3y': expected variables of data.json, added"),
        (f"--env retro:{FOXGLOVE} --state 1.1", "has no state '1.1'; there are foxglove_level_1_1"),
        (f"--env retro:{FOXGLOVE} --game-dir nowhere", "nowhere is not the folder of a game: no "),
        ("no rom", r"no ROM of FoxgloveRun-Snes: put yours \(SHA-1 .*/mine/rom.sfc, or"),
        ("other rom", "rom.sfc is not the ROM that .*data.json is for: its SHA-1 is .*without"),
        ("no json", "data.json is not an integration file of stable-retro: expected JSON"),
        ("no data", "mine is not the folder of a game: no data.json in it"),
        ("no state", r"foxglove_level_1_1.state is not a state file \(gzip\)"),
        ("deep json", "data.json is not an integration file of stable-retro: expected JSON"),
        ("no variables", "data.json: info is 5, expected the variables by their names"),
        ("no name of a state", "metadata.json: default_state is 5, expected the name of a state"),
        ("no hash", "rom.sha is not an integration file of stable-retro: expected a SHA-1"),
    ],
)
def test_what_is_missing_is_said_in_one_line_before_tensorflow_is_loaded(
    tmp_path: Path, flags: str, said: str
) -> None:
    flags = flags if flags.startswith("--") else change(tmp_path, flags)
    with pytest.raises(UserError, match=said) as error:
        config_of(flags)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("data.json", {"address": "here", "type": "|u1"}, "scenario.json: .* must be number, but"),
        ("scenario.json", {"crop": 5}, "stable-retro cannot read .*its scenario.json: "),
        (
            "scenario.json",
            {"reward": {"variables": {"gold": {"reward": 1}}}},
            "scenario.json asks for a variable that .*data.json lacks: gold",
        ),
    ],
)
def test_what_the_emulator_cannot_read_is_said_in_one_line_and_leaves_it_free(
    make: Any, tmp_path: Path, name: str, change: dict[str, Any], said: str
) -> None:
    folder = copied(tmp_path)
    content = json.loads((folder / name).read_text())
    content |= {"info": {**content["info"], "x": change}} if name == "data.json" else change
    (folder / name).write_text(json.dumps(content))
    with pytest.raises(UserError, match=said) as error:
        make_env(f"retro:{FOXGLOVE}", game_dir=str(folder))
    assert "\n" not in str(error.value)
    make(FOXGLOVE)


def test_a_state_of_another_console_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "foxglove_level_1_1.state").write_bytes(gzip.compress(b"something"))
    with pytest.raises(UserError, match="the start of FoxgloveRun-Snes is not a state of this"):
        make_env(f"retro:{FOXGLOVE}", game_dir=str(folder))


def test_options_of_retro_games_do_nothing_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    config_of("--env FrozenLake-v1 --row y")
    assert (
        "note: --row does nothing with an --env that is not retro:GAME" in capsys.readouterr().err
    )


def test_results_of_other_states_are_filed_apart() -> None:
    config = config_of(f"--env retro:{FOXGLOVE} --state foxglove_level_2_1")
    assert make_experiment(config).name == "FoxgloveRun-Snes_foxglove_level_2_1"
    assert make_experiment(config_of(f"--env retro:{FOXGLOVE}")).name == "FoxgloveRun-Snes"


def test_games_with_scripts_have_no_states_for_scripts_remember(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    scenario = json.loads((folder / "scenario.json").read_text())
    scenario["scripts"] = []
    (folder / "scenario.json").write_text(json.dumps(scenario))
    env = make_env(f"retro:{FOXGLOVE}", game_dir=str(folder))
    assert type(env.unwrapped) is RetroGame
    assert not hasattr(env.unwrapped, "save_state")
    env.close()


def test_the_table_names_variables_as_they_are_published() -> None:
    for game, known in KNOWN_GAMES.items():
        texts = (known.row, known.col, known.window, known.room)
        needed = {name for text in texts for name in read_number(text)} | set(known.completed)
        try:
            there = find_integration(game).variables()
        except UserError as error:  # without its ROM
            path = "".join(re.findall(r"at (\S+)/rom\.", str(error))) or OURS.parent / game
            data = Path(path) / "data.json"
            there = set(json.loads(data.read_text())["info"]) if data.is_file() else set()
        assert needed - {ONE} <= there | set(known.variables), game
        assert not there & set(known.variables), game
        assert RetroGameOptions(game).place().known == (game != AIRSTRIKER)


def test_a_game_is_known_with_and_without_its_version() -> None:
    assert known_game("SonicTheHedgehog-Genesis-v0") is known_game("SonicTheHedgehog-Genesis")
    assert find_integration(f"{AIRSTRIKER}-v0").rom == find_integration(AIRSTRIKER).rom


@given(
    st.lists(
        st.tuples(st.sampled_from("+-"), st.integers(0, 99), st.sampled_from(("a", "b_1", ""))),
        min_size=1,
        max_size=5,
    ),
    st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
)
def test_a_number_is_the_sum_that_is_written(
    terms: list[tuple[str, int, str]], values: tuple[int, int]
) -> None:
    text = " ".join(f"{sign}{n}*{name}" if name else f"{sign}{n}" for sign, n, name in terms)
    a, b_1 = values
    weights = read_number(text)
    found = sum(weight * {"a": a, "b_1": b_1, ONE: 1}[name] for name, weight in weights.items())
    assert found == eval(text, {"a": a, "b_1": b_1})


@pytest.mark.parametrize("text", ["a b", "a*2", "+", "a+", "a--b", "2a", "a/b", "(a)"])
def test_what_is_no_sum_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_number(text)


def test_copies_of_a_game_live_in_processes_of_their_own() -> None:
    make = partial(make_env, f"retro:{AIRSTRIKER}", actions="LEFT;RIGHT+B")
    envs = Envs(make, 2, seeds=[0, 1], timeout=60.0)
    envs.reset()
    step = envs.step(np.array([0, 1]))
    assert step.view.frames.shape == (2, 56, 80, 1)
    assert step.rewards.tolist() == [0.0, 0.0]
    envs.close()


def test_a_preset_trains_on_the_free_game_by_one_command(tmp_path: Path) -> None:
    flags = f"--env retro:{AIRSTRIKER} --preset mario-ddqn --steps 30 --learning-starts 20"
    flags += f" --train-every 10 --batch 4 --replay 200 --no-videos --one-life --path {tmp_path}"
    assert train_environment.main(flags.split()) == 0
    folder = run_folder(tmp_path)
    assert folder.parts[-3:-1] == (AIRSTRIKER, "mario-ddqn")
    config = json.loads((folder / "config.json").read_text())["options"]
    assert (config["frame_size"], config["stack"], config["dqn_lr"]) == ([84, 84], 4, 2.5e-4)
    assert config["one_life"] is True
    assert list(pd.read_csv(folder / "learning.csv")) == [
        *("steps", "dqn loss", "dqn error", "steps per second")
    ]


def test_stable_retro_still_ships_the_game() -> None:
    assert "Airstriker-Genesis-v0" in stable_retro.data.list_games()
