"""Videos of episodes, drawn and encoded beside the training, which never waits for long.

An episode is recorded in one of two ways. `VideoRecorder.stream` is for episodes that are wanted
from the start: every step goes to the encoder at once. `VideoRecorder.buffer` is for episodes of
which only the end tells whether they are wanted: the steps wait in bounded memory.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

from qmap.utils.picture import StepRecord
from qmap.utils.terminal import warn

Draw = Callable[[StepRecord], np.ndarray]
Fill = Callable[[np.ndarray], np.ndarray]
FILL_BATCH = 64
PIPE_BYTES = 2**20  # a whole picture fits: fewer switches between the two processes
MAX_BYTES = 256 * 2**20


class VideoRecorder:
    """One encoder thread for a run; it turns recorded episodes into `folder`/NAME.mp4.

    Whatever goes wrong with videos (no ffmpeg, a full disk, a vanished folder, an encoder that is
    too slow) costs the video and one warning of its kind for the run, never an exception. A video
    has its name only when it is whole; until then it is a hidden `.part` file.

    Args:
        folder: where the videos go. It must exist.
        draw: turns a record into an (H, W, 3) uint8 RGB picture, H and W even and the same for
            all records of an episode. Called in the encoder's thread.
        fps: pictures per second of video.
        queue_size: steps that may wait for the encoder.
        patience: seconds that `add` waits at most when the queue is full. The step is then left
            out of the video, and later steps do not wait at all until the queue has room again.
        warn: called with a line of text, from either thread, for the first problem of each kind.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        draw: Draw,
        *,
        fps: int = 15,
        queue_size: int = 64,
        patience: float = 0.05,
        warn: Callable[[str], None] = warn,
    ) -> None:
        self.folder = Path(folder)
        self._draw = draw
        self._fps = fps
        self._patience = patience
        self._warn = warn
        self._warned: set[str] = set()
        self._lock = threading.Lock()
        self._full = False
        self._closing = threading.Event()
        self._abandon = threading.Event()
        self._encoder: _Encoder | None = None
        self._jobs: queue.Queue[tuple[int, StepRecord | _End] | _Whole | None] = queue.Queue(
            queue_size
        )
        self._whole_bytes = 0  # of the whole episodes that are waiting or being encoded
        self._numbers = itertools.count()
        with suppress(OSError):  # what a killed run left behind
            for part in self.folder.glob(".*.mp4.part"):
                part.unlink()
        self._thread = threading.Thread(target=self._work, name="video encoder", daemon=True)
        self._thread.start()

    def stream(self) -> StreamedEpisode:
        """Start a video that is encoded while the episode goes on; one at a time."""
        return StreamedEpisode(self, next(self._numbers))

    def buffer(self, fill: Fill | None = None, max_bytes: int = MAX_BYTES) -> BufferedEpisode:
        """Start an episode that is kept in memory until its end says whether it is wanted.

        Args:
            fill: from observations (n, H, W, C) uint8, n at most 64, to the maximum over actions
                of their Q-frames (n, rows, cols). At the end of a wanted episode it is called, in
                the caller's thread, for the records whose `q_max` is None.
            max_bytes: memory for the records; the oldest ones are dropped to stay below it.
        """
        return BufferedEpisode(self, fill, max_bytes)

    @property
    def waiting(self) -> int:
        """How many steps and whole episodes wait for the encoder, which takes ten at a time."""
        return self._jobs.qsize()

    def close(self, timeout: float = 20.0) -> None:
        """Encode what is waiting, for at most `timeout` seconds, then stop for good.

        Videos that are not ready by then, and a streamed episode that was not ended, are dropped.
        No process outlives this call.
        """
        deadline = time.monotonic() + timeout
        self._closing.set()
        with suppress(queue.Full):
            self._jobs.put(None, timeout=timeout)
        self._thread.join(max(deadline - time.monotonic(), 0))
        if self._thread.is_alive():
            self._complain("slow", f"videos in {self.folder} were dropped: encoding took too long")
            self._abandon.set()
            while self._thread.is_alive() and time.monotonic() < deadline + 5:
                if encoder := self._encoder:
                    encoder.kill()
                with suppress(queue.Full):
                    self._jobs.put_nowait(None)
                self._thread.join(0.1)

    def _put(self, job: tuple[int, StepRecord | _End], patience: float) -> bool:
        """Queue a job; False if there was no room for it within `patience` seconds."""
        try:
            self._jobs.put(job, timeout=patience) if patience else self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def _add(self, number: int, record: StepRecord) -> None:
        placed = self._put((number, record), 0 if self._full else self._patience)
        self._full = not placed
        if not placed:
            self._complain("full", "steps are missing in videos: encoding is slower than training")

    def _end(self, number: int, name: str | None) -> None:
        # The end must get through, or the video is lost: it may wait a little longer.
        if not self._put((number, _End(name)), 1.0):
            self._complain("lost", "a video was dropped: encoding is slower than training")

    def _hand_over(self, name: str, records: list[StepRecord]) -> None:
        """Queue a whole episode, without waiting, if it fits in the memory for those that wait."""
        whole = _Whole(name, records, sum(record.nbytes for record in records))
        with self._lock:
            room = not self._whole_bytes or self._whole_bytes + whole.nbytes <= MAX_BYTES
            if room:
                try:
                    self._jobs.put_nowait(whole)
                    self._whole_bytes += whole.nbytes
                except queue.Full:
                    room = False
        if not room:
            self._complain("lost", "a video was dropped: encoding is slower than training")

    def _complain(self, kind: str, message: str) -> None:
        with self._lock:
            new = kind not in self._warned
            self._warned.add(kind)
        if new:
            with suppress(OSError):
                self._warn(message)

    # What follows runs in the encoder's thread.

    def _work(self) -> None:
        current = -1  # the streamed episode that the encoder is open for
        broken = -1  # the streamed episode whose video has failed
        while (job := self._next()) is not None and not self._abandon.is_set():
            if isinstance(job, _Whole):
                self._guard(self._encode_whole, job)
                with self._lock:
                    self._whole_bytes -= job.nbytes
                continue
            number, what = job
            if number != current:
                self._drop()
                current = number
            if number != broken and not self._guard(self._encode, what):
                self._drop()
                broken = number
        self._drop()

    def _next(self) -> tuple[int, StepRecord | _End] | _Whole | None:
        if self._jobs.empty():
            # Several pictures in a row cost a tenth less than one now and then: caches stay warm.
            for _ in range(10):
                if self._jobs.qsize() >= 10 or self._closing.wait(0.05):
                    break
        return self._jobs.get()

    def _encode(self, what: StepRecord | _End) -> None:
        if isinstance(what, StepRecord):
            picture = self._draw(what)
            if self._encoder is None:
                self._encoder = _Encoder(self.folder, picture.shape, self._fps)
            self._encoder.add(picture)
        elif self._encoder is not None:
            if what.name is None:
                self._drop()
            else:
                encoder, self._encoder = self._encoder, None
                try:
                    encoder.finish(what.name)
                finally:
                    encoder.drop()

    def _encode_whole(self, whole: _Whole) -> None:
        self._drop()
        try:
            for record in whole.records:
                if self._abandon.is_set():
                    return
                self._encode(record)
            self._encode(_End(whole.name))
        finally:
            self._drop()

    def _drop(self) -> None:
        if self._encoder is not None:
            self._encoder.drop()
            self._encoder = None

    def _guard(self, work: Callable[..., None], argument: object) -> bool:
        """Call `work`; a failure becomes a warning and False, whatever it is."""
        try:
            work(argument)
        except Exception as error:
            if not self._abandon.is_set():
                reason = " ".join(str(error).split()) or type(error).__name__
                kind = f"{type(error).__name__} {getattr(error, 'errno', '')}"
                self._complain(kind, f"no video in {self.folder}, training goes on: {reason}")
            return False
        return True


class StreamedEpisode:
    """A video under way (`VideoRecorder.stream`)."""

    def __init__(self, recorder: VideoRecorder, number: int) -> None:
        self._recorder = recorder
        self._number = number

    def add(self, record: StepRecord) -> None:
        """Send a step to the encoder; its arrays must not change afterwards."""
        self._recorder._add(self._number, record)

    def end(self, name: str | None) -> None:
        """Finish the video as NAME.mp4, in the background, or drop it if `name` is None."""
        self._recorder._end(self._number, name)


class BufferedEpisode:
    """The last steps of an episode that may become a video (`VideoRecorder.buffer`)."""

    def __init__(self, recorder: VideoRecorder, fill: Fill | None, max_bytes: int) -> None:
        self._recorder = recorder
        self._fill = fill
        self._max_bytes = max_bytes
        self._records: deque[StepRecord] = deque()
        self.nbytes = 0

    def add(self, record: StepRecord) -> None:
        """Remember a step; its arrays must not change afterwards."""
        self._records.append(record)
        self.nbytes += record.nbytes
        while self.nbytes > self._max_bytes and len(self._records) > 1:
            self.nbytes -= self._records.popleft().nbytes

    def end(self, name: str | None) -> None:
        """Encode the episode as NAME.mp4 in the background, or forget it if `name` is None."""
        records, self._records, self.nbytes = self._records, deque(), 0
        if name is not None and records:
            self._recorder._hand_over(name, _filled(records, self._fill))


@dataclasses.dataclass(frozen=True)
class _End:
    name: str | None


@dataclasses.dataclass(frozen=True)
class _Whole:
    name: str
    records: list[StepRecord]
    nbytes: int


def _filled(records: Iterable[StepRecord], fill: Fill | None) -> list[StepRecord]:
    """Return the records with `q_max` computed by `fill` where it was missing."""
    result = list(records)
    if fill is None:
        return result
    missing = [index for index, record in enumerate(result) if record.q_max is None]
    for start in range(0, len(missing), FILL_BATCH):
        chunk = missing[start : start + FILL_BATCH]
        q_max = fill(np.stack([result[index].observation for index in chunk]))
        for index, values in zip(chunk, q_max, strict=True):
            result[index] = dataclasses.replace(result[index], q_max=np.asarray(values))
    return result


class _EncoderError(Exception):
    """ffmpeg has failed, whether that showed while writing to it or at its end."""


class _Encoder:
    """One ffmpeg process that turns pictures into an H.264 file.

    It is started here and not by `imageio_ffmpeg.write_frames` because a session of its own keeps
    the terminal's Ctrl-C from it, a kill must be possible while a write hangs, and a fork with
    Python code in it is not safe beside TensorFlow's threads.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], fps: int) -> None:
        height, width = shape[:2]
        self._folder = folder
        self._part = folder / f".{os.getpid()}-{time.monotonic_ns()}.mp4.part"
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        source = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}"]
        # One thread and the fastest preset: 1.7 ms of processor time a picture of 856 x 436.
        codec = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "23", "-threads", "1"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *source]
        command += ["-r", str(fps), "-i", "-", *codec, "-colorspace", "smpte170m"]
        command += ["-movflags", "+faststart", "-f", "mp4", str(self._part)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=True,
                pipesize=PIPE_BYTES,
            )
        except BaseException:
            self._errors.close()
            raise
        if hasattr(os, "setpriority"):  # training goes first
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, 10)

    def add(self, picture: np.ndarray) -> None:
        """Encode an (H, W, 3) uint8 RGB picture."""
        # Half the bytes through the pipe, and a conversion less for ffmpeg.
        frame = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
        try:
            self._process.stdin.write(frame)
        except OSError as error:
            raise _EncoderError(self._reason(error)) from error

    def finish(self, name: str) -> None:
        """Write the rest of the file and give it its name."""
        try:
            self._process.stdin.close()
        except OSError as error:
            raise _EncoderError(self._reason(error)) from error
        if self._process.wait() != 0:
            raise _EncoderError(self._reason(None))
        os.replace(self._part, self._folder / f"{name}.mp4")

    def drop(self) -> None:
        """End the process, if it still runs, and remove what it has written without a name."""
        self.kill()
        with suppress(OSError):
            self._process.stdin.close()
        self._process.wait()
        self._errors.close()
        with suppress(OSError):
            self._part.unlink()

    def kill(self) -> None:
        """End the process at once."""
        with suppress(OSError):
            self._process.kill()

    def _reason(self, error: OSError | None) -> str:
        """Return ffmpeg's last words."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        with suppress(OSError, ValueError):
            self._errors.seek(0)
            lines = self._errors.read(100_000).decode(errors="replace").strip().splitlines()
            if lines:
                return f"ffmpeg: {lines[-1][:200]}"
        status = self._process.returncode
        return f"ffmpeg: {error}" if status is None else f"ffmpeg ended with status {status}"
