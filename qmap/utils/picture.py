"""One picture of one agent step: what the agent saw, what it believes, what the game showed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import ImageFont

Color = tuple[int, int, int]
Cell = tuple[int, int]

BACKGROUND: Color = (24, 26, 31)
BAR: Color = (36, 39, 46)
EMPTY: Color = (16, 17, 20)
TEXT: Color = (226, 228, 233)
DIM: Color = (146, 150, 160)
POSITION: Color = (64, 214, 255)
GOAL: Color = (255, 72, 104)
CANDIDATES: Color = (255, 214, 64)
KINDS: dict[str, Color] = {
    "random": (126, 131, 143),
    "goal": (232, 120, 44),
    "greedy": (52, 128, 235),
    "greedy goal": (150, 92, 220),
}

# Of the three panels: a picture of this size is drawn and encoded in about 3 ms of one core.
MAX_WIDTH = 880
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
    """Draws `StepRecord`s side by side, all in the same fixed layout.

    Args:
        coords_shape: (rows, cols) of the on-screen goal grid.
        screen_shape: (h, w, 3) of the game's screen.
        q_map: whether there is a Q-map; without one its panel is left out.
        frame_channels: channels of one frame of the stack: 1 gray, 2 gray and position, 3 RGB,
            4 RGB and position. The last three gray frames are shown as red, green and blue, so
            that what stood still is gray and what moved is colored; of RGB frames the last one.
        gamma: discount factor of the Q-map. If given, the color bar also says how many steps away
            a value stands for: value = gamma ** (steps - 1).
    """

    def __init__(
        self,
        coords_shape: tuple[int, int],
        screen_shape: tuple[int, ...],
        *,
        q_map: bool = True,
        frame_channels: int = 1,
        gamma: float | None = None,
    ) -> None:
        self.coords_shape = rows, cols = coords_shape
        self.frame_channels = frame_channels
        self.q_map = q_map
        width = screen_shape[1]
        scale = max(2 * MAX_WIDTH // (3 * width), 2) / 2
        self._cell = max(round(scale * width / cols), 2)
        self._panel = (rows * self._cell, cols * self._cell)
        self._view = MARGIN
        self._values = self._view + self._panel[1] + GAP
        after = self._values
        if q_map:
            after += self._panel[1] + 6 + COLOR_BAR + (72 if gamma else 40)
        self._screen = after
        width = self._screen + self._panel[1] + MARGIN
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
            mask = cv2.resize(record.candidates.astype(np.uint8), size, interpolation=NEAREST)
            tinted = cv2.addWeighted(seen, 0.55, np.full_like(seen, CANDIDATES), 0.45, 0)
            seen = np.where(mask[..., None] > 0, tinted, seen)
        _enlarge(seen, panel)
        self._draw_boxes(panel, record)

    def _draw_values(self, panel: np.ndarray, record: StepRecord) -> None:
        values = np.nan_to_num(np.asarray(record.q_max, np.float32)).clip(0, 1)
        _enlarge(COLORS[np.rint(values * 255).astype(np.uint8)], panel)
        self._draw_boxes(panel, record)

    def _draw_boxes(self, panel: np.ndarray, record: StepRecord) -> None:
        for place, color in ((record.coords, POSITION), (record.goal, GOAL)):
            if place is None or not all(
                0 <= index < size for index, size in zip(place, self.coords_shape, strict=True)
            ):
                continue
            # Around small cells, so that the cell can still be seen.
            outset = 1 if self._cell < 12 else 0
            top, left = (int(index) * self._cell - outset for index in place)
            size = self._cell - 1 + 2 * outset
            corner = (left + size, top + size)
            cv2.rectangle(panel, (left - 2, top - 2), (corner[0] + 2, corner[1] + 2), (0, 0, 0), 1)
            cv2.rectangle(panel, (left, top), corner, color, 2 if self._cell >= 8 else 1)

    def _draw_screen(self, panel: np.ndarray, screen: np.ndarray) -> None:
        scale = min(panel.shape[0] / screen.shape[0], panel.shape[1] / screen.shape[1])
        height, width = (round(size * scale) for size in screen.shape[:2])
        top, left = (panel.shape[0] - height) // 2, (panel.shape[1] - width) // 2
        _enlarge(screen, panel[top : top + height, left : left + width])

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
        for name, color in legend if self.q_map else legend[:1]:
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


NEAREST = cv2.INTER_NEAREST
_RAMP = np.arange(256, dtype=np.uint8)[:, None]
# (256, 3) RGB, perceptually uniform: as dark as the value is low, also in gray.
COLORS: np.ndarray = cv2.applyColorMap(_RAMP, cv2.COLORMAP_INFERNO)[:, 0, ::-1].copy()


def write(
    image: np.ndarray,
    text: str,
    x: int,
    middle: int,
    size: int,
    color: Color,
    align: str = "left",
) -> int:
    """Write `text` into `image` in place, around the row `middle`; return the column it ends at.

    Args:
        image: (H, W, 3) uint8; text that does not fit is cropped.
        text: one line.
        x: column of the text's left edge, center or right edge, as `align` says.
        middle: row that goes through the middle of the digits.
        size: height of the font in pixels.
        color: RGB.
        align: left, center or right.
    """
    mask, above = _text_mask(text, size)
    height, width = mask.shape
    left = x - {"left": 0, "center": width // 2, "right": width}[align]
    top = middle - above
    target = image[max(top, 0) : top + height, max(left, 0) : left + width]
    mask = mask[max(-top, 0) :, max(-left, 0) :][: target.shape[0], : target.shape[1], None]
    target += (
        (mask * (np.array(color, np.float32) - target)).round().astype(np.int16).astype(np.uint8)
    )
    return left + width


def text_width(text: str, size: int) -> int:
    """Return the width of a line of text in pixels."""
    return _text_mask(text, size)[0].shape[1]


@lru_cache(maxsize=1024)
def _text_mask(text: str, size: int) -> tuple[np.ndarray, int]:
    """Return the coverage in [0, 1] of a line of text and the row of it that is its middle."""
    font = _font(size)
    _, top, _, bottom = font.getbbox("0")
    height = sum(font.getmetrics())
    width = max(int(np.ceil(font.getlength(text))), 1)
    mask = np.zeros((height, width), np.float32)
    glyphs, (left, above) = font.getmask2(text, mode="L")
    drawn = np.asarray(glyphs, np.float32).reshape(glyphs.size[::-1]) / 255
    target = mask[max(above, 0) : above + drawn.shape[0], max(left, 0) : left + drawn.shape[1]]
    target[:] = drawn[: target.shape[0], : target.shape[1]]
    return mask, round((top + bottom) / 2)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _as_rgb(observation: np.ndarray, frame_channels: int) -> np.ndarray:
    """Return the (H, W, 3) picture of a stack of frames of `frame_channels` channels each."""
    if frame_channels >= 3:
        last = observation.shape[2] - frame_channels
        return np.ascontiguousarray(observation[..., last : last + 3])
    grays = observation[..., ::frame_channels][..., -3:]
    missing = 3 - grays.shape[2]
    return np.concatenate([grays] + [grays[..., -1:]] * missing, axis=2)


def _enlarge(image: np.ndarray, panel: np.ndarray) -> None:
    """Resize `image` into `panel` in place, with pixels as sharp as their new size allows."""
    height, width = panel.shape[:2]
    if height % image.shape[0] or width % image.shape[1]:
        times = max(-(-height // image.shape[0]), 1)
        size = (image.shape[1] * times, image.shape[0] * times)
        image = cv2.resize(image, size, interpolation=NEAREST)
        cv2.resize(image, (width, height), dst=panel, interpolation=cv2.INTER_LINEAR)
    else:
        cv2.resize(image, (width, height), dst=panel, interpolation=NEAREST)
