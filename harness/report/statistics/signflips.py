"""Sign-flip permutation: how often a mean as far from 0 arises where every subject's sign is a coin toss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_EXACT = 20
FLIPS = 99_999
_KEY = 0x7369676E_666C6970


@dataclass(frozen=True)
class SignFlips:
    """A two-sided p and the smallest one that so few subjects allow; shown beside a t test, never corrected."""

    p_value: float
    smallest: float


def sign_flips(values: np.ndarray) -> SignFlips:
    """Two-sided test of a mean of 0 for values that are symmetric about it.

    All 2^S patterns up to 20 values; beyond, 99,999 patterns of a fixed stream and the observed one (Phipson and Smyth
    2010, arXiv 1603.05766), with one p on every platform.

    Args:
        values: (S,) one value a subject.
    """
    least = 2.0 ** (1 - len(values))
    observed, slack = abs(values.sum()), 1e-12 * np.abs(values).sum()
    if len(values) <= MOST_EXACT:
        # a pattern is one of each half; those as far below 0 mirror those above, which sorted sums count
        half, other = _sums(values[: len(values) // 2]), np.sort(_sums(values[len(values) // 2 :]))
        above = len(other) - np.searchsorted(other, observed - slack - half)
        return SignFlips(min(1.0, 2 * float(above.mean()) / len(other)), least)
    words = np.random.Philox(key=_KEY).random_raw(FLIPS * -(-len(values) // 64)).reshape(FLIPS, -1)
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1)[:, : len(values)]
    as_far = int((np.abs((1 - 2.0 * bits) @ values) >= observed - slack).sum())
    return SignFlips((1 + as_far) / (1 + FLIPS), max(least, 1 / (1 + FLIPS)))


def _sums(values: np.ndarray) -> np.ndarray:
    """(2^S,) with all patterns of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums
