"""Sign-flip permutation: how often a mean as far from 0 arises where every subject's sign is a coin toss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.statistics.clusters import Identities
from harness.statistics.jackknife import influences, residuals

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
        # with the first sign held, since flipping all signs changes no absolute sum
        sums = values[:1]
        for value in values[1:]:
            sums = np.concatenate([sums + value, sums - value])
        return SignFlips(float((np.abs(sums) >= observed - slack).mean()), least)
    words = np.random.Philox(key=_KEY).random_raw(FLIPS * -(-len(values) // 64)).reshape(FLIPS, -1)
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1)[:, : len(values)]
    as_far = int((np.abs((1 - 2.0 * bits) @ values) >= observed - slack).sum())
    return SignFlips((1 + as_far) / (1 + FLIPS), max(least, 1 / (1 + FLIPS)))


def subject_values(correct: np.ndarray, identities: Identities, inductive: bool = True) -> np.ndarray:
    """(S,) pseudo-values: mean + S C_s. Their mean is the mean, its squared standard error S / (S - 1) sum C_s^2.

    Args:
        correct: (B, Q) as for :func:`harness.statistics.jackknife.by_subject`.
    """
    members = identities.subjects.members
    found = influences(residuals(correct, identities.strata, own=inductive), members)
    return np.asarray(correct.mean() + members.count * found)
