"""The benchmark from its command line, on the shortest measurement there is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import games, throughput
from benchmarks.games import GameFigures, floor_ratio, recording_share
from benchmarks.stopwatch import Stopwatch
from qmap.config import TrainingConfig
from qmap.utils.quiet import quiet


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What a short measurement of a DQN writes into its file."""
    file = tmp_path_factory.mktemp("benchmark") / "figures.json"
    command = [sys.executable, "-m", "benchmarks.throughput", "--workload", "montezuma"]
    command += ["--steps", "100", "--warmup", "8", "--no-qmap", "--json", str(file)]
    command += ["--stored", "20000", "--videos"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "TensorFlow's notes are held back"
    assert "steps per second" in done.stdout
    return json.loads(file.read_text())


def test_the_parts_of_a_step_are_all_measured(measured: dict) -> None:
    ms = measured["montezuma"]["ms"]
    assert set(ms) == {"emulator", "acting", "choosing", "sampling", "learning", "other"}
    assert all(value > 0.0 for value in ms.values())
    assert sum(ms.values()) == pytest.approx(1e3 / measured["montezuma"]["steps_per_second"], 0.01)


def test_recorded_blocks_are_measured_too(measured: dict) -> None:
    assert measured["montezuma"]["recording"] < 1.0


def test_recording_is_a_share_of_the_recorded_block_and_the_floor_one_of_the_other() -> None:
    times = [{"learning": 6.0, "other": 2.0}, {"learning": 9.0}, {"learning": 1.0}]
    recorded = [{"learning": 8.0, "recording": 2.0}, {"learning": 12.0}, {"recording": 2.0}]
    assert recording_share(recorded, times) == pytest.approx(0.25)  # of 0.2, 0.25 and 0.5
    assert recording_share([], times) is None
    floor = [{"learning": 4.0}, {"learning": 8.0, "acting": 1.0}, {"learning": 0.6}]
    assert floor_ratio(floor, times) == pytest.approx(0.6)  # of 0.5, 1 and 0.6


def test_the_floor_has_the_networks_and_the_emulator(measured: dict) -> None:
    figures = measured["montezuma"]
    assert set(figures["floor_ms"]) == {"emulator", "acting", "learning"}
    assert figures["floor_ratio"] > 0.0
    assert set(figures["update_ms"]) == {"dqn"}


def test_memory_is_measured_and_so_is_the_machine(measured: dict) -> None:
    assert 20_000 <= measured["montezuma"]["stored"] < 20_200
    assert 2240 < measured["montezuma"]["replay_bytes_per_transition"] < 2400
    assert 100e6 < measured["montezuma"]["peak_memory_bytes"] < 3e9
    assert measured["machine"]["cores"] >= 1


@pytest.mark.usefixtures("few_columns", "small_networks")
@pytest.mark.parametrize("workload", ["gridworld", pytest.param("mario", marks=pytest.mark.slow)])
def test_the_other_workloads_write_the_same_figures(workload: str, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    arguments = ["--workload", workload, "--steps", "100", "--warmup", "8", "--json", str(file)]
    assert throughput.main(arguments) == 0
    figures = json.loads(file.read_text())[workload]
    assert figures["steps_per_second"] > 0.0
    assert figures["floor_ratio"] > 0.0
    assert figures["ms"]["learning"] > 0.0
    assert figures["peak_memory_bytes"] > 100e6
    if workload == "gridworld":
        assert figures["steps_per_second"] == pytest.approx(32 * figures["updates_per_second"])
        assert figures["replay_bytes_per_transition"] is None
    else:
        assert 3600 < figures["replay_bytes_per_transition"] < 3700


@pytest.mark.parametrize(("recipe", "model"), [("published", "convdeconv"), ("tuned", "skip")])
def test_a_recipe_is_measured_with_its_settings(
    recipe: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def measure(config: TrainingConfig, *_: object, **__: object) -> GameFigures:
        measured.append(config)
        return GameFigures(1.0, {}, {}, 1.0, 0.0, {}, None, 0, 0.0, 0)

    monkeypatch.setattr(games, "measure", measure)
    assert throughput.main(["--workload", "montezuma", "mario", "--recipe", recipe]) == 0
    assert [config.model for config in measured] == [model, model]
    assert [config.goal_rarity > 0.0 for config in measured] == [recipe == "tuned"] * 2


def test_the_grid_world_has_no_explorer(capsys: pytest.CaptureFixture[str]) -> None:
    assert throughput.main(["--workload", "gridworld", "--recipe", "explorer"]) == 0
    assert "gridworld: skipped, it has no --recipe explorer" in capsys.readouterr().out


def test_an_inner_part_does_not_count_for_the_outer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # When the watch is made, the outer part begins, the inner one begins and ends, and so on.
    clock = iter([0.0, 1.0, 3.0, 10.0, 14.0, 20.0, 20.0, 20.0])
    monkeypatch.setattr("benchmarks.stopwatch.time.perf_counter", lambda: next(clock))
    stopwatch = Stopwatch()
    with stopwatch.part("outer"):
        with stopwatch.part("inner"):
            assert stopwatch.current == "inner"
        assert stopwatch.current == "outer"
    assert stopwatch.read() == {"other": 7.0, "outer": 6.0, "inner": 7.0}
    stopwatch.reset()
    assert "inner" not in stopwatch.read()


def test_notes_are_held_back_and_all_else_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        os.write(2, b"I0000 00:00:1.2  3 port.cc:153] oneDNN custom operations are on.\n")
        os.write(2, b"E0000 00:00:1.2  3 other.cc:1] out of memory\n")
    assert capfd.readouterr().err == "E0000 00:00:1.2  3 other.cc:1] out of memory\n"


def test_after_an_exception_even_notes_are_shown(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with quiet():
            os.write(2, b"I0000 00:00:1.2  3 port.cc:153] a reason\n")
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert "a reason" in capfd.readouterr().err


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.throughput", "--json", str(tmp_path / "no" / "x")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
