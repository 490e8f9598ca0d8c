from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import seeing, transfer
from qmap.agents.learner import Learner
from qmap.utils.errors import UserError


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Few frames, and a working directory of its own, into which what ships is unpacked."""
    for module in (seeing, transfer):
        monkeypatch.setattr(module, "FRAMES", 24)
    monkeypatch.chdir(tmp_path)


def test_an_agent_sees_more_of_another_level_with_the_mean_frame_of_that_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    transfer.main(["--levels", "2.2", "1.1", "--seeds", "1"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " | " in line]
    assert [row[:2] for row in rows[1:]] == [
        ["| 2.2", "trained with"],
        ["| 2.2", "of the level"],
        ["| 1.1, trained on", "trained with"],
        ["| 1.1, trained on", "of the level"],
    ]
    blind, seeing_, own, anew = (float(row[2].split()[0]) for row in rows[1:])
    assert blind < 10 < seeing_
    assert abs(own - anew) < 20


def test_who_cannot_be_compared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"no level 9\.9; expected one of 1\.1"):
        transfer.main(["--levels", "9.9"])
    monkeypatch.setattr(Learner, "centers", False)
    with pytest.raises(UserError, match="has no Q-map that centers frames"):
        transfer.main(["--levels", "1.1"])
