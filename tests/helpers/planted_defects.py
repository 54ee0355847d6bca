"""Small recordings with known content, and the shared folder of real ones."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mmact_oneshot.harness.data.clips import ClipTable, SensorSpec

SENSORS = ("acc_phone", "acc_watch", "gyro", "orientation")
ACC = SensorSpec("acc_phone", "m/s^2", 100.0, "pocket")
REPOSITORY = Path(__file__).parents[2]


def shared(name: str) -> Path:
    """A folder of the shared real recordings; the test is skipped where there are none."""
    folder = Path(os.environ.get("ONESHOT_SHARED", REPOSITORY.parent / "shared")) / name
    if not folder.exists():
        pytest.skip(f"needs the shared recordings: {folder} is not there (set ONESHOT_SHARED)")
    return folder


def touch(root: Path, *paths: str) -> None:
    """Empty files under a root."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def official(root: Path, action: str, subject: int = 1, cameras: Iterable[int] = (1, 2)) -> None:
    """The empty files of one performance in MMAct's official layout."""
    place = "scene1/session1"
    touch(root, *(f"subject{subject}/cam{camera}/{place}/{action}.mp4" for camera in cameras))
    touch(root, *(f"{sensor}_clip/subject{subject}/{place}/{action}.csv" for sensor in SENSORS))


def stamp(seconds: float) -> str:
    """A time stamp so many seconds after 12:00:00 of a fixed day."""
    whole = int(seconds)
    micros = round((seconds - whole) * 1e6)
    return f"20180709_12:{whole // 60:02d}:{whole % 60:02d}.{micros:06d}"


def csv_lines(seconds: Iterable[float], values: Iterable[Iterable[float]]) -> list[str]:
    return [",".join([stamp(t), *map(repr, map(float, row))]) for t, row in zip(seconds, values, strict=True)]


def write_video(
    path: Path,
    frames: NDArray[np.uint8],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    faststart: bool = False,
) -> Path:
    """Encode RGB frames (n, height, width, 3) at 30 Hz."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def grey_ramp(frames: int, height: int = 32, width: int = 48, step: int = 4) -> NDArray[np.uint8]:
    """Frames of one grey each: 20, 20 + step, ..."""
    levels = 20 + step * np.arange(frames, dtype=np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (frames, height, width, 3)).copy()


def kinds(table: ClipTable) -> dict[str, int]:
    """How often each kind of defect stands in a table."""
    counts: dict[str, int] = {}
    for each in table.defects:
        counts[each.kind] = counts.get(each.kind, 0) + 1
    return counts
