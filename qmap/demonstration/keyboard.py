"""Playing with the keyboard, step by step, to record a demonstration."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

import numpy as np

from qmap.demonstration.actions_file import Step, checksum
from qmap.demonstration.trail import check_saves, pack, unpack
from qmap.envs.vector import Envs
from qmap.utils.drawing import BAR, DIM, TEXT, resize_into, write
from qmap.utils.errors import UserError
from qmap.utils.window import LiveWindow

SAVE, BACK, LEAVE = "return", "backspace", "escape"
STEPS_BACK = 15
DIRECTIONS = ("UP", "DOWN", "LEFT", "RIGHT")
# For buttons that are no direction and have no key of their own name, in this order.
OTHER_KEYS = ("space", "x", "c", "v", "b", "n")
COMPOSED = re.compile(r"(?:UP|DOWN|LEFT|RIGHT|FIRE)+")
SMALLEST_HEIGHT, CAPTION = 400, 44


class WindowClosed(UserError):
    """The window was closed before anybody said what to do with what was played."""


class Keys:
    """Which keys stand for which actions.

    An action's name tells its buttons: JUMP+LEFT and LEFTFIRE have two, NOOP none. Directions are
    the arrow keys, a button of one letter or digit is the key of that name, and the others are
    the space bar, X, C and so on, as far as these are free. No two buttons share a key.

    Args:
        action_names: names of the actions.

    Attributes:
        key_of: the key of each button.
        idle: the action without a button, None if there is none: then a step waits for a key.
    """

    def __init__(self, action_names: Sequence[str]) -> None:
        self._buttons = [_buttons(name) for name in action_names]
        self.idle = next((a for a, held in enumerate(self._buttons) if not held), None)
        self.key_of: dict[str, str] = {}
        buttons = dict.fromkeys(button for held in self._buttons for button in held)
        for button in buttons:
            named = button in DIRECTIONS or (len(button) == 1 and button.isalnum())
            if named and button.lower() not in self.key_of.values():
                self.key_of[button] = button.lower()
        free = [key for key in OTHER_KEYS if key not in self.key_of.values()]
        others = (button for button in buttons if button not in self.key_of)
        self.key_of.update(zip(others, free, strict=False))

    def action(self, held: set[str]) -> int | None:
        """Return the action with the most buttons whose keys are all held; else the idle one."""
        possible = [
            action
            for action, buttons in enumerate(self._buttons)
            if buttons and all(self.key_of.get(button) in held for button in buttons)
        ]
        return max(possible, key=lambda a: len(self._buttons[a]), default=self.idle)

    def help(self) -> str:
        """Say which keys there are."""
        keys = ", ".join(f"{key} {button}" for button, key in self.key_of.items())
        return f"{keys}; {BACK} goes {STEPS_BACK} steps back, {SAVE} saves, {LEAVE} leaves"


def play(
    envs: Envs,
    window: LiveWindow,
    steps: list[Step],
    seconds_per_step: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Let somebody play an episode, until its steps are to be saved.

    Args:
        envs: a single copy, which can save its state.
        window: shows the game and tells the keys.
        steps: empty; what is played is added, whatever ends it.
        seconds_per_step: pace of the game.
        sleep: waits.

    Raises:
        UserError: it was left, nothing was played, or the world has no states.
        WindowClosed: the window was closed.
    """
    keys = Keys(envs.action_names)
    envs.recording = True
    screen = envs.reset().screen
    check_saves(envs)
    states: list[bytes] = []
    over = False
    while True:
        due = time.monotonic() + seconds_per_step
        window.show(_picture(screen, steps, over))
        pressed = window.take_pressed()
        if LEAVE in pressed:
            raise UserError(f"nothing was saved: {SAVE} saves what was played")
        if window.closed:
            raise WindowClosed(f"the window was closed: {SAVE} saves, {LEAVE} leaves")
        if SAVE in pressed:
            break
        if BACK in pressed and steps:
            first = max(len(steps) - STEPS_BACK, 0)
            envs.jump({0: unpack(states[first])})
            screen, over = envs.screen(), False
            del steps[first:], states[first:]
        # Who taps a key for less than a step means it too.
        asked = window.held | set(pressed) if keys.idle is not None else set(pressed)
        action = None if over or BACK in pressed else keys.action(asked)
        if action is not None:
            states.append(pack(envs.state()["00"]))
            view, (reward,), (terminal,), (truncation,) = envs.step(np.array([action]))
            steps.append(Step(envs.action_names[action], float(reward), checksum(screen)))
            screen, over = view.screen, bool(terminal or truncation)
        sleep(max(due - time.monotonic(), 0.0))
    if not steps:
        raise UserError("nothing was played: there is no demonstration to save")


def _buttons(name: str) -> frozenset[str]:
    found: set[str] = set()
    for part in name.split("+"):
        if COMPOSED.fullmatch(part):
            found.update(re.findall("UP|DOWN|LEFT|RIGHT|FIRE", part))
        elif part not in ("", "NOOP"):
            found.add(part)
    return frozenset(found)


def _picture(screen: np.ndarray, steps: Sequence[Step], over: bool) -> np.ndarray:
    """Return the screen, enlarged, and below it how things stand."""
    height, width = screen.shape[:2]
    times = max(-(-SMALLEST_HEIGHT // height), 1)
    picture = np.full((height * times + CAPTION, max(width * times, 480), 3), BAR, np.uint8)
    resize_into(screen, picture[: height * times, : width * times])
    score = sum(step.reward for step in steps)
    middle = picture.shape[0] - CAPTION // 2
    at = write(picture, f"step {len(steps):,}   score {score:g}", 12, middle, 15, TEXT)
    if over:
        write(picture, f"over: {BACK} or {SAVE}", at + 24, middle, 15, DIM)
    return picture
