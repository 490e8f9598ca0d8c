"""Everything a training on a game can be told, in one flat list."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from qmap.agents.settings import AgentSettings
from qmap.utils import command_line
from qmap.utils.command_line import option
from qmap.utils.errors import UserError
from qmap.utils.run_folder import CONFIG, read_config

Config = TypeVar("Config", bound="RunOptions")


@dataclass(frozen=True)
class RunOptions:
    """What every training can be told: how the Q-map learns, and how the run is kept."""

    double: bool = option(True, "no double Q-learning")
    double_order: str = option(
        "reference",
        "who picks the next action in the Q-map: the target network (reference) or the online one",
        choices=("reference", "usual"),
    )
    unknown_columns: str = option(
        "keep",
        "targets of cells that the next window did not show: old values, or left out of the loss",
        choices=("keep", "ignore"),
    )
    seed: int = option(0, "seed of all random numbers", minimum=0, maximum=2**31 - 1)
    path: str = option("qmap_results", "folder of the results", metavar="DIR")
    load: str | None = option(None, "checkpoint to start from", metavar="CKPT")
    resume: str | None = option(None, "folder of a run to continue", metavar="RUN_DIR")
    render: bool = option(False, "show what the agent sees and believes in a window")
    save_every: int = option(50_000, "steps between snapshots for --resume", minimum=1)
    deterministic: bool = option(False, "make equal runs equal bit for bit, more slowly")
    precision: str = option(
        "float32",
        "what the convolutions multiply in; bfloat16 is faster where the machine has it",
        choices=("float32", "bfloat16"),
    )
    device: str = option("auto", "where the networks run", choices=("auto", "cpu", "gpu"))


@dataclass(frozen=True)
class TrainingConfig(AgentSettings, RunOptions):
    """Everything a training on a game can be told; the defaults are those of the paper."""

    dqn: bool = option(True, "do not learn the task: explore with the Q-map alone")
    qmap: bool = option(True, "do not learn the Q-map: a DQN that explores epsilon-greedily")
    dqn_lr: float = option(1e-4, "learning rate of the DQN", above=0)
    dqn_gamma: float = option(0.99, "discount factor of the task", above=0, below=1)
    dqn_clip: float = option(1000.0, "norm to which each gradient of the DQN is clipped", above=0)
    qmap_lr: float = option(3e-4, "learning rate of the Q-map", above=0)
    qmap_gamma: float = option(0.9, "discount factor of the distances", above=0, below=1)
    qmap_clip: float = option(1000.0, "the same norm for the Q-map", above=0)
    stop_at: int | None = option(
        None, "stop after so many steps, in the middle of the schedules", minimum=1
    )
    envs: int = option(1, "copies of the game, in a process each if more than one", minimum=1)
    videos: bool = option(True, "record no videos")
    checkpoint_every: int = option(100_000, "steps between checkpoints for --load", minimum=1)

    @property
    def last_step(self) -> int:
        """The step after which the run ends."""
        return self.steps if self.stop_at is None else min(self.stop_at, self.steps)


# What may differ when a run goes on: how long it is watched and how, not what it computes.
MAY_DIFFER = ("resume", "render", "videos", "stop_at", "device", "rom", "game_dir")


def parse(
    config: type[Config], program: str, description: str, arguments: Sequence[str] | None = None
) -> Config:
    """Return the configuration: from the command line, or from the run that is to be continued.

    Raises:
        UserError: a flag contradicts the run's own configuration, or that is damaged.
    """
    typed = command_line.typed(config, description, arguments, program)
    if "resume" not in typed:
        return config(**typed)
    folder = Path(typed["resume"])
    if not folder.is_dir():
        raise UserError(f"there is no run {folder}; expected the folder of a run, with config.json")
    stored = read_config(folder, program)
    _check(config, stored, folder / CONFIG)
    resumed = config(**stored)
    defaults = config()
    for name, value in typed.items():
        if name not in MAY_DIFFER and getattr(resumed, name) != value:
            flag = command_line.flag_of(name, getattr(defaults, name))
            given = flag if isinstance(value, bool) else f"{flag} {value}"
            raise UserError(
                f"{given} contradicts the run, which has {getattr(resumed, name)}: leave the flag "
                "out, or start a new run"
            )
    return dataclasses.replace(resumed, **{"render": False, **typed})


def _check(config: type[Config], stored: dict[str, Any], path: Path) -> None:
    """Refuse stored options that the command line would not have let through."""
    fields = {field.name: field for field in dataclasses.fields(config)}
    hints = get_type_hints(config)
    for name, value in stored.items():
        if name not in fields:
            raise UserError(
                f"{path} is of another version: there is no option {name!r}; start a new run"
            )
        try:
            _check_option(hints[name], fields[name].metadata, value)
        except ValueError as error:
            shown = repr(value) if len(repr(value)) < 50 else f"{repr(value)[:50]}..."
            raise UserError(f"{path} is damaged: {name} is {shown}, expected {error}") from error


def _check_option(hint: Any, metadata: Mapping[str, Any], value: Any) -> None:
    """Raise a ValueError that says what is expected if the option cannot have this value."""
    kinds = get_args(hint) or (hint,)
    if value is None and type(None) in kinds:
        return
    if get_origin(hint) is list:
        if not isinstance(value, list) or not all(isinstance(item, kinds) for item in value):
            raise ValueError(f"a list of {kinds[0].__name__}")
        return
    # JSON writes a float that is whole as one, and Python takes a bool for an int.
    fits = type(value) in kinds or (type(value) is int and float in kinds)
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError(" or ".join(kind.__name__ for kind in kinds))
    if metadata["choices"] and value not in metadata["choices"]:
        raise ValueError(f"one of {', '.join(metadata['choices'])}")
    minimum, maximum, above, below = metadata["bounds"]
    if (
        (minimum is not None and value < minimum)
        or (maximum is not None and value > maximum)
        or (above is not None and value <= above)
        or (below is not None and value >= below)
    ):
        raise ValueError("a value that its flag allows")
