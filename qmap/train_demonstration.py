"""Learn from one demonstration, backwards: `python -m qmap.train_demonstration`.

Episodes begin along the demonstration, near its end at first; the start moves back as the policy,
learned by PPO, comes to score as well as the demonstration did from there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from qmap.demonstration.actions_file import read_actions
from qmap.demonstration.config import DemonstrationConfig
from qmap.demonstration.trail import Trail, replay
from qmap.demonstration.worlds import find_world
from qmap.parse_config import parse
from qmap.utils import command_line
from qmap.utils.interrupt import nothing_to_lose
from qmap.utils.memory import check_slots
from qmap.utils.quiet import quiet

PROGRAM = "qmap.train_demonstration"
CONFIG = DemonstrationConfig
# Of a step of a copy, beside its observation and what is remembered: actions, rewards and the like.
STEP_BYTES = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; return the exit status."""
    config = parse(CONFIG, PROGRAM, __doc__, arguments)
    world = find_world(**config.of_named_world)
    with nothing_to_lose():
        trail = replay(read_actions(config.demonstration), world, config.env_timeout)
        trail.check_gains()
        trail.check_deficit(config.deficit)
        check_memory(config, trail)
        # Only now is TensorFlow loaded, which takes seconds.
        with quiet():
            from qmap.demonstration.training import train
    return train(config, world, trail, PROGRAM)


def check_memory(config: DemonstrationConfig, trail: Trail) -> None:
    """Refuse more steps at a time than this process can hold.

    Raises:
        UserError: they are more.
    """
    observation = config.stack * math.prod(trail.frames.shape[1:])
    step = config.envs * (observation + 4 * config.units + STEP_BYTES)
    for flag, steps, size in (
        ("--horizon", config.horizon, step),
        ("--warm-up", config.warm_up, observation),
    ):
        check_slots(flag, steps, steps, size)


if __name__ == "__main__":
    command_line.run(main)
