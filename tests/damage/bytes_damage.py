"""What can happen to any file: cut, overwritten, flipped, replaced by something else. Functions of bytes and a seed."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from functools import cache
from typing import Protocol

import numpy as np

Random = np.random.Generator


class Mutation(Protocol):
    """Damaged content, from the content and a source of draws."""

    @property
    def __name__(self) -> str: ...

    def __call__(self, content: bytes, random: Random, /) -> bytes: ...


PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


def emptied(content: bytes, random: Random) -> bytes:
    return b""


def one_byte(content: bytes, random: Random) -> bytes:
    return content[:1]


def cut_anywhere(content: bytes, random: Random) -> bytes:
    return content[: int(random.integers(1, max(2, len(content))))]


def cut_at_the_end(content: bytes, random: Random) -> bytes:
    return content[: -int(random.integers(1, 16))]


def head_lost(content: bytes, random: Random) -> bytes:
    return content[int(random.integers(1, max(2, min(len(content), 600)))) :]


def middle_lost(content: bytes, random: Random) -> bytes:
    first, last = np.sort(random.integers(0, len(content) + 1, 2)).tolist()
    return content[:first] + content[last:]


def bit_flipped(content: bytes, random: Random) -> bytes:
    place = int(random.integers(len(content)))
    return content[:place] + bytes([content[place] ^ 1 << int(random.integers(8))]) + content[place + 1 :]


def early_bit_flipped(content: bytes, random: Random) -> bytes:
    """In the first bytes, where headers are."""
    head = bit_flipped(content[:256], random)
    return head + content[256:]


def bits_flipped(content: bytes, random: Random) -> bytes:
    """One bit in a thousand, three at least."""
    data = np.frombuffer(content, np.uint8).copy()
    places = random.integers(0, len(data), max(3, len(data) * 8 // 1000))
    np.bitwise_xor.at(data, places, (1 << random.integers(0, 8, len(places))).astype(np.uint8))
    return data.tobytes()


def zeros_inside(content: bytes, random: Random) -> bytes:
    return _overwritten(content, random, b"\0")


def ones_inside(content: bytes, random: Random) -> bytes:
    return _overwritten(content, random, b"\xff")


def all_zeros(content: bytes, random: Random) -> bytes:
    """What a file system leaves of a file whose blocks were never written."""
    return bytes(len(content))


def noise(content: bytes, random: Random) -> bytes:
    return random.bytes(len(content))


def twice(content: bytes, random: Random) -> bytes:
    return content + content


def noise_appended(content: bytes, random: Random) -> bytes:
    return content + random.bytes(int(random.integers(1, 400)))


def a_web_page(content: bytes, random: Random) -> bytes:
    return PAGE


def a_pointer_to_it(content: bytes, random: Random) -> bytes:
    return POINTER


def gzipped(content: bytes, random: Random) -> bytes:
    return gzip.compress(content, mtime=0)


def zipped(content: bytes, random: Random) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("content", content)
    return stream.getvalue()


def an_image(content: bytes, random: Random) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(random.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def another_array(content: bytes, random: Random) -> bytes:
    stream = io.BytesIO()
    np.save(stream, random.normal(size=(4, 3)))
    return stream.getvalue()


def other_json(content: bytes, random: Random) -> bytes:
    return [b"null", b"[]", b"{}", b'"text"', b"1e999", b"[[1, 2], {}]"][int(random.integers(6))]


def deflated_zeros(size: int) -> bytes:
    """``size`` zero bytes (a multiple of 16 MiB) as a raw deflate stream a thousandth as long.

    A block that was flushed in full does not depend on those before it, so that one is enough.
    """
    chunk = bytes(1 << 24)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (size // len(chunk)) + zlib.compressobj(9, zlib.DEFLATED, -15).flush()


@cache
def checksum_of_zeros(size: int, head: bytes = b"") -> int:
    """CRC-32 of ``head`` and then so many zero bytes."""
    chunk, checksum = bytes(1 << 24), zlib.crc32(head)
    for _ in range(size // len(chunk)):
        checksum = zlib.crc32(chunk, checksum)
    return checksum


def zip_of_zeros(name: str, head: bytes, size: int) -> bytes:
    """A zip archive whose only member is ``head`` and then ``size`` zero bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH) + deflated_zeros(size)
    return one_member(name, data, checksum_of_zeros(size, head), len(head) + size)


def one_member(name: str, deflated: bytes, checksum: int, size: int) -> bytes:
    """A zip archive of one member that is deflated already."""
    encoded = name.encode()
    common = (
        (20).to_bytes(2, "little")
        + bytes(2)
        + (8).to_bytes(2, "little")
        + bytes(4)
        + checksum.to_bytes(4, "little")
        + len(deflated).to_bytes(4, "little")
        + size.to_bytes(4, "little")
        + len(encoded).to_bytes(2, "little")
    )
    local = b"PK\x03\x04" + common + bytes(2) + encoded
    central = b"PK\x01\x02" + (20).to_bytes(2, "little") + common + bytes(16) + encoded
    end = b"PK\x05\x06" + bytes(4) + (1).to_bytes(2, "little") * 2
    end += len(central).to_bytes(4, "little") + (len(local) + len(deflated)).to_bytes(4, "little") + bytes(2)
    return local + deflated + central + end


def _overwritten(content: bytes, random: Random, with_byte: bytes) -> bytes:
    first = int(random.integers(len(content)))
    length = int(random.integers(1, max(2, len(content) // 4)))
    return content[:first] + with_byte * len(content[first : first + length]) + content[first + length :]


ANY = (
    emptied, one_byte, cut_anywhere, cut_at_the_end, head_lost, middle_lost, bit_flipped, early_bit_flipped,
    bits_flipped, zeros_inside, ones_inside, all_zeros, noise, twice, noise_appended, a_web_page, a_pointer_to_it,
    gzipped, zipped, an_image, another_array, other_json,
)  # fmt: skip
