"""Keeping TensorFlow's notes about itself away from the user's terminal."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# Notes of the C++ log, which no setting silences while the library is being loaded, and the error
# that it makes of a machine without NVIDIA's driver.
NOTES = re.compile(
    rb"I\d{4} |\d{4}-\d\d-\d\d \S+ I "
    rb"|WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions:"
    rb"|E\d{4} .*failed call to cuInit.*\(303\)"
)


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back standard error, then write what was in it but notes; all of it on an exception.

    Native code writes to the file descriptor and not to `sys.stderr`, so that is what is held.
    """
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            for line in held:
                if failed or not NOTES.match(line):
                    os.write(2, line)
