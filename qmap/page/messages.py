"""What comes in from a page: a JSON object with a word for what to do, each part of it checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

LONGEST = 4096  # characters


class BadMessage(Exception):
    """A message that no page of this project sends; the text says what is wrong."""


def parse(text: str) -> dict[str, Any]:
    """Return a message, with `message["do"]` a word.

    Raises:
        BadMessage: it is none.
    """
    if len(text) > LONGEST:
        raise BadMessage(f"a message of {len(text)} characters, expected at most {LONGEST}")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("do"), str):
        raise BadMessage("expected an object with the word 'do'")
    return message


def number(message: dict[str, Any], name: str, least: int, most: int) -> int:
    """Return a whole number of a message, `least` to `most`; see `parse` for what is raised."""
    value = message.get(name)
    if type(value) is not int or not least <= value <= most:
        raise BadMessage(f"{name!r} is not a whole number from {least} to {most}")
    return value


def word(message: dict[str, Any], name: str, choices: Sequence[str]) -> str:
    """Return a word of a message, one of `choices`; see `parse` for what is raised."""
    value = message.get(name)
    if not isinstance(value, str) or value not in choices:
        raise BadMessage(f"{name!r} is not one of {', '.join(choices)}")
    return value


def text(message: dict[str, Any], name: str) -> str:
    """Return a text of a message; see `parse` for what is raised."""
    value = message.get(name)
    if not isinstance(value, str):
        raise BadMessage(f"{name!r} is not a text")
    return value
