"""What the comparison in the grid world takes from runs; training them takes minutes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy import WAYS, Options, errors, find
from qmap.gridworld.config import GridWorldConfig, agent_name
from qmap.utils.command_line import typed


def write_run(options: Options, way: str, seed: int, last_step: int) -> None:
    """A run whose error is the step in millions, twice and three times it on the other levels."""
    agent = agent_name(GridWorldConfig(**typed(GridWorldConfig, "", WAYS[way])))
    folder = Path(options.path) / options.precision / "gridworld" / agent / f"seed-{seed}_now"
    folder.mkdir(parents=True)
    steps = np.arange(0, last_step + 1, 1600)
    rows = [f"{step},{step / 1e6},{step / 5e5},{3 * step / 1e6}" for step in steps]
    log = "\n".join(["steps,level1,level2,level3", *rows])
    (folder / "ground_truth_loss.csv").write_text(f"{log}\n")


def test_every_way_is_an_agent_of_its_own() -> None:
    names = {agent_name(GridWorldConfig(**typed(GridWorldConfig, "", WAYS[way]))) for way in WAYS}
    assert len(names) == len(WAYS)


def test_errors_are_those_of_the_end_and_of_the_last_quarter(tmp_path: Path) -> None:
    options = Options(steps=16_000, path=str(tmp_path))
    write_run(options, "small start", 1, 40_000)
    run = errors(options, "small start", 1)
    np.testing.assert_allclose(run.end, [0.016, 0.032, 0.048])
    assert run.quarter[0] == pytest.approx(np.mean([0.0128, 0.0144, 0.016]))
    assert run.early.size == 0


def test_errors_are_those_nearest_to_the_moments_that_were_published(tmp_path: Path) -> None:
    options = Options(steps=160_000, path=str(tmp_path))
    write_run(options, "published", 0, 160_000)
    np.testing.assert_allclose(errors(options, "published", 0).early, [0.0928, 0.1248])


def test_a_run_of_another_seed_way_precision_or_length_is_not_taken(tmp_path: Path) -> None:
    options = Options(steps=16_000, path=str(tmp_path))
    write_run(options, "small start", 1, 16_000)
    assert find(options, "small start", 1) is not None
    assert find(options, "small start", 0) is None
    assert find(options, "published", 1) is None
    assert (
        find(Options(steps=16_000, path=str(tmp_path), precision="bfloat16"), "small start", 1)
        is None
    )
    assert find(Options(steps=32_000, path=str(tmp_path)), "small start", 1) is None
