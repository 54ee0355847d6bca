"""Who sits in the slots of an episode: the class, the performance and the subject of every support and query clip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
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
        """(B, W * S + Q): support slots, then query slots."""
        return np.concatenate([self.support.reshape(len(self.support), -1), self.query], axis=1)

    @cached_property
    def members(self) -> Members:
        return Members.of(self.all)

    def only(self, episodes: np.ndarray) -> Slots:
        return Slots(self.support[episodes], self.query[episodes])


@dataclass(frozen=True)
class Members:
    """Which slots of an episode belong to the same cluster. P counts the (episode, cluster) pairs that occur.

    Attributes:
        pair: (B * T,) the pair that a slot belongs to; T slots an episode.
        cluster: (P,) the cluster of a pair, 0 .. count - 1 in the order of the codes.
        episode: (P,) the episode of a pair.
        count: clusters that occur.
    """

    pair: np.ndarray
    cluster: np.ndarray
    episode: np.ndarray
    count: int

    @classmethod
    def of(cls, slots: np.ndarray) -> Members:
        """From the codes of all slots, (B, T)."""
        known, codes = np.unique(slots, return_inverse=True)
        episodes = np.arange(len(slots))[:, None]
        keys, pair = np.unique((episodes * len(known) + codes.reshape(slots.shape)).ravel(), return_inverse=True)
        return cls(pair.reshape(-1), keys % max(1, len(known)), keys // max(1, len(known)), len(known))

    def shares(self, strata: np.ndarray) -> np.ndarray:
        """(H, G) share of each cluster in the slots of each stratum, 0 .. H - 1, which are (B, T) codes."""
        cells = strata.ravel() * self.count + self.cluster[self.pair]
        counts = np.bincount(cells, minlength=(int(strata.max()) + 1) * self.count).reshape(-1, self.count)
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))

    @property
    def present(self) -> np.ndarray:
        """(G, B) bool: whether a cluster occurs in an episode."""
        found = np.zeros((self.count, int(self.episode[-1]) + 1 if len(self.episode) else 0), dtype=bool)
        found[self.cluster, self.episode] = True
        return found


@dataclass(frozen=True)
class Identities:
    """All that the open intervals know of the episodes: identities, slot by slot."""

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
        """(B, W * S + Q) codes 0 .. H - 1 of what is fixed of a slot: its class, and whether it is a support slot."""
        slots = self.classes.all
        kind = np.arange(slots.shape[1]) >= slots.shape[1] - self.classes.query.shape[1]
        codes = np.unique(2 * slots + kind, return_inverse=True)[1]
        return codes.reshape(slots.shape)

    @cached_property
    def performance_shares(self) -> np.ndarray:
        """(H, performances) of the slots of each stratum."""
        return self.performances.members.shares(self.strata)

    @cached_property
    def subject_shares(self) -> np.ndarray:
        """(H, subjects) of the slots of each stratum."""
        return self.subjects.members.shares(self.strata)

    def only(self, episodes: np.ndarray) -> Identities:
        """Of these episodes, (B,) bool or indices: for leaving out those that were not scored."""
        return Identities(self.classes.only(episodes), self.performances.only(episodes), self.subjects.only(episodes))
