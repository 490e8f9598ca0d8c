from __future__ import annotations

import json
from pathlib import Path

import corridor_agent
import numpy as np
import pytest

from qmap import shipped
from qmap.shipped import ship
from qmap.utils import checkpoint
from qmap.utils.errors import UserError


@pytest.mark.parametrize("name", shipped.names())
def test_what_ships_is_small_can_be_evaluated_and_names_no_machine(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qmap.evaluate.trained import find

    monkeypatch.chdir(tmp_path)
    path = shipped.place(name)
    assert path.stat().st_size <= ship.LARGEST
    assert find(path).name.startswith(name)
    told = json.loads((path.parent.parent / "config.json").read_text())
    # Those of worlds of cells have the options in the checkpoint as well.
    in_checkpoint = checkpoint.load(path, "checkpoint").get("config", told["options"])
    assert told["options"]["path"] == in_checkpoint["path"] == "qmap_results"
    # What is measured of it is written beside it, and stays.
    (path.parent.parent / "evaluation").mkdir()
    path.write_bytes(b"of an earlier version, or half written")
    assert shipped.place(name) == path
    assert find(path).step > 0
    checkpoint.load(path, "checkpoint")
    assert (path.parent.parent / "evaluation").is_dir()


def test_other_places_are_left_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped.place("somewhere/step_5.ckpt") == Path("somewhere/step_5.ckpt")
    (tmp_path / "maze").mkdir()
    assert shipped.place("maze") == Path("maze"), "a folder of one's own goes first"
    assert list(tmp_path.iterdir()) == [tmp_path / "maze"]
    (packed,) = (shipped.AGENTS / "maze" / "tensorflow").iterdir()
    assert shipped.place(str(packed)) == packed
    assert list(tmp_path.iterdir()) == [tmp_path / "maze"]


@pytest.mark.parametrize("word", ["mazes", "foxglove2", "..."])
def test_a_word_that_names_nothing_is_refused_with_the_names_that_do(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="foxglove, gridworld, maze, sokoban"):
        shipped.place(word)
    assert not list(tmp_path.iterdir())


def test_an_agent_is_added_to_those_that_ship_without_where_it_lay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = corridor_agent.write_run(tmp_path / "results")
    told = json.loads((run / "config.json").read_text())
    told["options"]["path"] = "/home/somebody"
    (run / "config.json").write_text(json.dumps(told))
    monkeypatch.setattr(shipped, "AGENTS", tmp_path / "agents")
    monkeypatch.setattr(ship, "LARGEST", 2**30)
    (path,) = (run / "tensorflow").iterdir()
    target = ship.ship(path, "corridor")
    assert shipped.names() == ["corridor"]
    assert "somebody" not in (target.parent.parent / "config.json").read_text()
    given, there = (checkpoint.load(each, "checkpoint")["q_map"] for each in (path, target))
    assert there.keys() == {"online"}
    for place, array in there["online"].items():
        assert array.dtype == (np.float16 if array.ndim >= 2 else given["online"][place].dtype)
        np.testing.assert_allclose(array, given["online"][place], rtol=1e-3, atol=1e-7)

    monkeypatch.setattr(ship, "LARGEST", 1000)
    with pytest.raises(UserError, match="expected at most 0: train smaller ones"):
        ship.ship(path, "corridor")
    assert target.exists(), "what ships already stays"


def test_what_half_precision_cannot_hold_stays_as_it_is() -> None:
    for array in (
        np.full((2, 2), 1e5, np.float32),
        np.full((2, 2), 7, np.int64),
        np.full(3, 0.1, np.float32),
    ):
        assert ship.halved(array) is array
