"""Draw learned Q-frames beside the true ones: `python -m qmap.gridworld.figure --load CKPT`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from qmap import shipped
from qmap.envs.gridworld_level import SCREEN_COL, Level, load_level
from qmap.envs.gridworld_paths import true_q_frames
from qmap.gridworld.config import config_of
from qmap.utils import checkpoint, command_line
from qmap.utils.command_line import option
from qmap.utils.errors import UserError
from qmap.utils.files import atomic_file
from qmap.utils.interrupt import nothing_to_lose
from qmap.utils.quiet import quiet

FREE, WALL, CHARACTER = "#f1ede4", "#343a48", "#e4572e"
STEPS_ON_BAR = (1, 2, 3, 4, 5, 7, 10, 15, 25)
ROW_NAMES = ("observation", "true", "learned")
# Inches.
WIDTH, HEIGHT = 1.92, 1.68
GAP, LEVEL_GAP, TOP, BOTTOM, LEFT, RIGHT = 0.07, 0.18, 0.42, 0.05, 0.38, 0.75


@dataclass(frozen=True)
class Options:
    """What to draw."""

    load: str = option("", "checkpoint of qmap.train_gridworld", metavar="CKPT")
    output: str = option("gridworld.png", "image to write, PNG", metavar="FILE")
    levels: list[str] = option(
        ["level1", "level2", "level3"], "levels: names or image files", nargs="+", metavar="LEVEL"
    )
    positions: int = option(2, "positions of the character in each level", minimum=1, maximum=10)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure; return the exit status."""
    options = command_line.parse(Options, __doc__, arguments, "qmap.gridworld.figure")
    if not options.load:
        raise UserError(
            "--load is missing: expected RUN/tensorflow/step_N.ckpt, or gridworld, which ships"
        )
    levels = [load_level(level) for level in options.levels]
    loaded = checkpoint.load(shipped.stored(options.load), "checkpoint")
    config = config_of(loaded, options.load)
    # Only now is TensorFlow loaded, which takes seconds.
    with quiet(), nothing_to_lose():
        from qmap.agents.device import set_up
        from qmap.gridworld.training import make_learner
    set_up()
    learner = make_learner(config)
    with checkpoint.fitting(options.load, loaded):
        learner.restore_weights(loaded[learner.name])

    columns = []
    for level in levels:
        places = spread(level, options.positions)
        observations = level.observations(places)
        true = true_q_frames(level, places, config.gamma).max(axis=-1)
        learned = learner.q_frames(observations).max(axis=-1).clip(0, 1)
        columns.append((observations, true, learned))
    trained_on = load_level(config.train_level).walls
    titles = [
        f"{level.name}, {'trained on' if np.array_equal(level.walls, trained_on) else 'never seen'}"
        for level in levels
    ]
    figure = draw(titles, columns, config.gamma)
    with atomic_file(options.output) as file:
        figure.savefig(file, format="png", dpi=110)
    print(options.output)
    return 0


def spread(level: Level, count: int) -> np.ndarray:
    """Return places spread over the level, away from the columns that are tested in training."""
    fractions = (np.arange(count) + 0.5) / count * 0.8 + 0.15
    return (fractions * len(level.positions)).astype(int)


def draw(titles: Sequence[str], levels: Sequence[tuple[np.ndarray, ...]], gamma: float) -> Figure:
    """Draw observations, true and learned values below each other, the levels side by side.

    Args:
        titles: one for each level.
        levels: for each, its observations (n, 28, 32, 3) uint8 and the true and the learned
            maxima over actions (n, 28, 32) in [0, 1].
        gamma: discount factor, for the steps on the color bar.
    """
    count = len(levels[0][0])
    level_width = count * (WIDTH + GAP) + LEVEL_GAP
    width = LEFT + len(levels) * level_width + RIGHT
    height = TOP + len(ROW_NAMES) * (HEIGHT + GAP) + BOTTOM
    figure = Figure(figsize=(width, height), facecolor="white")

    def axes_at(left: float, top: float, width_: float, height_: float) -> Axes:
        """Return axes at a place given in inches from the upper left corner."""
        bottom = height - top - height_
        axes = figure.add_axes(
            (left / width, bottom / height, width_ / width, height_ / height), xticks=[], yticks=[]
        )
        axes.spines[:].set_visible(False)
        return axes

    for number, (title, arrays) in enumerate(zip(titles, levels, strict=True)):
        left = LEFT + number * level_width
        middle = left + (count * (WIDTH + GAP) - GAP) / 2
        figure.text(middle / width, 1 - TOP / 2 / height, title, ha="center", va="center", size=13)
        for column, (observation, true, learned) in enumerate(zip(*arrays, strict=True)):
            walls = observation[..., 2] > 0
            # What was learned is shown on walls too: there it has most of its errors.
            for row, values in enumerate((None, np.ma.array(true, mask=walls), learned)):
                place = (left + column * (WIDTH + GAP), TOP + row * (HEIGHT + GAP))
                image = _panel(axes_at(*place, WIDTH, HEIGHT), observation, values)
    for row, name in enumerate(ROW_NAMES):
        middle = TOP + row * (HEIGHT + GAP) + HEIGHT / 2
        place = (LEFT * 0.5 / width, 1 - middle / height)
        figure.text(*place, name, rotation=90, ha="center", va="center", size=12)

    bar_top = TOP + HEIGHT + GAP
    bar = axes_at(width - RIGHT + 0.02, bar_top, 0.16, 2 * HEIGHT + GAP)
    color_bar = figure.colorbar(image, cax=bar)
    color_bar.outline.set_visible(False)
    color_bar.set_ticks([gamma ** (steps - 1) for steps in STEPS_ON_BAR], labels=STEPS_ON_BAR)
    color_bar.set_label("steps away", size=11)
    return figure


def _panel(axes: Axes, observation: np.ndarray, values: np.ndarray | None) -> AxesImage:
    """Show values, without those that are masked; None shows the walls and the character."""
    if values is not None:
        color_map = matplotlib.colormaps["inferno"].with_extremes(bad=WALL)
        return axes.imshow(values, cmap=color_map, vmin=0, vmax=1)
    image = axes.imshow(observation[..., 2] > 0, cmap=ListedColormap([FREE, WALL]), vmin=0, vmax=1)
    row = int(observation[:, SCREEN_COL, 0].argmax())
    axes.plot(SCREEN_COL, row, "o", color=CHARACTER, markersize=5)
    return image


if __name__ == "__main__":
    command_line.run(main)
