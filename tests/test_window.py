"""The live window: pictures go to it, closing it is harmless, no display is one clear line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qmap.utils.errors import UserError
from qmap.utils.window import LiveWindow

pygame = pytest.importorskip("pygame")
PICTURE = np.random.default_rng(0).integers(0, 256, (48, 96, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _no_display_yet() -> None:
    """Worlds that draw with pygame leave it with the display that they found."""
    pygame.display.quit()


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LiveWindow, list[str]]]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    said: list[str] = []
    window = LiveWindow("Q-map", said.append)
    yield window, said
    window.close()


def test_the_window_shows_the_picture(window: tuple[LiveWindow, list[str]]) -> None:
    window[0].show(PICTURE)
    shown = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
    np.testing.assert_array_equal(shown, PICTURE)
    assert pygame.display.get_caption()[0] == "Q-map"


def test_closing_the_window_is_said_once_and_later_pictures_are_ignored(
    window: tuple[LiveWindow, list[str]],
) -> None:
    window[0].show(PICTURE)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    for _ in range(3):
        window[0].show(PICTURE)
    assert window[0].closed
    assert window[1] == ["the window was closed, training goes on without it"]


def test_keys_are_held_until_they_go_up_and_taken_once(
    window: tuple[LiveWindow, list[str]],
) -> None:
    live = window[0]
    live.show(PICTURE)
    for key in (pygame.K_LEFT, pygame.K_SPACE):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
    pygame.event.post(pygame.event.Event(pygame.KEYUP, key=pygame.K_SPACE))
    live.show(PICTURE)
    assert live.held == {"left"}
    assert live.take_pressed() == ["left", "space"]
    assert live.take_pressed() == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks for the display of Linux")
@pytest.mark.parametrize("display", [None, ":98765"])
def test_without_a_display_one_line_says_how_to_see_the_videos(display: str | None) -> None:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    if display:
        environment["DISPLAY"] = display
    script = (
        "from qmap.utils.command_line import run; from qmap.utils.window import LiveWindow\n"
        "run(lambda: LiveWindow('Q-map').close())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parent.parent,
        env=environment,
    )
    assert done.returncode == 2
    assert "display" in done.stderr.splitlines()[-1]
    assert "videos folder" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_unusable_driver_is_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "no-such-driver")
    with pytest.raises(UserError, match="cannot open a window"):
        LiveWindow("Q-map")


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="no Xvfb to open a real window on")
def test_a_real_window_opens_beside_tensorflow() -> None:
    script = """
import numpy as np, tensorflow as tf
from qmap.utils.window import LiveWindow
window = LiveWindow("test")
float(tf.reduce_sum(tf.ones(3)))
window.show(np.zeros((100, 200, 3), np.uint8))
"""
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        display = {"DISPLAY": f":{server.stdout.readline().strip()}"}
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SDL_")}
        done = subprocess.run([sys.executable, "-c", script], env=plain | display, timeout=60)
        assert done.returncode == 0
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()
