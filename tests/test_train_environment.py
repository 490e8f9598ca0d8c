"""Environments by the names that a user may give them."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np
import pytest

from qmap import train_environment
from qmap.envs.contract import check_contract
from qmap.envs.make_env import make_env, name_in_results
from qmap.experiment import Episodes
from qmap.utils.errors import UserError

EXAMPLE = Path(__file__).parents[1] / "examples" / "frozen_lake.py"

WORLD = """
import gymnasium
from beside_it import SIZE
from qmap.envs.wrappers import GoalGrid

def make(render_mode=None):
    env = gymnasium.make("FrozenLake-v1", render_mode=render_mode)
    return GoalGrid(env, (SIZE, SIZE), lambda env, tile, info: divmod(tile, 4))

gymnasium.register("OwnLake-v0", make)

def other(render_mode=None):
    return make(render_mode)

def raises(render_mode=None):
    raise ValueError("a bad map")

def without_mode():
    return make()

def nothing(render_mode=None):
    return None

number = 3
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "beside_it.py").write_text("SIZE = 4\n")
    path = tmp_path / "world.py"
    path.write_text(WORLD)
    yield path
    gymnasium.registry.pop("OwnLake-v0", None)


def coords_shape_of(env: str, answers: multiprocessing.Queue) -> None:
    answers.put(make_env(env).get_wrapper_attr("coords_shape"))


@pytest.mark.parametrize("name", ["", ":make", ":other", ":OwnLake-v0"])
def test_a_file_gives_an_environment(world: Path, name: str) -> None:
    env = make_env(f"{world}{name}")
    assert env.get_wrapper_attr("coords_shape") == (4, 4)
    assert env.render_mode == "rgb_array"
    env.close()


def test_a_worker_process_loads_the_file_by_itself() -> None:
    make = pickle.loads(pickle.dumps(partial(make_env, str(EXAMPLE))))
    assert make().get_wrapper_attr("action_names") == ("LEFT", "DOWN", "RIGHT", "UP")
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=coords_shape_of, args=(str(EXAMPLE), answers))
    process.start()
    assert answers.get(timeout=120) == (4, 4)
    process.join()


def test_an_id_gives_an_environment() -> None:
    assert make_env("FrozenLake-v1").spec.id == "FrozenLake-v1"
    assert make_env("qmap/Montezuma-v0").get_wrapper_attr("coords_shape") == (28, 20)
    assert isinstance(make_env("qmap/GridWorld-v0"), gymnasium.Env)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (":nix", r"world.py has no function nix: expected make\(render_mode=None\)"),
        (":number", "world.py has no function number"),
        (":raises", r"world.py:raises: raises\(\) raised ValueError: a bad map \(its traceback"),
        (":without_mode", r"without_mode\(\) raised TypeError: .*unexpected keyword"),
        (":nothing", r"nothing\(\) returned None, expected a gymnasium.Env"),
    ],
)
def test_what_a_file_lacks_is_said_in_one_line(world: Path, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        make_env(f"{world}{name}")
    assert "\n" not in str(error.value)


def test_an_exception_of_the_file_is_shown_with_its_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.py"
    path.write_text("def make(render_mode=None):\n    return 1 / 0\n")
    with pytest.raises(UserError, match=r"make\(\) raised ZeroDivisionError"):
        make_env(str(path))
    assert "return 1 / 0" in capsys.readouterr().err
    path = tmp_path / "wrong.py"
    path.write_text("def make(:\n")
    with pytest.raises(UserError, match=r"wrong.py: the file raised SyntaxError"):
        make_env(str(path))
    assert "def make(:" in capsys.readouterr().err


def test_a_missing_file_and_a_missing_name_are_said_before_anything_is_loaded() -> None:
    with pytest.raises(UserError, match=r"there is no file nope.py; expected a Python file"):
        train_environment.main(["--env", "nope.py"])
    with pytest.raises(UserError, match="--env is missing: expected package:Name-v0, FILE.py"):
        train_environment.main([])


@pytest.mark.parametrize(
    ("env", "name"),
    [
        ("worlds/frozen_lake.py", "frozen_lake"),
        ("worlds/lakes.py:Big-v0", "lakes_Big-v0"),
        ("package:mine/Name-v0", "mine_Name-v0"),
        ("Name-v0", "Name-v0"),
        ("retro:Airstriker-Genesis", "Airstriker-Genesis"),
    ],
)
def test_results_are_named_after_the_file_or_the_id(env: str, name: str) -> None:
    assert name_in_results(env) == name


@pytest.mark.parametrize("path", sorted(EXAMPLE.parent.glob("*.py")), ids=lambda path: path.stem)
def test_the_pages_show_the_examples_as_they_are(path: Path) -> None:
    page = (EXAMPLE.parents[1] / "docs" / "environments.md").read_text()
    _, _, code = path.read_text().split("\n", 2)
    assert f"```python\n{code}```" in page


@pytest.mark.parametrize("game", ["pitfall", "private_eye"])
def test_the_places_of_the_atari_examples_are_on_their_grid(game: str) -> None:
    env = make_env(f"{EXAMPLE.parent / 'atari.py'}:{game}")
    check_contract(env)
    env.reset()
    places = set()
    for action in 3 * [3] + 40 * [11]:
        _, _, _, _, info = env.step(action)
        places.add(tuple(info["coords"]))
        assert not info["qmap"]["clipped"]
    assert len(places) > 8
    env.close()


class Bros(gymnasium.Env):
    """Says of Mario what gym-super-mario-bros does; the flag is some frames away."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 60}
    action_space = gymnasium.spaces.Discrete(256)
    observation_space = gymnasium.spaces.Box(0, 255, (240, 256, 3), np.uint8)

    def __init__(self, render_mode: str) -> None:
        self.render_mode = render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        self.x = 3160
        return self.render(), self.info()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.x += 1
        return self.render(), 1.0, self.info()["flag_get"], False, self.info()

    def info(self) -> dict[str, Any]:
        return {"x_pos": self.x, "left_x_pos": 112, "y_pos": 79, "flag_get": self.x > 3164}

    def render(self) -> np.ndarray:
        return np.zeros((240, 256, 3), np.uint8)


class Joypad(gymnasium.ActionWrapper):
    """Chooses from a list of buttons."""

    def __init__(self, env: gymnasium.Env, actions: list[list[str]]) -> None:
        super().__init__(env)
        self.action_space = gymnasium.spaces.Discrete(len(actions))

    def action(self, action: int) -> int:
        return action


def test_in_the_example_of_super_mario_bros_the_flag_is_no_death(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "gym_super_mario_bros", ModuleType("gym_super_mario_bros"))
    wrappers = ModuleType("nes_py.wrappers")
    wrappers.JoypadSpace = Joypad
    monkeypatch.setitem(sys.modules, "nes_py", ModuleType("nes_py"))
    monkeypatch.setitem(sys.modules, "nes_py.wrappers", wrappers)
    spec = gymnasium.envs.registration.EnvSpec("SuperMarioBros-1-1-v0", entry_point=Bros)
    monkeypatch.setitem(gymnasium.registry, spec.id, spec)
    env = make_env(str(EXAMPLE.parent / "super_mario_bros.py"))
    _, info = env.reset()
    assert info["coords"].tolist() == [25, 396, 381]
    assert info["position"].tolist() == [200, 3168]
    told = []
    over = False
    while not over:
        _, _, over, _, info = env.step(0)
        told.append(info["qmap"]["completed"])
    assert told == [False, True]
    check_contract(env)


def test_a_world_that_goes_to_another_folder_takes_neither_file_nor_results_along(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    world.write_text(
        "import os\n\nimport gymnasium\nfrom qmap.envs.wrappers import GoalGrid\n\n"
        "class Wanders(gymnasium.Wrapper):\n"
        "    def reset(self, **options):\n"
        f"        os.chdir({str(elsewhere)!r})\n"
        "        return self.env.reset(**options)\n\n"
        "def make(render_mode=None):\n"
        "    env = Wanders(gymnasium.make('FrozenLake-v1', render_mode=render_mode))\n"
        "    return GoalGrid(env, (4, 4), lambda env, tile, info: divmod(tile, 4))\n"
    )
    monkeypatch.chdir(tmp_path)
    flags = ["--no-dqn", "--no-qmap", "--no-videos", "--steps", "30", "--stop-at", "20"]
    assert train_environment.main(["--env", "world.py", "--path", "results", *flags]) == 0
    (run,) = (tmp_path / "results").glob("*/*/*")
    monkeypatch.chdir(tmp_path)
    resumed = ["--resume", str(run.relative_to(tmp_path)), "--stop-at", "30"]
    assert train_environment.main(resumed) == 0
    assert (run / "tensorflow" / "step_30.ckpt").exists()
    assert not list(elsewhere.iterdir())


def test_help_shows_no_empty_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train_environment.main(["--help"])
    assert "(default )" not in capsys.readouterr().out


def test_a_level_that_was_finished_stays_finished_until_the_episode_ends() -> None:
    episodes = Episodes(2, gamma=0.9)
    for completed in ((False, False), (True, False), (False, False)):
        episodes.add(np.ones(2), None, np.array(completed))
    assert [episode.completed for episode in episodes.under_way] == [True, False]
    episodes.end(0)
    assert not episodes.under_way[0].completed
