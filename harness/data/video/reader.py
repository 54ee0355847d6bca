"""Videos of any kind as RGB frames: video files, folders of images, depth in MATLAB files.

A clip is read as at most ``frames`` frames spread evenly over it: it is cut into that many equal segments,
and the middle frame of each is taken. Frames are resized while decoding, keep their aspect, and are never
enlarged.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmact_oneshot.harness.data.video.container import VideoFile
from mmact_oneshot.harness.data.video.depth import DepthMat
from mmact_oneshot.harness.data.video.images import ImageFolder
from mmact_oneshot.harness.data.video.info import LARGEST_FRAME, VideoInfo, unreadable
from mmact_oneshot.harness.runtime.errors import HarnessError

Frames = NDArray[np.uint8]


def probe(path: Path) -> VideoInfo:
    """Size, number of frames and rate of a clip, from its header where it has one.

    Raises:
        HarnessError: it cannot be read, or has no frame.
    """
    try:
        info = _open(path).info()
    except HarnessError:
        raise
    except Exception as error:  # each decoder has errors of its own
        raise unreadable(path, error) from error
    if info.frames < 1 or info.height < 1 or info.width < 1:
        raise unreadable(path, "it has no frame")
    if info.height * info.width > LARGEST_FRAME:
        raise unreadable(path, f"frames of {info.width} x {info.height} pixels are larger than any recording's")
    return info


def read_clip(path: Path, frames: int, short_side: int) -> tuple[Frames, int]:
    """Read frames spread evenly over a clip.

    Args:
        path: a video file, a folder of images, or a ``.mat`` file with ``d_depth``.
        frames: how many at most; a shorter clip gives all it has, once.
        short_side: pixels of the shorter side, at most the native one.

    Returns:
        frames (n, height, width, 3) uint8 RGB, n = min(frames, total), and the total number of frames.

    Raises:
        HarnessError: the clip is missing, damaged, cut short or without a frame.
    """
    info = probe(path)
    try:
        size = resized(info.height, info.width, short_side)
        return _open(path).read(partial(spread, frames=frames), *size)
    except Exception as error:
        raise unreadable(path, error) from error


def check(path: Path) -> VideoInfo:
    """Probe a clip and make sure that it is whole: every frame announced is there, and two of them decode.

    Raises:
        HarnessError: as ``read_clip``.
    """
    info = probe(path)
    try:
        announced, stored = info.frames, _open(path).stored()
    except Exception as error:
        raise unreadable(path, error) from error
    if stored < announced:
        raise unreadable(path, f"it is cut short: {stored} of {announced} frames are there")
    read_clip(path, frames=2, short_side=64)
    return info


def spread(total: int, frames: int) -> NDArray[np.int64]:
    """The middle frames (n,) of n = min(frames, total) equal segments of ``total`` frames."""
    count = min(frames, total)
    return (2 * np.arange(count, dtype=np.int64) + 1) * total // (2 * count)


def resized(height: int, width: int, short_side: int) -> tuple[int, int]:
    """The size at which the shorter side has ``short_side`` pixels, or the size itself where it has fewer."""
    short = min(height, width)
    if short <= short_side:
        return height, width
    return max(1, round(height * short_side / short)), max(1, round(width * short_side / short))


def _open(path: Path) -> VideoFile | ImageFolder | DepthMat:
    if path.is_dir():
        return ImageFolder(path)
    if not path.exists():
        raise HarnessError("There is no such video.", where=path, remedy="Index the data set again.")
    if not path.is_file():
        raise unreadable(path, "it is neither a file nor a folder")  # a pipe would be waited for
    return DepthMat(path) if path.suffix.lower() == ".mat" else VideoFile(path)
