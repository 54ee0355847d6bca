"""Folders of images, one a frame, in the natural order of their names (frame2 before frame10)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mmact_oneshot.harness.data.video.info import LARGEST_FRAME, Choose, VideoInfo

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")  # whatever the name says: Pillow would hand PostScript to Ghostscript


class ImageFolder:
    def __init__(self, path: Path) -> None:
        images = [each for each in path.iterdir() if each.suffix.lower() in SUFFIXES and not each.name.startswith(".")]
        self.images = sorted(images, key=lambda each: _natural(each.name))
        if not self.images:
            raise ValueError("the folder holds no image")

    def info(self) -> VideoInfo:
        with _opened(self.images[0]) as image:
            return VideoInfo(len(self.images), image.height, image.width, None)

    def stored(self) -> int:
        return sum(1 for image in self.images if image.stat().st_size)

    def read(self, choose: Choose, height: int, width: int) -> tuple[NDArray[np.uint8], int]:
        from PIL import Image

        indices = choose(len(self.images))
        frames = np.empty((len(indices), height, width, 3), np.uint8)
        for frame, index in zip(frames, indices.tolist(), strict=True):
            with _opened(self.images[index]) as image:
                image.draft("RGB", (width, height))  # JPEG: decode at a smaller scale where that is enough
                frame[:] = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
        return frames, len(self.images)


def _opened(path: Path) -> Image.Image:
    from PIL import Image

    if not path.is_file():
        raise ValueError(f"{path.name} is no file")
    image = Image.open(path, formats=FORMATS)
    if image.width * image.height > LARGEST_FRAME:
        raise ValueError(f"{path.name} has {image.width} x {image.height} pixels, more than any recording")
    return image


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that orders runs of digits by their number."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name.lower())]
