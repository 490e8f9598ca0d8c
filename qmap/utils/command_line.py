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
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints

from qmap.utils.errors import UserError
from qmap.utils.terminal import outlive_the_audience

Options = TypeVar("Options")
NONE = "none"  # what is typed for None


def option(
    default: Any,
    help: str,
    *,
    group: str = "options",
    may_differ: bool = False,
    needs: Sequence[str] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[Any] = (),
    aliases: Sequence[str] = (),
    nargs: str | None = None,
    metavar: str | None = None,
) -> Any:
    """A dataclass field that is a flag of the same name (`train_every` is `--train-every`).

    A `bool` field becomes `--name` and `--no-name`, of which `--help` has the one that changes the
    default. One that may be None, but is no text of any kind, is None by `--name none`.

    Args:
        default: its value where nothing is typed.
        help: its line of `--help`.
        group: the heading above it there.
        may_differ: whether a run that is resumed may have another value than before.
        needs: attributes of the dataclass without any of which the option does nothing.
        minimum: `minimum <= value`; in the same way `value <= maximum`, `above < value < below`.
        maximum: see there.
        above: see there.
        below: see there.
        choices: the values that are allowed, if not all are.
        aliases: further flags.
        nargs: "+" or "*" for a list.
        metavar: what stands for the value in `--help`.
    """
    metadata = {name: value for name, value in locals().items() if name != "default"}
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Option:
    """What a field that `option` made says of itself; see there.

    Attributes:
        name: of the field.
        kind: `bool`, `int`, `float` or `str`, of the value or of each in a list.
        listed: whether the value is a list.
        optional: whether it may be None.
    """

    name: str
    kind: type
    listed: bool
    optional: bool
    default: Any
    help: str
    group: str
    may_differ: bool
    needs: Sequence[str]
    minimum: float | None
    maximum: float | None
    above: float | None
    below: float | None
    choices: Sequence[Any]
    aliases: Sequence[str]
    nargs: str | None
    metavar: str | None

    @property
    def flag(self) -> str:
        """`--train-every` for `train_every`, `--no-dqn` for a `dqn` that defaults to True."""
        return words_of(self.name, not self.default if self.kind is bool else self.default)[0]

    @property
    def unsettable(self) -> bool:
        """Whether `none` stands for None on the command line, as no text of any kind can."""
        return self.optional and (self.kind is not str or bool(self.choices))

    @property
    def expected(self) -> str:
        """What a value has to be, in words."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        kind = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
        limits = [
            f"{words} {bound}"
            for words, bound in (
                ("at least", self.minimum),
                ("above", self.above),
                ("at most", self.maximum),
                ("below", self.below),
            )
            if bound is not None
        ]
        return " ".join([kind[self.kind], " and ".join(limits)]).strip()

    def written(self, value: Any) -> str:
        """Return what is typed for the option to have this value."""
        return " ".join(self.words(value))

    def words(self, value: Any) -> list[str]:
        """Return the same as the words of a command line."""
        return words_of(self.name, value)

    def read(self, text: str) -> Any:
        """Return the value, or one item of the list, that was typed.

        Raises:
            ValueError: it is not what is expected; the message says what that is.
        """
        if self.unsettable and text == NONE:
            return None
        try:
            return self._checked({int: whole_number, float: float, str: str}[self.kind](text))
        except (ValueError, ArithmeticError):
            raise ValueError(self.expected) from None

    def check(self, value: Any) -> Any:
        """Return a value that stood in a file, a whole number as a `float` if it has to be one.

        Raises:
            ValueError: it is not what is expected; the message says what that is.
        """
        if value is None and self.optional:
            return None
        if not self.listed:
            return self._checked(value)
        if not isinstance(value, list):
            raise ValueError(f"a list, each {self.expected}")
        return [self._checked(item) for item in value]

    def _checked(self, value: Any) -> Any:
        """The only check of a value: its kind, its bounds and its choices."""
        if self.kind is float and type(value) is int and abs(value) < sys.float_info.max:
            value = float(value)
        # A bool is an int for `isinstance`.
        fits = type(value) is self.kind and (self.kind is not float or math.isfinite(value))
        fits = fits and (not self.choices or value in self.choices)
        if not (
            fits
            and (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        ):
            raise ValueError(self.expected)
        return value


def words_of(name: str, value: Any) -> list[str]:
    """Return the words of a command line with which the option of this name has this value."""
    dashed = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{dashed}" if value else f"--no-{dashed}"]
    values = value if isinstance(value, list) else [NONE if value is None else value]
    return [f"--{dashed}", *map(str, values)]


def options_of(options: type) -> dict[str, Option]:
    """Return the options of a dataclass by the names of their fields."""
    hints = get_type_hints(options)
    found = {}
    for field in dataclasses.fields(options):
        if "help" in field.metadata:
            missing = field.default is dataclasses.MISSING
            kinds = get_args(hints[field.name]) or (hints[field.name],)
            found[field.name] = Option(
                name=field.name,
                kind=kinds[0],
                listed=get_origin(hints[field.name]) is list,
                optional=type(None) in kinds,
                default=field.default_factory() if missing else field.default,  # type: ignore[misc]
                **field.metadata,
            )
    return found


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
    groups: Sequence[str] = (),
) -> dict[str, Any]:
    """Return only what the user typed: a dictionary from field name to checked value.

    Args:
        options: a dataclass.
        description: what `--help` says first.
        arguments: what was typed, if not the command line.
        program: the module that is run, "qmap.utils.plot" for one, if not the one that is.
        groups: headings of `--help` in their order; others follow.
    """
    parser = OneLineParser(
        prog=f"python -m {program}" if program else called_as(),
        usage="%(prog)s [options]",
        description=description,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    known = options_of(options).values()
    for group in dict.fromkeys([*groups, *(option.group for option in known)]):
        members = [option for option in known if option.group == group]
        heading = parser.add_argument_group(group) if members and group != "options" else parser
        for member in members:
            _add_flag(heading, member)
    return vars(parser.parse_args(arguments))


def parse(
    options: type[Options],
    description: str,
    arguments: Sequence[str] | None = None,
    program: str | None = None,
) -> Options:
    """Return an instance of the dataclass `options` filled from the command line; see `typed`."""
    return options(**typed(options, description, arguments, program))


def run(main: Callable[[], int | None]) -> NoReturn:
    """Call `main` and exit: what it returns or 0, 2 with a line on a `UserError`, 130 on Ctrl-C."""
    outlive_the_audience()
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130
    except UserError as error:
        print(f"{error.traceback}error: {error}", file=sys.stderr)
        status = 2
    sys.exit(status or 0)


def called_as() -> str:
    """Return how the running program was called: `python -m` and its module, or its file."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return f"python -m {spec.name.removesuffix('.__main__')}" if spec else Path(sys.argv[0]).name


def whole_number(text: str) -> int:
    """Read a whole number: 1000000, 1_000_000 or 1e6.

    Raises:
        ValueError: it is not whole, or has more than 19 digits.
        ArithmeticError: it is no number.
    """
    number = Decimal(text)
    # Asked first: the digits of 1e999999999 would fill the memory.
    if not number.is_finite() or number.adjusted() > 18 or number != number.to_integral_value():
        raise ValueError(text)
    return int(number)


def shown(value: Any) -> str:
    """Return a value as a message shows it: not longer than a line."""
    text = repr(value)
    return text if len(text) < 50 else f"{text[:50]}..."


def _add_flag(parser: argparse._ActionsContainer, option: Option) -> None:
    flags = [option.flag, *option.aliases]
    text = option.help.replace("%", "%%")
    if option.kind is bool:
        changed = not option.default
        keep = partial(parser.add_argument, dest=option.name, action="store_const")
        keep(*flags, const=changed, help=text)
        # What a recipe changes can be changed back.
        keep(*option.words(option.default), const=option.default, help=argparse.SUPPRESS)
        return

    def read(typed: str) -> Any:
        try:
            return option.read(typed)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{shown(typed)} given, expected {error}") from error

    default = option.default
    if default not in (None, "", []):
        words = f"{default:_}" if option.kind is int and not option.listed else default
        words = " ".join(map(str, default)) if option.listed else words
        text += f" (default {words})".replace("%", "%%")
    choices = "{" + ",".join(map(str, option.choices)) + "}" if option.choices else None
    parser.add_argument(
        *flags,
        dest=option.name,
        type=read,
        help=text,
        nargs=option.nargs,
        metavar=option.metavar or choices or {int: "N", float: "X", str: "TEXT"}[option.kind],
    )
