"""What a side-scrolling SNES game is to this project: a folder of files and a `Game` of data.

The folder is an integration folder of stable-retro: `data.json` names places in the work RAM,
`scenario.json` tells stable-retro itself when a run is over, `rom.sha` holds the SHA-1 of the ROM,
`rom.sfc` is the ROM, `*.state` are the starts of the levels. A `Game` says what the variables of
`data.json` mean, which levels there are and how their starts are recorded. Nothing else in the
project knows one game from another.
"""

from __future__ import annotations

import hashlib
import site
import sysconfig
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qmap.utils.errors import UserError
from qmap.utils.files import cannot

# A number read from RAM: each variable of data.json times its weight, summed.
Number = Mapping[str, int]
# A condition on RAM: for some variables of data.json the values that fulfil it.
Condition = Mapping[str, Container[int]]
# Buttons held together and for how many frames, one after the other.
Presses = Sequence[tuple[tuple[str, ...], int]]

FILES = ("data.json", "scenario.json", "rom.sha")
NOT_ZERO = range(1, 1 << 32)


@dataclass(frozen=True)
class Recording:
    """How the start states of a game's levels are made from its ROM.

    Attributes:
        to_title: What is pressed from power-on to the title screen.
        to_level: What is pressed on the title screen to start a level. Before each of these
            frames, the level's values (`Game.levels`) are written into RAM.
        playing: All of these hold while the level is being played.
        still_frames: Without a button, frames are run until for as many in a row `playing` has
            held and the player's row has not changed: the start state.
    """

    to_title: Presses
    to_level: Presses
    playing: Condition
    still_frames: int


@dataclass(frozen=True)
class Game:
    """Everything that is particular to one game.

    Attributes:
        key: What the command line calls it (`--game`).
        title: What people call it.
        folder: Name of its integration folder.
        state: File name of a level's start, with `{level}` for `1_1`.
        levels: Each level's name and the variables that are written into RAM to start it.
        actions: Each agent action's name and the buttons it holds, in the order of the actions.
        row: Pixels between the top of the screen and the player; its lowest byte is enough.
        column: Pixels between the start of the level and the player.
        window: Pixels between the start of the level and the left edge of the screen.
        room: The area that a level starts in or a pipe leads to, for areas share columns. It is
            read from `levels`, and again when one of `between` begins to hold.
        score: Points so far.
        dead: The run is over as soon as one of these holds.
        completed: The level is finished as soon as one of these holds.
        between: The game is taking the player from one area to another as long as one of these
            holds: nothing can be chosen, and what is read of the place means nothing.
        recording: How the start states are made.
        without_rom: What the user reads if there is no ROM, with `{path}` for where it goes.
    """

    key: str
    title: str
    folder: str
    state: str
    levels: Mapping[str, Mapping[str, int]]
    actions: Mapping[str, tuple[str, ...]]
    row: Number
    column: Number
    window: Number
    room: Number
    score: Number
    dead: Condition
    completed: Condition
    between: Condition
    recording: Recording
    without_rom: str

    def variables(self) -> set[str]:
        """Return the names of all variables that `data.json` has to locate."""
        numbers = (self.row, self.column, self.window, self.room, self.score)
        conditions = (self.dead, self.completed, self.between, self.recording.playing)
        return {name for names in (*numbers, *conditions, *self.levels.values()) for name in names}

    def state_name(self, level: str) -> str:
        """Return the file name of a level's start; `UserError` if there is no such level."""
        if level not in self.levels:
            known = ", ".join(self.levels)
            raise UserError(f"{self.title} has no level {level!r}; there are {known}")
        return self.state.format(level=level.replace(".", "_"))

    def find_folder(self, game_dir: str | Path | None = None) -> Path:
        """Return the integration folder.

        Args:
            game_dir: Where it is. None: beside the package `qmap` (a clone of the repository), else
                in `share/qmap` of the Python installation (where pip puts it).

        Raises:
            UserError: There is no such folder, or files are missing in it.
        """
        if game_dir is not None:
            folder = Path(game_dir)
        else:
            beside = Path(__file__).parents[2]
            # What pip calls the data folder of an environment, of a user and of `--target`.
            prefixes = (sysconfig.get_path("data"), site.getuserbase(), beside)
            places = (beside, *(Path(prefix) / "share" / "qmap" for prefix in prefixes))
            folders = [place / self.folder for place in places]
            folder = next((each for each in folders if each.is_dir()), folders[0])
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise UserError(
                f"{folder} is not the folder of {self.title}: no {', '.join(missing)} in it; "
                f"--game-dir gives the folder that holds {', '.join(FILES)}"
            )
        return folder

    def find_rom(self, folder: Path, rom: str | Path | None = None) -> Path:
        """Return the path of the ROM, whose SHA-1 is that of `rom.sha` in the game's folder.

        Args:
            folder: What `find_folder` returned.
            rom: Any file with the right contents. None: `rom.sfc` in the game's folder.

        Raises:
            UserError: There is no such file, or its contents are others.
        """
        path = folder / "rom.sfc" if rom is None else Path(rom)
        if not path.is_file():
            if rom is None:
                raise UserError(self.without_rom.format(path=path))
            raise UserError(f"no ROM at {path}; --rom gives the file of {self.title}")
        expected = (folder / "rom.sha").read_text().strip().lower()
        try:
            found = hashlib.sha1(path.read_bytes()).hexdigest()
        except OSError as error:
            raise cannot("read", path, error) from None
        if found != expected:
            raise UserError(
                f"{path} is not the ROM of {self.title} that this project knows: "
                f"its SHA-1 is {found}, expected {expected}"
            )
        return path


def number(values: Mapping[str, int], weights: Number) -> int:
    """Return the sum of the variables' values times their weights."""
    return sum(weight * values[name] for name, weight in weights.items())


def one_holds(values: Mapping[str, int], condition: Condition) -> bool:
    """Return whether one of the condition's variables has a value that fulfils it."""
    return any(values[name] in wanted for name, wanted in condition.items())


def all_hold(values: Mapping[str, int], condition: Condition) -> bool:
    """Return whether all of the condition's variables have values that fulfil it."""
    return all(values[name] in wanted for name, wanted in condition.items())
