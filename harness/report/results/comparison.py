"""A paired comparison of two rows: the same episodes, the same seeds, and all that is known of the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.report import words
from harness.report.answers import Answers, OfClass, answers_of, by_class
from harness.report.rows import Row, method_settings
from harness.report.statistics import Analysis, Estimate, Interval, SignFlips, closed_estimate, compare, over_seeds
from harness.report.statistics.interval import DIFFERENCE
from harness.report.tables import Section, SuiteTable
from harness.runtime.errors import HarnessError

ORIGINS = {"data": "the recordings", "split": "the split of classes"}


@dataclass(frozen=True)
class Side:
    """One of the two rows, as the report of a folder names it."""

    folder: str
    name: str
    row: Row
    table: SuiteTable


@dataclass(frozen=True)
class InFamily:
    """What remains of a difference when all pairs of its ranked section were looked at."""

    pairs: int
    adjusted: float
    simultaneous: Interval


@dataclass(frozen=True)
class Comparison:
    """The first row less the second, on one suite. Shares in 0..1, differences in -1..1.

    Attributes:
        seeds: that both were trained with; empty where neither depends on one.
        unused: seeds that only the first, and only the second, was trained with.
        episodes: that both scored in all seeds.
        means: of the first and of the second, on these.
        closed: the difference on these clips.
        analysis: for new performances and subjects as well; None where the episodes are not recorded.
        signs: a permutation test by subjects, shown beside the p of the analysis.
        classes: by name; none where the episodes are not recorded.
        family: None where the two were not ranked together.
    """

    first: Side
    second: Side
    seeds: tuple[int, ...]
    unused: tuple[tuple[int, ...], tuple[int, ...]]
    episodes: int
    means: tuple[float, float]
    closed: Estimate
    analysis: Analysis | None
    signs: SignFlips | None
    answers: Answers
    classes: tuple[OfClass, ...]
    family: InFamily | None

    @property
    def table(self) -> SuiteTable:
        return self.first.table

    @property
    def open(self) -> bool:
        """Whether the interval speaks for new performances or subjects."""
        return self.analysis is not None and self.analysis.headline().available

    @property
    def interval(self) -> Interval:
        """The widest of the open ones; where there is none, the closed one."""
        if self.analysis is not None and self.open:
            return self.analysis.interval()
        return self.closed.interval(bounds=DIFFERENCE)

    @property
    def p(self) -> float:
        """Two-sided, of no difference; below 0.05 exactly where the interval excludes 0."""
        return self.analysis.p_value if self.analysis is not None and self.open else self.closed.p_value

    @property
    def decimals(self) -> int:
        return words.decimals(self.interval.standard_error)

    @property
    def same_answers(self) -> bool:
        """Whether both are right and wrong on the very same queries, in every seed."""
        return not self.answers.only_first + self.answers.only_second

    @cached_property
    def conditions(self) -> list[tuple[str, str, str]]:
        """What differs in training but the method: name, value of the first, value of the second."""
        if not (self.first.row.trained and self.second.row.trained):
            return []
        return _differing(self.first.row.conditions, self.second.row.conditions)

    @cached_property
    def settings(self) -> list[tuple[str, str, str]]:
        """What differs between two versions of one method: its settings, the file that defines it."""
        first, second = self.first.row.training, self.second.row.training
        return _differing(method_settings(first), method_settings(second)) if first.method == second.method else []


def compare_sides(first: Side, second: Side) -> Comparison:
    """The paired comparison of two rows.

    Raises:
        HarnessError: they are one row; they were tested on other episodes, which is told apart; they have no seed in
            common; or fewer than two episodes.
    """
    if first.row is second.row:
        raise HarnessError(f"both are the row {first.name!r}.", where=first.folder, remedy="Name two rows.")
    require_same_test(first, second)
    one, two = first.row.inference, second.row.inference
    seeds = _common_seeds(first, second)
    both = one.common & two.common
    right = one.correct[_places(first.row, seeds)][:, both[one.common]]
    other = two.correct[_places(second.row, seeds)][:, both[two.common]]
    if both.sum() < 2:
        raise HarnessError(
            f"too few episodes of suite {first.table.suite} that both {_described(first)} and {_described(second)} "
            f"scored: {int(both.sum())}.",
            remedy="`oneshot data verify` lists the clips that are absent.",
        )
    tested = first.table.tested or second.table.tested
    difference = right.astype(np.float64) - other
    paired = None
    if tested is not None:
        identities = tested.identities if both.all() else tested.identities.only(both)
        paired = compare(right, other, identities, one.inductive and two.inductive)
    closed = over_seeds(difference.mean(axis=(1, 2)), closed_estimate(difference.mean(axis=(0, 2))))
    return Comparison(
        first=first,
        second=second,
        seeds=seeds,
        unused=(_unused(first.row, seeds), _unused(second.row, seeds)),
        episodes=int(both.sum()),
        means=(float(right.mean()), float(other.mean())),
        closed=closed if paired is None else paired.analysis.closed,
        analysis=None if paired is None else paired.analysis,
        signs=None if paired is None else paired.signs,
        answers=answers_of(right, other),
        classes=()
        if tested is None
        else by_class(right, other, tested.identities.classes.query[both], first.table.classes),
        family=_family(first, second),
    )


def require_same_test(first: Side, second: Side) -> None:
    """Raises HarnessError where the two were tested on other episodes, saying in what these differ."""
    if first.table.evaluation_digest != second.table.evaluation_digest:
        raise HarnessError(
            f"{_described(first)} and {_described(second)} were not tested on the same episodes of suite "
            f"{first.table.suite}. Different: {different_tests(first.table, second.table)}.",
            remedy="Only rows with the same recordings, split and suite can be compared: run one of them again so.",
        )


def different_tests(first: SuiteTable, second: SuiteTable) -> str:
    """Which of recordings, split and suite two tables differ in."""
    found = [
        f"{what} ({words.short(one)} and {words.short(two)})"
        for what, one, two in (
            (ORIGINS["data"], str(first.data.get("digest")), str(second.data.get("digest"))),
            (ORIGINS["split"], str(first.data.get("split_digest")), str(second.data.get("split_digest"))),
        )
        if one != two
    ]
    shapes = [
        f"{table.episodes:,} episodes, {table.way}-way {table.shot}-shot, {table.queries} queries"
        for table in (first, second)
    ]
    if shapes[0] != shapes[1] or not found:
        found.append(f"the episodes ({shapes[0]}, and {shapes[1] if shapes[0] != shapes[1] else 'as many others'})")
    return "; ".join(found)


def without_seeds(row: Row) -> bool:
    """Whether a row stands for itself against any seed: nothing in it was trained here, and there is one of it."""
    return not row.trained and len(row.trainings) == 1


def _common_seeds(first: Side, second: Side) -> tuple[int, ...]:
    """Of the trainings that are compared; of the other row's, where one row has no seeds of its own; none where neither
    has."""
    one, two = (tuple(training.seed for training in side.row.trainings) for side in (first, second))
    if without_seeds(first.row):
        return () if without_seeds(second.row) else two
    if without_seeds(second.row):
        return one
    common = tuple(seed for seed in one if seed in two)
    if not common:
        raise HarnessError(
            f"no seed in common: {_described(first)} has {words.listed(one)}, "
            f"{_described(second)} has {words.listed(two)}.",
            remedy=f"Train one with the other's: `oneshot run --seeds {max((*one, *two)) + 1} ...` trains 0 to "
            f"{max((*one, *two))}.",
        )
    return common


def _places(row: Row, seeds: Sequence[int]) -> list[int]:
    """Of these seeds among the row's, which are in order."""
    if without_seeds(row):
        return [0]
    return [place for place, training in enumerate(row.trainings) if training.seed in seeds]


def _unused(row: Row, seeds: Sequence[int]) -> tuple[int, ...]:
    if without_seeds(row):
        return ()
    return tuple(training.seed for training in row.trainings if training.seed not in seeds)


def _family(first: Side, second: Side) -> InFamily | None:
    section = next((each for each in first.table.sections if any(row is first.row for row in each.rows)), None)
    if section is None or section.comparisons is None:
        return None
    places = [_place(section, side.row) for side in (first, second)]
    if places[0] is None or places[1] is None:
        return None
    pair = section.comparisons.pairs.index((min(places[0], places[1]), max(places[0], places[1])))
    found = section.comparisons.simultaneous[pair]
    if places[0] > places[1]:
        found = Interval(-found.mean, found.standard_error, -found.high, -found.low, found.degrees_of_freedom)
    return InFamily(len(section.comparisons.pairs), float(section.comparisons.adjusted[pair]), found)


def _place(section: Section, row: Row) -> int | None:
    return next((place for place, each in enumerate(section.ranked) if each is row), None)


def _differing(first: dict[str, str], second: dict[str, str]) -> list[tuple[str, str, str]]:
    return [
        (name, first.get(name, words.MISSING), second.get(name, words.MISSING))
        for name in words.differing((first, second))
    ]


def _described(side: Side) -> str:
    return f"{side.name!r} of {side.folder}"
