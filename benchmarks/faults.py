"""Kill runs at random moments, resume them and compare: `python -m benchmarks.faults --rounds K`.

A round starts a short deterministic run, ends its process once or twice by SIGKILL, SIGTERM or
SIGINT at random moments (every other time while it writes a snapshot), resumes it each time, and
compares logs and weights with those of a run that nobody disturbed.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from qmap.utils import checkpoint
from qmap.utils.command_line import option, parse, run

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LOGS = (
    "score.csv",
    "completed.csv",
    "unfinished.csv",
    "exploration.csv",
    "learning.csv",
    "ground_truth_loss.csv",
)
TIMEOUT = 600.0


@dataclass(frozen=True)
class FaultOptions:
    """How often to kill what."""

    rounds: int = option(20, "runs to kill and resume", minimum=1)
    game: str = option("both", "what to train on", choices=("montezuma", "gridworld", "both"))
    envs: int = option(1, "copies of Montezuma's Revenge in a run", minimum=1, maximum=8)
    signal: str = option(
        "any", "what the runs die of", choices=("any", *(kind.name for kind in SIGNALS))
    )
    seed: int = option(0, "seed of the moments", minimum=0)


@dataclass(frozen=True)
class Game:
    """A short run: the module to start, its flags, and steps between its snapshots."""

    program: str
    flags: tuple[str, ...]
    save_every: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Do all rounds; return 0 if every one ended as it should."""
    options = parse(FaultOptions, __doc__.splitlines()[0], arguments, "benchmarks.faults")
    generator = np.random.default_rng(options.seed)
    kinds = [kind for kind in SIGNALS if options.signal in ("any", kind.name)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        games = make_games(folder, options.envs)
        if options.game != "both":
            games = {options.game: games[options.game]}
        whole, seconds = {}, {}
        for game, what in games.items():
            started = time.monotonic()
            start(what, folder / "whole" / game).wait(TIMEOUT)
            seconds[game] = time.monotonic() - started
            whole[game] = run_folder(folder / "whole" / game)
            print(f"{game}: {seconds[game]:.0f} s undisturbed", flush=True)
        identical, most_lost = 0, 0
        for number in range(options.rounds):
            game = list(games)[number % len(games)]
            path = folder / f"round_{number}"
            deaths, lost = torment(games[game], path, generator, seconds[game], kinds)
            different = differences(whole[game], run_folder(path))
            identical += not different
            most_lost = max(most_lost, lost)
            verdict = f"DIFFERENT: {', '.join(different)}" if different else "identical"
            print(f"{number + 1}. {game}: {'; '.join(deaths)}: {verdict}", flush=True)
        print(f"most work lost at once: {most_lost} steps, --save-every", end=" ")
        print(", ".join(f"{what.save_every} ({game})" for game, what in games.items()))
        print(f"{identical} of {options.rounds} rounds identical")
    return int(identical < options.rounds)


def make_games(folder: Path, envs: int) -> dict[str, Game]:
    """Return the runs by name; write the level that the grid world's needs."""
    level = np.full((28, 40), 255, np.uint8)
    level[[0, -1]] = level[:, [0, -1]] = level[9:15, 12:18] = 0
    path = folder / "small.png"
    cv2.imwrite(str(path), level)
    common = ("--deterministic", "--batch", "4", "--keep-moments")
    montezuma = ("--steps", "320", "--learning-starts", "40", "--replay", "250", "--no-videos")
    gridworld = ("--model", "convdeconv3", "--steps", "1200", "--eval-every", "20")
    gridworld += ("--train-level", str(path), "--test-levels", str(path), "--target", "30")
    return {
        "montezuma": Game(
            "qmap.train_montezuma",
            (*common, *montezuma, "--save-every", "80", "--envs", str(envs)),
            80,
        ),
        "gridworld": Game(
            "qmap.train_gridworld", (*common, *gridworld, "--save-every", "200"), 200
        ),
    }


def start(game: Game, results: Path, resume: Path | None = None) -> subprocess.Popen[str]:
    """Start or resume a run in a process of its own."""
    flags = ["--resume", str(resume)] if resume else [*game.flags, "--path", str(results)]
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
        deaths.append(f"then it failed: {errors.strip().splitlines()[-1]}")
    return deaths, most_lost


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


def differences(whole: Path, other: Path | None) -> list[str]:
    """Return the names of logs that differ in any number but the speed, and "weights" likewise."""
    if other is None:
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
