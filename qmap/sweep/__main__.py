"""Many runs from one file: `python -m qmap.sweep FILE`.

FILE says which programs, options, values and seeds (see `qmap.sweep.plan` and `sweeps/`). Each run
is a process of its own. The sweep may be stopped at any time; the same command goes on with what is
not finished.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from qmap.sweep.driver import drive
from qmap.sweep.plan import read_plan
from qmap.sweep.pool import LocalPool, Pool
from qmap.utils.command_line import OneLineParser, run, whole_number
from qmap.utils.errors import UserError
from qmap.utils.files import cannot


def main(arguments: Sequence[str] | None = None) -> int:
    """Do, print or sum up a sweep; return the exit status."""
    options = _parser().parse_args(arguments)
    jobs = read_plan(options.file, options.seeds, options.vary, options.path)
    if options.print:
        for job in jobs:
            if not job.finished():
                print(shlex.join(["python", *job.command(job.run())]))
        return 0
    folder = jobs[0].folder.parent
    if options.summary:
        # pandas and Matplotlib take a second to load.
        from qmap.sweep.summary import sum_up

        sum_up(jobs, folder)
        return 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            pool = _pool(options, folder)
            try:
                return drive(jobs, pool, options.retries)
            finally:
                pool.close()
    except Timeout:
        raise UserError(
            f"another sweep is at work in {folder}; wait for it or stop it first"
        ) from None
    except OSError as error:
        raise cannot("write", folder, error) from error


def _pool(options: Any, folder: Path) -> Pool:
    if options.ray is None:
        if options.gpus is not None:
            raise UserError("--gpus does nothing without --ray: runs here share the GPUs there are")
        return LocalPool(options.jobs, options.cores)
    from qmap.sweep.cluster import RayPool

    return RayPool(options.ray, options.jobs, options.cores or 1, options.gpus or 0.0, folder)


def _parser() -> OneLineParser:
    parser = OneLineParser(prog="python -m qmap.sweep", description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE", type=Path, help="a TOML file, as those in sweeps/")
    for flag, metavar, kind, words in (
        ("--seeds", "N", str, "how many seeds, or which, as 0,1,5; in place of the file's"),
        ("--path", "DIR", str, "folder of the results, in place of the file's"),
        ("--jobs", "N", _least(1), "runs at a time (default: as many as there are cores for)"),
        ("--cores", "N", _least(1), "of each run (default: its share of this machine's; 1 on Ray)"),
        ("--ray", "ADDRESS", str, "run on a Ray cluster: HOST:PORT, or auto for the one here"),
        ("--gpus", "X", _share, "of each run on Ray, 0.25 for four runs a GPU (default 0)"),
    ):
        parser.add_argument(flag, metavar=metavar, type=kind, help=words)
    parser.add_argument(
        "--vary",
        metavar="OPTION=a,b,c",
        action="append",
        default=[],
        help="every run with each of these values; may be given several times",
    )
    parser.add_argument(
        "--retries",
        metavar="N",
        type=_least(0),
        default=3,
        help="times that a run which ended too early is started again (default 3)",
    )
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument(
        "--print", action="store_true", help="only print the command lines of what is not finished"
    )
    modes.add_argument(
        "--summary", action="store_true", help="only write a table and a figure of what is there"
    )
    return parser


def _share(text: str) -> float:
    try:
        if 0 <= (number := float(text)) <= 1024:
            return number
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} given, expected a number from 0")


def _least(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            if (number := whole_number(text)) >= least:
                return number
        except (ValueError, ArithmeticError):
            pass
        raise argparse.ArgumentTypeError(f"{text!r} given, expected a number from {least}")

    return read


if __name__ == "__main__":
    run(main)
