"""Record a demonstration: `python -m qmap.record_demonstration --env ENV --output FILE.actions`.

It is played with the keyboard, or taken from a file: actions that somebody typed, or an episode of
a run, whose actions are beside its video. What is written was replayed and found exact.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from qmap.demonstration.actions_file import (
    ENDING,
    Demonstration,
    Step,
    read_actions,
    write_actions,
)
from qmap.demonstration.keyboard import Keys, WindowClosed, play
from qmap.demonstration.trail import SEED, Trail, replay
from qmap.demonstration.worlds import find_world
from qmap.envs.contract import EnvironmentFailure
from qmap.envs.vector import Envs
from qmap.experiment import Experiment
from qmap.named_worlds import NamedWorldOptions
from qmap.utils.command_line import option, parse, run
from qmap.utils.errors import UserError
from qmap.utils.files import check_writable
from qmap.utils.terminal import say
from qmap.utils.window import LiveWindow

PROGRAM = "qmap.record_demonstration"


@dataclass(frozen=True)
class RecordOptions(NamedWorldOptions):
    """What to record."""

    output: str | None = option(None, f"file to write, NAME{ENDING}", metavar="FILE")
    demo: str | None = option(
        None, "take the actions from this file, or a video's, in place of the keyboard",
        metavar="FILE",
    )  # fmt: skip
    pace: float = option(15.0, "steps a second that are played", above=0, maximum=1000)
    env_timeout: float = option(
        60.0, "seconds that an environment may take for anything it does", above=0
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Record as the command line says."""
    options = parse(RecordOptions, __doc__, arguments, PROGRAM)
    for name in ("env", "output"):
        if not getattr(options, name):
            raise UserError(f"--{name} is missing; --help lists the flags")
    output = Path(options.output)
    # Of a name that is too long, `Path.exists` would raise an error.
    if os.path.exists(output):
        raise UserError(f"{output} exists already: remove it or give another --output")
    if output.suffix != ENDING:
        raise UserError(f"--output is {output}, expected a name that ends in {ENDING}")
    check_writable(output)
    world = find_world(**options.of_named_world)
    if options.demo is not None:
        trail = _replayed(read_actions(Path(options.demo)), world, output, options)
    else:
        beside = _beside(output)
        check_writable(beside)
        demonstration = _played(world, output, beside, options)
        with _kept(demonstration, beside):
            trail = _replayed(demonstration, world, output, options)
    print(f"{output}: {len(trail):,} actions, score {trail.returns[-1]:g}")


def _played(world: Experiment, output: Path, beside: Path, options: RecordOptions) -> Demonstration:
    """Let somebody play; what was played is kept in a file of its own if that does not end well.

    Raises:
        UserError: somebody left, or closed the window, or the world failed.
    """
    window = LiveWindow(
        f"Q-map: {world.name}",
        warn=lambda message: None,
        wanted_by="recording with the keyboard",
        instead="give --demo a file of actions, or the video of an episode",
    )
    steps: list[Step] = []
    try:
        with (
            closing(window),
            closing(Envs(world.make_env, 1, seeds=[SEED], timeout=options.env_timeout)) as envs,
        ):
            say(Keys(envs.action_names).help())
            play(envs, window, steps, 1 / options.pace)
    except (EnvironmentFailure, WindowClosed, KeyboardInterrupt) as error:
        if steps:
            write_actions(beside, world.name, steps)
            kept = f"what was played is in {beside}, for --demo"
            if isinstance(error, UserError):
                raise UserError(f"{error}; {kept}") from error
            say(kept)
        raise
    return Demonstration(world.name, tuple(steps), output)


def _replayed(
    demonstration: Demonstration, world: Experiment, output: Path, options: RecordOptions
) -> Trail:
    """Replay a demonstration and write it."""
    trail = replay(demonstration, world, options.env_timeout)
    write_actions(output, world.name, trail.steps)
    return trail


@contextmanager
def _kept(played: Demonstration, path: Path) -> Iterator[None]:
    """Keep what was played in a file of its own until the block has ended well.

    Raises:
        UserError: it did not; the message says where the file is.
    """
    write_actions(path, played.world, played.steps)
    try:
        yield
    except UserError as error:
        raise UserError(f"{error}; what was played is in {path}") from error
    with suppress(OSError):
        path.unlink()


def _beside(output: Path) -> Path:
    """Return a path that is free, for what was played and not replayed yet."""
    names = itertools.chain([""], (f"_{number}" for number in itertools.count(2)))
    paths = (output.with_name(f"{output.stem}_as_played{name}{ENDING}") for name in names)
    return next(path for path in paths if not os.path.exists(path))


if __name__ == "__main__":
    run(main)
