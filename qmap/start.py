"""How every run starts: what it goes on from, how it computes, and where its results go."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import keras

from qmap.agents.device import set_up
from qmap.config import RunOptions
from qmap.utils import checkpoint, snapshots
from qmap.utils.run_folder import RunFolder


def start(
    config: RunOptions, program: str, stack: ExitStack
) -> tuple[RunFolder | None, dict[str, Any] | None]:
    """Prepare everything that comes before the networks; nothing is written yet.

    Args:
        config: what was asked for.
        program: the program that is running.
        stack: lets go of the folder at the end.

    Returns:
        The folder of the run to resume, and the checkpoint to start from; None for none. A run
        that has snapshots goes on from these and no longer needs the checkpoint.

    Raises:
        UserError: the folder is in use, the checkpoint cannot be read, or there is no such device.
    """
    folder = loaded = None
    if config.resume:
        folder = RunFolder(Path(config.resume), program)
        stack.callback(folder.release)
    if config.load and not (folder and snapshots.steps(folder.path / "snapshots")):
        loaded = checkpoint.load(Path(config.load), "checkpoint")
    set_up(deterministic=config.deterministic, device=config.device, precision=config.precision)
    keras.utils.set_random_seed(config.seed)
    return folder, loaded


def new_folder(
    config: RunOptions, program: str, experiment: str, agent: str, stack: ExitStack
) -> RunFolder:
    """Make the folder of a new run, with its options in it.

    Args:
        config: what was asked for.
        program: the program that is running.
        experiment: name of the environment in the results.
        agent: name of the agent there.
        stack: lets go of the folder at the end.

    Raises:
        UserError: it cannot be written.
    """
    folder = RunFolder.create(Path(config.path) / experiment / agent, config.seed, program)
    stack.callback(folder.release)
    folder.write_config(config)
    return folder
