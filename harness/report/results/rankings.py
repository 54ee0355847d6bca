"""Rankings: the rows of a study on one suite and one choice of modalities, compared pair by pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmact_oneshot.harness.config.studies import RECIPE, may_vary
from mmact_oneshot.harness.records import StudyRecord
from mmact_oneshot.harness.report.formats import flat
from mmact_oneshot.harness.report.results.inference import compare_rows
from mmact_oneshot.harness.report.results.labels import Entry
from mmact_oneshot.harness.report.results.measured import Measured
from mmact_oneshot.harness.report.statistics import Comparisons, Interval, SignFlips

SEEDS_TO_RANK = 3
OWN_ENCODERS = "the method's own"  # as the conditions of a training say it


@dataclass(frozen=True, eq=False)
class Row:
    """A row's place in a study, on one suite.

    Attributes:
        entry: its place in the study's record; None for predictions made elsewhere.
        notes: why it is not ranked.
        rank: 1 = highest mean of the ranking; None where it is not ranked.
        tied: does not differ significantly from the best (Holm-adjusted p of 0.05 or more); true for the best.
        ranks: lowest and highest rank that the simultaneous intervals of all differences leave.
    """

    label: str
    entry: Entry | None
    measured: Measured
    notes: tuple[str, ...] = ()
    rank: int | None = None
    tied: bool = False
    ranks: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """Label and modalities: unique in a study and suite."""
        return f"{self.label}, {self.measured.modality}"

    @property
    def interval(self) -> Interval:
        return self.measured.interval


@dataclass(frozen=True)
class Pair:
    """The first row minus the second, on the same episodes with the same seeds. Shares.

    Attributes:
        interval: 95 %, of this difference alone.
        simultaneous: one that holds together with those of all other pairs of the ranking.
        p, adjusted: two-sided, of no difference; after Holm over all pairs of the ranking.
        signs: a permutation test by subjects, shown beside them.
    """

    first: Row
    second: Row
    interval: Interval
    simultaneous: Interval
    p: float
    adjusted: float
    signs: SignFlips

    @property
    def significant(self) -> bool:
        return self.adjusted < 0.05


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rows on the same modalities: ranked ones by their mean, then those that are not ranked.

    Attributes:
        comparisons: of ``ranked``, all pairs; None with fewer than two.
    """

    modality: str
    rows: tuple[Row, ...]
    comparisons: Comparisons | None = None

    @property
    def ranked(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.rank is not None)

    @property
    def best(self) -> Row | None:
        """The ranked row with the highest mean; without one the trained row with the highest."""
        trained = [row for row in self.rows if row.measured.trained and row.measured.episodes]
        return max(self.ranked or trained, key=lambda row: row.interval.mean, default=None)

    def pair(self, first: Row, second: Row) -> Pair | None:
        """Two ranked rows compared; None where they are not ranked together."""
        places = {id(row): place for place, row in enumerate(self.ranked)}
        if self.comparisons is None or id(first) not in places or id(second) not in places or first is second:
            return None
        i, j = places[id(first)], places[id(second)]
        number = self.comparisons.pairs.index((min(i, j), max(i, j)))
        paired, together = self.comparisons.paired[number], self.comparisons.simultaneous[number]
        interval = paired.analysis.interval()
        return Pair(
            first,
            second,
            interval if i < j else turned(interval),
            together if i < j else turned(together),
            paired.analysis.p_value,
            float(self.comparisons.adjusted[number]),
            paired.signs,
        )

    def pairs(self) -> list[Pair]:
        """All pairs, better-ranked row first."""
        rows = self.ranked
        found = (self.pair(first, second) for i, first in enumerate(rows) for second in rows[i + 1 :])
        return [pair for pair in found if pair is not None]


def turned(interval: Interval) -> Interval:
    """B minus A, of A minus B."""
    return Interval(-interval.mean, interval.standard_error, -interval.high, -interval.low, interval.degrees_of_freedom)


def rank(modality: str, rows: Sequence[Row], study: StudyRecord | None) -> Ranking:
    """Rows with ranks, ties and notes.

    Args:
        study: that the rows belong to; None for predictions made elsewhere, which are not ranked.
    """
    noted = [replace(row, notes=_notes(row)) for row in rows]
    if study is not None and RECIPE not in study.varies:
        noted = _of_equal_seeds(_of_equal_conditions(noted, study))
    elif study is not None:
        noted = [replace(row, notes=(*row.notes, "trained by a recipe of its own")) for row in noted]
    noted.sort(key=_order)
    means = [row.interval.mean for row in noted if _rankable(row)]
    ranked = [
        replace(row, rank=1 + sum(other > row.interval.mean for other in means)) if _rankable(row) else row
        for row in noted
    ]
    return _compared(Ranking(modality, tuple(ranked)))


def _rankable(row: Row) -> bool:
    return row.measured.trained and not row.notes


def _order(row: Row) -> tuple[bool, bool, float, str]:
    mean = row.interval.mean if row.measured.episodes else 0.0
    return not row.measured.trained, bool(row.notes), -mean, row.label


def _compared(ranking: Ranking) -> Ranking:
    """With ties and rank intervals."""
    ranked = ranking.ranked
    comparisons = compare_rows([row.measured.inference for row in ranked])
    if comparisons is None:
        return ranking
    placed = {
        id(row): replace(row, tied=bool(tied), ranks=(int(least), int(most)))
        for row, tied, (least, most) in zip(ranked, comparisons.tied, comparisons.ranks, strict=True)
    }
    return replace(ranking, rows=tuple(placed.get(id(row), row) for row in ranking.rows), comparisons=comparisons)


def _notes(row: Row) -> tuple[str, ...]:
    """Why a row cannot be ranked, whatever its rivals are. With one query an episode there are no other queries that
    its scores could depend on."""
    measured, notes = row.measured, list[str]()
    if measured.external:
        claim = measured.training.conditions
        note = "" if claim.get("note") == "none" else f"; {claim.get('note')}"
        notes.append(f"external, as stated by {claim.get('source')}{note}")
    if not measured.complete:
        why = "no predictions for the others" if measured.external else "the others need clips that are absent"
        notes.append(f"{measured.episodes:,} of {len(measured.suite):,} episodes scored: {why}")
    if measured.training.transductive and measured.suite.queries > 1:
        notes.append("transductive: the scores of a query may depend on the other queries")
    if measured.training.unchecked:
        notes.append("unchecked: it was run without the conformance checks (--unchecked)")
    if measured.trained and len(measured.seeds) < SEEDS_TO_RANK:
        seeds = measured.seeds
        which = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))} alone"
        notes.append(f"{which}: a rank needs {SEEDS_TO_RANK} seeds, and a comparison the same ones")
    return tuple(notes)


def _of_equal_conditions(rows: Sequence[Row], study: StudyRecord) -> list[Row]:
    """A row that was trained under other conditions than most of its rivals says so instead of being ranked."""
    rivals = [row for row in rows if _rankable(row)]
    if len(rivals) < 2:
        return list(rows)
    alike = [sum(not _differing(row, other, study) for other in rivals) for row in rivals]
    usual = rivals[alike.index(max(alike))]
    found = []
    for row in rows:
        names = _differing(row, usual, study) if _rankable(row) else []
        note = f"trained under other conditions than {usual.label}: {', '.join(names[:3])}{' ...' * (len(names) > 3)}"
        found.append(replace(row, notes=(note,)) if names else row)
    return found


def _differing(first: Row, second: Row, study: StudyRecord) -> list[str]:
    """Names of the conditions in which two rows differ, although their study does not vary them.

    A condition that one of them does not have, such as the warm start of a method without shared encoders, follows
    from the method.
    """
    one, two = (_conditions(row) for row in (first, second))
    return [name for name in one if name in two and one[name] != two[name] and not may_vary(study.varies, name)]


def _conditions(row: Row) -> dict[str, str]:
    given: dict[str, Any] = {
        name: value for name, value in row.measured.training.conditions.items() if value not in (None, OWN_ENCODERS)
    }
    if row.entry is not None:
        given["encoder"] = row.entry.row.encoder
    return flat(given)


def _of_equal_seeds(rows: Sequence[Row]) -> list[Row]:
    """Rows are ranked over equal seeds: one trained with other seeds than most of its rivals says so instead."""
    sets = Counter(row.measured.seeds for row in rows if _rankable(row))
    if len(sets) < 2:
        return list(rows)
    usual = max(sets, key=lambda each: (sets[each], each))
    note = f"trained with other seeds than {', '.join(map(str, usual))}"
    return [row if not _rankable(row) or row.measured.seeds == usual else replace(row, notes=(note,)) for row in rows]
