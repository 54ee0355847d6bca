"""What may be said of the rows of a table: intervals, and comparisons in pairs within each ranked section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.report.load import Scored, Tested
from harness.statistics import Analysis, Comparisons, Estimate, Interval, analyse, compare_all, over_seeds
from harness.statistics import closed_estimate as closed

NOTHING = Interval(float("nan"), float("nan"), float("nan"), float("nan"), 0.0)


@dataclass(frozen=True)
class Inference:
    """What is known of one row's mean.

    Attributes:
        common: (N,) bool, the episodes that every seed scored.
        correct: (K, B, Q) bool, on those.
        closed: these clips, all episodes that could be drawn; over seeds.
        analysis: new performances and new subjects as well; None where the episodes are not recorded.
        inductive: whether a query's answer depends on that query and the support set alone.
    """

    common: np.ndarray
    correct: np.ndarray
    closed: Estimate | None
    analysis: Analysis | None
    inductive: bool

    @property
    def scored(self) -> int:
        return int(self.correct.shape[1])

    @property
    def open(self) -> bool:
        """Whether the interval speaks for new performances or subjects."""
        return self.analysis is not None and self.analysis.headline().available

    @property
    def interval(self) -> Interval:
        """The headline: the wider of the open intervals; where there is none, the closed one."""
        if self.closed is None:
            return NOTHING
        if self.analysis is not None and self.open:
            return self.analysis.interval()
        return self.closed.interval()


def infer(group: Sequence[Scored], tested: Tested | None) -> Inference:
    """Of the seeds of one row, on the episodes that all of them scored."""
    common = np.logical_and.reduce([each.done for each in group])
    correct = np.stack([each.correct[common] for each in group])
    first = group[0]
    inductive = not first.training.transductive or first.evaluation.queries_per_episode == 1
    if not correct.shape[1]:
        return Inference(common, correct, None, None, inductive)
    estimate = over_seeds(correct.mean(axis=(1, 2)), closed(correct.mean(axis=(0, 2))))
    analysis = None
    if tested is not None:
        identities = tested.identities if common.all() else tested.identities.only(common)
        analysis = analyse(correct, identities, inductive)
    return Inference(common, correct, estimate, analysis, inductive)


def compare_rows(rows: Sequence[Inference], tested: Tested | None) -> Comparisons | None:
    """All pairs of rows that are ranked together; the family is all of them. None where there is nothing to compare.

    Rows are ranked only where all episodes were scored, with the same seeds.
    """
    if tested is None or len(rows) < 2:
        return None
    return compare_all([row.correct for row in rows], tested.identities, inductive=all(row.inductive for row in rows))
