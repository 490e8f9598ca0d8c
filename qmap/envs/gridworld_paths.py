"""Shortest paths in the grid world, from all places at once, and the true Q-frames they give."""

from __future__ import annotations

import numpy as np

from qmap.envs.gridworld_level import COLS, MOVES, ROWS, SCREEN_COL, Level

UNREACHABLE = np.iinfo(np.uint16).max
CHUNK = 128  # positions whose arrays fit in the cache together


def true_q_frames(
    level: Level, places: np.ndarray, gamma: float, dtype: type[np.floating] = np.float32
) -> np.ndarray:
    """Return the Q-frames that a perfect Q-map would give.

    Args:
        level: the level.
        places: (n,) indices into `level.positions`.
        gamma: discount factor.
        dtype: type of the result.

    Returns:
        (n, 28, 32, 4) of `dtype` in [0, 1]: `gamma ** distance` with the distances of
        `distances_after`, 0 where there is no way.
    """
    q_frames = np.empty((len(places), ROWS, COLS, len(MOVES)), dtype)
    for start in range(0, len(places), CHUNK):
        part = slice(start, start + CHUNK)
        closeness(distances_after(level, places[part]), gamma, out=q_frames[part])
    return q_frames


def closeness(distances: np.ndarray, gamma: float, out: np.ndarray) -> np.ndarray:
    """Write `gamma ** distances`, 0 for `UNREACHABLE`, to `out`, and return it."""
    powers = np.zeros(UNREACHABLE + 1, out.dtype)
    # No way is longer than the screen has cells.
    powers[: ROWS * COLS] = np.power(gamma, np.arange(ROWS * COLS))
    # Every index is in range; this mode spares a copy of the result.
    return np.take(powers, distances, out=out, mode="clip")


def distances_after(level: Level, places: np.ndarray) -> np.ndarray:
    """Return how many steps away every cell of the screen is once an action was taken.

    Ways lie within the window as it stands before the action. The cell to which the action leads
    has distance 0.

    Args:
        level: the level.
        places: (n,) indices into `level.positions`.

    Returns:
        (n, 28, 32, 4) uint16, by position, cell in the window before the action, and action;
        `UNREACHABLE` at walls and where there is no way.
    """
    # A row of the screen is one integer, its lowest bit the leftmost column.
    free = np.packbits(~level.windows, axis=-1, bitorder="little").view("<u4")[..., 0]
    distances = np.empty((len(places), ROWS, COLS, len(MOVES)), np.uint16)
    for start in range(0, len(places), CHUNK):
        chunk = np.asarray(places[start : start + CHUNK])
        cols = level.positions[chunk, 1]
        next_rows, next_cols = level.positions[level.next_places[chunk]].transpose(2, 0, 1)
        sources = np.zeros((len(chunk), len(MOVES), ROWS), np.uint32)
        bits = np.uint32(1) << (SCREEN_COL + next_cols - cols[:, None]).astype(np.uint32)
        np.put_along_axis(sources, next_rows[..., None], bits[..., None], axis=-1)
        found = flood(sources, free[cols][:, None])
        distances[start : start + CHUNK] = found.transpose(0, 2, 3, 1)
    return distances


def flood(sources: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Spread from the cells of `sources` over those of `free`, a row in one operation.

    A row is an unsigned integer of as many bits as it has cells, the lowest one leftmost.

    The step at which a cell is reached is collected in bit planes: plane k has the cells for
    whose step bit k is set.

    Args:
        sources: (..., rows) of an unsigned type, the cells at distance 0.
        free: (..., rows) of the same type, broadcast to `sources`.

    Returns:
        (..., rows, bits) uint16, `UNREACHABLE` where there is no way.
    """
    front = sources.copy()
    spread = np.empty_like(front)
    left = free & ~sources  # not reached so far
    everything = left | sources
    planes: list[np.ndarray] = []
    step = 0
    while True:
        step += 1
        np.left_shift(front, 1, out=spread)
        spread[..., 1:] |= front[..., :-1]
        spread[..., :-1] |= front[..., 1:]
        np.right_shift(front, 1, out=front)
        front |= spread
        front &= left
        if not front.any():
            break
        left ^= front
        if step.bit_length() > len(planes):
            planes.append(np.zeros_like(front))
        for bit, plane in enumerate(planes):
            if step >> bit & 1:
                plane |= front
    distances = np.where(_unpacked(everything ^ left), 0, np.uint16(UNREACHABLE))
    for bit, plane in enumerate(planes):
        distances |= _unpacked(plane).astype(np.uint16) << bit
    return distances


def _unpacked(bits: np.ndarray) -> np.ndarray:
    """Return the cells of packed rows, uint8 0 or 1: one more axis, of the bits."""
    as_bytes = bits.astype(bits.dtype.newbyteorder("<"), copy=False)[..., None].view(np.uint8)
    return np.unpackbits(as_bytes, axis=-1, bitorder="little")
