"""What may be said of the rows of a table: intervals, and comparisons in pairs within each ranked section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.report.load import Scored, Tested
from harness.report.statistics import Analysis, Comparisons, Estimate, Family, Interval, Paired, analyse, over_seeds
from harness.report.statistics import closed_estimate as closed

NOTHING = Interval(float("nan"), float("nan"), float("nan"), float("nan"), 0.0)


@dataclass(frozen=True, eq=False)
class Inference:
    """What is known of one row's mean.

    Attributes:
        common: (N,) bool, the episodes that every seed scored.
        correct: (K, B, Q) bool, on those.
        closed: these clips, all episodes that could be drawn; over seeds.
        analysis: new performances and new subjects as well; None where the episodes are not recorded.
        inductive: whether a query's answer depends on that query and the support set alone.
        family: the rows of the suite that were scored on all of its episodes, this one at ``place``; None where this
            one was not, or the episodes are not recorded.
    """

    common: np.ndarray
    correct: np.ndarray
    closed: Estimate | None
    analysis: Analysis | None
    inductive: bool
    family: Family | None = None
    place: int = 0

    @property
    def scored(self) -> int:
        return int(self.correct.shape[1])

    @property
    def open(self) -> bool:
        """Whether the interval speaks for new performances or subjects."""
        return self.analysis is not None and self.analysis.headline().available

    @cached_property
    def interval(self) -> Interval:
        """The headline: the wider of the open intervals; where there is none, the closed one."""
        if self.closed is None:
            return NOTHING
        if self.analysis is not None and self.open:
            return self.analysis.interval()
        return self.closed.interval()


def infer(groups: Mapping[str, Sequence[Scored]], tested: Tested | None) -> dict[str, Inference]:
    """Of all rows of a suite, each on the episodes that all of its seeds scored.

    Args:
        groups: the seeds of each row.
    """
    common = {key: np.logical_and.reduce([each.done for each in group]) for key, group in groups.items()}
    correct = {key: np.stack([each.correct[common[key]] for each in group]) for key, group in groups.items()}
    inductive = {
        key: not group[0].training.transductive or group[0].evaluation.queries_per_episode == 1
        for key, group in groups.items()
    }
    complete = [key for key in groups if common[key].all()] if tested is not None else []
    family = None
    if tested is not None and complete:
        family = Family([correct[key] for key in complete], tested.identities, [inductive[key] for key in complete])
    found = {}
    for key, right in correct.items():
        if not right.shape[1]:
            found[key] = Inference(common[key], right, None, None, inductive[key])
            continue
        estimate = over_seeds(right.mean(axis=(1, 2)), closed(right.mean(axis=(0, 2))))
        if family is not None and key in complete:
            place = complete.index(key)
            analysis = family.analyses[place]
            found[key] = Inference(common[key], right, estimate, analysis, inductive[key], family, place)
        else:
            alone = None
            if tested is not None:
                alone = analyse(right, tested.identities.only(common[key]), inductive[key])
            found[key] = Inference(common[key], right, estimate, alone, inductive[key])
    return found


def compare_rows(rows: Sequence[Inference]) -> Comparisons | None:
    """All pairs of rows that are ranked together; the family of comparisons is all of them. None where there is
    nothing to compare."""
    if len(rows) < 2 or any(row.family is None for row in rows):
        return None
    assert rows[0].family is not None
    return rows[0].family.compare([row.place for row in rows])


def compare_pair(first: Inference, second: Inference) -> Paired | None:
    """The first less the second, of one suite; None where one was not scored on all episodes, or they are not
    recorded."""
    if first.family is None or second.family is None:
        return None
    assert first.family is second.family
    return first.family.paired(first.place, second.place)
