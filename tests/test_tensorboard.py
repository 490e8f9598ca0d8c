"""TensorBoard events: every number once, also after a resume."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import tensorflow as tf

from qmap.utils.csv_logger import CSVLogger
from qmap.utils.errors import UserError
from qmap.utils.tensorboard import EventWriter


def events(path: Path) -> list[tf.compat.v1.Event]:
    records = tf.data.TFRecordDataset([str(path)]).as_numpy_iterator()
    return [tf.compat.v1.Event.FromString(record) for record in records]


def scalars(path: Path) -> list[tuple[int, str, float]]:
    return [
        (event.step, value.tag, value.simple_value)
        for event in events(path)
        for value in event.summary.value
    ]


def test_every_row_of_a_log_is_there_under_the_names_of_log_and_column(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "events")
    with CSVLogger(
        tmp_path / "score.csv", ("steps", "return", "length"), None, writer.write
    ) as log:
        log.write(10, 1.5, 3)
        log.write(20, 2.5, 4)
    writer.close()
    assert events(writer.path)[0].file_version == "brain.Event:2"
    assert scalars(writer.path) == [
        (10, "score/return", 1.5),
        (10, "score/length", 3.0),
        (20, "score/return", 2.5),
        (20, "score/length", 4.0),
    ]


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    writer.write("learning", 100, {"loss": None, "error": math.nan, "reached": 0.5})
    writer.write("learning", 200, {"loss": None})
    writer.close()
    assert scalars(writer.path) == [(100, "learning/reached", 0.5)]


def test_a_sync_lets_a_reader_see_the_rows(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path)
    writer.write("score", 1, {"return": 2.0})
    writer.sync()
    assert scalars(writer.path) == [(1, "score/return", 2.0)]
    writer.close()


def test_a_resumed_run_has_a_file_of_its_own_that_withdraws_later_steps(tmp_path: Path) -> None:
    first = EventWriter(tmp_path)
    first.close()
    second = EventWriter(tmp_path, resume_at=500)
    second.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [first.path.name, second.path.name]
    starts = [e.step for e in events(second.path) if e.HasField("session_log")]
    assert starts == [501]
    assert not any(event.HasField("session_log") for event in events(first.path))


def test_tensorboard_shows_a_resumed_run_without_a_step_twice(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for resume_at, steps in ((None, (100, 200, 300)), (200, (250, 300, 350))):
        writer = EventWriter(tmp_path, resume_at)
        for step in steps:
            writer.write("score", step, {"return": float(step)})
        writer.close()
    shown = accumulator.EventAccumulator(str(tmp_path)).Reload().Scalars("score/return")
    assert [event.step for event in shown] == [100, 200, 250, 300, 350]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write .*file") as caught:
        EventWriter(tmp_path / "file" / "events")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = EventWriter(tmp_path)
    writer._file = tf.io.TFRecordWriter("/dev/full")
    writer.write("score", 1, {"return": 2.0})
    with pytest.raises(UserError, match="cannot write .*events") as caught:
        writer.sync()
    assert len(str(caught.value).splitlines()) == 1
