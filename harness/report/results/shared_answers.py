"""How two rows' answers fall together: counts and shares, of which no test is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answers:
    """How two rows' answers fall together. Queries are counted once for each seed; no test is made of these counts.

    Attributes:
        both, only_first, only_second, neither: queries by who is right.
        more_first, more_second, equal: episodes by who is right more often, over seeds.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    more_first: int
    more_second: int
    equal: int

    @property
    def same(self) -> bool:
        """Whether both are right and wrong on the very same queries, in every seed."""
        return not self.only_first + self.only_second


@dataclass(frozen=True)
class ClassAnswers:
    """Accuracy of the two rows on the queries of one class. Without an interval: a difference may be chance."""

    name: str
    queries: int
    first: float
    second: float

    @property
    def difference(self) -> float:
        return self.first - self.second


def shared_answers(first: np.ndarray, second: np.ndarray) -> Answers:
    """Of (K, B, Q) answers each; a row with K = 1 against every seed of the other."""
    first, second = np.broadcast_arrays(first, second)
    more = np.sign(first.sum(axis=(0, 2)) - second.sum(axis=(0, 2)))
    return Answers(
        both=int((first & second).sum()),
        only_first=int((first & ~second).sum()),
        only_second=int((~first & second).sum()),
        neither=int((~first & ~second).sum()),
        more_first=int((more > 0).sum()),
        more_second=int((more < 0).sum()),
        equal=int((more == 0).sum()),
    )


def by_class(
    first: np.ndarray, second: np.ndarray, asked: np.ndarray, names: Sequence[str]
) -> tuple[ClassAnswers, ...]:
    """Of the classes that were asked for.

    Args:
        first, second: (K, B, Q) whether each query was answered rightly.
        asked: (B, Q) class of each query, a place in ``names``.
    """
    return tuple(
        ClassAnswers(name, int(chosen.sum()), float(first[:, chosen].mean()), float(second[:, chosen].mean()))
        for place, name in enumerate(names)
        if (chosen := asked == place).any()
    )
