"""Write the start states of a game's levels: python -m qmap.envs.record_levels [--game KEY].

Boots the ROM, presses its way to the title screen and starts each level from there (what is
pressed and written is in the game's `Recording`). States that are there already are kept.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qmap.envs.emulator import Emulator
from qmap.envs.game import Presses, all_hold, number
from qmap.envs.games import GAMES, find_game
from qmap.utils.command_line import option, parse, run
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file

# No game takes as long as this from its title screen into a level (one minute).
MAX_FRAMES_TO_LEVEL = 3600


@dataclass
class Options:
    """The command line."""

    game: str = option("super_mario", "the game", choices=tuple(GAMES))
    rom: str | None = option(None, "its ROM, if it is not rom.sfc in the game's folder")
    game_dir: str | None = option(None, "its folder, if it is not the one of this project")
    levels: list[str] = option([], "levels to record, such as 1.1 2.3 (default all)", nargs="+")
    force: bool = option(False, "record again the states that are there already")


def record_level(emulator: Emulator, level: str, title: bytes) -> bytes:
    """Return the state of the emulator at the start of a level, the player in control and still.

    Args:
        emulator: The emulator, whatever it is doing.
        level: One of the game's levels.
        title: Its state at the title screen (`boot`).

    Raises:
        UserError: The level did not start.
    """
    game, recording = emulator.game, emulator.game.recording
    emulator.load(title)
    for _ in _frames(emulator, recording.to_level):
        emulator.write(game.levels[level])
        emulator.frame()
    emulator.hold()
    still, row = 0, None
    for _ in range(MAX_FRAMES_TO_LEVEL):
        values = emulator.values()
        before, row = row, number(values, game.row)
        if not all_hold(values, recording.playing):
            row = None
        still = still + 1 if row is not None and row == before else 0
        if still == recording.still_frames:
            return emulator.save()
        emulator.frame()
    raise UserError(f"level {level} of {game.title} did not start; is it the right ROM?")


def boot(emulator: Emulator) -> bytes:
    """Return the state of a newly made emulator at the title screen of its game."""
    for _ in _frames(emulator, emulator.game.recording.to_title):
        emulator.frame()
    return emulator.save()


def record_levels(
    emulator: Emulator, levels: Iterable[str], force: bool = False
) -> Iterator[tuple[Path, bool]]:
    """Write the start states of levels into the game's folder.

    Args:
        emulator: A newly made emulator.
        levels: Which levels.
        force: Record again what is there already.

    Yields:
        For each level, the path of its state and whether it was written (not kept).

    Raises:
        UserError: A level did not start, or the folder cannot be written to.
    """
    title = None
    for level in levels:
        path = emulator.folder / emulator.game.state_name(level)
        write = force or not path.exists()
        if write:
            title = title or boot(emulator)
            state = record_level(emulator, level, title)
            with atomic_file(path) as file:
                # Without a time of writing, recording again gives the same bytes.
                file.write(gzip.compress(state, mtime=0))
        yield path, write


def main(arguments: Sequence[str] | None = None) -> None:
    """Record what the command line asks for, one line for each level."""
    options = parse(Options, "Record the start states of a game's levels.", arguments)
    game = find_game(options.game)
    levels = options.levels or list(game.levels)
    for level in levels:
        game.state_name(level)
    emulator = Emulator(game, options.rom, options.game_dir)
    try:
        for path, written in record_levels(emulator, levels, options.force):
            print(f"{'recorded' if written else 'kept'} {path}", flush=True)
    finally:
        emulator.close()


def _frames(emulator: Emulator, presses: Presses) -> Iterator[None]:
    """Hold the buttons of `presses`, one iteration for each frame that is to be run."""
    for buttons, frames in presses:
        emulator.hold(*buttons)
        for _ in range(frames):
            yield


if __name__ == "__main__":
    run(main)
