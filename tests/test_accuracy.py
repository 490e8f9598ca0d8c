"""What the comparison in the grid world takes from runs; training them takes minutes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import accuracy
from benchmarks.accuracy import WAYS, Options, config_of, errors, find, find_run
from qmap.gridworld.config import agent_name
from qmap.utils.errors import UserError


def write_run(options: Options, way: str, seed: int, last_step: int) -> None:
    """A run whose error is the step in millions, twice and three times it on the other levels."""
    agent = agent_name(config_of(way))
    folder = Path(options.path) / options.precision / "gridworld" / agent / f"seed-{seed}_now"
    folder.mkdir(parents=True)
    steps = np.arange(0, last_step + 1, 1600)
    rows = [f"{step},{step / 1e6},{step / 5e5},{3 * step / 1e6}" for step in steps]
    log = "\n".join(["steps,level1,level2,level3", *rows])
    (folder / "ground_truth_loss.csv").write_text(f"{log}\n")


def test_every_way_is_an_agent_of_its_own() -> None:
    names = {agent_name(config_of(way)) for way in WAYS}
    assert len(names) == len(WAYS)


def test_errors_are_those_of_the_end_and_of_the_last_quarter(tmp_path: Path) -> None:
    options = Options(steps=16_000, path=str(tmp_path), results=str(tmp_path / "t.csv"))
    write_run(options, "small start", 1, 40_000)
    run = errors(options, "small start", 1)
    np.testing.assert_allclose(run.end, [0.016, 0.032, 0.048])
    assert run.quarter[0] == pytest.approx(np.mean([0.0128, 0.0144, 0.016]))
    assert run.early.size == 0


def test_errors_are_those_nearest_to_the_moments_that_were_published(tmp_path: Path) -> None:
    options = Options(steps=160_000, path=str(tmp_path), results=str(tmp_path / "t.csv"))
    write_run(options, "published", 0, 160_000)
    np.testing.assert_allclose(errors(options, "published", 0).early, [0.0928, 0.1248])


@pytest.mark.parametrize("look", [find, find_run])
def test_a_run_of_another_seed_way_precision_or_length_is_not_taken(
    tmp_path: Path, look: object
) -> None:
    places = {"path": str(tmp_path), "results": str(tmp_path / "t.csv")}
    options = Options(steps=16_000, **places)
    write_run(options, "small start", 1, 16_000)
    errors(options, "small start", 1)
    assert look(options, "small start", 1) is not None
    assert look(options, "small start", 0) is None
    assert look(options, "published", 1) is None
    assert look(Options(steps=16_000, precision="bfloat16", **places), "small start", 1) is None
    assert look(Options(steps=32_000, **places), "small start", 1) is None


def test_the_table_is_enough_and_a_longer_run_takes_the_place_of_a_shorter(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    for folder, steps in (("short", 16_000), ("long", 32_000)):
        options = Options(steps=steps, path=str(tmp_path / folder), results=str(table))
        write_run(options, "published", 0, steps)
        measured = errors(options, "published", 0)
        without = Options(steps=steps, path=str(tmp_path / "nowhere"), results=str(table))
        np.testing.assert_allclose(errors(without, "published", 0).end, measured.end)
    assert pd.read_csv(table)["transitions"].tolist() == list(range(0, 32_001, 1600))


def test_the_last_row_of_a_run_has_what_was_evaluated_all_over_the_levels(tmp_path: Path) -> None:
    options = Options(steps=16_000, path=str(tmp_path), results=str(tmp_path / "t.csv"))
    write_run(options, "published", 0, 16_000)
    levels = {
        f"level{n}": {"arrived": n / 10, "mean_absolute_error_steps": float(n)} for n in (1, 2, 3)
    }
    run = find_run(options, "published", 0)
    (run / "evaluation.json").write_text(json.dumps({"levels": levels}))
    errors(options, "published", 0)
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["arrived level2"].iloc[-1] == 0.2
    assert table["steps off level3"].iloc[-1] == 3
    assert table.iloc[:-1, 7:].isna().all(axis=None)


def test_the_tables_that_are_shipped_are_printed_and_drawn_without_a_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accuracy, "train", lambda *_: pytest.fail("trains"))
    results = Path(accuracy.__file__).parent / "results" / "accuracy.csv"
    picture = tmp_path / "errors.png"
    accuracy.main(["--results", str(results), "--ways", "published", "--picture", str(picture)])
    assert "0.01204 / 0.01160 / 0.01488    0.01109" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", '"'])
def test_a_table_of_something_else_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    table = tmp_path / "t.csv"
    table.write_text(content)
    with pytest.raises(UserError, match=r"t\.csv") as caught:
        find(Options(results=str(table)), "published", 0)
    assert len(str(caught.value).splitlines()) == 1
