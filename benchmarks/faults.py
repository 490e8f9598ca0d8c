"""Kill runs at random moments, resume them and compare: `python -m benchmarks.faults --rounds K`.

A round starts a short deterministic run, ends its process once or twice by SIGKILL, SIGTERM or
SIGINT at random moments (every other time while it writes a snapshot), resumes it each time, and
compares logs and weights with those of a run that nobody disturbed. With `--game sweep` it is a
sweep of these runs, here or with `--ray` on a cluster, and the sweep's own processes end, too.
"""

from __future__ import annotations

import importlib
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from qmap.utils import checkpoint
from qmap.utils.command_line import option, options_of, parse, run
from qmap.utils.errors import UserError

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LOGS = (
    "score.csv",
    "completed.csv",
    "unfinished.csv",
    "exploration.csv",
    "learning.csv",
    "ground_truth_loss.csv",
)
FAILED = "then it failed"
TIMEOUT = 600.0


@dataclass(frozen=True)
class FaultOptions:
    """How often to kill what."""

    rounds: int = option(20, "runs to kill and resume", minimum=1)
    game: str = option(
        "both", "what to train on", choices=("montezuma", "gridworld", "both", "sweep")
    )
    envs: int = option(1, "copies of Montezuma's Revenge in a run", minimum=1, maximum=8)
    signal: str = option(
        "any", "what the runs die of", choices=("any", *(kind.name for kind in SIGNALS))
    )
    ray: str | None = option(
        None, "where the sweep runs: HOST:PORT of a Ray cluster, or auto", metavar="ADDRESS"
    )
    seed: int = option(0, "seed of the moments", minimum=0)


@dataclass(frozen=True)
class Game:
    """A short run: the module to start and its options."""

    program: str
    options: dict[str, Any]

    def undisturbed(self, results: Path) -> None:
        """Run from start to end."""
        start(self, results).wait(TIMEOUT)

    def torment(self, *arguments: Any) -> tuple[list[str], int]:
        """See `torment`."""
        return torment(self, *arguments)

    def differences(self, whole: Path, other: Path) -> list[str]:
        """Return what differs between the only runs in the results of both, see `differences`."""
        return differences(run_folder(whole), run_folder(other))


class Sweep:
    """A sweep of short runs.

    Args:
        folder: for its file.
        games: a program each.
        ray: address of the cluster to do it on, None for this machine.
    """

    def __init__(self, folder: Path, games: Iterable[Game], ray: str | None) -> None:
        lines = []
        for game in games:
            lines.append(f"[programs.{game.program.removeprefix('qmap.')}]")
            lines += [f"{name} = {json.dumps(value)}" for name, value in game.options.items()]
        file = folder / "sweep.toml"
        file.write_text("\n".join([*lines, ""]))
        self._command = [sys.executable, "-m", "qmap.sweep", str(file), "--retries", "99"]
        self._command += ["--ray", ray] if ray else []

    def start(self, results: Path) -> subprocess.Popen[str]:
        """Start the sweep, or go on with it."""
        command = [*self._command, "--path", str(results)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace")

    def undisturbed(self, results: Path) -> None:
        """Do it from start to end.

        Raises:
            UserError: it fails.
        """
        driver = self.start(results)
        said = driver.communicate(timeout=TIMEOUT)[1]
        if driver.returncode != 0:
            raise UserError(f"undisturbed the sweep failed: {said.strip().splitlines()[-1]}")

    def torment(
        self,
        results: Path,
        generator: np.random.Generator,
        seconds: float,
        kinds: Sequence[signal.Signals],
    ) -> tuple[list[str], None]:
        """Do it to the end through two to four deaths; return what happened, and not what was lost.

        Args:
            results: where to.
            generator: of the moments.
            seconds: that it takes undisturbed.
            kinds: what is died of.
        """
        deaths = []
        driver = self.start(results)
        for _ in range(generator.integers(2, 5)):
            with suppress(subprocess.TimeoutExpired):
                driver.wait(generator.random() * seconds / 2)
            victims = {"sweep": driver, **processes(results)}
            role = list(victims)[generator.integers(len(victims))]
            kind = kinds[generator.integers(len(kinds))]
            with suppress(psutil.NoSuchProcess):
                victims[role].send_signal(kind)
                deaths.append(f"{kind.name} of the {role}")
            if role == "sweep":
                driver.communicate(timeout=TIMEOUT)
                driver = self.start(results)
        said = driver.communicate(timeout=TIMEOUT)[1]
        if driver.returncode != 0:
            deaths.append(f"{FAILED}: {said.strip().splitlines()[-1]}")
        return deaths, None

    def differences(self, whole: Path, other: Path) -> list[str]:
        """Return what differs between the runs in the results of both, see `differences`."""
        ours, theirs = runs(whole), runs(other)
        return [
            f"{label} ({', '.join(different)})"
            for label in ours | theirs
            if (different := differences(*(each.get(label) for each in (ours, theirs))))
        ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do all rounds; return 0 if every one ended as it should."""
    options = parse(FaultOptions, __doc__.splitlines()[0], arguments, "benchmarks.faults")
    if options.ray is not None and options.game != "sweep":
        raise UserError("--ray does nothing without --game sweep")
    generator = np.random.default_rng(options.seed)
    kinds = [kind for kind in SIGNALS if options.signal in ("any", kind.name)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        games = make_games(folder, options.envs)
        if options.game == "sweep":
            games = {"sweep": Sweep(folder, games.values(), options.ray)}
        elif options.game != "both":
            games = {options.game: games[options.game]}
        seconds = {}
        for game, what in games.items():
            started = time.monotonic()
            what.undisturbed(folder / "whole" / game)
            seconds[game] = time.monotonic() - started
            print(f"{game}: {seconds[game]:.0f} s undisturbed", flush=True)
        identical, most_lost = 0, 0
        for number in range(options.rounds):
            game = list(games)[number % len(games)]
            path = folder / f"round_{number}"
            deaths, lost = games[game].torment(path, generator, seconds[game], kinds)
            different = games[game].differences(folder / "whole" / game, path)
            different += [each for each in deaths if each.startswith(FAILED)]
            identical += not different
            most_lost = max(most_lost, lost or 0)
            verdict = f"DIFFERENT: {', '.join(different)}" if different else "identical"
            print(f"{number + 1}. {game}: {'; '.join(deaths)}: {verdict}", flush=True)
        if options.game != "sweep":
            print(f"most work lost at once: {most_lost} steps, --save-every", end=" ")
            print(", ".join(f"{what.options['save_every']} ({key})" for key, what in games.items()))
        print(f"{identical} of {options.rounds} rounds identical")
    return int(identical < options.rounds)


def make_games(folder: Path, envs: int) -> dict[str, Game]:
    """Return the runs by name; write the level that the grid world's needs."""
    level = np.full((28, 40), 255, np.uint8)
    level[[0, -1]] = level[:, [0, -1]] = level[9:15, 12:18] = 0
    path = folder / "small.png"
    cv2.imwrite(str(path), level)
    common = {"deterministic": True, "batch": 4, "keep_moments": True}
    montezuma = {"steps": 320, "learning_starts": 40, "replay": 250, "videos": False}
    montezuma |= {"save_every": 80, "envs": envs}
    gridworld = {"model": "convdeconv3", "steps": 1200, "eval_every": 20, "target": 30}
    gridworld |= {"train_level": str(path), "test_levels": [str(path)], "save_every": 200}
    return {
        "montezuma": Game("qmap.train_montezuma", common | montezuma),
        "gridworld": Game("qmap.train_gridworld", common | gridworld),
    }


def start(game: Game, results: Path, resume: Path | None = None) -> subprocess.Popen[str]:
    """Start or resume a run in a process of its own."""
    known = options_of(importlib.import_module(game.program).CONFIG)
    flags = ["--path", str(results)]
    for name, value in game.options.items():
        flags += known[name].words(value)
    flags = ["--resume", str(resume)] if resume else flags
    command = [sys.executable, "-m", game.program, *flags]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )


def run_folder(results: Path) -> Path | None:
    """Return the folder of the only run in `results`, None if it died before it had one."""
    return next((config.parent for config in results.glob("*/*/*/config.json")), None)


def torment(
    game: Game,
    results: Path,
    generator: np.random.Generator,
    seconds: float,
    kinds: Sequence[signal.Signals],
) -> tuple[list[str], int]:
    """Run to the end through one or two deaths; return what happened and the most steps lost."""
    deaths, most_lost = [], 0
    process = start(game, results)
    for _ in range(generator.integers(1, 3)):
        kind = kinds[generator.integers(len(kinds))]
        while_saving = bool(generator.integers(2))
        wait(process, results, generator.random() * seconds, while_saving)
        if while_saving:
            time.sleep(generator.random() * 0.1)
        process.send_signal(kind)
        process.communicate(timeout=TIMEOUT)
        folder = run_folder(results)
        reached = last_step(folder)
        process = start(game, results, folder)
        saved = min(went_on_from(process), reached) if folder else 0
        lost = reached - saved
        most_lost = max(most_lost, lost)
        where = "while saving" if while_saving else "at any time"
        deaths.append(f"{kind.name} {where}, {lost} of {reached} logged steps lost")
    errors = process.communicate(timeout=TIMEOUT)[1]
    if process.returncode != 0:
        deaths.append(f"{FAILED}: {errors.strip().splitlines()[-1]}")
    return deaths, most_lost


def processes(results: Path) -> dict[str, psutil.Process]:
    """Return those of the runs that live, and the workers of a Ray cluster that hold them."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            program = next((word for word in words if word.startswith("qmap.train_")), None)
            if program and str(results) in " ".join(words):
                found[f"run of {program}"] = process
                parent = process.parent()
                if parent is not None and parent.cmdline()[0].startswith("ray::"):
                    found[f"worker of {program}"] = parent
    return found


def runs(results: Path) -> dict[str, Path]:
    """Return the runs by the names of their jobs; one that was begun twice is another."""
    found: dict[str, Path] = {}
    for config in sorted(results.glob("*/*/*/*/config.json")):
        name = config.relative_to(results).parts[0]
        found[f"{name} again" if name in found else name] = config.parent
    return found


def wait(process: subprocess.Popen[str], results: Path, seconds: float, saving: bool) -> None:
    """Wait as long, or until a snapshot is being written after that, or the process has ended."""
    deadline = time.monotonic() + seconds
    while process.poll() is None:
        time.sleep(0.002)
        if time.monotonic() < deadline:
            continue
        if not saving or any(results.glob("*/*/*/snapshots/.*.part")):
            return


def went_on_from(process: subprocess.Popen[str]) -> int:
    """Return the step that a resumed run says it goes on from; its end if it was finished."""
    for line in process.stderr:
        if match := re.search(r"results: .*, from (?:step )?([\d,]+)", line):
            return int(match[1].replace(",", ""))
    return sys.maxsize


def last_step(folder: Path | None) -> int:
    """Return the last step in any log."""
    logs = [folder / name for name in LOGS] if folder else []
    steps = [
        int(step)
        for log in logs
        if log.exists()
        for step in re.findall(r"^(\d+),.*\n", log.read_text(), re.MULTILINE)
    ]
    return max(steps, default=0)


def differences(whole: Path | None, other: Path | None) -> list[str]:
    """Return the names of logs that differ in any number but the speed, and "weights" likewise."""
    if whole is None or other is None:
        return ["everything"]
    names = [name for name in LOGS if (whole / name).exists()]
    different = [name for name in names if read(whole / name) != read(other / name)]
    steps = max(int(path.stem.removeprefix("step_")) for path in whole.glob("tensorflow/*.ckpt"))
    path = f"tensorflow/step_{steps}.ckpt"
    if not (other / path).exists() or weights(whole / path) != weights(other / path):
        different.append("weights")
    return different


def read(path: Path) -> bytes:
    """Return the rows of a log, without the speed; none if it is not there."""
    if not path.exists():
        return b""
    rows = path.read_bytes().splitlines()
    timed = rows and rows[0].endswith(b",steps per second")
    return b"\n".join(row.rpartition(b",")[0] if timed else row for row in rows)


def weights(path: Path) -> dict[str, bytes]:
    """Return all arrays and numbers of a checkpoint by their place in it, as bytes."""

    def walk(tree: dict[str, Any], place: str) -> Iterator[tuple[str, bytes]]:
        for name, leaf in tree.items():
            if isinstance(leaf, dict):
                yield from walk(leaf, f"{place}/{name}")
            else:
                yield f"{place}/{name}", np.asarray(leaf).tobytes()

    tree = checkpoint.load(path, "checkpoint")
    return dict(walk({name: tree[name] for name in tree if name not in ("config", "of")}, ""))


if __name__ == "__main__":
    run(main)
