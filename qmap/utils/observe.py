"""What an agent will get to see: `python -m qmap.utils.observe --env ENV [--output PICTURE]`.

A few steps of random play in one picture: the screen with the goal grid and the character's cell,
the frames that an agent gets, coordinates, position, room and actions. What is wrong with the
coordinates of an environment is seen here before a night of training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import gymnasium
import numpy as np

from qmap.envs.contract import check_contract
from qmap.utils import command_line, streams
from qmap.utils.command_line import option
from qmap.utils.drawing import BACKGROUND, BAR, DIM, EMPTY, TEXT, text_width, write
from qmap.utils.image_file import write_image
from qmap.utils.picture import GOAL, POSITION
from qmap.world_options import EnvironmentOptions

WIDTH, TALLEST = 288, 400  # of the screen on a card, at most
MARGIN, GAP, HEADER, LINE = 18, 18, 84, 19
CARDS_IN_A_ROW = 4
GRID = (255, 255, 255)


@dataclass(frozen=True)
class ObserveConfig(EnvironmentOptions):
    """What can be asked for."""

    steps: int = option(7, "steps that are shown after the start", minimum=1, maximum=100)
    every: int = option(1, "steps of play from one that is shown to the next", minimum=1)
    stack: int = option(3, "frames in an observation", minimum=1, maximum=16)
    skip: int = option(2, "steps between two frames of an observation", minimum=1, maximum=16)
    seed: int = option(0, "seed of the environment and of the play", minimum=0)
    output: str = option("observe.png", "the picture", metavar="PICTURE")


@dataclass(frozen=True)
class Moment:
    """What is known after a step, or at the start of an episode.

    Args:
        title: which step, and its action's name.
        outcome: reward, and whether the episode ended.
        screen: (h, w, 3) uint8 RGB.
        frames: the frames that an agent gets, oldest first, each (H, W, C) uint8.
        info: as the environment returned it.
    """

    title: str
    outcome: str
    screen: np.ndarray
    frames: list[np.ndarray]
    info: dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the picture."""
    config = command_line.parse(ObserveConfig, __doc__, arguments, "qmap.utils.observe")
    config.check_world(needs_grid=False)
    config.check_environment(needs_place=False)
    make = config.make_env()
    probe = make()
    try:
        check_contract(probe)
    finally:
        probe.close()
    env = make()
    try:
        moments = play(env, config.steps, config.every, config.seed, config.stack, config.skip)
        picture = draw(env, config.results_name, moments, config.keeps_grid)
    finally:
        env.close()
    write_image(Path(config.output), picture)
    print(Path(config.output))


def play(
    env: gymnasium.Env, steps: int, every: int, seed: int, stack: int = 3, skip: int = 2
) -> list[Moment]:
    """Play at random; return the start and every `every`-th of `steps * every` steps."""
    generator = streams.generator(seed, "acting")
    names = env.get_wrapper_attr("action_names")
    frame, info = env.reset(seed=streams.number(seed, "environments"))
    frames = [frame]
    moments = [Moment("start", "", env.render(), _stack(frames, stack, skip), info)]
    for step in range(1, steps * every + 1):
        action = int(generator.integers(env.action_space.n))
        frame, reward, terminated, truncated, info = env.step(action)
        frames.append(frame)
        outcome = f"reward {float(reward):g}"
        if terminated or truncated:
            outcome += ", terminated" if terminated else ", truncated"
        if step % every == 0:
            title = f"{step}  {names[action]}"
            moments.append(Moment(title, outcome, env.render(), _stack(frames, stack, skip), info))
        if terminated or truncated:
            frames = [env.reset()[0]]
    return moments


def draw(env: gymnasium.Env, name: str, moments: list[Moment], on_grid: bool = True) -> np.ndarray:
    """Return the (H, W, 3) uint8 RGB picture of moments, one card each.

    Args:
        env: what was played in.
        name: by which the user knows it.
        moments: what was seen.
        on_grid: whether the goal grid lies over the frames.
    """
    coords_shape = tuple(env.get_wrapper_attr("coords_shape"))
    grid_shape, cell_shape = coords_shape, None
    if env.has_wrapper_attr("grid_shape"):
        grid_shape = env.get_wrapper_attr("grid_shape")
    if env.has_wrapper_attr("cell_shape"):
        cell_shape = env.get_wrapper_attr("cell_shape")
    frame_grid = coords_shape if on_grid else None
    cards = [_card(moment, frame_grid, grid_shape, cell_shape) for moment in moments]
    height, width = cards[0].shape[:2]
    across = min(CARDS_IN_A_ROW, len(cards))
    down = -(-len(cards) // across)
    facts = _facts(moments, coords_shape, grid_shape)
    needed = max(text_width(line, 14) for line in facts)
    shape = (
        HEADER + down * (height + GAP) - GAP + MARGIN,
        2 * MARGIN + max(across * (width + GAP) - GAP, needed),
        3,
    )
    page = np.full(shape, BACKGROUND, np.uint8)
    write(page, name, MARGIN, 20, 17, TEXT)
    for line, middle in zip(facts, (42, 60), strict=True):
        write(page, line, MARGIN, middle, 14, DIM)
    for number, card in enumerate(cards):
        top = HEADER + number // across * (height + GAP)
        left = MARGIN + number % across * (width + GAP)
        page[top : top + height, left : left + width] = card
    return page


def _facts(
    moments: list[Moment], coords_shape: tuple[int, int], grid_shape: tuple[int, int]
) -> tuple[str, str]:
    places = [tuple(moment.info["coords"].tolist()) for moment in moments]
    changes = sum(one != other for one, other in zip(places, places[1:], strict=False))
    clipped = sum(bool(_ours(moment.info).get("clipped")) for moment in moments)
    (rows, cols), frame = grid_shape, moments[0].frames[-1].shape
    grid = f"goal grid {rows} x {cols}"
    if coords_shape != grid_shape:
        grid += f", filled up to {coords_shape[0]} x {coords_shape[1]}"
    height, width = moments[0].screen.shape[:2]
    return (
        f"{grid}, screen {height} x {width}, frames {' x '.join(map(str, frame))}",
        f"random play: coordinates changed {changes} times in {len(moments) - 1} pictures, "
        f"clipped in {clipped}; below each screen the frames that an agent gets, oldest first",
    )


def _card(
    moment: Moment,
    frame_grid: tuple[int, int] | None,
    grid_shape: tuple[int, int],
    cell_shape: tuple[float, float] | None,
) -> np.ndarray:
    height, width = moment.screen.shape[:2]
    scale = min(WIDTH / width, TALLEST / height)
    size = (max(round(height * scale), 1), max(round(width * scale), 1))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    screen = cv2.resize(moment.screen, size[::-1], interpolation=interpolation)
    if cell_shape is None:
        cell_shape = height / grid_shape[0], width / grid_shape[1]
    _mark(screen, moment, grid_shape, [side * scale for side in cell_shape], scale)
    frames = [_enlarged(frame, len(moment.frames)) for frame in moment.frames]
    if frame_grid is not None:
        _box_on_grid(frames[-1], moment, frame_grid)
    lines = _lines(moment.info)
    below = 30 + size[0] + 8 + frames[0].shape[0] + 10
    card = np.full((below + LINE * len(lines) + 6, WIDTH + 16, 3), BAR, np.uint8)
    write(card, moment.title, 8, 15, 15, TEXT)
    write(card, moment.outcome, WIDTH + 8, 15, 13, DIM, "right")
    left = 8 + (WIDTH - size[1]) // 2
    card[30 : 30 + size[0], left : left + size[1]] = screen
    for number, frame in enumerate(frames):
        top, left = 38 + size[0], 8 + number * ((WIDTH + 6) // len(frames))
        card[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    for number, (line, color) in enumerate(lines):
        write(card, line, 8, below + LINE // 2 + number * LINE, 13, color)
    return card


def _lines(info: dict[str, Any]) -> list[tuple[str, tuple[int, int, int]]]:
    """Return the lines of text of a card, each with its color; as many for every card."""
    row, col, window = info["coords"].tolist()
    position = ", ".join(map(str, info["position"].tolist()))
    ours = _ours(info)
    place = f"row {row}, column {col}" + (f", window {window}" if window else "")
    more = [f"room {ours.get('room', 0)}"]
    if "distance" in ours:
        more.append(f"distance {ours['distance']:,}")
    more += ["completed"] * bool(ours.get("completed"))
    if ours.get("clipped"):
        return [
            (f"{place}: CLIPPED, was off the grid", GOAL),
            (f"position {position}, {', '.join(more)}", DIM),
        ]
    return [(place, POSITION), (f"position {position}, {', '.join(more)}", DIM)]


def _mark(
    screen: np.ndarray,
    moment: Moment,
    grid_shape: tuple[int, int],
    cell: list[float],
    scale: float,
) -> None:
    """Draw the goal grid, the character's cell and its position on an enlarged screen."""
    lines = screen.copy()
    for row in range(1, grid_shape[0]):
        cv2.line(lines, (0, round(row * cell[0])), (screen.shape[1], round(row * cell[0])), GRID)
    for col in range(1, grid_shape[1]):
        cv2.line(lines, (round(col * cell[1]), 0), (round(col * cell[1]), screen.shape[0]), GRID)
    screen[:] = cv2.addWeighted(lines, 0.3, screen, 0.7, 0)
    row, col, window = moment.info["coords"].tolist()
    _box(screen, row * cell[0], (col - window) * cell[1], cell, moment)
    row, col = ((moment.info["position"] + 0.5) * scale).tolist()
    center = (round(col - window * cell[1]), round(row))
    # Small enough for the character to be seen around it.
    radius = 3 if min(cell) >= 24 else 1
    cv2.circle(screen, center, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
    cv2.circle(screen, center, radius, POSITION, -1, cv2.LINE_AA)


def _enlarged(frame: np.ndarray, stack: int) -> np.ndarray:
    """Return a frame as wide as its place on the card, beside the others of the stack."""
    colors = frame[..., :3] if frame.shape[2] >= 3 else frame[..., :1].repeat(3, axis=2)
    scale = (WIDTH - 6 * (stack - 1)) / stack / frame.shape[1]
    size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    enlarged = cv2.resize(np.ascontiguousarray(colors), size, interpolation=interpolation)
    cv2.rectangle(enlarged, (0, 0), (size[0] - 1, size[1] - 1), EMPTY)
    return enlarged


def _box_on_grid(image: np.ndarray, moment: Moment, shape: tuple[int, int]) -> None:
    """Mark the character's cell on a picture that a grid of `shape` fills."""
    cell = [side / cells for side, cells in zip(image.shape[:2], shape, strict=True)]
    row, col, window = moment.info["coords"].tolist()
    _box(image, row * cell[0], (col - window) * cell[1], cell, moment)


def _box(image: np.ndarray, top: float, left: float, cell: list[float], moment: Moment) -> None:
    color = GOAL if _ours(moment.info).get("clipped") else POSITION
    corner, opposite = (round(left), round(top)), (round(left + cell[1]), round(top + cell[0]))
    cv2.rectangle(image, corner, opposite, color, 2 if min(cell) >= 12 else 1)


def _ours(info: dict[str, Any]) -> dict[str, Any]:
    return info.get("qmap", {})


def _stack(frames: list[np.ndarray], stack: int, skip: int) -> list[np.ndarray]:
    """Return what an agent gets of an episode's frames so far, oldest first."""
    last = len(frames) - 1
    return [frames[max(last - skip * age, 0)] for age in reversed(range(stack))]


if __name__ == "__main__":
    command_line.run(main)
