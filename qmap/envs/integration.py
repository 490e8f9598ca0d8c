"""The files that make a ROM a game for stable-retro: its integration folder."""

from __future__ import annotations

import difflib
import gzip
import hashlib
import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stable_retro
from stable_retro.data import EMU_EXTENSIONS, EMU_INFO, Integrations

from qmap.envs.games import GAMES
from qmap.utils.command_line import shown
from qmap.utils.errors import UserError
from qmap.utils.files import cannot

NES_HEADER = 16  # bytes, which SHA-1s of NES games leave out


@dataclass(frozen=True)
class Integration:
    """A game's folder, checked.

    Attributes:
        game: its name.
        folder: its folder.
        rom: the ROM in it.
    """

    game: str
    folder: Path
    rom: Path

    @property
    def data(self) -> Path:
        """The file with the variables."""
        return self.folder / "data.json"

    @property
    def scenario(self) -> Path:
        """The file with the rewards and the end of an episode."""
        return self.folder / "scenario.json"

    @property
    def has_scripts(self) -> bool:
        """Whether rewards come from scripts, which have a memory of their own."""
        return "scripts" in _read_json(self.scenario)

    def variables(self) -> set[str]:
        """Return the names of the variables; `UserError` if the file has no such list."""
        info = _read_json(self.data).get("info", {})
        if not isinstance(info, dict):
            raise UserError(
                f"{self.data}: info is {shown(info)}, expected the variables by their names"
            )
        return set(info)

    def start(self, state: str | None) -> bytes | None:
        """Return a saved state of the emulator to begin episodes from, None for power-on.

        Args:
            state: its name; None for the one that metadata.json names, if it does.

        Raises:
            UserError: there is no such state, it is no state, or metadata.json names none.
        """
        if state is None:
            metadata = self.folder / "metadata.json"
            state = _read_json(metadata).get("default_state") if metadata.is_file() else None
            if state is None:
                return None
            if not isinstance(state, str):
                raise UserError(
                    f"{metadata}: default_state is {shown(state)}, expected the name of a state"
                )
        path = self.folder / f"{state.removesuffix('.state')}.state"
        if not path.is_file():
            there = ", ".join(sorted(each.stem for each in self.folder.glob("*.state"))) or "none"
            raise UserError(f"{self.game} has no state {state!r}; there are {there}")
        try:
            return gzip.decompress(path.read_bytes())
        except (OSError, EOFError, zlib.error):
            raise UserError(f"{path} is not a state file (gzip); record it again") from None


def find_integration(game: str, game_dir: str | Path | None = None) -> Integration:
    """Find a game among those of stable-retro and of this project, or in a folder of its own.

    Args:
        game: its name, "SonicTheHedgehog-Genesis" for one, with or without "-v0".
        game_dir: its folder, with data.json and scenario.json; metadata.json, rom.sha and states
            as far as there are any.

    Raises:
        UserError: there is no such game, or its ROM is missing or another one.
    """
    folder = _find_folder(game) if game_dir is None else Path(game_dir)
    for name in ("data.json", "scenario.json"):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder} is not the folder of a game: no {name} in it; --game-dir gives an "
                "integration folder of stable-retro"
            )
    roms = [path for ending in EMU_EXTENSIONS if (path := folder / f"rom{ending}").is_file()]
    hashes = folder / "rom.sha"
    known = _read_text(hashes, "a SHA-1").split() if hashes.is_file() else []
    if not roms:
        sha = f" (SHA-1 {' or '.join(known)})" if known else ""
        raise UserError(
            f"no ROM of {game}: put yours{sha} at {folder / f'rom{_ending(game)}'}, or import all "
            "that a folder holds: python -m stable_retro.import FOLDER"
        )
    try:
        content = roms[0].read_bytes()
    except OSError as error:
        raise cannot("read", roms[0], error) from None
    if known:
        found = hashlib.sha1(content[NES_HEADER * (roms[0].suffix == ".nes") :]).hexdigest()
        if found not in known:
            raise UserError(
                f"{roms[0]} is not the ROM that {folder / 'data.json'} is for: its SHA-1 is "
                f"{found}, expected {' or '.join(known)}; for another one copy the folder without "
                "rom.sha and give --game-dir"
            )
    return Integration(game, folder, roms[0])


def _find_folder(game: str) -> Path:
    base = Path(stable_retro.data.path())
    kinds = [base / kind for kind in Integrations.ALL.paths if (base / kind).is_dir()]
    for kind in kinds:
        for name in (game, f"{game}-v0"):
            # A name is one part of a path, not a way to elsewhere.
            if re.fullmatch(r"[\w.-]+", name) and (kind / name / "data.json").is_file():
                return kind / name
    ours = {each.folder: each for each in GAMES.values()}
    if game in ours:
        return ours[game].find_folder()
    names = {re.sub(r"-v\d+$", "", path.name) for kind in kinds for path in kind.iterdir()}
    close = difflib.get_close_matches(game, names | set(ours), 3, 0.5)
    near = f": is it {', '.join(close)}?" if close else ""
    raise UserError(
        f"stable-retro knows no game {game!r}{near} (--game-dir gives the folder of one of your "
        "own)"
    )


def _ending(game: str) -> str:
    """Return how the ROM's name has to end, by the console in the game's name."""
    console = re.sub(r"-v\d+$", "", game).rpartition("-")[2]
    endings = EMU_INFO.get(console, {}).get("ext", ["CONSOLE"])
    return f".{endings[0]}"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_read_text(path, "JSON"))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise _no_integration_file(path, "JSON")
    return content


def _read_text(path: Path, expected: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise cannot("read", path, error) from None
    except UnicodeDecodeError:
        raise _no_integration_file(path, expected) from None


def _no_integration_file(path: Path, expected: str) -> UserError:
    return UserError(f"{path} is not an integration file of stable-retro: expected {expected}")
