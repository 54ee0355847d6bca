"""Who sits in the slots of an episode: the class, the performance and the subject of every support and query clip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmact_oneshot.harness.report.statistics.deletion import LeftOut
from mmact_oneshot.harness.report.statistics.design import Design


@dataclass(frozen=True, eq=False)
class Slots:
    """One kind of identity (class, performance or subject) of every clip of B episodes, as integer codes.

    Attributes:
        support: (B, W, S) of the support clips.
        query: (B, Q) of the queries.
    """

    support: np.ndarray
    query: np.ndarray

    @cached_property
    def all(self) -> np.ndarray:
        """(B, T) with T = W * S + Q: support slots, then query slots."""
        return np.concatenate([self.support.reshape(len(self.support), -1), self.query], axis=1)

    @cached_property
    def codes(self) -> np.ndarray:
        """(B, T) as :attr:`all`, numbered 0 .. :attr:`count` - 1 in the order of the codes."""
        return np.unique(self.all, return_inverse=True)[1].reshape(self.all.shape)

    @property
    def count(self) -> int:
        """Identities that occur."""
        return int(self.codes.max(initial=-1)) + 1

    def only(self, episodes: np.ndarray) -> Slots:
        return Slots(self.support[episodes], self.query[episodes])


@dataclass(frozen=True, eq=False)
class Identities:
    """What the intervals for performances and subjects know of the episodes: who is in which slot."""

    classes: Slots
    performances: Slots
    subjects: Slots

    @classmethod
    def of_clips(
        cls, support: np.ndarray, query: np.ndarray, classes: np.ndarray, performances: np.ndarray, subjects: np.ndarray
    ) -> Identities:
        """From drawn clips, as a suite holds them.

        Args:
            support, query: (B, W, S) and (B, Q) rows of the clip list.
            classes, performances, subjects: (clips,) integer codes of every row.
        """
        return cls(*(Slots(codes[support], codes[query]) for codes in (classes, performances, subjects)))

    @cached_property
    def strata(self) -> np.ndarray:
        """(B, T) codes 0 .. H - 1 of what is fixed of a slot: its class, and whether it is a support slot."""
        kind = np.arange(self.classes.all.shape[1]) >= self.classes.all.shape[1] - self.classes.query.shape[1]
        codes = 2 * self.classes.codes + kind
        return np.unique(codes, return_inverse=True)[1].reshape(codes.shape)

    @cached_property
    def by_performance(self) -> Design:
        return Design(self.performances.codes, self.strata, self._parts(own=False))

    @cached_property
    def by_subject(self) -> Design:
        """For methods whose scores depend on the other queries."""
        return Design(self.subjects.codes, self.strata, self._parts(own=False))

    @cached_property
    def by_subject_inductive(self) -> Design:
        """For methods with which a query's clip matters for its own answer only."""
        return Design(self.subjects.codes, self.strata, self._parts(own=True))

    @cached_property
    def without_subject(self) -> LeftOut:
        return LeftOut.of(self.subjects.codes, self.subjects.count)

    def only(self, episodes: np.ndarray) -> Identities:
        """Of these episodes, (B,) bool or indices: for leaving out those that were not scored."""
        return Identities(self.classes.only(episodes), self.performances.only(episodes), self.subjects.only(episodes))

    def _parts(self, own: bool) -> np.ndarray:
        """(T,) what a slot's accuracy is: 0, that of the episode; 1 + q, the part of the q-th query in it."""
        parts = np.zeros(self.classes.all.shape[1], dtype=np.intp)
        if own:
            queries = self.classes.query.shape[1]
            parts[-queries:] = 1 + np.arange(queries)
        return parts
