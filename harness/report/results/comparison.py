"""A paired comparison of two rows: the same episodes, the same seeds, and all that is known of the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mmact_oneshot.harness.config.studies import may_vary
from mmact_oneshot.harness.report.formats import MISSING, decimals, differing, flat, listed, short
from mmact_oneshot.harness.report.results.inference import shown_interval, shown_p
from mmact_oneshot.harness.report.results.load import Suite
from mmact_oneshot.harness.report.results.measured import Measured
from mmact_oneshot.harness.report.results.rankings import Pair, Ranking, Row
from mmact_oneshot.harness.report.results.shared_answers import Answers, ClassAnswers, by_class, shared_answers
from mmact_oneshot.harness.report.statistics import Analysis, Interval, SignFlips, compare
from mmact_oneshot.harness.runtime.errors import HarnessError


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two rows.

    Attributes:
        study: that the row was found in; empty for predictions made elsewhere.
        varies: what its rows may differ in.
    """

    folder: str
    study: str
    varies: tuple[str, ...]
    ranking: Ranking
    row: Row

    @property
    def name(self) -> str:
        return self.row.name

    @property
    def measured(self) -> Measured:
        return self.row.measured

    @property
    def suite(self) -> Suite:
        return self.row.measured.suite

    @property
    def data(self) -> dict[str, object]:
        return self.measured.training.data

    @property
    def single(self) -> bool:
        """Whether the row stands for itself against any seed: nothing in it was trained here, and there is one."""
        return not self.measured.trained and len(self.measured.trainings) == 1

    @property
    def described(self) -> str:
        return f"{self.name!r} of {self.folder}"


Difference = tuple[str, str, str]
"""A name, the value of the first row, the value of the second."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The first row minus the second, on one suite. Shares in 0..1, differences in -1..1.

    Attributes:
        seeds: that both were trained with; empty where neither depends on one.
        unused: seeds that only the first, and only the second, was trained with.
        episodes: that both scored in all seeds.
        means: of the first and of the second, on these.
        signs: a permutation test by subjects, shown beside the p of the analysis.
        pair: the same difference in the ranking of both; None where they were not ranked together.
    """

    first: Side
    second: Side
    seeds: tuple[int, ...]
    unused: tuple[tuple[int, ...], tuple[int, ...]]
    episodes: int
    means: tuple[float, float]
    analysis: Analysis
    signs: SignFlips
    answers: Answers
    classes: tuple[ClassAnswers, ...]
    pair: Pair | None

    @property
    def suite(self) -> Suite:
        return self.first.suite

    @property
    def generalises(self) -> bool:
        """Whether the interval speaks for new performances or subjects, and not for these clips alone."""
        return self.analysis.headline().available

    @property
    def interval(self) -> Interval:
        return shown_interval(self.analysis)

    @property
    def p(self) -> float:
        return shown_p(self.analysis)

    @property
    def decimals(self) -> int:
        return decimals(self.interval.standard_error)

    @cached_property
    def conditions(self) -> list[Difference]:
        """What differs in training but the method: name, value of the first, value of the second."""
        first, second = self.first.measured, self.second.measured
        if not (first.trained and second.trained):
            return []
        return _differences(*_without_missing(first.training.conditions, second.training.conditions))

    @cached_property
    def settings(self) -> list[Difference]:
        """What differs between two versions of one method: its settings, the file that defines it."""
        first, second = self.first.measured.training, self.second.measured.training
        if first.method != second.method:
            return []
        one, two = (flat(each.method_settings) | {"defined in": each.method_source} for each in (first, second))
        return _differences(one, two)

    @cached_property
    def unplanned(self) -> list[Difference]:
        """Of the conditions that differ, those that do not follow from what the study of both varies."""
        same = (self.first.folder, self.first.study) == (self.second.folder, self.second.study)
        if not same:
            return self.conditions
        # what one of them does not have, such as a transformer, follows from its method
        return [each for each in self.conditions if "none" not in each and not may_vary(self.first.varies, each[0])]

    @property
    def same_conditions(self) -> bool:
        """Whether the digests of the conditions are equal."""
        digests = {side.measured.training.conditions_digest for side in (self.first, self.second)}
        return len(digests) == 1


def compare_sides(first: Side, second: Side) -> Comparison:
    """The paired comparison of two rows.

    Raises:
        HarnessError: they are one row; they were tested on different episodes, and in what these differ; they have no
            seed in common; or fewer than two episodes.
    """
    one, two = first.measured, second.measured
    if one is two:
        raise HarnessError(f"both are the row {first.name!r}.", where=first.folder, remedy="Name two rows.")
    require_same_test(first, second)
    seeds = _common_seeds(first, second)
    both = one.inference.common & two.inference.common
    if both.sum() < 2:
        raise HarnessError(
            f"too few episodes of suite {first.suite.name} that both {first.described} and {second.described} "
            f"scored: {int(both.sum())}.",
            remedy="`oneshot data verify` lists the clips that are absent.",
        )
    right = one.inference.correct[_places(first, seeds)][:, both[one.inference.common]]
    other = two.inference.correct[_places(second, seeds)][:, both[two.inference.common]]
    identities = first.suite.identities if both.all() else first.suite.identities.only(both)
    paired = compare(right, other, identities, one.inference.inductive and two.inference.inductive)
    return Comparison(
        first=first,
        second=second,
        seeds=seeds,
        unused=(_unused(first, seeds), _unused(second, seeds)),
        episodes=int(both.sum()),
        means=(float(right.mean()), float(other.mean())),
        analysis=paired.analysis,
        signs=paired.signs,
        answers=shared_answers(right, other),
        classes=by_class(right, other, identities.classes.query, first.suite.record.classes),
        pair=first.ranking.pair(first.row, second.row),
    )


def require_same_test(first: Side, second: Side) -> None:
    """Raises HarnessError where the two were tested on different episodes, saying in what these differ."""
    if first.suite.record.evaluation_digest != second.suite.record.evaluation_digest:
        raise HarnessError(
            f"{first.described} and {second.described} were not tested on the same episodes of suite "
            f"{first.suite.name}. Different: {different_tests(first, second)}.",
            remedy="Only rows with the same recordings, split and suite can be compared: run one of them again so.",
        )


def different_tests(first: Side, second: Side) -> str:
    """Which of recordings, split and suite differ."""
    origins = (("digest", "the recordings"), ("split_digest", "the split of classes"))
    found = [
        f"{what} ({short(str(first.data.get(name)))} and {short(str(second.data.get(name)))})"
        for name, what in origins
        if first.data.get(name) != second.data.get(name)
    ]
    shapes = [
        f"{len(suite):,} episodes, {suite.way}-way {suite.shot}-shot, {suite.queries} queries"
        for suite in (first.suite, second.suite)
    ]
    if shapes[0] != shapes[1] or not found:
        found.append(f"the episodes ({shapes[0]}, and {shapes[1] if shapes[0] != shapes[1] else 'as many others'})")
    return "; ".join(found)


def _common_seeds(first: Side, second: Side) -> tuple[int, ...]:
    """Seeds of both rows; of the other row where one has none of its own; none where neither has."""
    one, two = first.measured.seeds, second.measured.seeds
    if first.single:
        return () if second.single else two
    if second.single:
        return one
    common = tuple(seed for seed in one if seed in two)
    if not common:
        most = max((*one, *two))
        raise HarnessError(
            f"no seed in common: {first.described} has {listed(one)}, {second.described} has {listed(two)}.",
            remedy=f"Train one with the other's: `oneshot run --seeds {most + 1} ...` trains 0 to {most}.",
        )
    return common


def _places(side: Side, seeds: Sequence[int]) -> list[int]:
    """Of these seeds among the row's, which are in order."""
    if side.single:
        return [0]
    return [place for place, seed in enumerate(side.measured.seeds) if seed in seeds]


def _unused(side: Side, seeds: Sequence[int]) -> tuple[int, ...]:
    return () if side.single else tuple(seed for seed in side.measured.seeds if seed not in seeds)


def _without_missing(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Conditions as dotted names and values; a table that one of them lacks is one line, not one for each entry."""
    tables = [dict(first), dict(second)]
    for name in {*first, *second}:
        whole = [isinstance(table.get(name), Mapping) for table in tables]
        if whole[0] != whole[1]:
            place = whole.index(True)
            tables[place][name] = tables[place][name].get("method", "yes")
            tables[1 - place][name] = tables[1 - place].get(name) or "none"
    return flat(tables[0]), flat(tables[1])


def _differences(first: dict[str, str], second: dict[str, str]) -> list[Difference]:
    names = differing((first, second))
    return [(name, first.get(name, MISSING), second.get(name, MISSING)) for name in names]
