"""What a sweep shows of its runs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from fake_training import FakeConfig

from qmap.sweep.job import Job
from qmap.sweep.progress import Progress, last_row
from qmap.sweep.table import Entry, Table, duration, rows, total


def entry(seed: int = 0, state: str = "waiting", step: int = 0) -> Entry:
    made = Entry(Job(("fake",), "fake_training", FakeConfig(steps=100, seed=seed)), state)
    made.progress.step = step
    return made


def run_with(tmp_path: Path, **logs: str) -> Path:
    for name, text in logs.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def test_steps_speed_and_score_come_from_the_logs(tmp_path: Path) -> None:
    progress = Progress()
    progress.look(run_with(tmp_path, score="steps,undiscounted_return\n10,2.5\n"), now=0.0)
    assert (progress.step, progress.score, progress.speed) == (10, 2.5, None)
    text = "steps,undiscounted_return\n10,2.5\n30,4\n"
    progress.look(run_with(tmp_path, score=text, exploration="steps,x\n70,1\n"), now=20.0)
    assert (progress.step, progress.score, progress.speed) == (70, 4.0, 3.0)


def test_the_speed_is_that_of_the_last_minute(tmp_path: Path) -> None:
    progress = Progress()
    for now, step in ((0.0, 0), (100.0, 1000), (130.0, 1030), (150.0, 1050)):
        progress.look(run_with(tmp_path, x=f"steps,y\n{step},0\n"), now=now)
    assert progress.speed == 1.0


def test_the_time_before_the_first_step_slows_no_run_down(tmp_path: Path) -> None:
    progress = Progress()
    for now, step in ((0.0, 0), (30.0, 100), (40.0, 200)):
        progress.look(run_with(tmp_path, x=f"steps,y\n{step},0\n"), now=now)
    assert progress.speed == 10.0


def test_a_run_that_went_back_to_its_snapshot_has_no_speed_yet(tmp_path: Path) -> None:
    progress = Progress()
    for now, step in ((0.0, 0), (10.0, 50), (12.0, 40)):
        progress.look(run_with(tmp_path, x=f"steps,y\n{step},0\n"), now=now)
    assert (progress.step, progress.speed) == (40, None)


def test_a_loss_is_shown_where_there_are_no_returns(tmp_path: Path) -> None:
    progress = Progress()
    progress.look(run_with(tmp_path, ground_truth_loss="steps,level 1,level 2\n5,0.25,9\n"))
    assert progress.score == 0.25


def test_tables_beside_the_logs_say_nothing_about_steps(tmp_path: Path) -> None:
    progress = Progress()
    kept = "steps kept,actions\n900,2\n"
    progress.look(run_with(tmp_path, kept_actions=kept, score="steps,undiscounted_return\n7,1\n"))
    assert progress.step == 7


@pytest.mark.parametrize("text", ["", "steps", "steps,a\n", "steps,a\n1", "a\n\xff,\n", "s,a\n1\n"])
def test_a_log_without_a_whole_row_has_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="latin-1")
    assert last_row(path) is None
    assert last_row(tmp_path) is None


def test_the_last_whole_row_of_a_long_log_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("steps,a b\n" + "".join(f"{n},{n / 2}\n" for n in range(5000)) + "99999,")
    assert last_row(path) == {"steps": 4999.0, "a b": 2499.5}


def test_the_table_has_a_line_for_each_run_and_a_heading(tmp_path: Path) -> None:
    running = entry(0, "running")
    for now, step in ((0.0, 10), (8.0, 50)):
        running.progress.look(
            run_with(tmp_path, score=f"steps,undiscounted_return\n{step},7\n"), now
        )
    heading, first, second = rows([running, entry(1)], 10)
    assert heading.split() == ["state", "steps", "a", "second", "score", "left"]
    assert first.split() == ["fake,", "seed", "0", "running", "50", "/", "100", "5", "7", "0:10"]
    assert second.split() == ["fake,", "seed", "1", "waiting", "0", "/", "100"]
    assert total([running, entry(1)]) == "1 running, 1 waiting, about 0:30 left"


def test_a_table_too_long_for_the_screen_keeps_what_runs() -> None:
    entries = [entry(seed, "finished") for seed in range(20)]
    entries[15].state = "running"
    lines = rows(entries, 6)
    assert len(lines) == 6
    assert any("seed 15" in line for line in lines)
    assert lines[-1] == "and 16 more"


def test_a_terminal_shows_the_table_in_place_and_a_file_gets_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for live in (True, False):
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda live=live: live)
        table = Table([entry()], stream)
        for _ in range(2):
            table.say("news")
            table.update()
        text = stream.getvalue()
        assert ("\x1b[3A\x1b[J" in text) == live
        assert text.count("1 waiting") == (2 if live else 1)
        assert text.count("\n") == (8 if live else 3)


def test_times_are_short() -> None:
    times = [0.4, 65, 7265, 90000, -1]
    assert [duration(each) for each in times] == ["0:00", "1:05", "2:01:05", "1d 01h", "0:00"]
