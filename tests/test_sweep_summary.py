"""The table and the figure of a sweep, of runs whose numbers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qmap.sweep import measures
from qmap.sweep.__main__ import main
from qmap.sweep.job import Job
from qmap.sweep.measures import agent_names, gather
from qmap.sweep.plan import read_plan
from qmap.sweep.summary import compared, draw, estimates, iqm_of, mean_of
from qmap.utils.errors import UserError
from qmap.utils.run_folder import RunFolder

SWEEP = """
program = "fake_training"
path = "{}"
seeds = 5
[options]
steps = 300
[agents.one]
scale = 1
[agents.two]
scale = 2
[vary]
world = ["meadow", "dusk"]
"""


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.toml"
    path.write_text(SWEEP.format(tmp_path / "results"))
    return path


def leave(job: Job, log: str, text: str, finished: int | None = 300) -> Path:
    """What a run of a job would have left."""
    folder = RunFolder.create(job.folder / job.config.world / "agent", job.config.seed, job.program)
    folder.write_config(job.config)
    (folder.path / f"{log}.csv").write_text(text)
    if finished is not None:
        folder.finish(finished)
    folder.release()
    return folder.path


def scores(scale: float, seed: int) -> str:
    rows = [f"{step},{scale * 10 + seed if step > 200 else 0}" for step in range(1, 301)]
    return "\n".join(["steps,undiscounted return", *rows, ""])


def leave_all(sweep: Path) -> list[Job]:
    jobs = read_plan(sweep)
    for job in jobs:
        leave(job, "score", scores(job.config.scale, job.config.seed))
    return jobs


def test_each_world_and_agent_has_its_mean_and_interquartile_mean(sweep: Path) -> None:
    rows = list(estimates(gather(leave_all(sweep))))
    assert [row[1:4] for row in rows] == [
        (world, agent, "5/5 finished") for world in ("meadow", "dusk") for agent in ("one", "two")
    ]
    # Seeds 0 to 4 of the first agent end with 100 episodes of 10 to 14.
    assert (rows[0][4], rows[0][7]) == ("12", "12")
    assert (rows[1][4], rows[1][7]) == ("22", "22")
    low, high = float(rows[0][5]), float(rows[0][6])
    assert (low, high) == pytest.approx((12 - 1.963, 12 + 1.963), abs=0.01)


def test_the_better_agent_comes_first_in_the_comparison(sweep: Path) -> None:
    (measure,) = gather(leave_all(sweep)).measures
    ((better, than, worlds, numbers),) = compared(measure)
    assert (better, than, worlds) == ("two", "one", ["meadow", "dusk"])
    assert numbers == (1.0, 1.0, 1.0)


def test_smaller_errors_are_better(sweep: Path) -> None:
    for job in read_plan(sweep):
        leave(job, "ground_truth_loss", f"steps,level\n5,9\n300,{job.config.scale}\n")
    (measure,) = gather(read_plan(sweep)).measures
    ((better, than, *_),) = compared(measure)
    assert (measure.name, better, than) == ("error on level", "one", "two")


def test_visited_cells_are_counted_at_the_last_checkpoint(sweep: Path) -> None:
    job = read_plan(sweep)[0]
    run = leave(job, "score", scores(1, 0), finished=None)
    (run / "coords").mkdir()
    for step, cells in ((900, 2), (1000, 3)):
        rows = np.array([[0, 0, cell, 1] for cell in range(cells)])
        np.save(run / "coords" / f"step_{step}.npy", rows)
    results = gather([job])
    assert [measure.name for measure in results.measures][1] == measures.CELLS[1]
    assert results.measures[1].values["meadow"] == {"one": [3.0]}
    assert results.counts["meadow"] == {"one": (0, 1)}
    drawn = draw(results).axes[2]
    assert drawn.get_ylabel() == "distinct cells"
    assert drawn.lines[0].get_ydata()[-1] == 3.0


def test_an_axis_that_is_the_world_is_no_part_of_an_agent_s_name() -> None:
    parts = [("dqn", "level=1"), ("dqn", "level=2"), ("random", "level=1")]
    assert agent_names(parts, ["w1", "w2", "w1"]) == ["dqn", "dqn", "random"]
    parts = [("dqn", "lr=1"), ("dqn", "lr=2")]
    assert agent_names(parts, ["w", "w"]) == ["lr=1", "lr=2"]
    assert agent_names([("dqn",)], ["w"]) == ["dqn"]


def test_few_runs_have_fewer_numbers() -> None:
    assert mean_of([3.0])[0] == 3.0
    assert np.isnan(mean_of([3.0])[1:]).all()
    assert np.isnan(iqm_of([1.0, 2.0, 3.0, 4.0])).all()
    assert iqm_of([0.0, 1.0, 2.0, 3.0, 100.0])[0] == 2.0


def test_there_is_one_table_and_one_figure(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leave_all(sweep)
    assert main([str(sweep), "--summary"]) == 0
    said = capsys.readouterr().out
    results = sweep.parent / "results"
    assert said.rstrip().endswith(str(results / "summary.pdf"))
    assert "5/5 finished" in said
    table = (results / "summary.csv").read_text().splitlines()
    assert table[0].startswith("measure,world,agent,runs,mean")
    assert table[-1].split(",")[-6:] == ["two", "one", "2", "1", "1", "1"]
    assert (results / "summary.pdf").read_bytes().startswith(b"%PDF")
    axes = draw(gather(read_plan(sweep))).axes
    assert [axis.get_title("left") for axis in axes[::2]][:2] == ["meadow", "dusk"]
    assert [label.get_text() for label in axes[-1].get_yticklabels()] == ["two over one"]


def test_runs_that_have_just_begun_can_be_summed_up(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leave(read_plan(sweep)[0], "score", "steps,undiscounted return\n", finished=None)
    assert main([str(sweep), "--summary"]) == 0


def test_a_sweep_without_runs_says_so(sweep: Path) -> None:
    with pytest.raises(UserError, match="no run of the sweep has begun"):
        main([str(sweep), "--summary"])
