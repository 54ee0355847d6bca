"""What follows from a ranking, in one sentence; and whether one method beats another, in a word."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.formats import accuracy_text
from harness.report.results.rankings import Pair, Ranking, Row

NAMED = 3  # methods that a sentence names before it counts


def sentence(ranking: Ranking) -> str:
    """``Both: trx, 88 [84, 92] %, is significantly better than can and mastaf; protonet does not differ ...``"""
    place, best = ranking.modality.capitalize(), ranking.best
    if best is None:
        return f"{place}: no row was trained and scored."
    accuracy = f"{accuracy_text(best.interval, best.measured.decimals)} %"
    if ranking.comparisons is None:
        ranked = len(ranking.ranked)
        why = "nothing to compare it with" if ranked else "not ranked"
        return f"{place}: {best.label} reaches {accuracy}; {why}."
    others = [row for row in ranking.ranked if row is not best]
    worse, tied = [row for row in others if not row.tied], [row for row in others if row.tied]
    if not worse:
        return f"{place}: {best.label} has the highest accuracy, {accuracy}; no method differs significantly from it."
    if not tied:
        return f"{place}: {best.label}, {accuracy}, is significantly better than every other method."
    verb = "does" if len(tied) == 1 else "do"
    return (
        f"{place}: {best.label}, {accuracy}, is significantly better than {named(worse)}; {named(tied)} {verb} not "
        "differ significantly from it."
    )


def named(rows: Sequence[Row]) -> str:
    """``trx, can and 2 others``"""
    labels = [row.label for row in rows]
    if len(labels) > NAMED + 1:
        labels = [*labels[:NAMED], f"{len(labels) - NAMED} others"]
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def verdict(pair: Pair) -> str:
    """Whether the first is better than the second."""
    if not pair.significant:
        return "undecided"
    return "yes" if pair.interval.mean > 0 else "no"
