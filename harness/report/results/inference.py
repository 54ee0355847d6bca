"""What may be said of the rows of a suite: their intervals, and the family in which they are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmact_oneshot.harness.report.results.load import Scored, Suite
from mmact_oneshot.harness.report.statistics import Analysis, Comparisons, Family, Interval, Paired, analyse

NOTHING = Interval(float("nan"), float("nan"), float("nan"), float("nan"), 0.0)


@dataclass(frozen=True, eq=False)
class Inference:
    """What is known of one row's mean.

    Attributes:
        common: (N,) bool, the episodes that every seed scored.
        correct: (K, B, Q) bool, on those.
        analysis: intervals over seeds; None where no episode was scored.
        inductive: whether a query's answer depends on that query and the support set alone.
        family: the rows of the suite that were scored on all of its episodes, this one at ``place``; None where this
            one was not.
    """

    common: np.ndarray
    correct: np.ndarray
    analysis: Analysis | None
    inductive: bool
    family: Family | None = None
    place: int = 0

    @property
    def scored(self) -> int:
        return int(self.correct.shape[1])

    @cached_property
    def interval(self) -> Interval:
        """The headline: the wider of the intervals for performances and subjects; without either, for these clips."""
        return NOTHING if self.analysis is None else shown_interval(self.analysis)


def shown_interval(analysis: Analysis) -> Interval:
    """The interval that tables show."""
    if analysis.headline().available:
        return analysis.interval()
    return analysis.clips.interval(bounds=analysis.bounds)


def shown_p(analysis: Analysis) -> float:
    """Two-sided, of no difference; below 0.05 exactly where the shown interval excludes 0."""
    return analysis.p_value if analysis.headline().available else analysis.clips.p_value


def infer(groups: Mapping[str, Sequence[Scored]], suite: Suite) -> dict[str, Inference]:
    """Of all rows of a suite, each on the episodes that all of its seeds scored.

    Args:
        groups: the seeds of each row.
    """
    common = {key: np.logical_and.reduce([each.done for each in group]) for key, group in groups.items()}
    correct = {key: np.stack([each.correct[common[key]] for each in group]) for key, group in groups.items()}
    inductive = {key: not group[0].training.transductive or suite.queries == 1 for key, group in groups.items()}
    complete = [key for key in groups if common[key].all()]
    family = None
    if complete:
        family = Family([correct[key] for key in complete], suite.identities, [inductive[key] for key in complete])
    found = {}
    for key, right in correct.items():
        if not right.shape[1]:
            found[key] = Inference(common[key], right, None, inductive[key])
        elif family is not None and key in complete:
            place = complete.index(key)
            found[key] = Inference(common[key], right, family.analyses[place], inductive[key], family, place)
        else:
            alone = analyse(right, suite.identities.only(common[key]), inductive[key])
            found[key] = Inference(common[key], right, alone, inductive[key])
    return found


def compare_rows(rows: Sequence[Inference]) -> Comparisons | None:
    """All pairs of rows that are ranked together, which are the family; None where there is nothing to compare."""
    if len(rows) < 2 or any(row.family is None for row in rows):
        return None
    assert rows[0].family is not None
    return rows[0].family.compare([row.place for row in rows])


def compare_pair(first: Inference, second: Inference) -> Paired | None:
    """The first minus the second, of one suite; None where one was not scored on all episodes."""
    if first.family is None or second.family is None:
        return None
    assert first.family is second.family
    return first.family.paired(first.place, second.place)
