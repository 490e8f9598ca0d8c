"""Logs as trainings write them, made for the tests of what reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SCORE = "steps,undiscounted_return,discounted_return,episode_length"
EXPLORATION = (
    "steps,planned_exploration,current_exploration,random_actions,goal_actions,greedy_actions"
)


def make_log(folder: Path, place: str, text: str, name: str = "score.csv") -> Path:
    path = folder / place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def make_results(folder: Path, exploration: bool = False) -> Path:
    rng = np.random.default_rng(0)
    for agent, runs in (("q-map+dqn", 3), ("dqn", 1)):
        for seed in range(runs):
            place = f"montezuma/{agent}/seed-{seed}"
            steps = np.cumsum(rng.integers(50, 150, 60 - 10 * seed))
            rows = [f"{step},{rng.integers(9)},{rng.random()},{100}" for step in steps]
            make_log(folder, place, "\n".join([SCORE, *rows, ""]))
            if exploration:
                rows = [f"{step},1,0.9,0.1,0.8,0.1" for step in range(100, 3000, 100)]
                make_log(folder, place, "\n".join([EXPLORATION, *rows, ""]), "exploration.csv")
    return folder
