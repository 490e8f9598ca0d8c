"""What the comparison of agents takes from its table and from runs; training takes minutes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import exploration
from benchmarks.exploration import Options, reached


@pytest.fixture(autouse=True)
def _no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exploration, "train", lambda *_: pytest.fail("trains"))


def test_the_table_that_is_shipped_is_printed_without_a_training(
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = Path(exploration.__file__).parent / "results" / "exploration.csv"
    exploration.main(["--results", str(results)])
    assert "1,265 (1206, 1424, 1165)" in capsys.readouterr().out


def test_what_a_run_found_stays_in_the_table_without_the_run(tmp_path: Path) -> None:
    options = Options(steps=500, path=str(tmp_path), results=str(tmp_path / "t.csv"))
    coords = tmp_path / "foxglove_1.1" / "dqn" / "seed-1_now" / "coords" / "step_500.npy"
    coords.parent.mkdir(parents=True)
    np.save(coords, np.array([[0, 3, 8, 1], [0, 4, 30, 2]], np.int32))
    assert reached(options, "dqn", 1) == (2, 30)
    coords.unlink()
    assert reached(options, "dqn", 1) == (2, 30)
