"""Logs as TensorBoard events, written with what TensorFlow brings.

To look at them: `pip install tensorboard`, then `tensorboard --logdir qmap_results`.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from qmap.utils.files import cannot


class EventWriter:
    """A new file of events in a folder; TensorBoard shows a folder's files as one run.

    Rows reach the disk with `sync` or `close`, or when TensorFlow's buffer of some 100 kB is full.

    Args:
        folder: the folder, which is made if it is not there.
        resume_at: None for a new run. A number of steps goes on with a run: TensorBoard drops
            what older files in the folder say about later steps, which the resumed run is going
            to write again.

    Raises:
        UserError: the folder or the file cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str], resume_at: int | None = None) -> None:
        # TensorBoard reads files in the order of their names, so the time comes first.
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self.path = Path(folder) / name
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = tf.io.TFRecordWriter(str(self.path))
        except OSError as error:
            raise cannot("write", self.path, error) from error
        except tf.errors.OpError as error:
            raise self._cannot_write(error) from error
        self._append(0, file_version="brain.Event:2")
        if resume_at is not None:
            start = tf.compat.v1.SessionLog.START
            self._append(resume_at + 1, session_log=tf.compat.v1.SessionLog(status=start))
        self.sync()

    def write(self, log_name: str, step: int, values: Mapping[str, float | None]) -> None:
        """Add a row of a log: each column is a curve of its own, `log_name/column`.

        What was not measured, None or not a number, is left out.

        Raises:
            UserError: the file cannot be written.
        """
        measured = {
            column: float(value)
            for column, value in values.items()
            if value is not None and not math.isnan(value)
        }
        scalars = [
            tf.compat.v1.Summary.Value(tag=f"{log_name}/{column}", simple_value=value)
            for column, value in measured.items()
        ]
        if scalars:
            self._append(step, summary=tf.compat.v1.Summary(value=scalars))

    def sync(self) -> None:
        """Hand over what was written, so that TensorBoard can read it.

        Raises:
            UserError: the file cannot be written.
        """
        try:
            self._file.flush()
        except tf.errors.OpError as error:
            raise self._cannot_write(error) from error

    def close(self) -> None:
        """Close the file; further rows are errors.

        Raises:
            UserError: the last rows cannot be written.
        """
        try:
            self._file.close()
        except tf.errors.OpError as error:
            raise self._cannot_write(error) from error

    def _append(self, step: int, **content: Any) -> None:
        event = tf.compat.v1.Event(wall_time=time.time(), step=step, **content)
        try:
            self._file.write(event.SerializeToString())
        except tf.errors.OpError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: tf.errors.OpError) -> Exception:
        return cannot("write", self.path, OSError(error.error_code, error.message))
