from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

from qmap.utils.command_line import called_as, option, options_of, parse, run, typed
from qmap.utils.errors import UserError


@dataclass(frozen=True)
class Options:
    """One of each kind."""

    steps: int = option(100, "steps", minimum=1)
    train_every: int = option(4, "steps between trainings", minimum=1, maximum=10)
    lr: float = option(0.1, "learning rate, 100 % of it", above=0, below=1)
    level: str = option("1.1", "level", choices=("1.1", "1.2"))
    seed: int | None = option(None, "seed", minimum=0)
    dqn: bool = option(True, "leave out the DQN")
    render: bool = option(False, "show it")
    without: list[str] = option([], "what to leave out", nargs="+", aliases=("--witout",))
    freqs: list[float] = option([1.0], "numbers", nargs="*", minimum=0)


def type_in(line: str) -> dict[str, Any]:
    return typed(Options, "A program.", line.split(), program="program")


def test_only_what_was_typed_is_returned() -> None:
    assert type_in("") == {}
    assert type_in("--steps 100") == {"steps": 100}
    assert type_in("--no-dqn --render") == {"dqn": False, "render": True}


def test_defaults_fill_what_was_not_typed() -> None:
    assert parse(Options, "A program.", []) == Options()
    options = parse(Options, "A program.", ["--steps", "7", "--lr", "1e-3", "--no-dqn"])
    assert options == Options(steps=7, lr=1e-3, dqn=False)


def test_values_have_the_kind_of_their_field() -> None:
    options = type_in("--train-every 5 --lr 0.5 --level 1.2 --freqs 1 2.5 --without a b")
    assert options == {
        "train_every": 5,
        "lr": 0.5,
        "level": "1.2",
        "freqs": [1.0, 2.5],
        "without": ["a", "b"],
    }


def test_a_flag_is_taken_back_by_its_opposite_and_the_last_one_wins() -> None:
    assert type_in("--no-render --dqn") == {"render": False, "dqn": True}
    assert type_in("--render --no-render") == {"render": False}
    assert type_in("--no-render --render") == {"render": True}


def test_none_takes_a_value_back_where_it_is_no_text() -> None:
    @dataclass
    class Optional:
        seed: int | None = option(7, "seed")
        lr: float | None = option(0.1, "learning rate", above=0)
        level: str | None = option("1.1", "level", choices=("1.1", "1.2"))
        load: str | None = option(None, "file")

    line = ["--seed", "none", "--lr", "none", "--level", "none", "--load", "none"]
    found = typed(Optional, "A program.", line, program="program")
    assert found == {"seed": None, "lr": None, "level": None, "load": "none"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("render", True, "--render"),
        ("render", False, "--no-render"),
        ("dqn", True, "--dqn"),
        ("dqn", False, "--no-dqn"),
        ("seed", 3, "--seed 3"),
        ("seed", None, "--seed none"),
        ("freqs", [1.0, 2.5], "--freqs 1.0 2.5"),
    ],
)
def test_what_is_typed_for_a_value_is_read_as_it(name: str, value: Any, words: str) -> None:
    assert options_of(Options)[name].written(value) == words
    assert type_in(words) == {name: value}


def test_a_list_that_is_a_default_is_not_shared() -> None:
    assert Options().without is not Options().without


def test_both_spellings_of_a_flag_are_taken() -> None:
    assert type_in("--witout x") == type_in("--without x") == {"without": ["x"]}


def test_a_flag_is_the_name_of_its_field() -> None:
    flags = {name: each.flag for name, each in options_of(Options).items()}
    assert flags["train_every"] == "--train-every"
    assert flags["dqn"] == "--no-dqn"
    assert flags["render"] == "--render"


@pytest.mark.parametrize(
    ("text", "steps"),
    [("1e6", 10**6), ("5E5", 500_000), ("1_000_000", 10**6), ("1.5e3", 1500), ("7.0", 7)],
)
def test_whole_numbers_may_be_written_as_people_write_them(text: str, steps: int) -> None:
    found = type_in(f"--steps {text}")["steps"]
    assert (found, type(found)) == (steps, int)


def test_a_value_in_a_file_is_held_to_what_the_command_line_takes() -> None:
    known = options_of(Options)
    assert known["lr"].check(0.5) == known["lr"].read("0.5") == 0.5
    assert type(known["freqs"].check([1])[0]) is float, "JSON may write a whole number without .0"
    assert known["seed"].check(None) is None
    for name, value, said in [
        ("steps", 0, "a whole number at least 1"),
        ("steps", 7.0, "a whole number at least 1"),
        ("steps", "7", "a whole number at least 1"),
        ("steps", True, "a whole number at least 1"),
        ("steps", None, "a whole number at least 1"),
        ("lr", 10**400, "a number above 0 and below 1"),
        ("level", "9.9", "one of 1.1, 1.2"),
        ("dqn", 1, "true or false"),
        ("without", "a", "a list, each text"),
        ("freqs", [1.0, -1.0], "a number at least 0"),
    ]:
        with pytest.raises(ValueError, match=f"^{said}$"):
            known[name].check(value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--stepss 3", "unrecognized arguments: --stepss"),
        ("--step 3", "unrecognized arguments: --step"),
        ("stray", "unrecognized arguments: stray"),
        ("--steps", "--steps: expected one argument"),
        ("--steps 0", "'0' given, expected a whole number at least 1"),
        ("--steps -5", "'-5' given, expected a whole number at least 1"),
        ("--steps 1.5", "'1.5' given, expected a whole number"),
        ("--steps 1e-1", "'1e-1' given, expected a whole number"),
        ("--steps 1e999999999", "expected a whole number"),
        ("--steps inf", "expected a whole number"),
        ("--steps nan", "expected a whole number"),
        ("--steps many", "'many' given, expected a whole number"),
        ("--steps " + "9" * 5000, "expected a whole number"),
        ("--train-every 11", "'11' given, expected a whole number at least 1 and at most 10"),
        ("--lr 0", "'0' given, expected a number above 0 and below 1"),
        ("--lr 1", "'1' given, expected a number above 0 and below 1"),
        ("--lr nan", "'nan' given, expected a number"),
        ("--lr inf", "'inf' given, expected a number"),
        ("--lr x", "'x' given, expected a number"),
        ("--level 9.9", "'9.9' given, expected one of 1.1, 1.2"),
        ("--seed -1", "'-1' given, expected a whole number at least 0"),
        ("--render yes", "unrecognized arguments: yes"),
        ("--without", "expected at least one argument"),
        ("--freqs 1 -2", "-2"),
        ("--freqs 1 inf", "'inf' given, expected a number"),
        ("--steps none", "'none' given, expected a whole number"),
    ],
)
def test_what_cannot_be_understood_is_one_line_and_exit_status_2(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        type_in(line)
    output = capsys.readouterr()
    assert exit_.value.code == 2
    assert output.out == ""
    assert output.err.startswith("python -m program: ")
    assert output.err.endswith("\n")
    assert output.err.count("\n") == 1
    assert said in output.err
    assert len(output.err) < 200


def test_a_line_break_in_a_value_does_not_make_a_second_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments in (["--steps", "a\nb"], ["--level", "a\nb"]):
        with pytest.raises(SystemExit):
            typed(Options, "A program.", arguments, program="program")
        assert capsys.readouterr().err.count("\n") == 1


def help_of(options: type, capsys: pytest.CaptureFixture[str], *groups: str) -> str:
    """What --help prints, in one line."""
    with pytest.raises(SystemExit) as exit_:
        typed(options, "A program.", ["--help"], "program", groups)
    assert exit_.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def test_help_lists_every_flag_with_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    output = help_of(Options, capsys)
    for text in ("--no-dqn", "--render", "--train-every N", "(default 4)", "{1.1,1.2}", "100 %"):
        assert text in output
    for text in ("--dqn", "--no-render"):
        assert f" {text} " not in output, "the opposite of a flag takes no line of its own"
    assert output.startswith("usage: python -m program [options] A program.")


@pytest.mark.parametrize("name", ["accuracy", "all_goals", "exploration", "tabular", "wandering"])
def test_a_benchmark_is_called_by_its_module(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module(f"benchmarks.{name}").main(["--help"])
    assert capsys.readouterr().out.startswith(f"usage: python -m benchmarks.{name} [options]")


def test_help_groups_the_options_in_the_order_that_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @dataclass
    class Grouped:
        speed: int = option(1_000_000, "how fast", group="machine")
        what: str = option("", "what to do", group="task")
        which: list[str] = option(["a", "b"], "which of them", nargs="+", group="task")

    output = help_of(Grouped, capsys, "task", "machine")
    assert output.index("task:") < output.index("--what") < output.index("machine:")
    assert output.index("machine:") < output.index("--speed")
    assert "what to do --which" in output, "an empty default is not shown"
    assert "(default a b)" in output
    assert "(default 1_000_000)" in output


def test_a_program_names_itself_as_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    main.__spec__ = ModuleSpec("qmap.utils.plot", None)
    assert called_as() == "python -m qmap.utils.plot"
    main.__spec__ = None
    monkeypatch.setattr(sys, "argv", ["/somewhere/train.py", "--steps"])
    assert called_as() == "train.py"


def test_a_user_error_is_one_line_and_exit_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise UserError("the thing is missing; expected a thing")

    with pytest.raises(SystemExit) as exit_:
        run(main)
    assert exit_.value.code == 2
    assert capsys.readouterr().err == "error: the thing is missing; expected a thing\n"


@pytest.mark.parametrize(("status", "code"), [(None, 0), (0, 0), (130, 130)])
def test_the_status_of_a_program_is_what_it_returns(status: int | None, code: int) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(lambda: status)
    assert exit_.value.code == code


def test_a_mistake_of_the_program_keeps_its_traceback() -> None:
    def main() -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        run(main)


def test_ctrl_c_is_an_exit_status_and_no_traceback() -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stopped:
        run(interrupted)
    assert stopped.value.code == 130
