"""A window that shows pictures live, for `--render`, and knows which keys are held."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable

import numpy as np

from qmap.utils.errors import UserError
from qmap.utils.terminal import warn

INSTEAD = "train without --render and look at the videos folder of the run"
# What SDL falls back on, without a word, when it finds no display.
WINDOWLESS = ("offscreen", "dummy", "evdev", "KMSDRM")


class LiveWindow:
    """A resizable window; closing it ends the showing, not the training.

    Args:
        title: the window's title.
        warn: called with one line when the window was closed.
        wanted_by: what needs the window, for the message that there is none.
        instead: what to do without one.

    Attributes:
        closed: nothing is shown any more.
        held: names of the keys that are held down, as pygame calls them.

    Raises:
        UserError: there is no display to open a window on.
    """

    def __init__(
        self,
        title: str,
        warn: Callable[[str], None] = warn,
        wanted_by: str = "--render",
        instead: str = INSTEAD,
    ) -> None:
        self.closed = False
        self.held: set[str] = set()
        self._pressed: list[str] = []
        self._title = title
        self._warn = warn
        self._surface = None
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        # Without a graphics card, OpenGL comes with an LLVM that crashes beside TensorFlow's own.
        os.environ.setdefault("SDL_RENDER_DRIVER", "software")
        os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
        try:
            import pygame  # only those who look need it

            if _display_is_missing():
                raise UserError(f"{wanted_by} needs a display and there is none here: {instead}")
            pygame.display.init()
            driver = pygame.display.get_driver()
        except (ImportError, OSError, RuntimeError) as error:  # pygame.error is a RuntimeError
            raise UserError(f"{wanted_by} cannot open a window ({error}): {instead}") from error
        if driver in WINDOWLESS and driver != os.environ.get("SDL_VIDEODRIVER"):
            pygame.display.quit()
            raise UserError(f"{wanted_by} cannot reach the display of this machine: {instead}")
        self._pygame = pygame

    def show(self, picture: np.ndarray) -> None:
        """Show an (H, W, 3) uint8 RGB picture, scaled to the window; nothing once closed."""
        if self.closed:
            return
        pygame = self._pygame
        try:
            if self._surface is None:
                self._open(picture)
            for event in pygame.event.get():
                if event.type == pygame.QUIT:
                    self.close()
                    self._warn("the window was closed, training goes on without it")
                    return
                if event.type == pygame.KEYDOWN:
                    self.held.add(pygame.key.name(event.key))
                    self._pressed.append(pygame.key.name(event.key))
                elif event.type == pygame.KEYUP:
                    self.held.discard(pygame.key.name(event.key))
            image = pygame.image.frombuffer(picture.tobytes(), picture.shape[1::-1], "RGB")
            self._surface.blit(image, (0, 0))
            pygame.display.flip()
        except pygame.error as error:
            self.close()
            self._warn(f"the window is gone, training goes on without it: {error}")

    def take_pressed(self) -> list[str]:
        """Return the keys that went down since the last call, in their order."""
        pressed, self._pressed = self._pressed, []
        return pressed

    def close(self) -> None:
        """Close the window; it may be called twice."""
        self.closed = True
        self._pygame.display.quit()

    def _open(self, picture: np.ndarray) -> None:
        pygame = self._pygame
        flags = pygame.RESIZABLE | pygame.SCALED
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "no fast renderer": fast enough for 30 pictures/s
            self._surface = pygame.display.set_mode(picture.shape[1::-1], flags)
        pygame.display.set_caption(self._title)


def _display_is_missing() -> bool:
    chosen = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    return sys.platform.startswith("linux") and not any(map(os.environ.get, chosen))
