"""A stream of random integers that is the same on every platform and in every version of Python and numpy.

Episode *i* of a suite depends on (suite name, suite seed, i) alone. numpy guarantees the raw words of its Philox
generator, but not what ``Generator`` makes of them, so the reduction to a range is done here, by rejection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")
_BLOCK = 64  # words fetched at a time; most episodes need one block
_SPAN = 1 << 64


def stream_key(name: str, seed: int) -> int:
    """The 128-bit Philox key of a named stream."""
    return int.from_bytes(hashlib.sha256(f"{name}:{seed}".encode()).digest()[:16], "little")


class Stream:
    """The random words of one episode: counter-based, so episodes can be drawn in any order by any worker."""

    def __init__(self, key: int, index: int) -> None:
        self._philox = np.random.Philox(key=key, counter=[0, index, 0, 0])
        self._words: list[int] = []

    def below(self, n: int) -> int:
        """A uniform integer in 0..n-1; words that would favour small results are rejected."""
        while True:
            if not self._words:
                self._words = self._philox.random_raw(_BLOCK).tolist()[::-1]
            word = self._words.pop()
            remainder = word % n
            if word - remainder <= _SPAN - n:
                return remainder

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` different items in random order (partial Fisher-Yates)."""
        pool = list(items)
        for i in range(count):
            j = i + self.below(len(pool) - i)
            pool[i], pool[j] = pool[j], pool[i]
        return pool[:count]
