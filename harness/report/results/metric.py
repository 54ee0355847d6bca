"""What a metric is: one function of a training's answers, with its title. Reports, CSV and comparisons follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmact_oneshot.harness.plugins import registry
from mmact_oneshot.harness.plugins.kinds import METRIC
from mmact_oneshot.harness.records import Calibration
from mmact_oneshot.harness.report.formats import MISSING


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of one training to the N episodes of a suite that it scored, Q queries each. C classes, K clips.

    Attributes:
        predicted, label: (N, Q) positions among the support classes, 0..way-1: the answer, and the truth.
        drawn: (N, way) class of every position, as a place in ``classes``.
        support, query: (N, way, shot) and (N, Q) clips, 0..K-1.
        classes, subjects: names.
        subject: (K,) subject of every clip, as a place in ``subjects``.
        calibration: queries by confidence; None where no scores were recorded.
    """

    predicted: np.ndarray
    label: np.ndarray
    drawn: np.ndarray
    support: np.ndarray
    query: np.ndarray
    classes: tuple[str, ...]
    subjects: tuple[str, ...]
    subject: np.ndarray
    calibration: Calibration | None = None

    @cached_property
    def correct(self) -> np.ndarray:
        """(N, Q) bool."""
        return np.asarray(self.predicted == self.label)

    @cached_property
    def confusion(self) -> np.ndarray:
        """(C, C) counts, rows the true class, columns the answer."""
        counts = np.zeros((len(self.classes), len(self.classes)), np.int64)
        true, answered = (np.take_along_axis(self.drawn, each, axis=1) for each in (self.label, self.predicted))
        np.add.at(counts, (true.ravel(), answered.ravel()), 1)
        return counts


Function = Callable[[Answers], float | None]


@dataclass(frozen=True)
class Metric:
    """A figure beside the accuracy.

    Attributes:
        name: column of the CSV files.
        title: heading of the tables.
        function: of the answers of one training; None where it says nothing. Reports show the mean over seeds.
        percent: whether it is a share in 0..1, which tables show in per cent.
        decimals: in tables; None for those that the accuracy has.
    """

    name: str
    title: str
    function: Function
    percent: bool = True
    decimals: int | None = None

    @property
    def about(self) -> str:
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    def over_seeds(self, seeds: Sequence[Answers]) -> float | None:
        """Mean over seeds; None where it says nothing of one of them, or there is nothing."""
        values = [self.function(each) if len(each.label) else None for each in seeds]
        known = [float(value) for value in values if value is not None]
        return sum(known) / len(known) if values and len(known) == len(values) else None

    def text(self, value: float | None, decimals: int) -> str:
        """For a table."""
        if value is None or not np.isfinite(value):
            return MISSING
        places = decimals if self.decimals is None else self.decimals
        return f"{value * (100 if self.percent else 1):.{places}f}"


def metric(title: str, *, percent: bool = True, decimals: int | None = None) -> Callable[[Function], Metric]:
    """Makes a metric of a function; the function's name becomes the column.

    Example::

        @metric("Never right, %")
        def never_right(answers: Answers) -> float:
            return float((~answers.correct.any(axis=1)).mean())
    """
    return lambda function: Metric(function.__name__, title, function, percent, decimals)


def known_metrics(files: Sequence[str] = ()) -> tuple[Metric, ...]:
    """Ours, those of installed packages that can be loaded (`oneshot metrics` says why one cannot), and those of files.

    Raises:
        HarnessError: a file that does not import or defines no metric.
    """
    listed = [each.found for each in registry.listing(METRIC) if each.found is not None]
    found = {each.name: each for each in (*listed, *(registry.load(METRIC, file) for file in files))}
    return tuple(found.values())
