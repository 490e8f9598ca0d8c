"""What breaks the contract is said at the start, in one line."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from qmap.envs.contract import check_contract, check_moment, check_reward
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
    qmap: Any = None
    reward: Any = 0.0
    terminated: Any = False
    truncated: Any = np.False_

    def moment(self) -> tuple[np.ndarray, dict[str, Any]]:
        names = ("coords", "position", "qmap")
        info = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return self.observation, info

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        return self.moment()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, info = self.moment()
        return observation, self.reward, self.terminated, self.truncated, info


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
        ("observation", [[0]], "observation is list of length 1, expected uint8"),
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
        ("position", np.array((1, 2), np.int32), r"expected int64 \(row, col\)"),
        ("reward", None, r"Contract, step\(\): reward is None, expected a number that is finite"),
        ("reward", float("nan"), "reward is nan, expected"),
        ("reward", -float("inf"), "reward is -inf, expected"),
        ("reward", 1e39, r"reward is 1e\+39, expected"),
        ("reward", np.float64(-1e39), r"reward is .*-1e\+39.*, expected"),
        ("reward", 10**40, "reward is 1000000000.*, expected"),
        ("reward", np.float16("inf"), "reward is .*inf.*, expected"),
        ("reward", np.longdouble("1e400"), "reward is .*, expected"),
        ("reward", np.ones(1), r"reward is array\(\[1.\]\), expected"),
        ("reward", [[1.0], [2, 3]], "reward is .*, expected"),
        ("reward", [1.0], r"reward is \[1.0\], expected"),
        ("reward", "1", "reward is '1', expected"),
        ("reward", 1j, "reward is 1j, expected"),
        ("terminated", 0, r"Contract, step\(\): terminated is 0, expected True or False"),
        ("terminated", np.array([True]), r"terminated is array\(\[ True\]\), expected"),
        ("truncated", None, "truncated is None, expected True or False"),
        ("truncated", 1.0, "truncated is 1.0, expected"),
        ("qmap", 3, r"info\['qmap'\] is 3, expected a dictionary"),
        (
            "qmap",
            {"rooms": 1},
            r"info\['qmap'\] has 'rooms', expected none but clipped, completed, distance, room$",
        ),
        ("qmap", {1: 2, "room": 3}, r"info\['qmap'\] has 1, expected"),
        (
            "qmap",
            {"room": "kitchen"},
            r"\['room'\] is 'kitchen', expected an int from 0 to 1048575",
        ),
        ("qmap", {"room": -1}, r"\['room'\] is -1, expected"),
        ("qmap", {"room": 2**20}, r"\['room'\] is 1048576, expected"),
        ("qmap", {"room": 1.0}, r"\['room'\] is 1.0, expected"),
        ("qmap", {"room": True}, r"\['room'\] is True, expected"),
        (
            "qmap",
            {"distance": float("inf")},
            r"\['distance'\] is inf, expected an int; leave it out",
        ),
        ("qmap", {"distance": None}, r"\['distance'\] is None, expected an int"),
        ("qmap", {"distance": 2**63}, r"\['distance'\] is 9223372036854775808, expected"),
        ("qmap", {"completed": 1}, r"\['completed'\] is 1, expected True or False"),
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


@pytest.mark.parametrize(
    "reward", [2, True, np.float32(2), np.int8(2), np.array(2.0), np.bool_(True), 3.4e38]
)
def test_every_kind_of_number_is_a_reward(reward: Any) -> None:
    assert check_reward("", reward) == float(reward)
    assert type(check_reward("", reward)) is float


def test_what_is_optional_has_defaults() -> None:
    world = check_contract(Contract())
    env = Contract()
    assert check_moment("", world, *env.moment())[3:] == (0, None, False, False)
    env.qmap = {"room": np.int64(2**20 - 1), "distance": -3, "completed": np.True_}
    assert check_moment("", world, *env.moment())[3:] == (2**20 - 1, -3, True, False)


class Stateful(Contract):
    """Has a state, and ways to get it wrong."""

    def __init__(self, state: Any = None, forgets: bool = False) -> None:
        self.state = state
        self.steps = 0
        self.forgets = forgets

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return super().step(action)

    def save_state(self) -> dict[str, Any]:
        return {"steps": self.steps, "own": self.state}

    def restore_state(self, state: dict[str, Any]) -> None:
        self.steps = self.steps if self.forgets else state["steps"]
        self.state = state["own"]


@pytest.mark.parametrize("ended", [False, True])
def test_a_state_of_everything_that_can_be_saved_passes(ended: bool) -> None:
    env = Stateful([None, b"12", (1, "a"), {"x": np.arange(3), "y": float("nan")}, np.int8(3)])
    env.terminated = ended
    check_contract(env)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({1: 2}, r" has the key 1, expected keys that are text$"),
        ([{2}], r"\[0\] is of type set, which cannot be saved; expected"),
        (np.array([{}]), " is of type ndarray, which cannot be saved"),
        (Contract(), " is of type Contract, which cannot be saved"),
    ],
)
def test_a_state_that_cannot_be_saved_is_told_at_the_start(state: Any, message: str) -> None:
    with pytest.raises(UserError, match=rf"^Stateful: save_state\(\)\['own'\]{message}"):
        check_contract(Stateful(state))


def test_a_state_that_is_not_restored_is_told_at_the_start() -> None:
    with pytest.raises(UserError, match=r"Stateful: save_state\(\) after restore_state"):
        check_contract(Stateful(forgets=True))
    env = Stateful()
    env.save_state = lambda path: None
    with pytest.raises(UserError, match=r"its state raised TypeError: .*'path'; expected save_sta"):
        check_contract(env)
