"""What comes of a look at the truth in the course of a training: errors, pictures, a window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from qmap.gridworld.strip import draw_strip
from qmap.run import Run
from qmap.utils.image_file import write_image


class Comparison(NamedTuple):
    """Learned Q-frames against the true ones, and some positions to show.

    Attributes:
        name: of the level or test set.
        loss: the mean squared error.
        observations: (n, rows, cols, 3) uint8, of the positions to show.
        true: (n, rows, cols, actions) float32, their true Q-frames.
        learned: the same shape.
    """

    name: str
    loss: float
    observations: np.ndarray
    true: np.ndarray
    learned: np.ndarray


class Comparisons:
    """Logs errors, draws strips, shows them in the window and to who watches.

    Args:
        run: it has been resumed.
        names: of what is compared.
    """

    def __init__(self, run: Run, names: Sequence[str]) -> None:
        self.run = run
        self.log = run.log("ground_truth_loss", ("steps", *names))

    def add(self, number: int, comparisons: Sequence[Comparison]) -> None:
        """Take in what was compared at this step.

        Args:
            number: how many times that was done before.
            comparisons: one for each name, in the same order.
        """
        run, drawn, strips = self.run, is_drawn(number), []
        watched = run.newest_picture.due()
        for name, loss, observations, true, learned in comparisons:
            if drawn or watched or run.window is not None:
                title = f"{name}, {run.step:,} transitions, mean squared error {loss:.5f}"
                strips.append(draw_strip(title, observations, true, learned))
                if drawn:
                    with run.warnings.tolerate("pictures of the Q-frames"):
                        images = run.folder.subfolder("images")
                        write_image(images / f"step_{run.step}_{name}.png", strips[-1])
        self.log.write(run.step, *(each.loss for each in comparisons))
        if number:
            run.show(", ".join(f"{each.name} {each.loss:.5f}" for each in comparisons))
        if run.window is not None:
            run.window.show(_stacked(strips))
        if watched:
            run.newest_picture.show(partial(_stacked, strips))


def is_drawn(number: int) -> bool:
    """Whether a comparison gets strips: of the first thousand all, then fewer, to save the disk.

    From the 1,000th on every 10th, from the 10,000th on every 100th, and so on.
    """
    return number % 10 ** max(len(str(number)) - 3, 0) == 0


def _stacked(strips: Sequence[np.ndarray]) -> np.ndarray:
    """Return pictures below each other, black beside the narrower ones."""
    width = max(strip.shape[1] for strip in strips)
    return np.concatenate(
        [np.pad(strip, ((0, 0), (0, width - strip.shape[1]), (0, 0))) for strip in strips]
    )
