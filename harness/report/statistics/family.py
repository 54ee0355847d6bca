"""Many methods on the same episodes: what depends on the episodes, or on one method, is computed once for all pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from mmact_oneshot.harness.report.statistics.analysis import Analysis
from mmact_oneshot.harness.report.statistics.clusters import Identities
from mmact_oneshot.harness.report.statistics.comparisons import Comparisons, Paired
from mmact_oneshot.harness.report.statistics.deletion import by_deletion
from mmact_oneshot.harness.report.statistics.interval import DIFFERENCE, SHARE, Estimate
from mmact_oneshot.harness.report.statistics.jackknife import by_performance, by_subject
from mmact_oneshot.harness.report.statistics.seeds import over_seeds
from mmact_oneshot.harness.report.statistics.signflips import sign_flips
from mmact_oneshot.harness.report.statistics.spread import Spread, minus
from mmact_oneshot.harness.report.statistics.these_clips import clips_estimate


@dataclass(frozen=True, eq=False)
class Family:
    """M methods. All that is said of them, and of the difference of any two, is made here.

    Attributes:
        methods: (K, B, Q) each: whether each query was answered rightly, seed by seed and episode by episode. A method
            without training has K = 1, against any number of seeds. Episodes that were not scored are left out
            beforehand, here and in ``identities``.
        inductive: of all, or of each, as for ``jackknife.by_subject``; a pair is where
            both are.
    """

    methods: Sequence[np.ndarray]
    identities: Identities
    inductive: bool | Sequence[bool] = True

    @cached_property
    def analyses(self) -> tuple[Analysis, ...]:
        """Of every method."""
        return tuple(self._analysis([row], SHARE) for row in range(len(self.methods)))

    def paired(self, first: int, second: int) -> Paired:
        """The first method minus the second; the queries are never taken for independent."""
        rows = [first, second]
        analysis, subjects = self._analysis(rows, DIFFERENCE), self._by_subject[self._inductive(rows)]
        # pseudo-values: their mean is the mean, its squared standard error S / (S - 1) sum C_s^2
        influences = minus(subjects.linear, rows)
        return Paired(analysis, sign_flips(analysis.clips.mean + len(influences) * influences))

    def against(self, reference: int) -> tuple[Paired, ...]:
        """Every method minus the reference, which is among them."""
        return tuple(self.paired(row, reference) for row in range(len(self.methods)))

    def compare(self, chosen: Sequence[int] | None = None, level: float = 0.95) -> Comparisons:
        """Every pair of the chosen methods, or of all; in what is returned, a method's number is its place there."""
        rows = range(len(self.methods)) if chosen is None else chosen
        paired = [self.paired(first, second) for first, second in combinations(rows, 2)]
        return Comparisons.of([float(self.methods[row].mean()) for row in rows], paired, level)

    def _analysis(self, rows: Sequence[int], bounds: tuple[float, float]) -> Analysis:
        """Of one method, or of a first minus a second."""
        means, clips = minus(self._seeds, rows), clips_estimate(minus(self._episodes, rows))

        def over(spread: Spread) -> Estimate:
            return over_seeds(means, spread.estimate(rows, clips))

        return Analysis(
            clips=over_seeds(means, clips),
            performances=over(self._by_performance),
            subjects=over(self._by_subject[self._inductive(rows)]),
            deletion=over(self._by_deletion),
            seeds=len(means),
            bounds=bounds,
        )

    def _inductive(self, rows: Sequence[int]) -> bool:
        return self.inductive if isinstance(self.inductive, bool) else all(self.inductive[row] for row in rows)

    @cached_property
    def _seeds(self) -> list[np.ndarray]:
        """(K,) mean of every training seed, for each method."""
        return [method.mean(axis=(1, 2)) for method in self.methods]

    @cached_property
    def _accuracies(self) -> np.ndarray:
        """(B, 1 + Q, M) over seeds: of the episode, and each query's part in it.

        Answers are counted before anything is divided, so that episodes with as many right answers differ by 0.
        """
        _, episodes, queries = self.methods[0].shape
        found = np.empty((episodes, 1 + queries, len(self.methods)))
        for row, method in enumerate(self.methods):
            right = method.sum(axis=0)
            found[:, 0, row] = right.sum(axis=1)
            found[:, 1:, row] = right
            found[:, :, row] /= len(method) * queries
        return found

    @cached_property
    def _episodes(self) -> np.ndarray:
        """(M, B) accuracy of every episode, over seeds."""
        return np.ascontiguousarray(self._accuracies[:, 0].T)

    @cached_property
    def _by_performance(self) -> Spread:
        return by_performance(self._accuracies, self.identities)

    @cached_property
    def _by_subject(self) -> dict[bool, Spread]:
        """For pairs that are inductive, and for those that are not; each where it occurs."""
        kinds = {self._inductive([row]) for row in range(len(self.methods))}
        return {kind: by_subject(self._accuracies, self.identities, kind) for kind in kinds}

    @cached_property
    def _by_deletion(self) -> Spread:
        return by_deletion(self._episodes, self.identities.without_subject)


def analyse(correct: np.ndarray, identities: Identities, inductive: bool = True) -> Analysis:
    """All intervals of one method, (K, B, Q) as in :class:`Family`."""
    return Family([correct], identities, inductive).analyses[0]


def compare(first: np.ndarray, second: np.ndarray, identities: Identities, inductive: bool = True) -> Paired:
    """The paired comparison of two methods, (K, B, Q) each as in :class:`Family`; ``inductive``: whether both are."""
    return Family([first, second], identities, inductive).paired(0, 1)


def compare_all(
    methods: Sequence[np.ndarray], identities: Identities, level: float = 0.95, inductive: bool | Sequence[bool] = True
) -> Comparisons:
    """Every pair of M methods, (K, B, Q) each as in :class:`Family`."""
    return Family(methods, identities, inductive).compare(level=level)
