"""What follows from a ranking, in one sentence; and whether one method beats another, in a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.report.formats import accuracy_text
from harness.report.results.rankings import Pair, Ranking, Row
from harness.report.results.report import StudySuite

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


def reference_sentence(results: StudySuite) -> str | None:
    """How the rows of a study stand to its reference, on both modalities, or on one of them where there is none.

    ``Both: mu_mae is significantly better than random, significantly worse than trx and 2 others; no significant
    difference from can.`` Where the reference is one setting of each row, the rows stand first. None where a study
    names no reference, or nothing is compared.
    """
    if not results.study.reference:
        return None
    for modality in reversed(results.rankings):
        pairs = results.against(modality)
        if pairs:
            break
    else:
        return None
    asks = "method" in results.study.reference
    outcomes: dict[str, list[Row]] = {"yes": [], "no": [], "undecided": []}
    for pair in pairs:
        outcomes[verdict(pair)].append(pair.second)
    references = list(dict.fromkeys(pair.first.label for pair in pairs))
    place = modality.capitalize()
    if asks and len(references) == 1:
        texts = ("significantly better than {}", "significantly worse than {}", "no significant difference from {}")
        said = [text.format(named(rows)) for text, rows in zip(texts, outcomes.values(), strict=True) if rows]
        return f"{place}: {references[0]}: {'; '.join(said)}."
    against = references[0] if len(references) == 1 else listed_fields(results.study.reference)
    texts = ("significantly worse: {}", "significantly better: {}", "no significant difference: {}")
    said = [text.format(named(rows)) for text, rows in zip(texts, outcomes.values(), strict=True) if rows]
    return f"{place}, compared with {against}: {'; '.join(said)}."


def listed_fields(fields: Mapping[str, Any]) -> str:
    """``initialisation scratch``"""
    return ", ".join(f"{name} {value}" for name, value in fields.items())


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
