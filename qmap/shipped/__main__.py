"""Add a trained agent to those that ship: `python -m qmap.shipped CKPT NAME`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qmap.shipped.ship import ship
from qmap.utils.command_line import OneLineParser, run
from qmap.utils.errors import UserError


def main(arguments: Sequence[str] | None = None) -> None:
    """Add it, as the command line says."""
    parser = OneLineParser(
        prog="python -m qmap.shipped", description="Add a trained agent to those that ship."
    )
    parser.add_argument("checkpoint", metavar="CKPT", type=Path, help="RUN/tensorflow/step_N.ckpt")
    parser.add_argument("name", metavar="NAME", help="what it is called on the command line")
    options = parser.parse_args(arguments)
    if not options.name.isidentifier():
        raise UserError(f"NAME is {options.name!r}, expected letters, digits and underscores")
    print(ship(options.checkpoint, options.name))


if __name__ == "__main__":
    run(main)
