"""The training of a table: the loop of all games, and a memory before and after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qmap.training
from qmap.envs.vector import Envs
from qmap.experiment import Experiment
from qmap.tabular.agent import TabularAgent
from qmap.tabular.config import TabularConfig
from qmap.tabular.memory import GAME, game_of, load_memory, save_memory
from qmap.tabular.rules import make_rule
from qmap.tabular.table import ENTRY_BYTES, Table
from qmap.utils import snapshots, streams
from qmap.utils.errors import UserError
from qmap.utils.files import check_writable
from qmap.utils.memory import check_slots
from qmap.utils.run_folder import RunFolder
from qmap.utils.terminal import say

FRAMES = ("color", "crop", "resize", "frame_size", "edges")  # options of what is seen of a screen


def train(config: TabularConfig, experiment: Experiment, program: str) -> int:
    """Train as `qmap.training.train` does, which see; then save the memory.

    Returns:
        The exit status: 0, or 128 plus the number of the signal that interrupted the run.

    Raises:
        UserError: something that the user gave cannot be used.
    """
    agents: list[TabularAgent] = []
    folders: list[RunFolder] = []
    # Whole, for a world may change the folder that relative paths start from.
    memory = None if config.memory is None else Path(config.memory).absolute()
    if memory is not None:
        check_writable(memory)

    def make_agent(config: TabularConfig, experiment: Experiment, envs: Envs) -> TabularAgent:
        agents.append(make_tabular_agent(config, envs, memory))
        return agents[0]

    status = qmap.training.train(config, experiment, program, make_agent, folders.append)
    agent = agents[0]
    say(f"table: {len(agent.table):,} screens, {agent.new_screens:,} of them new in this run")
    # Without a folder the run was interrupted before it began.
    if memory is not None and folders:
        try:
            known = save_memory(memory, agent.origin, agent.table.entries(), agent.rule.better)
        except UserError as error:
            (folder,) = folders
            checkpoint = folder.path / "tensorflow" / f"step_{agent.step}.ckpt"
            raise UserError(
                f"{error}; the table is in {checkpoint}: {folder.resume_command} --memory FILE "
                "merges it into another file"
            ) from error
        say(f"memory: {known:,} screens in {config.memory}")
    return status


def make_tabular_agent(
    config: TabularConfig, envs: Envs, memory: Path | None = None
) -> TabularAgent:
    """Make the agent that the options describe, with what is in the file `memory`, if it is there.

    A run that goes on from a snapshot has its table from there, of which it was a part: of the file
    is only seen that it fits.

    Raises:
        UserError: this process may not take so much memory, or the memory's file cannot be used.
    """
    generators = {name: streams.generator(config.seed, name) for name in ("acting", "sampling")}
    rule = make_rule(config.rule, config.lr, config.gamma, generators["sampling"])
    screen_bytes = Table(1, rule.n_tables, envs.n_actions).stored_bytes + ENTRY_BYTES
    check_slots("--screens", config.screens, min(config.screens, config.last_step), screen_bytes)
    try:
        table = Table(config.screens, rule.n_tables, envs.n_actions)
    except (MemoryError, ValueError) as error:  # the latter where no address is as high
        raise UserError(
            f"there is not enough memory for a table of {config.screens:,} screens: {error}; give "
            "fewer --screens"
        ) from error
    agent = TabularAgent(
        config,
        table,
        rule,
        origin_of(config, envs),
        n_envs=config.envs,
        generators=generators,
    )
    if memory is not None and memory.exists():
        entries = load_memory(memory, agent.origin)
        if not _has_snapshot(config):
            try:
                agent.remember(entries)
            except ValueError as error:
                raise UserError(f"{memory}: {error}; give more --screens") from error
    say(
        f"table: {len(table):,} screens; it takes up to {config.screens:,} (--screens), of "
        f"{screen_bytes} bytes each: {config.screens * screen_bytes / 1e6:,.0f} MB"
    )
    return agent


def _has_snapshot(config: TabularConfig) -> bool:
    """Tell whether the run goes on from a snapshot, in which its table is."""
    return config.resume is not None and bool(snapshots.steps(Path(config.resume) / "snapshots"))


def origin_of(config: TabularConfig, envs: Envs) -> dict[str, Any]:
    """Return what tables must have in common to be of use to each other.

    Levels of a game share screens, so that a memory of one may help in another.
    """
    return {
        GAME: game_of(config.env),
        "actions": list(envs.action_names),
        "frame": list(envs.frame_shape),
        **{name.replace("_", " "): getattr(config, name) for name in FRAMES},
        "rewards": [config.game_reward, config.right_reward, config.death_reward],
        "rule": config.rule,
        **({"discount factor": config.gamma} if config.bootstraps else {}),
    }
