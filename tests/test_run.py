"""A run whose training only counts: what `Run` does for every training."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qmap.run
from qmap import shipped
from qmap.run import Run, nothing_left
from qmap.run_options import NetworkOptions
from qmap.utils import checkpoint, snapshots
from qmap.utils.errors import UserError
from qmap.utils.run_folder import finished_at


@dataclass(frozen=True)
class Config(NetworkOptions):
    save_every: int = 10
    checkpoint_every: int = 15
    steps: int = 40


@pytest.fixture(autouse=True)
def _tensorflow_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qmap.run, "set_up_networks", lambda _: None)


class Counter:
    """A part of a run."""

    def __init__(self) -> None:
        self.count = 0
        self.closed = False

    def state(self) -> dict[str, Any]:
        return {"count": np.array(self.count)}

    def restore(self, state: dict[str, Any]) -> None:
        self.count = int(state["count"])

    def close(self) -> None:
        self.closed = True


class Death(Exception):
    """What ends a run in the middle."""


def weights(moments: bool) -> dict[str, Any]:
    return {"net": {"w": np.zeros(3)} | ({"moments": np.ones(5)} if moments else {})}


def train(config: Config, die_at: int | None = None, error: type[Exception] = Death) -> Counter:
    """Count to the end, two by two; return the part."""
    with Run(config, "qmap.test", "") as run:
        part = run.closing(Counter())
        run.open("world", "agent")
        run.weights = weights
        run.attach("part", part)
        run.resume()
        log = run.log("log", ("steps", "count"))
        if run.step == 0:
            log.write(0, 0)
        run.announce(config.steps)
        for _ in run.steps(config.steps, "step"):
            part.count += 2
            run.advance(2)
            log.write(run.step, part.count)
            if run.step == die_at:
                raise error("here")
    return part


def folder_of(path: Path) -> Path:
    (config,) = path.glob("world/agent/*/config.json")
    return config.parent


def test_what_a_run_leaves_behind(tmp_path: Path) -> None:
    part = train(Config(path=str(tmp_path), seed=4))
    folder = folder_of(tmp_path)
    assert part.count == 40
    assert part.closed
    assert folder.name.startswith("seed-4_")
    assert json.loads((folder / "config.json").read_text())["program"] == "qmap.test"
    assert snapshots.steps(folder / "snapshots") == [30, 40]
    # Multiples of 15 are passed at 16, 30 and, at the end, 40.
    assert checkpoint.steps(folder / "tensorflow", "ckpt") == [16, 30, 40]
    assert (folder / "log.csv").read_text().splitlines()[-1] == "40,40"


def test_a_run_that_died_goes_on_where_its_last_snapshot_is(tmp_path: Path) -> None:
    with pytest.raises(Death):
        train(Config(path=str(tmp_path / "one")), die_at=36)
    folder = folder_of(tmp_path / "one")
    assert train(Config(path=str(tmp_path / "one"), resume=str(folder))).count == 40
    train(Config(path=str(tmp_path / "other")))
    other = folder_of(tmp_path / "other")
    assert (folder / "log.csv").read_bytes() == (other / "log.csv").read_bytes()


def test_a_run_that_died_before_its_first_snapshot_begins_again(tmp_path: Path) -> None:
    with pytest.raises(Death):
        train(Config(path=str(tmp_path)), die_at=6)
    folder = folder_of(tmp_path)
    assert train(Config(path=str(tmp_path), resume=str(folder))).count == 40
    assert len((folder / "log.csv").read_text().splitlines()) == 22, "one of step 0"


@pytest.mark.parametrize(("keep", "left"), [(1, [40]), (2, [30, 40]), (0, [16, 30, 40])])
def test_old_checkpoints_make_room_for_new_ones(tmp_path: Path, keep: int, left: list[int]) -> None:
    train(Config(path=str(tmp_path), keep=keep))
    assert checkpoint.steps(folder_of(tmp_path) / "tensorflow", "ckpt") == left


@pytest.mark.parametrize("wanted", [False, True])
def test_checkpoints_hold_moments_only_if_they_are_wanted(tmp_path: Path, wanted: bool) -> None:
    train(Config(path=str(tmp_path), keep_moments=wanted))
    path = folder_of(tmp_path) / "tensorflow" / "step_40.ckpt"
    assert ("moments" in checkpoint.load(path, "checkpoint")["net"]) == wanted


def test_divergence_is_said_with_advice(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"diverged at step 6: here; .* lower learning rate"):
        train(Config(path=str(tmp_path)), die_at=6, error=FloatingPointError)


def test_everything_is_let_go_of_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(Death):
        train(Config(path=str(tmp_path)), die_at=6)
    folder = folder_of(tmp_path)
    # The lock is free: else this would be refused.
    train(Config(path=str(tmp_path), resume=str(folder)))


def test_snapshots_of_earlier_versions_are_refused_in_one_line(tmp_path: Path) -> None:
    train(Config(path=str(tmp_path)))
    folder = folder_of(tmp_path)
    snapshots.save(folder / "snapshots", 50, {"agent": {"step": 50}})
    with pytest.raises(UserError, match="of an earlier version of qmap") as refused:
        train(Config(path=str(tmp_path), resume=str(folder)))
    assert "\n" not in str(refused.value)


def test_a_snapshot_without_a_part_is_refused_in_one_line(tmp_path: Path) -> None:
    train(Config(path=str(tmp_path)))
    folder = folder_of(tmp_path)
    snapshots.save(folder / "snapshots", 50, {"format": qmap.run.FORMAT, "step": 50})
    with pytest.raises(UserError, match="of another version"):
        train(Config(path=str(tmp_path), resume=str(folder)))


def test_the_first_line_tells_what_the_disk_will_have_to_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Run(Config(path=str(tmp_path)), "qmap.test", "") as run:
        run.open("world", "agent")
        run.weights = lambda moments: {"w": np.zeros(10**6 * (3 if moments else 1), np.uint8)}
        run.announce(300, snapshot_bytes=2 * 10**6)
    said = capsys.readouterr().err
    assert said.endswith("up to 10 MB for --resume and 3 MB for --load\n"), "there are no videos"


def test_logs_are_tensorboard_events_too_if_asked_for(tmp_path: Path) -> None:
    train(Config(path=str(tmp_path), tensorboard=True))
    assert len(list(folder_of(tmp_path).glob("events.out.tfevents.*"))) == 1


def test_a_finished_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(Config(path=str(tmp_path)))
    train(Config(path=str(tmp_path), resume=str(folder_of(tmp_path))))
    assert "is finished: all of its 40 steps are done" in capsys.readouterr().err


def test_only_a_run_that_came_to_its_end_is_noted_as_finished(tmp_path: Path) -> None:
    with pytest.raises(Death):
        train(Config(path=str(tmp_path)), die_at=20)
    folder = folder_of(tmp_path)
    assert finished_at(folder) is None
    train(Config(path=str(tmp_path), resume=str(folder)))
    assert finished_at(folder) == 40


def test_a_run_whose_last_words_fail_is_not_finished(tmp_path: Path) -> None:
    def fail() -> None:
        with Run(Config(path=str(tmp_path)), "qmap.test", "") as run:
            run.open("world", "agent")
            for _ in run.steps(4, "step"):
                run.advance(2)
            raise Death

    with pytest.raises(Death):
        fail()
    assert finished_at(folder_of(tmp_path)) is None


def test_a_run_that_was_asked_to_stop_earlier_is_not_called_finished() -> None:
    assert nothing_left(50, 100) is None
    assert nothing_left(50, 100, 51) is None
    assert "is finished: all of its 100 steps" in nothing_left(100, 100, 50)
    stopped = nothing_left(50, 1000, 50)
    assert "has done 50 of its 1,000 steps, and --stop-at 50 asks for no more" in stopped
    assert "finished" not in stopped


@pytest.mark.parametrize("name", shipped.names())
def test_a_run_starts_from_an_agent_that_ships_by_its_name(name: str, tmp_path: Path) -> None:
    (file,) = (shipped.AGENTS / name / "tensorflow").iterdir()
    loaded = []
    with Run(Config(load=name, path=str(tmp_path)), "qmap.test", "") as run:
        run.load_weights(loaded.append)
    (tree,) = loaded
    expected = checkpoint.load(file, "checkpoint")
    assert tree.keys() == expected.keys()
    assert tree["q_map"]["online"].keys() == expected["q_map"]["online"].keys()
    assert not list(tmp_path.iterdir()), "nothing is unpacked"


def test_a_word_that_names_no_agent_is_no_start(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="there is no foxgloves; .*foxglove, gridworld"),
        Run(Config(load="foxgloves", path=str(tmp_path)), "qmap.test", ""),
    ):
        pass
    assert not list(tmp_path.iterdir())
