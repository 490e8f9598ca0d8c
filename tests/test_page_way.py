"""The way to a goal, drawn on any map of steps."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.envs.maze_paths import distances_after
from qmap.envs.mazes import random_mazes
from qmap.page.way import way_to


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([5, 9, 15]))
def test_the_way_on_a_true_map_of_a_maze_is_a_shortest_way(seed: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    maze = random_mazes(generator, 1, size, 0.1)
    steps = distances_after(maze)[0].min(axis=-1).astype(float) + 1
    place = divmod(int(maze.characters[0]), maze.side)
    goals = np.argwhere(~maze.walls.reshape(maze.side, maze.side))
    goal = tuple(int(index) for index in generator.choice(goals))
    way = way_to(steps, place, goal, by_cells=True)
    assert tuple(way[0]) == place
    assert (np.abs(np.diff(way, axis=0)).sum(axis=1) == 1).all(), "around no corner"
    way = way_to(steps, place, goal)
    assert tuple(way[0]) == place
    assert tuple(way[-1]) == goal
    believed = steps[tuple(way[1:].T)]
    assert (np.diff(believed) > 0).all()
    assert not maze.walls.reshape(maze.side, maze.side)[tuple(way.T)].any()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**31), st.booleans())
def test_the_way_on_any_map_comes_to_an_end(seed: int, by_cells: bool) -> None:
    generator = np.random.default_rng(seed)
    steps = generator.integers(0, 5, (6, 8)).astype(float)
    place, goal = ((int(generator.integers(6)), int(generator.integers(8))) for _ in range(2))
    way = way_to(steps, place, goal, by_cells=by_cells)
    assert tuple(way[-1]) == goal
    believed = steps[tuple(way.T)]
    assert (np.diff(believed[tuple(way[0]) == place :]) > 0).all()
