"""Learn Q-frames in the grid world, against the true ones: `python -m qmap.train_gridworld`."""

from __future__ import annotations

from collections.abc import Sequence

from qmap.envs.gridworld_level import load_level
from qmap.gridworld.config import GridWorldConfig
from qmap.parse_config import parse
from qmap.utils import command_line
from qmap.utils.errors import UserError
from qmap.utils.interrupt import nothing_to_lose
from qmap.utils.quiet import quiet

PROGRAM = "qmap.train_gridworld"
CONFIG = GridWorldConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; return the exit status."""
    config = parse(CONFIG, PROGRAM, __doc__, arguments)
    train_level = load_level(config.train_level)
    test_levels = [load_level(level) for level in config.test_levels]
    names = [level.name for level in test_levels]
    if len(set(names)) < len(names):
        raise UserError(f"--test-levels are called {', '.join(names)}: expected different names")
    # Only now is TensorFlow loaded, which takes seconds.
    with quiet(), nothing_to_lose():
        from qmap.gridworld.training import train
    return train(config, train_level, test_levels, PROGRAM)


if __name__ == "__main__":
    command_line.run(main)
