"""What README and docs tell people to type is taken, and what they point at is there."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmap.parse_config import parse
from qmap.utils.curves import student_interval
from qmap.utils.errors import UserError

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *sorted(ROOT.glob("docs/*.md"))]
# What the reader fills in, a run or a file of their own.
OF_THE_READER = re.compile(r"\b(RUN|CKPT|FILE|DIR|HOST)\b|key\.actions")


def commands(page: str) -> Iterator[tuple[str, ...]]:
    """The module and the words after it of each command of ours, in blocks and in sentences."""
    page = re.sub(r"\\\n\s*", " ", page)
    fenced = re.findall(r"```\w*\n(.*?)```", page, re.DOTALL)
    page = re.sub(r"```\w*\n.*?```", "", page, flags=re.DOTALL)
    lines = page.splitlines() + [line for block in fenced for line in block.splitlines()]
    sentences = "\n".join(line for line in lines if not line.startswith("    "))
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", sentences)]
    for line in [*spans, *(line for line in lines if line.startswith("    "))]:
        found = re.search(r"python -m ((?:qmap|benchmarks)[.\w]*)([^|>&]*)", line)
        if found:
            yield found[1], *shlex.split(found[2], comments=True)


COMMANDS = sorted({each for page in PAGES for each in commands(page.read_text(encoding="utf-8"))})


def test_commands_are_found_in_blocks_and_in_sentences() -> None:
    page = (
        "A `python -m qmap.evaluate\nCKPT --video`, then\n\n    python -m qmap.page maze  # click\n"
    )
    assert list(commands(page)) == [("qmap.evaluate", "CKPT", "--video"), ("qmap.page", "maze")]
    assert len(COMMANDS) > 100


def anchors(page: str) -> set[str]:
    """How links name the headings of a page: lower case, hyphens for spaces, no punctuation."""
    page = re.sub(r"```\w*\n.*?```", "", page, flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINKS = sorted(
    {
        (str(page.relative_to(ROOT)), link)
        for page in PAGES
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
        if not link.startswith("http")
    }
)


def test_anchors_are_made_of_headings_as_browsers_expect_them() -> None:
    assert anchors("# On level 2.1\n## Why, and how?\n") == {"on-level-21", "why-and-how"}


@pytest.mark.parametrize(("page", "link"), LINKS, ids=str)
def test_a_link_leads_to_a_file_and_a_heading_in_it(page: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.exists()
    assert not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


NUMBER = r"\d[\d,]*(?:\.\d+)?"
SUMMARY = re.compile(
    rf"({NUMBER})\**(?: %)?(?: ± ({NUMBER}))?(?: %)? \(({NUMBER}(?:, {NUMBER})+)\)"
)


def summaries(page: str) -> Iterator[tuple[str, float, float | None, list[float], float]]:
    """The means in a page with the seeds behind them: text, mean, interval, seeds, precision."""
    for found in SUMMARY.finditer(page):
        mean, interval, *_ = found.groups()
        seeds = [number(each) for each in found[3].split(", ")]
        precision = 10.0 ** -len(mean.partition(".")[2])
        yield found[0], number(mean), interval and number(interval), seeds, precision


def number(text: str) -> float:
    return float(text.replace(",", ""))


def test_summaries_are_found() -> None:
    assert list(
        summaries("| **1,548** ± 90 (1,575, 1,563, 1,507) | at 4 (2) | 0.5 (0.4, 0.6) |")
    ) == [
        ("1,548** ± 90 (1,575, 1,563, 1,507)", 1548, 90, [1575, 1563, 1507], 1),
        ("0.5 (0.4, 0.6)", 0.5, None, [0.4, 0.6], 0.1),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_means_and_intervals_are_those_of_the_seeds_beside_them(page: Path) -> None:
    for text, mean, interval, seeds, precision in summaries(page.read_text(encoding="utf-8")):
        # The seeds are rounded, too.
        assert mean == pytest.approx(np.mean(seeds), abs=1.001 * precision), text
        if interval is not None:
            low, high = student_interval(np.array(seeds)[:, None], 95)
            half = (high - low).item() / 2
            assert interval == pytest.approx(half, rel=0.02, abs=2 * precision), text


class Taken(BaseException):
    """The program has read its command line."""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_is_one_that_its_program_takes(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, *words = command
    if not words or "..." in words or any(word.startswith("[") for word in words):
        assert importlib.util.find_spec(name)  # it is only spoken of
        return
    words = ["mario-ddqn" if word == "NAME" else word for word in words]
    is_package = (ROOT / name.replace(".", "/")).is_dir()
    module = importlib.import_module(f"{name}.__main__" if is_package else name)
    if hasattr(module, "CONFIG") and not OF_THE_READER.search(" ".join(words)):
        try:
            parse(module.CONFIG, name, "", words)  # its options fit together, too
        except UserError as error:
            if "ROM" not in str(error):  # which nobody may ship
                raise
    read = argparse.ArgumentParser.parse_args

    def parse_args(parser: argparse.ArgumentParser, *given: Any) -> None:
        raise Taken(read(parser, *given))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    monkeypatch.setattr(sys, "argv", [name, *words])
    with pytest.raises(Taken):
        module.main()
