"""UTD-MHAD's depth files: MATLAB arrays of millimetres, read as grey frames in which near is bright."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmact_oneshot.harness.data.mat import load_array, shapes
from mmact_oneshot.harness.data.video.info import Choose, VideoInfo

VARIABLE = "d_depth"
NEAR, FAR = 1750.0, 3300.0  # millimetres
BRIGHTEST, DARKEST = 255.0, 40.0  # of a person; the background is 0
RATE_HZ = 30.0


class DepthMat:
    def __init__(self, path: Path) -> None:
        self.path = path

    def info(self) -> VideoInfo:
        height, width, frames = _three(shapes(self.path).get(VARIABLE, ()))
        return VideoInfo(frames, height, width, RATE_HZ)

    def stored(self) -> int:
        return len(self._depth())

    def read(self, choose: Choose, height: int, width: int) -> tuple[NDArray[np.uint8], int]:
        from PIL import Image

        depth = self._depth()
        indices = choose(len(depth))
        frames = np.empty((len(indices), height, width, 3), np.uint8)
        for frame, index in zip(frames, indices.tolist(), strict=True):
            image = Image.fromarray(to_grey(depth[index]))
            frame[:] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))[:, :, None]
        return frames, len(depth)

    def _depth(self) -> NDArray[np.floating]:
        """Millimetres (frames, height, width)."""
        depth = load_array(self.path, VARIABLE)
        _three(depth.shape)
        if not np.isfinite(depth).all():
            raise ValueError(f"{VARIABLE} has values that are not finite")
        return np.moveaxis(depth, 2, 0)


def to_grey(depth: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Millimetres to grey as in the depth videos: 1750 mm is 255, 3300 mm is 40, the background (0) is 0."""
    near = BRIGHTEST - (depth.astype(np.float64) - NEAR) * (BRIGHTEST - DARKEST) / (FAR - NEAR)
    return np.where(depth > 0, np.clip(near, DARKEST, BRIGHTEST), 0).astype(np.uint8)


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"{VARIABLE} is no array of height x width x frames")
    height, width, frames = shape
    return height, width, frames
