"""Sokoban: rules, random boards, exact distances and text files against slow, obvious ones."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import qmap.envs  # noqa: F401
from qmap.envs.contract import check_contract
from qmap.envs.gridworld_paths import UNREACHABLE
from qmap.envs.sokoban import SokobanEnv
from qmap.envs.sokoban_boards import Boards, random_boards
from qmap.envs.sokoban_search import distances_after
from qmap.envs.sokoban_text import read_boards
from qmap.envs.walks import MOVES, random_walks
from qmap.utils.errors import UserError

SEEDS = st.integers(0, 2**32 - 1)
CORRIDOR = "#######\n#@ $ .#\n#######\n"

Cell = tuple[int, int]
State = tuple[Cell, frozenset[Cell]]


class SlowBoard:
    """One board, as sets of cells."""

    def __init__(self, boards: Boards, index: int) -> None:
        def cells(plane: np.ndarray) -> frozenset[Cell]:
            return frozenset(divmod(int(place), boards.side) for place in np.flatnonzero(plane))

        self.walls, self.targets = cells(boards.walls[index]), cells(boards.targets[index])
        character = divmod(int(boards.characters[index]), boards.side)
        self.state: State = (character, cells(boards.boxes[index]))

    def step(self, state: State, action: int) -> tuple[State, Cell | None]:
        """The state afterwards, and where a box was pushed to."""
        character, boxes = state
        down, right = (int(by) for by in MOVES[action])
        ahead = (character[0] + down, character[1] + right)
        if ahead in self.walls:
            return state, None
        if ahead not in boxes:
            return (ahead, boxes), None
        behind = (ahead[0] + down, ahead[1] + right)
        if behind in self.walls or behind in boxes:
            return state, None
        return (ahead, boxes - {ahead} | {behind}), behind

    def search(self, state: State) -> dict[str, dict[Cell, int]]:
        """Steps to all cells, of the character and of a box; breadth first with a queue."""
        steps = {state: 0}
        found: dict[str, dict[Cell, int]] = {"character": {state[0]: 0}, "box": {}}
        queue = deque([state])
        while queue:
            here = queue.popleft()
            for action in range(4):
                there, pushed_to = self.step(here, action)
                found["character"].setdefault(there[0], steps[here] + 1)
                if pushed_to is not None:
                    found["box"].setdefault(pushed_to, steps[here] + 1)
                if there not in steps:
                    steps[there] = steps[here] + 1
                    queue.append(there)
        self.can_be_solved = any(boxes == self.targets for _, boxes in steps)
        return found


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, size=st.integers(7, 12), boxes=st.integers(1, 4), played_on=st.booleans())
def test_random_boards_hold_what_was_asked_for(
    seed: int, size: int, boxes: int, played_on: bool
) -> None:
    generator = np.random.default_rng(seed)
    boards = random_boards(generator, 5, size, boxes, played_on=played_on)
    assert len(boards) == 5
    each = np.arange(5)
    np.testing.assert_array_equal(boards.boxes.sum(axis=1), boxes)
    np.testing.assert_array_equal(boards.targets.sum(axis=1), boxes)
    assert not (boards.walls & (boards.boxes | boards.targets)).any()
    assert not (boards.walls | boards.boxes)[each, boards.characters].any()
    walls = boards.walls.reshape(5, boards.side, boards.side).copy()
    walls[:, 1 : size - 1, 1 : size - 1] = True
    assert walls.all()
    assert played_on or not boards.solved.any()


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, boxes=st.integers(1, 2))
def test_random_boards_can_be_solved(seed: int, boxes: int) -> None:
    boards = random_boards(np.random.default_rng(seed), 1, 7, boxes)
    slow = SlowBoard(boards, 0)
    slow.search(slow.state)
    assert slow.can_be_solved


def test_boards_that_were_played_on_are_sometimes_beyond_solving() -> None:
    boards = random_boards(np.random.default_rng(0), 30, 7, 1, played_on=True)
    solvable = []
    for index in range(len(boards)):
        slow = SlowBoard(boards, index)
        slow.search(slow.state)
        solvable.append(slow.can_be_solved)
    assert 0 < sum(solvable) < 30


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, boxes=st.integers(1, 4), length=st.integers(1, 8))
def test_walks_follow_the_rules(seed: int, boxes: int, length: int) -> None:
    boards = random_boards(np.random.default_rng(seed), 4, 7, boxes, played_on=True)
    of_character, of_box = (
        random_walks(replace(boards, goals=goals), np.random.default_rng(seed), length)
        for goals in ("character", "box")
    )
    np.testing.assert_array_equal(of_character.actions, of_box.actions)
    # The same generator draws the same actions again.
    actions = np.random.default_rng(seed).integers(4, size=(length, 4))
    for index in range(4):
        slow = SlowBoard(boards, index)
        state = slow.state
        for step, action in enumerate(actions[:, index]):
            state, pushed_to = slow.step(state, action)
            assert (of_character.rows[index, step], of_character.cols[index, step]) == state[0]
            expected = (-1, -1) if pushed_to is None else pushed_to
            assert (of_box.rows[index, step], of_box.cols[index, step]) == expected
            if step == 0:
                seen = of_character.next_observations[index]
                assert tuple(map(tuple, np.argwhere(seen[..., 0]))) == (state[0],)
                boxes_seen = (seen[..., 1] > 0) & (seen[..., 0] == 0)
                assert set(map(tuple, np.argwhere(boxes_seen))) == state[1]


def test_what_is_seen_tells_everything_apart(tmp_path: Path) -> None:
    (tmp_path / "boards").write_text(
        "#####\n#@$.#\n#####\n\n####\n#+$#\n####\n\n####\n#@*#\n####\n"
    )
    first, second, third = read_boards(tmp_path / "boards").observations()
    wall, character, box = (0, 0, 255), (255, 255, 0), (0, 255, 0)
    assert [tuple(cell) for cell in first[1, :5]] == [wall, character, box, (0, 0, 128), wall]
    assert tuple(second[1, 1]) == (255, 255, 128)
    assert tuple(third[1, 2]) == (0, 255, 128)
    assert (first[3:, :, 2] == 255).all()


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, boxes=st.integers(1, 2), played_on=st.booleans())
def test_distances_equal_those_of_a_search_with_a_queue(
    seed: int, boxes: int, played_on: bool
) -> None:
    boards = random_boards(np.random.default_rng(seed), 2, 7, boxes, played_on=played_on)
    for goals in ("character", "box"):
        distances, exact = distances_after(replace(boards, goals=goals))
        assert exact.all()
        for index in range(2):
            slow = SlowBoard(boards, index)
            for action in range(4):
                state, pushed_to = slow.step(slow.state, action)
                found = slow.search(state)[goals]
                if goals == "box" and pushed_to is not None:
                    found[pushed_to] = 0
                expected = np.full(distances.shape[1:3], UNREACHABLE)
                for cell, steps in found.items():
                    expected[cell] = steps
                np.testing.assert_array_equal(distances[index, ..., action], expected)


def test_searches_of_many_boards_give_what_each_gives_alone() -> None:
    boards = random_boards(np.random.default_rng(1), 12, 8, 3, "box", played_on=True)
    together, _ = distances_after(boards)
    alone = [distances_after(boards[index : index + 1])[0] for index in range(12)]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_a_box_in_a_corner_cuts_off_what_lies_behind_it(tmp_path: Path) -> None:
    (tmp_path / "boards").write_text("########\n#@ $. ##\n########\n")
    right = 2
    character, _ = distances_after(read_boards(tmp_path / "boards", "character"))
    box, _ = distances_after(read_boards(tmp_path / "boards", "box"))
    none = UNREACHABLE
    # The box can be pushed to the end; the cell at the end is left for nobody to stand on.
    assert character[0, 1, 1:6, right].tolist() == [1, 0, 1, 2, none]
    assert box[0, 1, 1:6, right].tolist() == [none, none, none, 1, 2]


def test_a_search_that_sees_too_much_is_given_up() -> None:
    boards = random_boards(np.random.default_rng(2), 3, 10, 2, "box")
    _, exact = distances_after(boards, max_states=50)
    assert not exact.any()


def test_the_environment_keeps_the_contracts() -> None:
    env = gymnasium.make("qmap/Sokoban-v0", size=9, boxes=3)
    check_env(env.unwrapped, skip_render_check=True)
    check_contract(env)
    assert env.unwrapped.coords_shape == (12, 12)


@pytest.mark.parametrize("goals", ["character", "box"])
def test_the_environment_says_what_was_reached(goals: str) -> None:
    env = SokobanEnv(size=8, goals=goals, max_steps=60)
    observation, info = env.reset(seed=4)
    place = tuple(info["coords"][:2])
    assert place == ((0, 0) if goals == "box" else tuple(info["position"]))
    pushes = 0
    for step in range(60):
        boxes = (observation[..., 1] > 0) & (observation[..., 0] == 0)
        observation, reward, terminated, truncated, info = env.step((step * 5 + step // 4) % 4)
        pushed = (observation[..., 1] > 0) & (observation[..., 0] == 0) & ~boxes
        if goals == "box" and pushed.any():
            ((row, col),) = np.argwhere(pushed)
            place, pushes = (row, col), pushes + 1
        elif goals == "character":
            place = tuple(info["position"])
        assert tuple(info["coords"]) == (*place, 0)
        assert tuple(observation[tuple(info["position"])][:2]) == (255, 255)
        assert not terminated
        assert reward == 0.0
        assert truncated == (step == 59)
    assert pushes > 0 or goals == "character"


def test_solving_a_board_is_rewarded_and_ends_the_episode(tmp_path: Path) -> None:
    (tmp_path / "boards").write_text(CORRIDOR)
    env = SokobanEnv(boards=tmp_path / "boards")
    env.reset(seed=0)
    results = [env.step(2)[1:] for _ in range(3)]
    assert [result[:2] for result in results] == [(0.0, False), (0.0, False), (1.0, True)]
    assert [result[3]["qmap"]["completed"] for result in results] == [False, False, True]


def test_the_environment_goes_on_from_a_saved_state() -> None:
    env, other = SokobanEnv(size=8, goals="box"), SokobanEnv(size=8, goals="box")
    env.reset(seed=5)
    for action in (0, 1, 1, 2, 3):
        env.step(action)
    other.reset(seed=6)
    other.restore_state(env.save_state())
    for action in (0, 1, 2, 3, 2):
        one, another = env.step(action), other.step(action)
        np.testing.assert_array_equal(one[0], another[0])
        np.testing.assert_array_equal(one[4]["coords"], another[4]["coords"])
    np.testing.assert_array_equal(env.reset()[0], other.reset()[0])


def test_the_picture_shows_boxes_apart_from_those_on_targets(tmp_path: Path) -> None:
    (tmp_path / "boards").write_text("######\n#@$.*#\n######\n")
    env = SokobanEnv(boards=tmp_path / "boards", render_mode="rgb_array")
    env.reset()
    picture = env.render()
    assert picture.shape == (8 * 16, 8 * 16, 3)
    middles = [tuple(picture[16 + 8, 16 * col + 8]) for col in range(6)]
    wall = (52, 58, 72)
    expected = [wall, (236, 110, 44), (201, 152, 84), (214, 72, 84), (132, 168, 92), wall]
    assert middles == expected
    assert SokobanEnv().render() is None


def test_files_of_boards_are_read_with_titles_comments_and_outer_floor(tmp_path: Path) -> None:
    text = "; a set\nMicro 1\n  ####\n###..#\n#@$$ #\n# -  #\n######\n\nTwo\n#####\n#@$.#\n#####\n"
    (tmp_path / "set.txt").write_text(text)
    boards = read_boards(tmp_path / "set.txt")
    assert len(boards) == 2
    assert boards.side == 8
    np.testing.assert_array_equal(boards.boxes.sum(axis=1), (2, 1))
    assert divmod(boards.characters[0], 8) == (2, 1)
    # What is outside the walls is wall too.
    first = boards.walls[0].reshape(8, 8)
    assert first[0].all()
    assert first[:, 6:].all()
    assert np.count_nonzero(~first) == 10


def test_a_box_that_is_walled_in_elsewhere_is_no_box(tmp_path: Path) -> None:
    (tmp_path / "set.txt").write_text("########\n#@$. #*#\n########\n")
    boards = read_boards(tmp_path / "set.txt")
    assert boards.boxes.sum() == boards.targets.sum() == 1
    distances_after(boards)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no Sokoban board; expected lines of the characters"),
        ("hello\n", "has no Sokoban board"),
        ("#####\n# $.#\n#####\n", "line 1: the board has 0 characters, expected one @ or +"),
        ("title\n######\n#@$.+#\n######\n", "line 2: the board has 2 characters"),
        ("#####\n#@$ #\n#####\n", "1 boxes and 0 targets, expected as many of both"),
        ("#####\n#@  #\n#####\n", "0 boxes and 0 targets"),
        ("#####\n#@$. \n#####\n", "the board is open, expected # all around"),
        ("#####\n#@$.#\n", "the board is open"),
        ("#" * 13 + "\n#@$.       #\n" + "#" * 13, "3 rows and 13 columns, expected at most 12"),
    ],
)
def test_what_is_no_board_is_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "set.txt").write_text(text)
    with pytest.raises(UserError) as caught:
        read_boards(tmp_path / "set.txt")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe#\x80")
    for name, words in (("binary", "it is not text"), ("none", "No such file"), ("", "directory")):
        with pytest.raises(UserError, match=words):
            read_boards(tmp_path / name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 6}, "the size of a Sokoban board is 6, expected 7 to 12"),
        ({"size": 13}, "the size of a Sokoban board is 13"),
        ({"boxes": 0}, "there are 0 boxes, expected 1 to 4"),
        ({"boxes": 5}, "there are 5 boxes"),
        ({"goals": "both"}, "goals is 'both', expected 'character' or 'box'"),
        ({"render_mode": "human"}, "render_mode is 'human'"),
        ({"max_steps": 0}, "max_steps is 0"),
    ],
)
def test_options_that_are_not_allowed_are_refused_in_one_line(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=f"^{words}"):
        SokobanEnv(**options)
