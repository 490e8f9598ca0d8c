"""Command lines made of dataclasses: one field, one flag, one line of help.

A program describes what it can be told as a dataclass whose fields are made with `option`; the
defaults live there and nowhere else. `parse` returns an instance with what the user typed, `typed`
returns only that. `run` turns `UserError` into one line on standard error and exit status 2.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar, get_type_hints

from qmap.utils.errors import UserError

Options = TypeVar("Options")


def option(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[Any] | None = None,
    aliases: Sequence[str] = (),
    nargs: str | None = None,
    metavar: str | None = None,
) -> Any:
    """A dataclass field that is a flag of the same name (`train_every` is `--train-every`).

    A `bool` field that defaults to True becomes `--no-name`, one that defaults to False `--name`.
    Bounds: `minimum <= value <= maximum`, `above < value < below`; `choices` lists what is allowed.
    """
    metadata = {
        "help": help,
        "bounds": (minimum, maximum, above, below),
        "choices": choices,
        "aliases": aliases,
        "nargs": nargs,
        "metavar": metavar,
    }
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose complaints are a single line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        """Print `message` and where help is, exit with status 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())} (--help lists the flags)\n")


def typed(
    options: type[Options],
    description: str,
    arguments: Sequence[str] | None = None,
    program: str | None = None,
) -> dict[str, Any]:
    """Return only what the user typed: a dictionary from field name to checked value."""
    parser = OneLineParser(
        prog=program,
        description=description,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    hints = get_type_hints(options)
    for field in dataclasses.fields(options):  # type: ignore[arg-type]
        if "help" in field.metadata:
            _add_flag(parser, field, hints[field.name])
    return vars(parser.parse_args(arguments))


def parse(
    options: type[Options],
    description: str,
    arguments: Sequence[str] | None = None,
    program: str | None = None,
) -> Options:
    """Return an instance of the dataclass `options` filled from the command line."""
    return options(**typed(options, description, arguments, program))


def run(main: Callable[[], int | None]) -> NoReturn:
    """Call `main` and exit: what it returns or 0, 2 with a line on a `UserError`, 130 on Ctrl-C."""
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    sys.exit(status or 0)


def flag_of(name: str, default: Any = None) -> str:
    """Return a field's flag: `--train-every` for `train_every`, `--no-dqn` for a True `dqn`."""
    return ("--no-" if default is True else "--") + name.replace("_", "-")


def _add_flag(parser: argparse.ArgumentParser, field: dataclasses.Field, hint: Any) -> None:
    metadata = field.metadata
    default = field.default
    if default is dataclasses.MISSING:
        default = field.default_factory()  # type: ignore[misc]
    flags = [flag_of(field.name, default), *metadata["aliases"]]
    if isinstance(default, bool):
        action = "store_false" if default else "store_true"
        parser.add_argument(*flags, dest=field.name, action=action, help=metadata["help"])
        return
    shown = "" if default is None or default == [] else f" (default {default})"
    kind = _kind_of(hint)
    arguments: dict[str, Any] = {
        "dest": field.name,
        "type": _checked(kind, metadata["bounds"]),
        "help": (metadata["help"] + shown).replace("%", "%%"),
        "metavar": metadata["metavar"] or {int: "N", float: "X"}.get(kind, "TEXT"),
    }
    if metadata["nargs"]:
        arguments["nargs"] = metadata["nargs"]
    if metadata["choices"]:
        arguments["choices"] = list(metadata["choices"])
        arguments["metavar"] = "{" + ",".join(map(str, metadata["choices"])) + "}"
    parser.add_argument(*flags, **arguments)


def _kind_of(hint: Any) -> type:
    """Return int, float or str from an annotation such as `float | None` or `list[str]`."""
    for kind in (int, float):
        if kind is hint or kind in getattr(hint, "__args__", ()):
            return kind
    return str


def _checked(kind: type, bounds: tuple[float | None, ...]) -> Callable[[str], Any]:
    """Return a converter that refuses values outside the bounds, saying what was expected."""
    minimum, maximum, above, below = bounds
    expected = {int: "a whole number", float: "a number", str: "text"}[kind]
    limits = [
        f"{words} {bound}"
        for words, bound in (
            ("at least", minimum),
            ("above", above),
            ("at most", maximum),
            ("below", below),
        )
        if bound is not None
    ]
    expected = " ".join([expected, " and ".join(limits)]).strip()

    def convert(text: str) -> Any:
        try:
            value = kind(text)
            ok = not isinstance(value, float) or math.isfinite(value)
        except ValueError:
            ok = False
        if ok and limits:
            ok = (
                (minimum is None or value >= minimum)
                and (maximum is None or value <= maximum)
                and (above is None or value > above)
                and (below is None or value < below)
            )
        if not ok:
            raise argparse.ArgumentTypeError(f"{text!r} given, expected {expected}")
        return value

    return convert
