"""Learn from one demonstration, backwards: `python -m qmap.train_demonstration`.

Episodes begin along the demonstration, near its end at first; the start moves back as the policy,
learned by PPO, comes to score as well as the demonstration did from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from qmap.demonstration.actions_file import read_actions
from qmap.demonstration.config import DemonstrationConfig
from qmap.demonstration.trail import replay
from qmap.demonstration.worlds import find_world
from qmap.parse_config import parse
from qmap.utils import command_line
from qmap.utils.interrupt import nothing_to_lose
from qmap.utils.quiet import quiet

PROGRAM = "qmap.train_demonstration"
CONFIG = DemonstrationConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; return the exit status."""
    config = parse(CONFIG, PROGRAM, __doc__, arguments)
    world = find_world(config.env)
    with nothing_to_lose():
        trail = replay(read_actions(config.demonstration), world, config.env_timeout)
        trail.check_deficit(config.deficit)
        # Only now is TensorFlow loaded, which takes seconds.
        with quiet():
            from qmap.demonstration.training import train
    return train(config, world, trail, PROGRAM)


if __name__ == "__main__":
    command_line.run(main)
