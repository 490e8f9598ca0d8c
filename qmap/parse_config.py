"""From what was typed, or from the run that is to be continued, to a configuration.

All of it happens before TensorFlow is loaded, so that what is refused is refused at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from qmap.presets import PRESETS
from qmap.run_options import GROUPS, RunOptions
from qmap.utils import command_line
from qmap.utils.command_line import options_of, shown
from qmap.utils.errors import UserError
from qmap.utils.run_folder import CONFIG, read_config
from qmap.utils.terminal import say

Config = TypeVar("Config", bound=RunOptions)


def parse(
    config: type[Config], program: str, description: str, arguments: Sequence[str] | None = None
) -> Config:
    """Return the configuration: from the command line, or from the run that is to be continued.

    Options that do nothing are named on standard error.

    Args:
        config: what the program can be told.
        program: the module that is run, "qmap.train_montezuma" for one.
        description: what `--help` says first.
        arguments: what was typed, if not the command line.

    Raises:
        UserError: options do not fit together, a flag contradicts the run's own configuration, or
            that is damaged.
    """
    typed = command_line.typed(config, description, arguments, program, GROUPS)
    resumes = "resume" in typed
    parsed = config(**(_resumed(config, program, typed) if resumes else begun_with(config, typed)))
    parsed.check()
    for remark in parsed.remarks(typed):
        say(f"note: {remark}")
    return parsed


def begun_with(config: type[RunOptions], given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given, and beside it the values of its recipe or of its preset.

    Raises:
        UserError: a recipe and a preset are given.
    """
    recipe = getattr(config, "RECIPES", {}).get(given.get("recipe"), {})
    preset = PRESETS.get(given.get("preset"), {})
    if recipe and preset:
        chosen = f"--recipe {given['recipe']} and --preset {given['preset']}"
        raise UserError(f"{chosen} exclude each other: keep one")
    return {**recipe, **preset, **given}


def check_stored(config: type[RunOptions], path: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Return all options of a run, checked, from those that its config.json holds.

    Args:
        config: what its program can be told.
        path: of the file, for the messages.
        options: as they were read.

    Raises:
        UserError: there is no such option, or no such value of it.
    """
    known = options_of(config)
    # What did not exist yet when the run began has its default, or what it was in effect.
    stored = {name: option.default for name, option in known.items()} | config.EARLIER
    for name, value in options.items():
        if name not in known:
            raise UserError(
                f"{path} is of another version: there is no option {name!r}; expected a run of "
                "this one"
            )
        try:
            stored[name] = known[name].check(value)
        except ValueError as error:
            raise UserError(
                f"{path} is damaged: {name} is {shown(value)}, expected {error}"
            ) from error
    return stored


def _resumed(config: type[Config], program: str, typed: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the run to be continued, with those that were typed and may differ."""
    folder = Path(typed["resume"])
    if not folder.is_dir():
        raise UserError(f"there is no run {folder}; expected the folder of a run, with config.json")
    known = options_of(config)
    stored = check_stored(config, folder / CONFIG, read_config(folder, program))
    for name, value in typed.items():
        if not known[name].may_differ and stored[name] != value:
            raise UserError(
                f"{known[name].written(value)} contradicts the run, which has {stored[name]}: "
                "leave the flag out, or start a new run"
            )
    # A window is for the terminal that it was asked for in.
    return {**stored, "render": False, **typed}
