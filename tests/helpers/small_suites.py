"""A small uneven draw of episodes, and the influences of its clusters by loops over slots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmact_oneshot.harness.report.statistics import Identities, Slots

Cluster = Callable[[int, int], int]


@dataclass(frozen=True)
class Small:
    """Classes, support and query performance (B, W), subjects (classes, performances), answers (B, W)."""

    classes: np.ndarray
    support: np.ndarray
    query: np.ndarray
    subjects: np.ndarray
    correct: np.ndarray

    @property
    def identities(self) -> Identities:
        count = self.subjects.shape[1]
        c, s, q = self.classes, self.support, self.query
        return Identities(
            Slots(c[:, :, None], c),
            Slots((c * count + s)[:, :, None], c * count + q),
            Slots(self.subjects[c, s][:, :, None], self.subjects[c, q]),
        )

    def performance(self, label: int, performance: int) -> int:
        return label * self.subjects.shape[1] + performance

    def subject(self, label: int, performance: int) -> int:
        return int(self.subjects[label, performance])

    def brute_force(self, cluster: Cluster, own: bool) -> tuple[np.ndarray, float]:
        """Influences and variance: one pass over slots a cluster, every mean taken by its definition."""
        way = self.classes.shape[1]
        slots = []
        for b in range(len(self.classes)):
            for w in range(way):
                label, mean = int(self.classes[b, w]), float(self.correct[b].mean())
                mine = float(self.correct[b, w]) / way if own else mean
                slots.append((b, (0, label), cluster(label, int(self.support[b, w])), mean))
                slots.append((b, (1, label), cluster(label, int(self.query[b, w])), mine))
        clusters = sorted({who for _, _, who, _ in slots})
        strata = {stratum for _, stratum, _, _ in slots}
        means = {s: np.mean([value for _, stratum, _, value in slots if stratum == s]) for s in strata}
        influences, noise = [], 0.0
        for each in clusters:
            share = {s: np.mean([who == each for _, stratum, who, _ in slots if stratum == s]) for s in strata}
            plain, centred = np.zeros(len(self.classes)), np.zeros(len(self.classes))
            for b, stratum, who, value in slots:
                plain[b] += (who == each) * (value - means[stratum])
                centred[b] += ((who == each) - share[stratum]) * (value - means[stratum])
            assert abs(plain.mean() - centred.mean()) < 1e-12, "centring changes no influence"
            influences.append(plain.mean())
            noise += centred.var() / len(self.classes)
        return np.asarray(influences), max(0.0, float((np.asarray(influences) ** 2).sum()) - noise)


def accuracies(*methods: np.ndarray) -> np.ndarray:
    """(B, 1 + Q, M) of the episode, and each query's part in it, from M methods' answers (B, Q)."""
    parts = [np.concatenate([m.mean(axis=1, keepdims=True), m / m.shape[1]], axis=1) for m in methods]
    return np.stack(parts, axis=-1)


def small(seed: int = 0, episodes: int = 60, subjects: int = 5) -> Small:
    random = np.random.default_rng(seed)
    classes = np.asarray([random.permutation(4)[:3] for _ in range(episodes)])
    support, query = random.integers(0, 6, (2, episodes, 3))
    return Small(classes, support, query, random.integers(0, subjects, (4, 6)), random.random((episodes, 3)) < 0.6)
