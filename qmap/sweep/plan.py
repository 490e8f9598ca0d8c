"""From a file to a list of jobs, each checked by its own program's configuration.

program = "train_mario"           # or tables [programs.NAME], see below
path = "qmap_results/my_sweep"
seeds = 3                         # 0, 1 and 2; or a list of them

[options]                         # what all runs share
level = "1.1"
videos = false                    # a flag --no-NAME is NAME = false

[agents.random]                   # options under a name
dqn = false
qmap = false

[vary]                            # every value with every other
level = ["1.1", "1.2"]

Several programs have a table each, with options that only they have. NAME is the program, or any
name if the table has `program = "train_mario"`. An agent that is not for all of them has a list,
`programs = [NAME, ...]`.
"""

from __future__ import annotations

import difflib
import importlib
import itertools
import pkgutil
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qmap
from qmap.parse_config import begun_with
from qmap.run_options import RunOptions
from qmap.sweep.job import Job
from qmap.utils.command_line import Option, options_of, shown, whole_number
from qmap.utils.errors import UserError
from qmap.utils.files import cannot

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = ("program", "programs", "path", "seeds", "options", "agents", "vary")
# These belong to the sweep, or to a person at a screen.
OF_THE_SWEEP = {
    "seed": "seeds are given by `seeds`",
    "path": "the folder is given by `path` above the tables",
    "resume": "a sweep resumes its runs by itself",
    "render": "runs of a sweep have no window",
}

Options = dict[str, Any]
_Agent = tuple[Options, list[str]]


def read_plan(
    file: Path, seeds: str | None = None, vary: Sequence[str] = (), path: str | None = None
) -> list[Job]:
    """Return the jobs of a file, all seeds 0 first.

    Args:
        file: see the top of this module.
        seeds: in place of the file's, a number of them, or several separated by commas.
        vary: further axes, each OPTION=a,b,c, in place of the file's of the same name.
        path: in place of the file's.

    Raises:
        UserError: there is no such program, option or value, or they do not fit together.
    """
    plan = _read(file)
    if unknown := [key for key in plan if key not in KEYS]:
        raise UserError(f"{file} has {shown(unknown[0])}; expected {', '.join(KEYS)}")
    programs = _programs(file, plan)
    results = path or plan.get("path")
    if not isinstance(results, str) or not results:
        raise UserError(f"{file} has no path; expected the folder of the results, as text")
    agents = _agents(file, plan, list(programs))
    axes = _table(file, plan, "vary")
    for name, values in axes.items():
        if not isinstance(values, list) or not values:
            raise UserError(f"{file}, vary: {name} is {shown(values)}; expected a list of values")
    for text in vary:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise UserError(f"--vary {text}: expected OPTION=a,b,c")
        axes[_named(name)] = values.split(",")
    all_seeds = _seeds(f"{file}: seeds", plan.get("seeds", 1)) if seeds is None else _typed(seeds)

    jobs = []
    shared = _table(file, plan, "options")
    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    for seed, (name, (program, of_program)), point, (agent, (of_agent, its)) in itertools.product(
        all_seeds, programs.items(), points, agents.items()
    ):
        if name not in its:
            continue
        given = {**shared, **of_program, **of_agent, **point}
        parts = [name] * (len(programs) > 1 or not agent)
        parts += [agent] * bool(agent)
        parts += [f"{name}={_written(value)}" for name, value in point.items()]
        parts = [re.sub(r"[^\w.+=-]", "-", part) for part in parts]
        label = "_".join(parts)
        own = {"seed": seed, "path": str(Path(results) / label)}
        config = _config(f"{file}, {label}", program, given, own)
        jobs.append(Job(tuple(parts), program, config))
    names = [job.name for job in jobs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"{file} describes {twice[0]!r} twice; expected different seeds and values")
    return jobs


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise cannot("read", file, error) from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{file} is not a TOML file: {reason}") from error


def _table(file: Path, plan: dict[str, Any], name: str) -> Options:
    table = plan.get(name, {})
    if not isinstance(table, dict):
        raise UserError(f"{file}: {name} is {shown(table)}; expected a table [{name}]")
    return {_named(key): value for key, value in table.items()}


def _tables(file: Path, plan: dict[str, Any], name: str) -> dict[str, Options]:
    tables = plan.get(name, {})
    if not isinstance(tables, dict):
        raise UserError(f"{file}: {name} is {shown(tables)}; expected tables [{name}.NAME]")
    return {key: _table(file, tables, key) for key in tables}


def _named(key: str) -> str:
    """Return an option's name: `stop-at` and `--stop-at` are `stop_at`."""
    return key.lstrip("-").replace("-", "_")


def _programs(file: Path, plan: dict[str, Any]) -> dict[str, tuple[str, Options]]:
    """Return programs by what they are called: the module, and options that only it has."""
    if ("program" in plan) == ("programs" in plan):
        raise UserError(f"{file}: expected either program = NAME or tables [programs.NAME]")
    programs = {}
    for name, table in (_tables(file, plan, "programs") or {plan.get("program"): {}}).items():
        options = dict(table)
        module = _module(file, options.pop("program", name))
        programs[name if "program" in table else module.rpartition(".")[2]] = module, options
    return programs


def _agents(file: Path, plan: dict[str, Any], programs: list[str]) -> dict[str, _Agent]:
    """Return agents by name: options that only they have, and the programs that they are for."""
    agents = {}
    for name, options in (_tables(file, plan, "agents") or {"": {}}).items():
        its = options.pop("programs", programs)
        if not isinstance(its, list) or not its or any(each not in programs for each in its):
            raise UserError(
                f"{file}, agents: programs of {name} is {shown(its)}; "
                f"expected a list of some of {', '.join(programs)}"
            )
        agents[name] = options, its
    return agents


def _module(file: Path, name: Any) -> str:
    """Return the module of a program: `train_mario` is `qmap.train_mario`."""
    ours = sorted(each.name for each in pkgutil.iter_modules(qmap.__path__))
    ours = [each for each in ours if each.startswith("train_")]
    module = f"qmap.{name}" if name in ours else name
    try:
        config = importlib.import_module(module).CONFIG
        if issubclass(config, RunOptions):
            return module
    except (ImportError, AttributeError, TypeError, ValueError):
        pass
    raise UserError(f"{file}: there is no program {shown(name)}; expected one of {', '.join(ours)}")


def _config(where: str, program: str, given: Options, own: Options) -> RunOptions:
    """Return the configuration of a program with the given options and the sweep's own."""
    config = importlib.import_module(program).CONFIG
    known = options_of(config)
    for name, why in OF_THE_SWEEP.items():
        if name in given:
            raise UserError(f"{where}: {name} cannot be given; {why}")
    values = {name: _value(where, known, name, value) for name, value in {**given, **own}.items()}
    try:
        # A run is known by the values, of a recipe in place of its name.
        values = begun_with(config, values)
        values.pop("recipe", None)
        made = config(**values)
        made.check()
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    return made


def _value(where: str, known: dict[str, Option], name: str, value: Any) -> Any:
    if name not in known:
        positive = name.removeprefix("no_")
        close = difflib.get_close_matches(name, known, 1)
        hint = f"{positive} = false" if positive in known else close[0] if close else "--help"
        raise UserError(f"{where}: there is no option {name!r}; expected {hint!r} maybe")
    option = known[name]
    try:
        if isinstance(value, str) and not option.listed:
            if option.kind is bool:
                return {"true": True, "false": False}[value]
            return option.read(value)
        return option.check(value)
    except (ValueError, KeyError) as error:
        expected = option.expected if isinstance(error, KeyError) else error
        raise UserError(f"{where}: {name} is {shown(value)}, expected {expected}") from error


def _typed(text: str) -> list[int]:
    """Return the seeds that were typed: how many, or which."""
    try:
        numbers = [whole_number(each) for each in text.split(",") if each]
    except (ValueError, ArithmeticError):
        numbers = []
    return _seeds("--seeds", numbers if "," in text or not numbers else numbers[0], text)


def _seeds(where: str, given: Any, text: str | None = None) -> list[int]:
    seeds = list(range(min(given, 10_000))) if type(given) is int else given
    fits = isinstance(seeds, list) and seeds and all(type(each) is int for each in seeds)
    if not fits:
        raise UserError(f"{where} {text or shown(given)}: expected how many, or a list of numbers")
    return seeds


def _written(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return "+".join(str(each).lower() if isinstance(each, bool) else str(each) for each in values)
