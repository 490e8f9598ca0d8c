"""Videos: whole or absent, never in the way of training, and every failure only a warning."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from qmap.utils.picture import StepRecord
from qmap.utils.video import VideoRecorder

HEIGHT, WIDTH = 64, 96


def record(step: int, q_max: np.ndarray | None = None, size: int = 8) -> StepRecord:
    return StepRecord(
        observation=np.full((size, size, 1), step, np.uint8),
        screen=np.zeros((size, size, 3), np.uint8),
        q_max=q_max,
        coords=(0, 0),
        goal=None,
        candidates=None,
        kind="random",
        action="NOOP",
        step=step,
        episode_return=0.0,
    )


def draw(step: StepRecord) -> np.ndarray:
    """A picture as bright as the step's number, its left half red."""
    picture = np.full((HEIGHT, WIDTH, 3), step.step % 256, np.uint8)
    picture[:, : WIDTH // 2] = (200, 30, 30)
    return picture


def decode(path: Path) -> tuple[dict, np.ndarray]:
    frames = imageio_ffmpeg.read_frames(str(path))
    about = next(frames)
    width, height = about["size"]
    return about, np.stack([np.frombuffer(f, np.uint8).reshape(height, width, 3) for f in frames])


def make_program(path: Path, code: str) -> str:
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)
    return str(path)


def children() -> set[str]:
    """Return the states of the processes that this one has started, where the system tells."""
    stats = [path.read_text().rpartition(")") for path in Path("/proc").glob("[0-9]*/stat")]
    return {begin for begin, _, end in stats if int(end.split()[1]) == os.getpid()}


@pytest.fixture
def strangers() -> set[str]:
    """What earlier tests have left running, Python's own helper processes for one."""
    return children()


def test_a_streamed_episode_becomes_an_h264_video_of_every_step(tmp_path: Path) -> None:
    warnings: list[str] = []
    recorder = VideoRecorder(tmp_path, draw, fps=15, patience=60, warn=warnings.append)
    episode = recorder.stream()
    for step in range(0, 250, 5):
        episode.add(record(step))
    episode.end("episode_1")
    recorder.close()
    assert os.listdir(tmp_path) == ["episode_1.mp4"]
    about, frames = decode(tmp_path / "episode_1.mp4")
    assert about["codec"] == "h264"
    assert about["pix_fmt"].startswith("yuv420p")
    assert about["fps"] == 15
    assert frames.shape == (50, HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(
        frames[:, HEIGHT // 2, WIDTH * 3 // 4].mean(axis=1), np.arange(0, 250, 5), atol=6
    )
    np.testing.assert_allclose(frames[:, 32, 24].mean(axis=0), (200, 30, 30), atol=12)
    content = (tmp_path / "episode_1.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "the index comes first"
    assert warnings == []


def test_a_buffered_episode_becomes_a_video_when_it_was_worth_it(tmp_path: Path) -> None:
    recorder = VideoRecorder(tmp_path, draw)
    for name in ("first", None, "third"):
        episode = recorder.buffer()
        for step in range(20):
            episode.add(record(step))
        episode.end(name)
    recorder.close()
    assert sorted(os.listdir(tmp_path)) == ["first.mp4", "third.mp4"]
    assert len(decode(tmp_path / "third.mp4")[1]) == 20


def test_a_buffered_episode_keeps_its_end_within_its_memory(tmp_path: Path) -> None:
    recorder = VideoRecorder(tmp_path, draw)
    size = record(0).nbytes
    episode = recorder.buffer(max_bytes=10 * size)
    for step in range(200):
        episode.add(record(step))
        assert episode.nbytes <= 10 * size
    episode.end("end")
    recorder.close()
    _, frames = decode(tmp_path / "end.mp4")
    brightness = frames[:, HEIGHT // 2, WIDTH * 3 // 4].mean(axis=1)
    np.testing.assert_allclose(brightness, np.arange(190, 200), atol=6)


def test_missing_values_are_filled_in_batches_and_only_for_wanted_episodes(tmp_path: Path) -> None:
    batches: list[np.ndarray] = []
    seen: dict[int, np.ndarray] = {}

    def fill(observations: np.ndarray) -> np.ndarray:
        batches.append(observations[:, 0, 0, 0])
        return observations[:, :2, :3, 0].astype(np.float32)

    def draw_and_remember(step: StepRecord) -> np.ndarray:
        seen[step.step] = step.q_max
        return draw(step)

    recorder = VideoRecorder(tmp_path, draw_and_remember)
    for name in (None, "wanted"):
        episode = recorder.buffer(fill)
        for step in range(200):
            episode.add(record(step, np.full((2, 3), -1.0) if step % 3 == 0 else None))
        episode.end(name)
    recorder.close()
    missing = [step for step in range(200) if step % 3]
    assert np.concatenate(batches).tolist() == missing
    assert max(map(len, batches)) <= 64
    assert len(batches) == 3
    for step in range(200):
        assert (seen[step] == (step if step % 3 else -1)).all()


def test_dropped_and_unfinished_episodes_leave_nothing(tmp_path: Path, strangers: set[str]) -> None:
    (tmp_path / ".old.mp4.part").write_bytes(b"left by a killed run")
    recorder = VideoRecorder(tmp_path, draw)
    for name in (None, "unfinished"):
        episode = recorder.stream()
        for step in range(5):
            episode.add(record(step))
        if name is None:
            episode.end(None)
    recorder.close()
    assert os.listdir(tmp_path) == []
    assert children() <= strangers


@pytest.mark.parametrize("trouble", ["no ffmpeg", "bad ffmpeg", "no folder", "no picture"])
def test_trouble_costs_one_warning_for_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strangers: set[str], trouble: str
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    warnings: list[str] = []

    def missing() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    def no_picture(step: StepRecord) -> np.ndarray:
        raise ZeroDivisionError

    if trouble == "no ffmpeg":
        monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    elif trouble == "bad ffmpeg":
        program = make_program(tmp_path / "ffmpeg", "import sys; sys.exit('out of order')")
        monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: program)
    elif trouble == "no folder":
        folder.rmdir()
    recorder = VideoRecorder(
        folder, no_picture if trouble == "no picture" else draw, warn=warnings.append
    )
    for number in range(3):
        episode = recorder.stream() if number < 2 else recorder.buffer()
        for step in range(10):
            episode.add(record(step))
        episode.end(f"episode_{number}")
    recorder.close()
    assert len(warnings) == 1
    assert "training goes on" in warnings[0]
    assert len(warnings[0].splitlines()) == 1
    if trouble == "bad ffmpeg":
        assert "out of order" in warnings[0]
    assert not folder.exists() or os.listdir(folder) == []
    assert children() <= strangers


def test_videos_come_back_when_the_trouble_is_over(tmp_path: Path) -> None:
    warnings: list[str] = []
    folder = tmp_path / "videos"
    recorder = VideoRecorder(folder, draw, warn=warnings.append)
    for name in ("lost", "kept"):
        episode = recorder.stream()
        for step in range(5):
            episode.add(record(step))
        episode.end(name)
        while not warnings:
            time.sleep(0.02)
        folder.mkdir(exist_ok=True)
    recorder.close()
    assert os.listdir(folder) == ["kept.mp4"]
    assert len(warnings) == 1


def test_a_slow_encoder_costs_steps_of_the_video_not_of_the_training(tmp_path: Path) -> None:
    def slowly(step: StepRecord) -> np.ndarray:
        time.sleep(0.02)
        return draw(step)

    warnings: list[str] = []
    recorder = VideoRecorder(tmp_path, slowly, queue_size=4, patience=0.001, warn=warnings.append)
    episode = recorder.stream()
    for step in range(200):
        episode.add(record(step % 256))
    episode.end("slow")
    recorder.close()
    assert len(warnings) == 1
    assert 4 <= len(decode(tmp_path / "slow.mp4")[1]) < 200


@pytest.mark.timeout(100)
def test_a_hanging_encoder_is_killed_in_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strangers: set[str]
) -> None:
    program = make_program(tmp_path / "ffmpeg", "import time; time.sleep(1000)")
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: program)
    folder = tmp_path / "videos"
    folder.mkdir()

    def big(step: StepRecord) -> np.ndarray:
        return np.zeros((1024, 1024, 3), np.uint8)

    warnings: list[str] = []
    recorder = VideoRecorder(folder, big, queue_size=8, warn=warnings.append)
    episode = recorder.stream()
    for step in range(100):
        episode.add(record(step))
    episode.end("never")
    recorder.close(timeout=0.5)
    assert os.listdir(folder) == []
    assert children() <= strangers
    assert any("took too long" in warning for warning in warnings)


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits on Windows")
def test_a_full_disk_is_a_warning_and_leaves_no_video(tmp_path: Path) -> None:
    script = """
import resource, sys
import numpy as np
sys.path.insert(0, "tests")
from test_video import record
from qmap.utils.video import VideoRecorder
noise = np.random.default_rng(0).integers(0, 256, (10, 128, 128, 3), dtype=np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
recorder = VideoRecorder(sys.argv[1], lambda step: noise[step.step % 10], patience=60, warn=print)
for episode in range(2):
    video = recorder.stream()
    for step in range(100):
        video.add(record(step))
    video.end("full")
recorder.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=Path(__file__).parent.parent,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert "training goes on" in done.stdout
    assert done.stderr == ""
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no process groups on Windows")
def test_an_interrupt_from_the_terminal_does_not_reach_the_encoder(tmp_path: Path) -> None:
    script = """
import sys, time
sys.path.insert(0, "tests")
from test_video import draw, record
from qmap.utils.video import VideoRecorder
recorder = VideoRecorder(sys.argv[1], draw, patience=60)
video = recorder.stream()
step = 0
try:
    while True:
        video.add(record(step))
        step += 1
        time.sleep(0.005)
        if step == 100:
            print("running", flush=True)
except KeyboardInterrupt:
    video.end("interrupted")
    recorder.close()
    print(step)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert abs(len(decode(tmp_path / "interrupted.mp4")[1]) - int(rest)) <= 1
    assert os.listdir(tmp_path) == ["interrupted.mp4"]
