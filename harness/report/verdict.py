"""A paired comparison in plain words: what may be said of the difference, what it covers, what to beware of."""

from __future__ import annotations

from harness.report import words
from harness.report.comparison import Comparison, Side, without_seeds
from harness.report.covering import covers
from harness.report.rows import Row
from harness.report.statistics import Interval

LEVEL = 0.05
EXTREMES = 2  # classes that are named at each end
SEEN = 0.005  # less is written as 0 points


def sentence(found: Comparison) -> str:
    """Whether one is better, by how much and how surely."""
    interval = found.interval
    if found.same_answers:
        return "A and B are right and wrong on the very same queries: there is no difference here."
    scope = "" if found.open else "On these clips, "
    p = words.p_value(found.p)
    if found.p < LEVEL:
        better, worse, shown = ("A", "B", interval) if interval.mean > 0 else ("B", "A", turned(interval))
        return f"{scope}{better} is better than {worse} by {_points(shown, found.decimals)}; {p}."
    nothing = "no difference can be told" if scope else "No difference can be told"
    told = f"{scope}{nothing}: A less B is {words.difference(interval, found.decimals)} points; {p}."
    most = words.percent(max(abs(interval.low), abs(interval.high)), found.decimals)
    return f"{told} That does not make them equal: up to {most} points were not ruled out."


def coverage(found: Comparison) -> str:
    """What the interval speaks for."""
    what = covers(found.analysis, 1)
    seeds = len(found.seeds)
    if not found.open:
        why = "the episodes are not recorded" if found.analysis is None else found.analysis.headline().note
        covered = f"other episodes from these clips, not new performances or subjects ({why})"
    else:
        covered = f"{what} of the same classes" + (", by the wider of an interval for each" if " and " in what else "")
    if seeds > 1:
        return f"The interval covers {covered}; and {_trained_again(found)} ({seeds} seeds). Never other classes."
    if seeds == 1:
        models = "this trained model" if _one_is_fixed(found) else "these two trained models"
        return f"The interval covers {covered}; for {models} only, since there is one seed. Never other classes."
    return f"The interval covers {covered}. Never other classes."


def training(found: Comparison) -> str:
    """Whether the two were trained alike, in one sentence."""
    first, second = found.first.row, found.second.row
    apart = [f"{letter} {_untrained(row)}" for letter, row in (("A", first), ("B", second)) if not row.trained]
    if apart:
        return f"{'; '.join(apart)}: the difference may come from anything in its making."
    if first.training.training_digest == second.training.training_digest:
        if first.training.method == second.training.method and not found.settings:
            return "The same method, settings and conditions of training, as far as the records name them."
        return "Trained under the same conditions, but for what is the method's own."
    return (
        "TRAINING DIFFERS, and the difference may come from any of this"
        if found.conditions
        else "Their training digests differ, though nothing that the records name does: the difference may come from it"
    )


def seeds(found: Comparison) -> list[str]:
    """Which seeds were compared, and which were not."""
    told = [f"Seeds: {words.listed(found.seeds)}."] if found.seeds else []
    for letter, unused in zip("AB", found.unused, strict=True):
        if unused:
            told.append(f"Not used, since the other lacks them: seeds {words.listed(unused)} of {letter}.")
    for letter, side in (("A", found.first), ("B", found.second)):
        if without_seeds(side.row) and found.seeds:
            told.append(f"{letter} is one set of answers, held against every seed of the other.")
    return told


def cautions(found: Comparison, comparisons: int = 1) -> list[str]:
    """What keeps the sentence from being a finding.

    Args:
        comparisons: that were made together with this one, on all suites.
    """
    told = []
    if found.table.suite == "val":
        told.append("This suite selects: methods were tuned on it, and nothing is concluded from it.")
    if found.episodes < found.table.episodes:
        told.append(f"Only {found.episodes:,} of {found.table.episodes:,} episodes were scored by both.")
    if not (found.first.row.inference.inductive and found.second.row.inference.inductive):
        told.append("One of them may let a query's scores depend on the other queries (transductive).")
    told += [
        f"{letter} starts from one pre-training for all seeds: the interval does not cover pre-training again."
        for letter, side in (("A", found.first), ("B", found.second))
        if side.row.pretrainings and not side.row.pretrained_anew
    ]
    told += _multiplicity(found, comparisons)
    return told


def _multiplicity(found: Comparison, comparisons: int) -> list[str]:
    family = found.family
    if family is not None and family.pairs > 1:
        p = words.p_value(family.adjusted)
        told = (
            f"One of {family.pairs} pairs of its section. Together with all of them: "
            f"{words.bounds(family.simultaneous, found.decimals)} points, Holm-adjusted {p}"
        )
        if found.p < LEVEL <= family.adjusted:
            return [f"{told}: unless this pair was chosen before any result was seen, no difference can be told."]
        return [f"{told}."]
    if comparisons > 1:
        return [
            f"One of {comparisons} comparisons made here: of twenty differences that are none, one is expected to have "
            "p below 0.05."
        ]
    rows = len(found.table.rows)
    pairs = rows * (rows - 1) // 2
    if pairs > 1 and found.first.table is found.second.table:
        return [
            f"One of {pairs:,} pairs of the {rows} rows of this table: p holds for a pair that was chosen before any "
            "result was seen, not for the one that stood out."
        ]
    return []


def answers(found: Comparison) -> list[str]:
    """Who is right where."""
    counts = found.answers
    times = f", each counted once for each of {len(found.seeds)} seeds" if len(found.seeds) > 1 else ""
    return [
        f"Episodes: A has more right in {counts.more_first:,}, B in {counts.more_second:,}, as many in "
        f"{counts.equal:,}.",
        f"Queries: only A right {counts.only_first:,}, only B right {counts.only_second:,}, both {counts.both:,}, "
        f"neither {counts.neither:,}{times}.",
    ]


def classes(found: Comparison) -> list[str]:
    """The classes in which each gains most; without intervals."""
    ordered = sorted(found.classes, key=lambda each: (-each.difference, each.name))
    ends = (
        ("A", [each for each in ordered[:EXTREMES] if each.difference >= SEEN]),
        ("B", [each for each in ordered[::-1][:EXTREMES] if each.difference <= -SEEN]),
    )
    return [
        f"Classes in which {letter} gains most: "
        + "; ".join(
            f"{each.name} {words.points(each.difference, 0)} ({words.percent(each.first, 0)} against "
            f"{words.percent(each.second, 0)} %)"
            for each in chosen
        )
        + "."
        for letter, chosen in ends
        if chosen
    ]


def versions(found: Comparison) -> str:
    """The code behind the two, where it is known and differs."""
    if "external" in {found.first.row.training.regime, found.second.row.training.regime}:
        return ""
    first, second = (_commit(side) for side in (found.first, found.second))
    return "" if first == second else f"Code: A {first}, B {second}."


def turned(interval: Interval) -> Interval:
    """B less A, of A less B."""
    return Interval(-interval.mean, interval.standard_error, -interval.high, -interval.low, interval.degrees_of_freedom)


def _points(interval: Interval, places: int) -> str:
    """``3.1 points [0.4, 5.8]``: of a difference whose sign is told in words."""
    low, high = (words.points(value, places).removeprefix("+") for value in (interval.low, interval.high))
    return f"{words.percent(interval.mean, places)} points [{low}, {high}]"


def _untrained(row: Row) -> str:
    if row.training.regime == "external":
        source = row.training.training_protocol.get("source", "not known")
        return f"was made outside the harness ({source}), and nothing of its training is known here"
    return "is a control, and nothing in it is trained"


def _one_is_fixed(found: Comparison) -> bool:
    return without_seeds(found.first.row) or without_seeds(found.second.row)


def _trained_again(found: Comparison) -> str:
    for letter, other in (("A", found.second), ("B", found.first)):
        if without_seeds(other.row):
            return f"training {letter} again"
    return "training both again"


def _commit(side: Side) -> str:
    given = side.row.training.provenance
    commit = str(given.get("commit") or "not known")[:12]
    return f"{commit} with uncommitted changes" if given.get("changed") else commit
