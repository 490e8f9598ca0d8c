from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np

from qmap.envs.vector import close_vector, make_vector
from qmap.utils import checkpoint


class Dice(gymnasium.Env):
    """An environment whose future is in its generator alone."""

    observation_space = gymnasium.spaces.Box(0, 255, (8, 8, 1), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)
    coords_shape = (4, 4)
    action_names = ("a", "b")
    render_mode = "rgb_array"

    def look(self) -> tuple[np.ndarray, dict[str, object]]:
        row, col = self.np_random.integers(4, size=2)
        place = {"coords": np.array((row, col, 0)), "position": np.array((row, col)), "room": 0}
        return np.full((8, 8, 1), row * 8 + col, np.uint8), place

    def reset(self, **options: object) -> tuple[np.ndarray, dict[str, object]]:
        super().reset(seed=options.get("seed"))
        return self.look()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        frame, info = self.look()
        return frame, 0.0, False, False, info

    def render(self) -> np.ndarray:
        return np.zeros((8, 8, 3), np.uint8)

    def save_state(self) -> dict[str, np.ndarray]:
        return {}

    def restore_state(self, state: dict[str, np.ndarray]) -> None:
        pass


def test_generators_and_time_limits_of_environments_go_on(tmp_path: Path) -> None:
    def make() -> gymnasium.Env:
        return gymnasium.wrappers.TimeLimit(Dice(), 9)

    def go(envs: gymnasium.vector.VectorEnv, steps: int) -> list[tuple[int, bool]]:
        results = [envs.step(np.zeros(1, int)) for _ in range(steps)]
        return [(int(result[0][0, 0, 0, 0]), bool(result[3][0])) for result in results]

    one, other = make_vector(make, 1), make_vector(make, 1)
    try:
        one.reset(seed=[3])
        go(one, 4)
        state = {"envs": one.call("save_slot")[0]}
        checkpoint.save(tmp_path / "file", "snapshot", state)
        other.reset(seed=[0])
        states = [checkpoint.load(tmp_path / "file", "snapshot")["envs"]]
        assert other.call("restore_slot", states) == (True,)
        expected = go(one, 5)
        assert go(other, 5) == expected
        assert expected[-1][1], "the limit is reached"
    finally:
        close_vector(one)
        close_vector(other)


def test_no_process_outlives_environments_one_of_which_has_died() -> None:
    envs = make_vector(Dice, 2)
    envs.reset(seed=[0, 1])
    envs.processes[0].kill()
    envs.processes[0].join()
    close_vector(envs)
    for process in envs.processes:
        process.join(5)
        assert not process.is_alive()
