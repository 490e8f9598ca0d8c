"""Environments by name: an id of Gymnasium, a Python file, or a game of stable-retro."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium

from qmap.envs import RETRO
from qmap.utils.errors import UserError

# A file, and maybe what to take from it.
FILE = re.compile(r"(?P<path>.+\.py)(:(?P<name>[^:]+))?")
EXPECTED = "package:Name-v0, FILE.py with make(), or retro:GAME"


def make_env(env: str, **of_retro: str | bool | None) -> gymnasium.Env:
    """Make an environment that renders its screen.

    A function of this module with the name as its argument can be sent to worker processes, which
    then load the file by themselves.

    Args:
        env: an id, "package:Name-v0" to import a package that registers it first, or FILE.py: a
            file with `make(render_mode=None)`, which returns the environment. FILE.py:NAME takes
            another function, or an id that the file registers. retro:GAME is a game of
            stable-retro.
        of_retro: what `RetroGameOptions` takes beside the game's name.

    Raises:
        UserError: there is none, or it cannot render its screen. An exception in somebody's own
            code is shown with its traceback first.
    """
    if env.startswith(RETRO):
        from qmap.envs.retro_game import RetroGameOptions, make_retro_game

        return make_retro_game(RetroGameOptions(env.removeprefix(RETRO), **of_retro))
    given = FILE.fullmatch(env)
    if given is None:
        return _by_id(env, env)
    module = _load(find_file(env))
    name = given["name"] or "make"
    if name in gymnasium.registry:
        return _by_id(name, env)
    make = getattr(module, name, None)
    if not callable(make):
        raise UserError(
            f"{given['path']} has no function {name}: expected make(render_mode=None), or "
            "FILE.py:NAME with the name of another function, or of an id that it registers"
        )
    made = _shown(env, f"{name}()", lambda: make(render_mode="rgb_array"))
    if not isinstance(made, gymnasium.Env):
        raise UserError(f"{env}: {name}() returned {made!r}, expected a gymnasium.Env")
    return made


def name_in_results(env: str) -> str:
    """Return what results of an environment are filed under: its id, or the file's stem."""
    given = FILE.fullmatch(env)
    if given is None:
        return env.rpartition(":")[2].replace("/", "_")
    parts = [Path(given["path"]).stem, *filter(None, [given["name"]])]
    return "_".join(parts).replace("/", "_")


def located(env: str) -> str:
    """Return the same environment, by a path that holds whatever folder a world goes to."""
    given = FILE.fullmatch(env)
    if given is None:
        return env
    return ":".join([str(Path(given["path"]).absolute()), *filter(None, [given["name"]])])


def find_file(env: str) -> Path | None:
    """Return the file that an environment is in, None if it is given by an id.

    Raises:
        UserError: there is no such file.
    """
    given = FILE.fullmatch(env)
    if given is None:
        return None
    path = Path(given["path"]).resolve()
    if not path.is_file():
        raise UserError(f"there is no file {given['path']}; expected a Python file with make()")
    return path


def _by_id(env_id: str, env: str) -> gymnasium.Env:
    try:
        return gymnasium.make(env_id, render_mode="rgb_array", disable_env_checker=True)
    except (gymnasium.error.Error, ImportError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"cannot make the environment {env}: {reason}") from error


@cache
def _load(path: Path) -> ModuleType:
    """Run a file once, as `python FILE.py` would, so that it finds the files beside it."""
    sys.path.append(str(path.parent))
    # Under its own name, by which ids that it registers may refer to it.
    name = path.stem if path.stem not in sys.modules else str(path)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        _shown(path.name, "the file", lambda: spec.loader.exec_module(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _shown(env: str, what: str, call: Callable[[], Any]) -> Any:
    """Return what somebody's own code returns; show the traceback of its exception."""
    try:
        return call()
    except UserError:
        raise
    except Exception as error:
        traceback.print_exception(error)
        raise UserError(
            f"{env}: {what} raised {type(error).__name__}: {' '.join(str(error).split())} (its "
            "traceback is above)"
        ) from error


def make_sticky(make_env: Callable[[], gymnasium.Env], probability: float) -> gymnasium.Env:
    """Make an environment that takes the action before instead of the next with a probability."""
    return gymnasium.wrappers.StickyAction(make_env(), probability)
