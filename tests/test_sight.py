from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qmap.agents.sight import brightest, near, near_any, places_ahead, sees


@given(st.integers(0, 2**32 - 1))
def test_the_character_is_seen_where_no_other_cell_is_brighter_than_one_near_it(seed: int) -> None:
    generator = np.random.default_rng(seed)
    q_max = generator.permuted(np.arange(3 * 6 * 9).reshape(3, 6, 9), axis=None)
    places = generator.integers(0, (6, 9), (3, 2))
    for values, (row, col), seen in zip(q_max, places, sees(q_max, places), strict=True):
        around = values[max(row - 2, 0) : row + 3, max(col - 2, 0) : col + 3]
        assert seen == (around.max() == values.max())


def test_the_brightest_cell_is_told_by_row_and_column() -> None:
    q_max = np.zeros((2, 4, 5))
    q_max[0, 3, 1] = q_max[1, 0, 4] = 1.0
    assert brightest(q_max).tolist() == [[3, 1], [0, 4]]


def test_near_is_two_cells_in_each_direction() -> None:
    places = np.array([[2, 2], [2, 3], [5, 0], [0, 0]])
    assert near(np.array([2, 1]), places).tolist() == [True, True, False, True]


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_where_the_character_goes_is_told_on_the_screen_of_the_frame(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    stretches = np.sort(generator.integers(3, size=n))
    places, windows = generator.integers(0, 50, (n, 2)), generator.integers(0, 30, n)
    ahead = places_ahead(places, windows, stretches)
    assert ahead.shape == (n, 5, 2)
    for frame, steps in np.ndindex(n, 5):
        later = frame + steps
        if later < n and stretches[later] == stretches[frame]:
            row, col = places[later]
            assert ahead[frame, steps].tolist() == [row, col - windows[frame]]
        else:
            assert ahead[frame, steps].max() < -900


def test_one_of_several_places_is_enough() -> None:
    places = np.array([[[9, 9], [2, 2]], [[9, 9], [9, 9]], [[1, 1], [9, 9]]])
    assert near_any(np.zeros((3, 2), int), places).tolist() == [True, False, True]
