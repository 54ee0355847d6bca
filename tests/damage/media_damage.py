"""Videos and images that are whole files and yet unusual: sizes, rates, rotation, no frames, and those that swell."""

from __future__ import annotations

import io
import struct
import tempfile
import zlib
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.damage.bytes_damage import Mutation, Random, deflated_zeros


def frames_of(count: int, height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """A bright square that moves over a pattern, uint8 (count, height, width, 3)."""
    random = np.random.default_rng(seed)
    frames = np.repeat(random.integers(30, 90, (1, height, width, 3), dtype=np.uint8), count, axis=0)
    for place, frame in enumerate(frames):
        left = place * (width - 12) // max(1, count - 1)
        frame[10:26, left : left + 12] = (220, 180, 40)
    return frames


@cache
def video(
    count: int = 24,
    height: int = 48,
    width: int = 64,
    kind: str = "mp4",
    codec: str = "libx264",
    pixels: str = "yuv420p",
    variable: bool = False,
    audio: bool = False,
    picture: bool = True,
) -> bytes:
    """An encoded video.

    Args:
        variable: frames come at uneven times.
        audio: with a sound track.
        picture: with a video stream.
    """
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"video.{kind}"
        with av.open(str(path), "w") as container:
            stream: Any = None
            if picture:
                stream = container.add_stream(codec, rate=30)
                stream.height, stream.width, stream.pix_fmt = height, width, pixels
                stream.thread_count = 1
            sound: Any = container.add_stream("aac" if kind != "avi" else "mp3", rate=44100) if audio else None
            for place, image in enumerate(frames_of(count, height, width) if picture else []):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                if variable:
                    frame.pts, frame.time_base = place * place + place, Fraction(1, 90)
                container.mux(stream.encode(frame))
            if picture:
                container.mux(stream.encode())
            if sound is not None:
                samples = np.zeros((1, 1024 * 20), np.float32)
                tone = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
                tone.rate = 44100
                container.mux(sound.encode(tone))
                container.mux(sound.encode())
        return path.read_bytes()


def odd_size(content: bytes, random: Random) -> bytes:
    return video(height=47, width=63, codec="libx264", pixels="yuv444p")


def a_sliver(content: bytes, random: Random) -> bytes:
    """Two pixels high."""
    return video(height=2, width=640)


def one_frame(content: bytes, random: Random) -> bytes:
    return video(count=1)


def no_frame(content: bytes, random: Random) -> bytes:
    found = video()
    for table in (b"stts", b"stsz", b"stsc", b"stco"):
        place = found.find(table) + 4 + (8 if table == b"stsz" else 4)
        found = found[:place] + bytes(4) + found[place + 4 :]
    return found


def sound_alone(content: bytes, random: Random) -> bytes:
    return video(picture=False, audio=True)


def with_sound(content: bytes, random: Random) -> bytes:
    return video(audio=True)


def variable_rate(content: bytes, random: Random) -> bytes:
    return video(variable=True)


def another_container(content: bytes, random: Random) -> bytes:
    """Of the same name."""
    return video(kind=["mkv", "avi", "mov"][int(random.integers(3))], codec="mpeg4")


def rotated(content: bytes, random: Random) -> bytes:
    """A quarter turn in the header, as telephones write it: the matrix of the track."""
    found = video()
    place = found.find(b"tkhd") + 4 + 4 + 20 + 8 + 8
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    return found[:place] + matrix + found[place + 36 :]


def frames_claimed(content: bytes, random: Random) -> bytes:
    """A thousand times the frames in its table of times."""
    found = video()
    place = found.find(b"stts") + 4 + 4 + 4
    return found[:place] + struct.pack(">I", 24_000) + found[place + 4 :]


def sizes_claimed(content: bytes, random: Random) -> bytes:
    """65,535 pixels square by the header of the sample."""
    found = video()
    place = found.find(b"avc1", found.find(b"stsd")) + 4 + 24
    return found[:place] + struct.pack(">HH", 65535, 65535) + found[place + 4 :]


def index_lost(content: bytes, random: Random) -> bytes:
    """Of an MP4 file that was cut off while it was recorded: its index, which comes last."""
    found = video()
    return found[: found.find(b"moov") - 4]


def offsets_wrong(content: bytes, random: Random) -> bytes:
    found = video()
    place = found.find(b"stco") + 4 + 4 + 4
    return found[:place] + struct.pack(">I", len(found) * 2) + found[place + 4 :]


@cache
def _swollen_video() -> bytes:
    """One frame of 12,000 pixels square, as PNG in QuickTime."""
    return _quicktime(png_of_zeros(12_000, 12_000))


def _quicktime(image: bytes) -> bytes:
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mov"
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream("png", rate=30)
            stream.height, stream.width, stream.pix_fmt = 12_000, 12_000, "rgb24"
            for place in range(3):
                packet = av.Packet(image)
                packet.stream, packet.pts, packet.dts, packet.time_base = stream, place, place, Fraction(1, 30)
                packet.is_keyframe = True
                container.mux(packet)
        return path.read_bytes()


def frames_that_swell(content: bytes, random: Random) -> bytes:
    return _swollen_video()


VIDEO: tuple[Mutation, ...] = (
    odd_size, a_sliver, one_frame, no_frame, sound_alone, with_sound, variable_rate, another_container, rotated,
    frames_claimed, sizes_claimed, index_lost, offsets_wrong, frames_that_swell,
)  # fmt: skip


# images


@cache
def png_of_zeros(height: int, width: int) -> bytes:
    """A black image of three bytes a pixel, a thousandth as large."""
    size = -(-height * (1 + 3 * width) // (1 << 24)) * (1 << 24)
    data = b"\x78\x9c" + deflated_zeros(size) + zlib.adler32(b"").to_bytes(4, "big")

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _image(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def image_of_another_size(content: bytes, random: Random) -> bytes:
    from PIL import Image

    return _image(Image.fromarray(frames_of(1, 31, 17)[0]))


def image_of_one_pixel(content: bytes, random: Random) -> bytes:
    from PIL import Image

    return _image(Image.fromarray(frames_of(1)[0][:1, :1]))


def image_with_palette(content: bytes, random: Random) -> bytes:
    from PIL import Image

    return _image(Image.fromarray(frames_of(1)[0]).convert("P"))


def image_of_16_bits(content: bytes, random: Random) -> bytes:
    from PIL import Image

    return _image(Image.fromarray(np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)))


def image_in_another_format(content: bytes, random: Random) -> bytes:
    from PIL import Image

    kind = ["GIF", "TIFF", "BMP", "WEBP", "ICO", "PPM", "PDF"][int(random.integers(7))]
    return _image(Image.fromarray(frames_of(1)[0]), kind)


def image_turned_by_exif(content: bytes, random: Random) -> bytes:
    from PIL import Image

    image = Image.fromarray(frames_of(1)[0])
    exif = image.getexif()
    exif[0x0112] = 6
    return _image(image, "JPEG", exif=exif)


def image_that_swells(content: bytes, random: Random) -> bytes:
    """A frame of gigabytes in memory."""
    return png_of_zeros(30_000, 30_000)


def image_that_swells_less(content: bytes, random: Random) -> bytes:
    """Below the size at which Pillow refuses it."""
    return png_of_zeros(13_000, 13_000)


IMAGE: tuple[Mutation, ...] = (
    image_of_another_size, image_of_one_pixel, image_with_palette, image_of_16_bits, image_in_another_format,
    image_turned_by_exif, image_that_swells, image_that_swells_less,
)  # fmt: skip
