"""What is known of a video before its frames are decoded, and the error of one that cannot be decoded."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmact_oneshot.harness.runtime.errors import HarnessError

PREFIX = re.compile(r"\[\d\d:\d\d:\d\d\] \S+:\d+: ")

LARGEST_FRAME = 50_000_000  # pixels; 8K has 33 million, and a small file can unpack to any size

Choose = Callable[[int], NDArray[np.int64]]  # the frames (n,) to take of so many, ascending


@dataclass(frozen=True)
class VideoInfo:
    """Number of frames, native size in pixels, frames per second (None where the recording does not say)."""

    frames: int
    height: int
    width: int
    fps: float | None


def unreadable(path: Path, why: BaseException | str) -> HarnessError:
    """The error of a recording that cannot be decoded.

    Of a decoder's message the first line is kept, without the times and source lines that decord puts before
    it, so that the same damage always reads the same.
    """
    text = why if isinstance(why, str) else str(getattr(why, "strerror", None) or why) or type(why).__name__
    text = PREFIX.sub("", text.strip().splitlines()[0]).rstrip(". ")
    return HarnessError(
        f"The video cannot be read ({text[:200]}).",
        where=path,
        remedy="Copy or download it again, or remove it: the clip then counts as missing.",
    )
