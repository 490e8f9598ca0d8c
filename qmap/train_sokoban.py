"""Learn the ways of the character, or of boxes, in Sokoban: `python -m qmap.train_sokoban`."""

from __future__ import annotations

from collections.abc import Sequence

from qmap.all_goals.config import SokobanConfig
from qmap.parse_config import parse
from qmap.utils import command_line
from qmap.utils.interrupt import nothing_to_lose
from qmap.utils.quiet import quiet

PROGRAM = "qmap.train_sokoban"
CONFIG = SokobanConfig


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; return the exit status."""
    config = parse(CONFIG, PROGRAM, __doc__, arguments)
    # Only now is TensorFlow loaded, which takes seconds.
    with quiet(), nothing_to_lose():
        from qmap.all_goals.training import train
    return train(config, PROGRAM, f"sokoban-{config.size}-{config.boxes}")


if __name__ == "__main__":
    command_line.run(main)
