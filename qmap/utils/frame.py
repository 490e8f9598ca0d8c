"""One picture of a video as PNG: `python -m qmap.utils.frame VIDEO --output FILE [--at SHARE]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as imageio
import imageio_ffmpeg
import numpy as np

from qmap.utils.command_line import OneLineParser, run
from qmap.utils.errors import UserError
from qmap.utils.image_file import write_image


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the picture."""
    parser = OneLineParser(
        prog="python -m qmap.utils.frame", description="Write one picture of a video as PNG."
    )
    parser.add_argument("video", metavar="VIDEO", type=Path, help="a video of a run")
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        default=Path("frame.png"),
        help="image to write, PNG (default frame.png)",
    )
    parser.add_argument(
        "--at",
        metavar="SHARE",
        type=float,
        default=0.5,
        help="where in the video: 0 is its start, 1 its end (default 0.5)",
    )
    options = parser.parse_args(arguments)
    if not 0 <= options.at <= 1:
        raise UserError(f"--at is {options.at}, expected 0 (the start) to 1 (the end)")
    picture = frame(options.video, options.at)
    write_image(options.output, picture)
    print(options.output)


def frame(video: Path, at: float) -> np.ndarray:
    """Return the picture at the share `at` of a video, (height, width, 3) uint8 RGB.

    Raises:
        UserError: it is not a video that can be read.
    """
    if not video.is_file():
        raise UserError(f"there is no video {video}; expected an .mp4 file of a run")
    try:
        count, _ = imageio_ffmpeg.count_frames_and_secs(str(video))
        wanted = round(at * (count - 1))
        # One at a time: all pictures of a long episode would fill the memory.
        for number, picture in enumerate(imageio.imiter(video, plugin="FFMPEG")):
            if number == wanted:
                return picture
    except Exception as error:  # whatever ffmpeg makes of a file that is no video
        raise UserError(f"{video} cannot be read as a video; expected .mp4 of a run") from error
    raise UserError(f"{video} breaks off before picture {wanted + 1} of {count}")


if __name__ == "__main__":
    run(main)
