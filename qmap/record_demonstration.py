"""Record a demonstration: `python -m qmap.record_demonstration --env ENV --output FILE.actions`.

It is played with the keyboard, or taken from a file: actions that somebody typed, or an episode of
a run, whose actions are beside its video. What is written was replayed and found exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from qmap.demonstration.actions_file import ENDING, Demonstration, read_actions, write_actions
from qmap.demonstration.keyboard import Keys, play
from qmap.demonstration.trail import SEED, replay
from qmap.demonstration.worlds import HELP, find_world
from qmap.envs.contract import EnvironmentFailure
from qmap.envs.vector import Envs
from qmap.experiment import Experiment
from qmap.utils.command_line import option, parse, run
from qmap.utils.errors import UserError
from qmap.utils.terminal import say
from qmap.utils.window import LiveWindow

PROGRAM = "qmap.record_demonstration"


@dataclass(frozen=True)
class RecordOptions:
    """What to record."""

    env: str | None = option(None, f"the world: {HELP}", metavar="ENV")
    output: str | None = option(None, f"file to write, NAME{ENDING}", metavar="FILE")
    actions: str | None = option(
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
    if output.exists():
        raise UserError(f"{output} exists already: remove it or give another --output")
    if output.suffix != ENDING:
        raise UserError(f"--output is {output}, expected a name that ends in {ENDING}")
    world = find_world(options.env)
    if options.actions is not None:
        demonstration = read_actions(Path(options.actions))
    else:
        demonstration = _played(world, output, options)
    trail = replay(demonstration, world, options.env_timeout)
    write_actions(output, world.name, trail.steps)
    print(f"{output}: {len(trail):,} actions, score {trail.returns[-1]:g}")


def _played(world: Experiment, output: Path, options: RecordOptions) -> Demonstration:
    window = LiveWindow(
        f"Q-map: {world.name}",
        warn=lambda message: None,
        wanted_by="recording with the keyboard",
        instead="give --actions a file of actions, or the video of an episode",
    )
    try:
        with (
            closing(window),
            closing(Envs(world.make_env, 1, seeds=[SEED], timeout=options.env_timeout)) as envs,
        ):
            say(Keys(envs.action_names).help())
            steps = play(envs, window, 1 / options.pace)
    except EnvironmentFailure as error:
        raise UserError(f"{error}; nothing was saved") from error
    return Demonstration(world.name, tuple(steps), output)


if __name__ == "__main__":
    run(main)
