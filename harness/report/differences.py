"""Differences in pairs within a ranked section: every row against the reference."""

from __future__ import annotations

from dataclasses import dataclass

from harness.report.rows import Row
from harness.report.statistics import Interval, SignFlips
from harness.report.tables import Section

REFERENCE = "protonet"


@dataclass(frozen=True)
class Difference:
    """A row less the reference of its section, on the same episodes with the same seeds. Shares.

    Attributes:
        interval: 95 %, of this difference alone.
        simultaneous: one that holds together with those of all other pairs of the section.
        p, adjusted: two-sided, for no difference; after Holm over all pairs of the section.
        signs: a permutation test by subjects, shown beside them.
    """

    row: Row
    interval: Interval
    simultaneous: Interval
    p: float
    adjusted: float
    signs: SignFlips


def reference(section: Section) -> Row | None:
    """What the others are compared with: the plainest ranked row of prototypes; without one the best. None where
    nothing is compared."""
    if section.comparisons is None:
        return None
    ranked = section.ranked
    plain = [row for row in ranked if row.training.method == REFERENCE]
    return min(plain, key=lambda row: _auxiliary(row)) if plain else ranked[section.comparisons.best]


def differences(section: Section) -> list[Difference]:
    """Of every other ranked row, in the order of the table."""
    chosen, comparisons = reference(section), section.comparisons
    if chosen is None or comparisons is None:
        return []
    ranked = section.ranked
    place = next(number for number, row in enumerate(ranked) if row is chosen)
    found = []
    for number, row in enumerate(ranked):
        if number == place:
            continue
        pair = comparisons.pairs.index((min(number, place), max(number, place)))
        sign = 1 if number < place else -1
        paired = comparisons.paired[pair]
        found.append(
            Difference(
                row,
                _signed(paired.analysis.interval(), sign),
                _signed(comparisons.simultaneous[pair], sign),
                paired.analysis.p_value,
                float(comparisons.adjusted[pair]),
                paired.signs,
            )
        )
    return found


def _auxiliary(row: Row) -> tuple[bool, float]:
    """Whether a row of prototypes has an auxiliary loss, and how strong."""
    weight = row.training.method_settings.get("global_loss", 0)
    return bool(weight), float(weight or 0)


def _signed(interval: Interval, sign: int) -> Interval:
    if sign > 0:
        return interval
    return Interval(-interval.mean, interval.standard_error, -interval.high, -interval.low, interval.degrees_of_freedom)
