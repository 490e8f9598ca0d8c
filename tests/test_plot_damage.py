"""Logs that are torn, damaged or no logs: the plot leaves them out, in one line at most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_logs import SCORE, make_log, make_results

from qmap.utils import plot
from qmap.utils.run_logs import read_log, read_logs


def test_a_torn_last_line_waits_for_the_next_time(tmp_path: Path) -> None:
    path = make_log(tmp_path, "e/a/r", f"{SCORE}\n10,1,2,3\n20,1,2,3\n30,9")
    assert read_log(path)["steps"].tolist() == [10, 20]


@pytest.mark.parametrize("text", ["", "ste", SCORE, SCORE + "\n", SCORE + "\n1,2"])
def test_files_without_a_row_are_not_an_error(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_log(tmp_path, "e/a/r", text)
    plot.main(["--path", str(tmp_path)])
    said = capsys.readouterr()
    assert said.out.startswith("nothing to plot yet")
    assert said.err == ""


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\x01\xff\xfe\n\x80\n",
        b"a,b\n1,2\n",
        b"steps\n1\n",
        b"steps,x\n1,abc\n",
        b"steps,x\n1,2,3,4\n5\n",
        b'steps,x\n"1,2\n',
        b"<html>\n</html>\n",
    ],
)
def test_garbage_is_left_out_with_one_line(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    make_results(tmp_path)
    make_log(tmp_path, "montezuma/dqn/seed-9", "").write_bytes(content)
    plot.main(["--path", str(tmp_path), "--only", "dqn"])
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert "seed-9" in said.err
    assert (tmp_path / "montezuma" / "score.pdf").is_file()


def test_folders_and_dangling_links_named_like_logs_are_left_out(tmp_path: Path) -> None:
    make_results(tmp_path)
    (tmp_path / "montezuma" / "dqn" / "r" / "score.csv").mkdir(parents=True)
    (tmp_path / "montezuma" / "dqn" / "s").mkdir()
    (tmp_path / "montezuma" / "dqn" / "s" / "score.csv").symlink_to(tmp_path / "nowhere")
    plot.main(["--path", str(tmp_path)])
    assert (tmp_path / "montezuma" / "score.pdf").is_file()


def damage(data: st.DataObject, content: bytearray) -> bytes:
    for _ in range(data.draw(st.integers(1, 5))):
        index = data.draw(st.integers(0, len(content) - 1))
        content[index : index + 1] = data.draw(
            st.binary(min_size=1, max_size=3)
            | st.sampled_from([b"9" * 12, b"e308", b"-", b"nan", b"inf", b",", b"\n", b'"', b"$"])
        )
    return bytes(content)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_log_is_read_as_numbers_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "score.csv"
    path.write_bytes(damage(data, bytearray(f"{SCORE}\n10,1,2,3\n20,1.5,2,3\n".encode())))
    try:
        log = read_log(path)
    except ValueError:
        return
    assert log["steps"].is_monotonic_increasing
    assert not log["steps"].isna().any()
    assert not np.isinf(log.to_numpy()).any()


@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_no_damage_to_a_log_is_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(f"{SCORE}\n10,1,2,3\n20,1.5,2,3\n30,1e3,2,3\n".encode())
    make_log(folder, "e/a/r", "").write_bytes(damage(data, content))
    plot.main(["--path", str(folder)])


def test_tables_that_do_not_grow_with_the_steps_are_not_plotted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_log(tmp_path, "montezuma/dqn/seed-0", f"{SCORE}\n100,1,1,100\n")
    make_log(tmp_path, "montezuma/dqn/seed-0", "steps kept,actions\n1,60\n", "kept_actions.csv")
    logs, _ = read_logs(tmp_path, lambda run: True, None)
    assert list(logs["montezuma"]) == ["score"]
    assert capsys.readouterr().err == ""
