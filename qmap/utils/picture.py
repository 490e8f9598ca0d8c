"""One picture of one agent step: what the agent saw, what it believes, what the game showed."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from qmap.utils.drawing import (
    BACKGROUND,
    BAR,
    COLORS,
    DIM,
    EMPTY,
    TEXT,
    Color,
    resize_into,
    text_width,
    write,
)

Cell = tuple[int, int]

POSITION: Color = (64, 214, 255)
GOAL: Color = (255, 72, 104)
CANDIDATES: Color = (255, 214, 64)
KINDS: dict[str, Color] = {
    "random": (126, 131, 143),
    "goal": (232, 120, 44),
    "greedy": (52, 128, 235),
    "greedy goal": (150, 92, 220),
}

# Of the three panels, for screens that are small: they are enlarged up to it.
WIDTH = 880
# (rows, columns) of a panel at most: screens that are larger are shrunk.
LARGEST = (480, 640)
MIN_WIDTH = 440  # of the picture, so that the caption fits
MARGIN, GAP, TITLE, LEGEND, CAPTION = 14, 16, 32, 28, 40
COLOR_BAR = 14


@dataclass(frozen=True)
class StepRecord:
    """What is known about one agent step when its picture is drawn.

    Args:
        observation: (H, W, C) uint8, the stacked frames that the agent saw, oldest first.
        screen: (h, w, 3) uint8 RGB, the game's screen.
        q_max: (rows, cols) in [0, 1], the maximum over actions of the Q-frames, or None if they
            were not computed.
        coords: (row, on-screen column) of the agent on the goal grid.
        goal: (row, on-screen column) of the goal, or None without a goal.
        candidates: (rows, cols) bool, the cells that the goal was drawn from, or None.
        kind: kind of action: random, goal, greedy or greedy goal.
        action: the action's name.
        step: number of the agent step in its episode.
        episode_return: undiscounted return of the episode so far.
    """

    observation: np.ndarray
    screen: np.ndarray
    q_max: np.ndarray | None
    coords: Cell
    goal: Cell | None
    candidates: np.ndarray | None
    kind: str
    action: str
    step: int
    episode_return: float

    @property
    def nbytes(self) -> int:
        """Bytes of the record's arrays."""
        arrays = (self.observation, self.screen, self.q_max, self.candidates)
        return sum(array.nbytes for array in arrays if array is not None)


class Picture:
    """Draws `StepRecord`s side by side, all in the same fixed layout, in even sizes for H.264.

    Small screens are enlarged, large ones shrunk to fit `LARGEST`, so that a picture costs a few
    milliseconds whatever the screen. Goal cells are as high and wide as they are on the screen.

    Args:
        coords_shape: (rows, cols) of the on-screen goal grid.
        screen_shape: (h, w, 3) of the game's screen.
        q_map: whether there is a Q-map; without one its panel is left out.
        frame_channels: channels of one frame of the stack: 1 gray, 2 gray and position, 3 RGB,
            4 RGB and position. The last three gray frames are shown as red, green and blue, so
            that what stood still is gray and what moved is colored; of RGB frames the last one.
        gamma: discount factor of the Q-map. If given, the color bar also says how many steps away
            a value stands for: value = gamma ** (steps - 1).
        on_grid: whether the goal grid lies over the observation, as it does over the screen; else
            there is no position in it.
    """

    def __init__(
        self,
        coords_shape: tuple[int, int],
        screen_shape: tuple[int, ...],
        *,
        q_map: bool = True,
        frame_channels: int = 1,
        gamma: float | None = None,
        on_grid: bool = True,
    ) -> None:
        self.coords_shape = coords_shape
        self.on_grid = on_grid
        self.frame_channels = frame_channels
        self.q_map = q_map
        self._panel = _panel_shape(coords_shape, screen_shape)
        # Pixels of a goal cell in the panels.
        self._cell = tuple(np.divide(self._panel, coords_shape).tolist())
        self._view = MARGIN
        self._values = self._view + self._panel[1] + GAP
        after = self._values
        if q_map:
            after += self._panel[1] + 6 + COLOR_BAR + (72 if gamma else 40)
        self._screen = after
        width = max(self._screen + self._panel[1] + MARGIN, MIN_WIDTH)
        height = TITLE + self._panel[0] + LEGEND + CAPTION
        # H.264 with 4:2:0 chroma needs even sizes.
        self.shape = (height + height % 2, width + width % 2, 3)
        self._template = self._draw_template(gamma)

    def draw(self, record: StepRecord) -> np.ndarray:
        """Return the picture of `record`, a new (H, W, 3) uint8 RGB array of shape `self.shape`."""
        canvas = self._template.copy()
        self._draw_view(self._panel_of(canvas, self._view), record)
        if self.q_map and record.q_max is not None:
            self._draw_values(self._panel_of(canvas, self._values), record)
        self._draw_screen(self._panel_of(canvas, self._screen), record.screen)
        self._draw_caption(canvas, record)
        return canvas

    def _panel_of(self, canvas: np.ndarray, left: int) -> np.ndarray:
        return canvas[TITLE : TITLE + self._panel[0], left : left + self._panel[1]]

    def _draw_view(self, panel: np.ndarray, record: StepRecord) -> None:
        seen = _as_rgb(record.observation, self.frame_channels)
        if record.candidates is not None:
            size = (seen.shape[1], seen.shape[0])
            mask = cv2.resize(
                record.candidates.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST
            )
            tinted = cv2.addWeighted(seen, 0.55, np.full_like(seen, CANDIDATES), 0.45, 0)
            seen = np.where(mask[..., None] > 0, tinted, seen)
        if not self.on_grid:
            resize_into(seen, _middle(panel, seen.shape))
            return
        resize_into(seen, panel)
        self._draw_boxes(panel, record)

    def _draw_values(self, panel: np.ndarray, record: StepRecord) -> None:
        values = np.nan_to_num(np.asarray(record.q_max, np.float32)).clip(0, 1)
        resize_into(COLORS[np.rint(values * 255).astype(np.uint8)], panel)
        self._draw_boxes(panel, record)

    def _draw_boxes(self, panel: np.ndarray, record: StepRecord) -> None:
        for place, color in ((record.coords, POSITION), (record.goal, GOAL)):
            if place is None or not all(
                0 <= index < size for index, size in zip(place, self.coords_shape, strict=True)
            ):
                continue
            # Around small cells, so that the cell can still be seen.
            outset = 1 if min(self._cell) < 12 else 0
            first = [int(index * size) for index, size in zip(place, self._cell, strict=True)]
            last = [int((index + 1) * size) for index, size in zip(place, self._cell, strict=True)]
            top, left = (edge - outset for edge in first)
            bottom, right = (edge - 1 + outset for edge in last)
            black = (left - 2, top - 2), (right + 2, bottom + 2)
            cv2.rectangle(panel, *black, (0, 0, 0), 1)
            thickness = 2 if min(self._cell) >= 8 else 1
            cv2.rectangle(panel, (left, top), (right, bottom), color, thickness)

    def _draw_screen(self, panel: np.ndarray, screen: np.ndarray) -> None:
        resize_into(screen, _middle(panel, screen.shape))

    def _draw_caption(self, canvas: np.ndarray, record: StepRecord) -> None:
        top = TITLE + self._panel[0] + LEGEND
        middle = top + CAPTION // 2
        chip = 20 + text_width("greedy goal", 15)
        color = KINDS.get(record.kind, DIM)
        cv2.rectangle(canvas, (MARGIN, top + 7), (MARGIN + chip, top + CAPTION - 8), color, -1)
        write(canvas, record.kind, MARGIN + chip // 2, middle, 15, (255, 255, 255), "center")
        write(canvas, record.action, MARGIN + chip + 14, middle, 15, TEXT)
        right = canvas.shape[1] - MARGIN
        write(canvas, f"return {record.episode_return:,g}", right, middle, 15, TEXT, "right")
        write(canvas, f"step {record.step:,}", right - 130, middle, 15, DIM, "right")

    def _draw_template(self, gamma: float | None) -> np.ndarray:
        canvas = np.full(self.shape, BACKGROUND, np.uint8)
        bottom = TITLE + self._panel[0]
        canvas[bottom + LEGEND :] = BAR
        titles = [(self._view, "Observation"), (self._screen, "Game")]
        if self.q_map:
            titles.append((self._values, "Q-map, maximum over actions"))
            self._draw_color_bar(canvas, gamma)
            panel = self._panel_of(canvas, self._values)
            panel[:] = EMPTY
            write(
                panel, "not computed", self._panel[1] // 2, self._panel[0] // 2, 15, DIM, "center"
            )
        for left, title in titles:
            write(canvas, title, left, TITLE // 2, 15, TEXT)
        self._panel_of(canvas, self._screen)[:] = 0
        left = self._view
        legend = [("position", POSITION), ("goal", GOAL), ("candidates", CANDIDATES)]
        for name, color in legend if self.q_map else legend[: self.on_grid]:
            top = bottom + LEGEND // 2
            thickness = -1 if name == "candidates" else 2
            cv2.rectangle(canvas, (left + 1, top - 5), (left + 10, top + 4), color, thickness)
            left = write(canvas, name, left + 17, top, 13, DIM) + 14
        return canvas

    def _draw_color_bar(self, canvas: np.ndarray, gamma: float | None) -> None:
        height = self._panel[0]
        left = self._values + self._panel[1] + 6
        shades = COLORS[np.linspace(255, 0, height).round().astype(np.uint8)]
        canvas[TITLE : TITLE + height, left : left + COLOR_BAR] = shades[:, None]

        def tick(value: float, text: str, right: int, color: Color) -> None:
            y = TITLE + round((1 - value) * (height - 1))
            middle = min(max(y, TITLE + 5), TITLE + height - 6)
            write(canvas, text, right, middle, 12, color, "right")

        for value in (0, 0.2, 0.4, 0.6, 0.8, 1):
            tick(value, f"{value:.1f}", left + COLOR_BAR + 24, TEXT)
        if gamma:
            write(canvas, "steps", left + COLOR_BAR + 56, TITLE // 2, 12, DIM, "right")
            lowest = height
            for steps in (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200, 500):
                value = gamma ** (steps - 1)
                if (lowest - value * height) >= 14 and value * height >= 5 or steps == 1:
                    tick(value, str(steps), left + COLOR_BAR + 52, DIM)
                    lowest = value * height


def _as_rgb(observation: np.ndarray, frame_channels: int) -> np.ndarray:
    """Return the (H, W, 3) picture of a stack of frames of `frame_channels` channels each."""
    if frame_channels >= 3:
        last = observation.shape[2] - frame_channels
        return np.ascontiguousarray(observation[..., last : last + 3])
    grays = observation[..., ::frame_channels][..., -3:]
    missing = 3 - grays.shape[2]
    return np.concatenate([grays] + [grays[..., -1:]] * missing, axis=2)


def _middle(panel: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the largest part in the middle of a panel with the proportions of `shape`."""
    scale = min(panel.shape[0] / shape[0], panel.shape[1] / shape[1])
    height, width = (max(round(size * scale), 1) for size in shape[:2])
    top, left = (panel.shape[0] - height) // 2, (panel.shape[1] - width) // 2
    return panel[top : top + height, left : left + width]


def _panel_shape(coords_shape: tuple[int, int], screen_shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (rows, columns) of a panel, if possible with whole pixels for each goal cell."""
    width = screen_shape[1]
    scale = max(2 * WIDTH // (3 * width), 2) / 2
    scale = min(scale, LARGEST[0] / screen_shape[0], LARGEST[1] / width)
    sizes = [screen_shape[axis] / coords_shape[axis] for axis in (0, 1)]
    # Nearly square cells are square: black rows that were added to the screen are unknown here.
    if abs(sizes[0] / sizes[1] - 1) < 0.1:
        sizes[0] = sizes[1]
    shape = []
    for size, count, limit in zip(sizes, coords_shape, LARGEST, strict=True):
        cell = min(max(round(scale * size), 2), limit // count)
        shape.append(cell * count if cell else limit)
    return shape[0], shape[1]
