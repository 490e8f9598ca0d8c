"""What breaks the contract is said at the start, in one line."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from qmap.envs.contract import check_contract
from qmap.utils.errors import UserError


class Contract(gymnasium.Env):
    """Keeps the contract; the tests below break it in one place each."""

    action_space = spaces.Discrete(2)
    action_names = ("A", "B")
    observation_space = spaces.Box(0, 255, (8, 8, 1), np.uint8)
    coords_shape = (4, 4)
    observation = np.zeros((8, 8, 1), np.uint8)
    coords = np.array((1, 6, 5))
    position = np.array((20, 30))
    room = 0

    def moment(self) -> tuple[np.ndarray, dict[str, Any]]:
        names = ("coords", "position", "room")
        info = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return self.observation, info

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        return self.moment()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, info = self.moment()
        return observation, 0.0, False, False, info


def test_an_environment_that_keeps_the_contract_passes() -> None:
    check_contract(Contract())
    check_contract(gymnasium.wrappers.TimeLimit(Contract(), 5))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("coords_shape", (4, 4, 4), r"coords_shape is \(4, 4, 4\), expected \(rows, cols\)"),
        ("action_space", spaces.Box(-1, 1), "expected Discrete"),
        ("action_space", spaces.Discrete(2, start=1), "expected Discrete, from 0"),
        ("action_names", ("A",), "action_names has 1 names, expected 2"),
        ("observation_space", spaces.Discrete(3), r"expected a Box of uint8 \(height, width"),
        ("observation_space", spaces.Box(0, 1, (8, 8, 1), np.float32), "GoalGrid makes such"),
        ("observation_space", spaces.Box(0, 255, (8, 8), np.uint8), "expected a Box of uint8"),
        ("observation", np.zeros((8, 9, 1), np.uint8), r"is uint8 \(8, 9, 1\), expected uint8 \(8"),
        ("observation", np.zeros((8, 8, 1)), r"observation is float64 \(8, 8, 1\), expected uint8"),
        ("observation", [[0]], r"observation is list \(1, 1\), expected uint8"),
        ("coords", None, r"info has no 'coords', expected \(row, col, window\).*GoalGrid adds it"),
        ("coords", np.array((1, 2)), r"info\['coords'\] is .*, expected int64 \(row, col, window"),
        ("coords", np.array((1.0, 2.0, 0.0)), r"expected int64 \(row, col, window\)"),
        ("coords", (1, 2, 0), r"expected int64 \(row, col, window\)"),
        ("coords", np.array((4, 0, 0)), r"row 4, column 0, window 0, expected to be on the grid"),
        ("coords", np.array((-1, 0, 0)), "expected to be on the grid"),
        ("coords", np.array((0, 4, 5)), "expected to be on the grid"),
        ("coords", np.array((0, 9, 5)), "expected to be on the grid"),
        ("position", None, r"info has no 'position', expected \(row, col\)"),
        ("position", np.array((1, 2, 3)), r"info\['position'\] is .*, expected int64 \(row, col\)"),
        ("room", None, r"info\['room'\] is None, expected an int"),
    ],
)
def test_what_breaks_the_contract_is_said_in_one_line(name: str, value: Any, message: str) -> None:
    env = Contract()
    setattr(env, name, value)
    with pytest.raises(UserError, match=message) as error:
        check_contract(env)
    assert "\n" not in str(error.value)


def test_the_contract_is_checked_on_steps_too() -> None:
    env = Contract()
    env.step = lambda action: (env.observation, 0.0, False, False, {})
    with pytest.raises(UserError, match=r"Contract, step\(\): info has no 'coords'"):
        check_contract(env)


def test_an_environment_without_coordinates_is_told_about_the_wrapper() -> None:
    with pytest.raises(UserError, match=r"CartPole-v1 has no coordinates: .*GoalGrid adds both"):
        check_contract(gymnasium.make("CartPole-v1"))
