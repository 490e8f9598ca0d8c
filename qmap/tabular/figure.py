"""Draw what tables learn on the grid, and how much plain Q-learning overestimates it where rewards
are noisy: `python -m qmap.tabular.figure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qmap.envs.diagonal_grid import LARGEST, MOVES, DiagonalGridEnv
from qmap.tabular.agent import TabularAgent
from qmap.tabular.config import TabularConfig
from qmap.tabular.rules import DOUBLE_Q_LEARNING, Q_LEARNING, make_rule
from qmap.tabular.table import Table, screen_hash
from qmap.utils import command_line, streams
from qmap.utils.command_line import option
from qmap.utils.curves import student_interval
from qmap.utils.files import atomic_file

COLORS = {Q_LEARNING: "#e4572e", DOUBLE_Q_LEARNING: "#2e86ab"}
TRUE_COLOR, LINE_COLOR = "#343a48", "#c9c4b8"
POINTS = 200  # of a curve


@dataclass(frozen=True)
class Options:
    """What to learn and draw."""

    output: str = option("tabular.png", "image to write, PNG", metavar="FILE")
    size: int = option(3, "rows and columns of the grid", minimum=2, maximum=LARGEST)
    noise: float = option(11.0, "of the rewards: -1 and so much more or less", above=0)
    steps: int = option(10_000, "steps of each table", minimum=POINTS)
    seeds: int = option(50, "tables of each kind that learn from noisy rewards", minimum=2)
    lr: float = option(0.1, "learning rate", above=0, maximum=1)
    gamma: float = option(0.95, "discount factor", above=0, below=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw the figure and print where the curves end; return the exit status."""
    options = command_line.parse(Options, __doc__, arguments, "qmap.tabular.figure")
    figure = Figure(figsize=(12, 3.8), facecolor="white", layout="constrained")
    *grids, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.5))
    for axes, rule in zip(grids, COLORS, strict=True):
        agent, _ = learn(config_of(options, rule, seed=0), options.size, noise=0.0)
        draw_grid(axes, agent, DiagonalGridEnv(options.size), rule)
    truth = true_value(options.size - 1, options.gamma)
    print(f"true value of the start: {truth:.2f}")
    for rule in COLORS:
        curves = np.array(
            [
                learn(config_of(options, rule, seed), options.size, options.noise)[1]
                for seed in range(options.seeds)
            ]
        )
        draw_curve(right, curves, options.steps, rule)
        print(f"{rule}: {curves[:, POINTS // 2 :].mean():.2f} in the second half of the steps")
    right.axhline(truth, color=TRUE_COLOR, linestyle="--", label="true value")
    right.set_title(f"rewards of {-1 - options.noise:g} or {options.noise - 1:g}")
    right.set_xlabel("steps")
    right.set_ylabel("value of the start")
    right.legend(frameon=False)
    right.spines[["top", "right"]].set_visible(False)
    with atomic_file(options.output) as file:
        figure.savefig(file, format="png", dpi=110)
    print(options.output)
    return 0


def config_of(options: Options, rule: str, seed: int) -> TabularConfig:
    """Return the options of a training as the figure needs it."""
    return TabularConfig(
        rule=rule,
        seed=seed,
        steps=options.steps,
        lr=options.lr,
        gamma=options.gamma,
        screens=options.size**2,
    )


def learn(config: TabularConfig, size: int, noise: float) -> tuple[TabularAgent, np.ndarray]:
    """Learn on the grid, without a run and its files.

    Returns:
        The agent, and (POINTS,) the value that it believes the start to have, over the steps.
    """
    env = DiagonalGridEnv(size, noise)
    generators = {name: streams.generator(config.seed, name) for name in ("acting", "sampling")}
    rule = make_rule(config.rule, config.lr, config.gamma, generators["sampling"])
    table = Table(config.screens, rule.n_tables, env.action_space.n)
    agent = TabularAgent(config, table, rule, {}, n_envs=1, generators=generators)
    first, places = np.array([0]), np.zeros((1, 3), np.int64)
    frame, _ = env.reset(seed=streams.number(config.seed, "environments"))
    agent.start(first, frame[None], places)
    start, values = table.row(screen_hash(frame)), []
    for step in range(1, config.steps + 1):
        actions = agent.act()
        frame, reward, terminated, _, _ = env.step(actions[0])
        agent.observe(actions, np.array([reward]), np.array([terminated]), frame[None], places)
        if terminated:
            frame, _ = env.reset()
            agent.start(first, frame[None], places)
        if step * POINTS // config.steps > len(values):
            values.append(table.values[start].mean(axis=0).max())
    return agent, np.array(values)


def true_value(steps: int, gamma: float) -> float:
    """Return what is left to get from a cell that is as many steps away from the goal."""
    return -(1 - gamma**steps) / (1 - gamma)


def draw_grid(axes: Axes, agent: TabularAgent, env: DiagonalGridEnv, title: str) -> None:
    """Draw the best actions of each cell, and what they are believed to be worth."""
    size = env.size
    axes.set(title=title, xlim=(0, size), ylim=(size, 0), xticks=[], yticks=[], aspect="equal")
    axes.set_facecolor("white")
    for line in range(1, size):
        axes.axhline(line, color=LINE_COLOR, linewidth=1)
        axes.axvline(line, color=LINE_COLOR, linewidth=1)
    for row, col in np.ndindex(size, size):
        if (row, col) == (0, size - 1):
            axes.text(col + 0.5, row + 0.5, "goal", ha="center", va="center")
            continue
        known = agent.table.row(screen_hash(env.observation((row, col))))
        value = agent.table.values[known].mean(axis=0).max()
        axes.text(col + 0.5, row + 0.93, f"{value:.2f}", ha="center", va="bottom", size=9)
        for action in agent.best_actions(known):
            down, right = MOVES[action]
            axes.annotate(
                "",
                (col + 0.5 + 0.3 * right, row + 0.42 + 0.3 * down),
                (col + 0.5, row + 0.42),
                arrowprops={"arrowstyle": "->", "color": COLORS[title], "linewidth": 2},
            )


def draw_curve(axes: Axes, curves: np.ndarray, steps: int, name: str) -> None:
    """Draw the mean of (seeds, POINTS) values with its 95 percent interval."""
    x = np.arange(1, POINTS + 1) * steps / POINTS
    axes.plot(x, curves.mean(axis=0), color=COLORS[name], label=name)
    low, high = student_interval(curves, 95)
    axes.fill_between(x, low, high, color=COLORS[name], alpha=0.25, linewidth=0)


if __name__ == "__main__":
    command_line.run(main)
