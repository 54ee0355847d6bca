"""Video files: headers through PyAV; frames through decord, which resizes while it decodes, or PyAV without it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmact_oneshot.harness.data.video.info import Choose, VideoInfo

# FFmpeg's names of the formats that are read. Others, such as playlists, can name further files and addresses.
FORMATS = ("mov", "avi", "matroska")
GUARDS = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}


class VideoFile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def info(self) -> VideoInfo:
        if not self.path.stat().st_size:
            raise ValueError("the file is empty")
        with _opened(self.path) as container:
            if not container.streams.video:
                raise ValueError("it has no video stream")
            stream = container.streams.video[0]
            rate = float(stream.average_rate) if stream.average_rate else None
            height, width = stream.height, stream.width
            frames = stream.frames or _packets(container, stream)  # Matroska's header does not say
        return VideoInfo(frames, height, width, rate)

    def stored(self) -> int:
        """Frames of which the file holds the data, or that it passes over: an AVI announces those too that were lost in
        recording. Nothing is decoded."""
        return max(self._held())

    def _held(self) -> tuple[int, int]:
        """Packets, and how many there would be up to the last of them at the frame rate."""
        with _opened(self.path) as container:
            stream = container.streams.video[0]
            times = [packet.dts for packet in container.demux(stream) if packet.size]
        known = [time for time in times if time is not None]
        rate, base = stream.average_rate, stream.time_base
        span = round((max(known) - min(known)) * base * rate) + 1 if known and rate and base else 0
        return len(times), span

    def _whole(self, announced: int) -> int:
        """How many frames there are to decode.

        Raises:
            ValueError: fewer than are announced, because the file ends early.
        """
        packets, span = self._held()
        if max(packets, span) < announced:
            raise ValueError(f"it is cut short: {packets} of {announced} frames are there")
        return packets

    def read(self, choose: Choose, height: int, width: int) -> tuple[NDArray[np.uint8], int]:
        if not has_decord():
            return self._read_with_pyav(choose, height, width)
        import decord

        with _opened(self.path) as container:  # decord has no such guard, and would follow a list of other files
            announced = container.streams.video[0].frames  # 0 where the header does not say
        decord.logging.set_level(decord.logging.QUIET)
        try:
            reader = decord.VideoReader(str(self.path), width=safe_width(width), height=height, num_threads=1)
            if not len(reader):
                raise ValueError("it has no frame")
            if len(reader) < announced:
                self._whole(announced)
            frames = np.asarray(reader.get_batch(choose(len(reader)).tolist()).asnumpy(), dtype=np.uint8)
        except decord.DECORDError as error:  # which of its threads fails first, and says what, depends on the moment
            raise ValueError("its frames do not decode") from error
        return _narrowed(frames, width), len(reader)

    def _read_with_pyav(self, choose: Choose, height: int, width: int) -> tuple[NDArray[np.uint8], int]:
        """Decodes all frames and keeps those that are chosen: slower, and resized by swscale's bilinear filter."""
        total = self._whole(self.info().frames)
        wanted = set(choose(total).tolist())
        kept: list[NDArray[np.uint8]] = []
        with _opened(self.path) as container:
            count = 0
            for count, frame in enumerate(container.decode(video=0), 1):
                if count - 1 in wanted:
                    small = frame.reformat(width, height, format="rgb24", interpolation="BILINEAR")
                    kept.append(small.to_ndarray())
        if len(kept) < len(wanted):
            raise ValueError(f"it is cut short: {count} of {total} frames decode")
        return np.stack(kept), total


def _opened(path: Path) -> Any:
    """PyAV's container of a file in one of the formats; opens no other file and no connection.

    Raises:
        ValueError: FFmpeg finds another format.
    """
    import av

    try:
        return av.open(str(path), options=GUARDS)
    except av.error.ArgumentError as error:  # also PyAV's answer to a format that is not in the list
        raise ValueError("it is not MP4, MOV, AVI, Matroska or WebM") from error


@cache
def has_decord() -> bool:
    """Whether decord is installed and loads; it has no wheels for some machines."""
    try:
        import decord  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def decoder() -> str:
    """What decodes video files here, with its version, for the store's manifest."""
    if not has_decord():
        return f"av {version('av')}"
    for name in ("decord", "eva-decord"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "decord"


def safe_width(width: int) -> int:
    """The width to decode at: the next multiple of 128 in place of one that decord 0.6 cannot copy.

    FFmpeg pads the rows of a frame to a multiple of 16, 32 or 64 pixels, as the processor likes it. Where a
    padded row happens to have a whole number of bytes for each pixel (48 padded to 64: four), decord takes
    the padding for pixels. The widths of all three are avoided, so that every machine decodes a clip alike.
    """
    for pixels in (16, 32, 64):
        padded = -(-width // pixels) * pixels
        if padded != width and 3 * padded % width == 0:
            return -(-width // 128) * 128
    return width


def _narrowed(frames: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """Frames (n, height, any, 3) at a width."""
    from PIL import Image

    if frames.shape[2] == width:
        return frames
    size = (width, frames.shape[1])
    images = [Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR) for frame in frames]
    return np.stack([np.asarray(image) for image in images])


def _packets(container: Any, stream: Any) -> int:
    return sum(1 for packet in container.demux(stream) if packet.size)
