"""What follows from a ranking, in one sentence; and whether one method beats another, in a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmact_oneshot.harness.report.formats import accuracy_text, difference
from mmact_oneshot.harness.report.results.rankings import Pair, Ranking, Row
from mmact_oneshot.harness.report.results.report import StudySuite

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


def reference_sentences(results: StudySuite, most: int = NAMED) -> dict[str, str]:
    """How the rows of a study stand to its reference, by modality.

    ``Both: mu_mae: significantly better than random; significantly worse than trx and 2 others; no significant
    difference from can.`` Where the reference is a setting that each row has in another row, the rows stand first. Of
    differences that are undecided only because there are many comparisons, the largest is told.

    Args:
        most: rows that are named before they are counted.

    Returns:
        A sentence for each modality with a comparison; nothing where the study names no reference.
    """
    if not results.study.reference:
        return {}
    found = {modality: results.against(modality) for modality in results.rankings}
    return {modality: _against(modality, results, pairs, most) for modality, pairs in found.items() if pairs}


def _against(modality: str, results: StudySuite, pairs: Sequence[Pair], most: int) -> str:
    outcomes: dict[str, list[Row]] = {"yes": [], "no": [], "undecided": []}
    for pair in pairs:
        outcomes[verdict(pair)].append(pair.second)
    references = list(dict.fromkeys(pair.first.label for pair in pairs))
    if "method" in results.study.reference and len(references) == 1:
        head = f"{modality.capitalize()}: {references[0]}"
        texts = ("significantly better than {}", "significantly worse than {}", "no significant difference from {}")
    else:
        against = references[0] if len(references) == 1 else listed_fields(results.study.reference)
        head = f"{modality.capitalize()}, compared with {against}"
        texts = ("significantly worse: {}", "significantly better: {}", "no significant difference: {}")
    said = [text.format(named(rows, most)) for text, rows in zip(texts, outcomes.values(), strict=True) if rows]
    return f"{head}: {'; '.join(said)}{_before_correction(pairs)}."


def _before_correction(pairs: Sequence[Pair]) -> str:
    """The largest difference that so many comparisons leave undecided, and that alone would not be."""
    left = [pair for pair in pairs if not pair.significant and pair.p < 0.05]
    if not left:
        return ""
    pair = max(left, key=lambda pair: abs(pair.interval.mean))
    found = difference(pair.interval, pair.first.measured.decimals)
    return f" (before correction {pair.first.label} minus {pair.second.label} is {found} points)"


def listed_fields(fields: Mapping[str, Any]) -> str:
    """``initialisation scratch``"""
    return ", ".join(f"{name} {value}" for name, value in fields.items())


def named(rows: Sequence[Row], most: int = NAMED) -> str:
    """``trx, can and 2 others``"""
    labels = [row.label for row in rows]
    if len(labels) > most + 1:
        labels = [*labels[:most], f"{len(labels) - most} others"]
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def verdict(pair: Pair) -> str:
    """Whether the first is better than the second."""
    if not pair.significant:
        return "undecided"
    return "yes" if pair.interval.mean > 0 else "no"
