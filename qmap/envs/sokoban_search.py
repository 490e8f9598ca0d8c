"""Exact distances in Sokoban: breadth-first search over where the character and the boxes are.

Many searches run side by side, a layer of states of all of them at a time. A state is a number,
made of the character's cell and of the rank of the boxes' cells among all ways to choose as many
(the combinatorial number system), so that a table of bits tells which states were seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from qmap.envs.gridworld_paths import UNREACHABLE
from qmap.envs.sokoban_boards import Boards, joined, region
from qmap.envs.walks import MOVES, NOTHING

MAX_STATES = 1_000_000  # that a search may see
TABLE = 2**28  # bytes of the table of seen states


def distances_after(boards: Boards, max_states: int = MAX_STATES) -> tuple[np.ndarray, np.ndarray]:
    """Return how many steps away every goal is once an action was taken.

    A box that stands in a cell has to be pushed there again.

    Args:
        boards: all with as many boxes.
        max_states: a search that sees more is given up.

    Returns:
        (n, side, side, 4) uint16, by board, cell and action, 0 for a goal that the action itself
        reaches, `UNREACHABLE` where there is no way; and (n,) bool, whether all searches of a
        board came to their end, without which its distances are worth nothing.
    """
    actions = np.arange(len(MOVES))
    after = [boards.step(np.full(len(boards), action)) for action in actions]
    reached = joined([board for board, _ in after])
    first = np.concatenate([goals for _, goals in after])
    distances = np.empty((len(reached), boards.side**2), np.uint16)
    exact = np.empty(len(reached), bool)
    largest = int((~boards.walls).sum(axis=1).max())
    n_states = largest * comb(largest, int(boards.boxes[0].sum()))
    group = max(1, TABLE // n_states)
    for start in range(0, len(reached), group):
        part = slice(start, start + group)
        search = _Search(reached[part], first[part], max_states)
        search.run()
        distances[part], exact[part] = search.distances, ~search.given_up
    shape = (len(actions), len(boards), boards.side, boards.side)
    return np.moveaxis(distances.reshape(shape), 0, -1), exact.reshape(shape[:2]).all(axis=0)


@dataclass
class _States:
    """States of several searches: which search, the character, the boxes in ascending order."""

    search: np.ndarray
    character: np.ndarray
    boxes: np.ndarray

    def __getitem__(self, which: np.ndarray) -> _States:
        return _States(self.search[which], self.character[which], self.boxes[which])


class _Search:
    """Searches from one state each, of boards with the same number of boxes.

    Cells are numbered anew, from 0 to those that are free and joined with the character; one more
    number stands for all walls.

    Args:
        boards: where the searches begin.
        first: (n,) place of a goal at distance 0, -1 for none.
        max_states: a search that sees more is given up.

    Attributes:
        distances: (n, side * side) uint16, of the goals found so far.
        given_up: (n,) bool.
    """

    def __init__(self, boards: Boards, first: np.ndarray, max_states: int) -> None:
        count, n_boxes = len(boards), int(boards.boxes[0].sum())
        free = region(boards.walls, boards.characters)
        numbers = free.cumsum(axis=1) - 1
        self.wall = int(free.sum(axis=1).max())
        numbers[~free] = self.wall
        self.max_states = max_states
        self.goals = boards.goals
        self.distances = np.full(boards.walls.shape, UNREACHABLE, np.uint16)
        self.given_up = np.zeros(count, bool)

        # By search, number and action; a wall leads to a wall.
        self.next_cells = np.full((count, self.wall + 1, len(MOVES)), self.wall, np.int32)
        self.places = np.zeros((count, self.wall + 1), np.int64)
        which, places = np.nonzero(free)
        around = numbers[which[:, None], places[:, None] + MOVES @ (boards.side, 1)]
        self.next_cells[which, numbers[which, places]] = around
        self.places[which, numbers[which, places]] = places
        # By cell and i: in how many ways i + 1 cells can be chosen among those below it.
        ways = [[comb(cell, i + 1) for i in range(n_boxes)] for cell in range(self.wall + 1)]
        self.ways = np.array(ways, np.int64)
        self.n_choices = comb(self.wall, n_boxes)
        self.seen = np.zeros(count * self.n_choices * self.wall, bool)
        self.n_seen = np.zeros(count, np.int64)

        each = np.arange(count)
        # Boxes that the character's region does not contain move no more than walls do.
        inside = boards.boxes & free
        if (inside.sum(axis=1) != n_boxes).any():
            raise ValueError("expected all boxes where the character could get to without them")
        cells = np.nonzero(inside)[1].reshape(count, n_boxes)
        start = _States(
            each, numbers[each, boards.characters], np.sort(numbers[each[:, None], cells], axis=1)
        )
        self.to_find = self._candidates(start)
        reaching = first != NOTHING
        self.distances[each[reaching], first[reaching]] = 0
        self.to_find[each[reaching], first[reaching]] = False
        self.front = self._unseen(start)

    def run(self) -> None:
        """Search until every goal that there may be is found, or there is no state left."""
        distance = 0
        while len(self.front.search):
            distance += 1
            self.front = self._unseen(self._after(self.front, distance))
            self.given_up |= (self.n_seen > self.max_states) & self.to_find.any(axis=1)
            going = self.to_find.any(axis=1) & ~self.given_up
            self.front = self.front[going[self.front.search]]

    def _after(self, states: _States, distance: int) -> _States:
        """Return what all actions make of states, and note the goals that they reach."""
        results = []
        for action in range(len(MOVES)):
            next_cells = self.next_cells[..., action]
            ahead = next_cells[states.search, states.character]
            at_box = states.boxes == ahead[:, None]
            pushing = at_box.any(axis=1)
            behind = next_cells[states.search, ahead]
            no_room = (behind == self.wall) | (states.boxes == behind[:, None]).any(axis=1)
            moves = np.flatnonzero((ahead != self.wall) & ~(pushing & no_room))
            search, boxes = states.search[moves], states.boxes[moves]
            pushing, ahead, behind = pushing[moves], ahead[moves], behind[moves]
            boxes = np.where(at_box[moves], behind[:, None], boxes)
            boxes.sort(axis=1)
            results.append(_States(search, ahead, boxes))
            if self.goals == "character":
                reached, by = ahead, search
            else:
                reached, by = behind[pushing], search[pushing]
            self._found(by, self.places[by, reached], distance)
        return _States(
            np.concatenate([states.search for states in results]),
            np.concatenate([states.character for states in results]),
            np.concatenate([states.boxes for states in results]),
        )

    def _found(self, searches: np.ndarray, places: np.ndarray, distance: int) -> None:
        new = self.to_find[searches, places]
        self.distances[searches[new], places[new]] = distance
        self.to_find[searches, places] = False

    def _unseen(self, states: _States) -> _States:
        """Return, once each, the states that were not seen before; from now on they are."""
        rank = np.take_along_axis(self.ways, states.boxes, axis=0).sum(axis=1)
        number = (states.search * self.n_choices + rank) * self.wall + states.character
        new = np.flatnonzero(~self.seen[number])
        _, once = np.unique(number[new], return_index=True)
        new = new[once]
        self.seen[number[new]] = True
        self.n_seen += np.bincount(states.search[new], minlength=len(self.n_seen))
        return states[new]

    def _candidates(self, start: _States) -> np.ndarray:
        """Return (n, side * side) bool, the goals that may be found at all.

        For the character all cells; for boxes those to which one could be pushed if it was alone
        and the character could get everywhere.
        """
        cells = self.places > 0
        if self.goals == "box":
            cells = self._pushable(start)
        candidates = np.zeros_like(self.distances, bool)
        which, numbers = np.nonzero(cells)
        candidates[which, self.places[which, numbers]] = True
        return candidates

    def _pushable(self, start: _States) -> np.ndarray:
        boxes = np.zeros(self.places.shape, bool)
        boxes[start.search[:, None], start.boxes] = True
        pushed, before = np.zeros_like(boxes), -1
        while (now := np.count_nonzero(pushed)) > before:
            before = now
            which, cells = np.nonzero(boxes | pushed)
            for action in range(len(MOVES)):
                # The opposites of actions 0, 1, 2 and 3 are 3, 2, 1 and 0.
                character = self.next_cells[which, cells, len(MOVES) - 1 - action]
                to = self.next_cells[which, cells, action]
                free = (character != self.wall) & (to != self.wall)
                pushed[which[free], to[free]] = True
        return pushed
