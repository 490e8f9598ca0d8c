from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from qmap.utils.errors import UserError
from qmap.utils.owner import OWNER
from qmap.utils.run_folder import LOCK, RunFolder, in_use, read_config

HOLD = """
import sys, time
from pathlib import Path
from qmap.utils.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]), "program")
print("locked", flush=True)
time.sleep(60)
"""


@dataclass(frozen=True)
class Options:
    steps: int = 5
    load: str | None = None


def test_the_folder_is_named_after_the_seed_and_the_time(tmp_path: Path) -> None:
    first = RunFolder.create(tmp_path / "env" / "agent", 3, "program")
    second = RunFolder.create(tmp_path / "env" / "agent", 3, "program")
    assert first.path.name.startswith("seed-3_20")
    assert first.path != second.path, "also two in the same second"


def test_the_options_come_back(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, 0, "program")
    folder.write_config(Options(steps=7))
    assert read_config(folder.path, "program") == {"steps": 7, "load": None}


def test_a_second_owner_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "program")
    with pytest.raises(UserError, match="another process is training") as error:
        RunFolder(tmp_path, "program")
    assert "\n" not in str(error.value)
    folder.release()
    RunFolder(tmp_path, "program").release()


def test_who_looks_whether_a_folder_is_in_use_keeps_nobody_out(tmp_path: Path) -> None:
    assert not in_use(tmp_path)
    assert not list(tmp_path.iterdir()), "looking leaves nothing behind"
    RunFolder(tmp_path, "program").release()
    # A look takes the lock for a moment, in which a training may begin.
    look = FileLock(tmp_path / LOCK, thread_local=False)
    look.acquire()
    threading.Timer(0.05, look.release).start()
    folder = RunFolder(tmp_path, "program")
    assert in_use(tmp_path)
    folder.release()
    assert not in_use(tmp_path)


def test_who_leaves_in_good_order_takes_the_note_of_the_owner_away(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "program")
    assert (tmp_path / OWNER).exists()
    folder.release()
    assert (tmp_path / OWNER).exists(), "so that a crash can be told"
    folder = RunFolder(tmp_path, "program")
    folder.leave()
    folder.release()
    assert not (tmp_path / OWNER).exists()


def test_the_lock_dies_with_its_owner_however_that_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(UserError, match="another process"):
            RunFolder(tmp_path, "program")
        process.send_signal(signal.SIGKILL)
    RunFolder(tmp_path, "program").release()


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    kept = [tmp_path / "score.csv", tmp_path / "snapshots" / "step_5.snapshot"]
    parts = [tmp_path / ".score.csv.7.part", tmp_path / "snapshots" / ".step_6.snapshot.7.part"]
    for path in (*kept, *parts):
        path.write_bytes(b"x")
    RunFolder(tmp_path, "program").release()
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in parts)


def test_a_folder_whose_options_cannot_be_written_is_removed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    folder = RunFolder.create(tmp_path, 0, "program")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left"):
        folder.write_config(Options())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        RunFolder.create(tmp_path / "file", 0, "program")
    folder = RunFolder.create(tmp_path, 0, "program")
    (folder.path / "videos").touch()
    with pytest.raises(UserError, match="cannot write .*videos"):
        folder.subfolder("videos")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "5", '"text"', "{}", '{"program": "program"}', "[" * 100_000, "\udcff",
     '{"program": "program", "options": 3}', '{"program": "program", "options": [1, 2]}'],
)  # fmt: skip
def test_options_that_are_damaged_are_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"config\.json is damaged") as error:
        read_config(tmp_path, "program")
    assert "\n" not in str(error.value)


def test_options_of_another_program_are_refused(tmp_path: Path) -> None:
    config = {"program": "qmap.train_mario", "options": {}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"is of qmap\.train_mario, expected program"):
        read_config(tmp_path, "program")


def test_a_folder_without_options_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*config\.json"):
        read_config(tmp_path, "program")
