"""A comparison of two rows, or of all rows of two folders, as blocks: what may be concluded, and what not."""

from __future__ import annotations

from collections.abc import Sequence

from mmact_oneshot.harness.report.formats import bare_p, bounds, difference, listed, p_value, percent, points
from mmact_oneshot.harness.report.model.blocks import Block, Items, Paragraph, Table, plain_table
from mmact_oneshot.harness.report.model.captions import coverage, data_warnings
from mmact_oneshot.harness.report.model.estimates import estimates_table
from mmact_oneshot.harness.report.results.comparison import Comparison, Difference, Side
from mmact_oneshot.harness.report.results.rankings import turned
from mmact_oneshot.harness.report.suite_names import suite_title

LEVEL = 0.05
EXTREMES = 2  # classes that are named at each end
LEAST = 0.005  # a smaller difference is printed as 0 points


def comparison_blocks(found: Sequence[Comparison]) -> list[Block]:
    """Two rows on one or more suites; what the rows are stands first and once."""
    first = found[0]
    blocks: list[Block] = [Paragraph(text, "warning") for text in data_warnings(first.first.data)]
    sides = (("A", first.first), ("B", first.second))
    blocks += [Paragraph(f"{letter}: {side.name} ({_origin(side)})") for letter, side in sides]
    blocks.append(Paragraph(training(first), "warning" if first.unplanned else "plain"))
    for title, differing in (("Conditions of training", first.conditions), ("Settings of the method", first.settings)):
        if differing:
            blocks.append(_differences(title, differing))
    blocks += [Paragraph(text) for text in (*seeds(first), versions(first)) if text]
    for each in found:
        blocks += _on_suite(each, len(found))
    return blocks


def folder_blocks(found: Sequence[Comparison], adjusted: Sequence[float]) -> list[Block]:
    """A line for each row that both folders have and that answers anything differently.

    Args:
        adjusted: Holm-adjusted p over the rows of a suite.
    """
    first, second = found[0].first.folder, found[0].second.folder
    blocks: list[Block] = [Paragraph(text, "warning") for text in data_warnings(found[0].first.data)]
    blocks += [Paragraph(text) for text in (f"A: {first}", f"B: {second}", versions(found[0])) if text]
    for suite in dict.fromkeys(each.suite.name for each in found):
        chosen = [(each, p) for each, p in zip(found, adjusted, strict=True) if each.suite.name == suite]
        same = [each.first.name for each, _ in chosen if each.answers.same]
        blocks.append(Paragraph(suite_title(suite)))
        if same:
            what = "All" if len(same) == len(chosen) else f"{len(same)} of {len(chosen)}"
            rows = "" if len(same) == len(chosen) else f": {'; '.join(same)}"
            blocks.append(Paragraph(f"{what} rows are right and wrong on the very same queries in A and B{rows}."))
        if len(same) < len(chosen):
            blocks.append(_folder_table(suite, [each for each in chosen if not each[0].answers.same]))
            covered = coverage(chosen[0][0].analysis, len(chosen[0][0].seeds))
            blocks.append(
                Paragraph(
                    f"95 % intervals for {covered}. Holm p: adjusted over the {len(chosen)} rows. "
                    f"`oneshot compare {first}:ROW {second}:ROW` says more of one.",
                    "note",
                )
            )
    return blocks


def sentence(found: Comparison) -> str:
    """Whether one is better, by how much and how surely."""
    interval, places = found.interval, found.decimals
    if found.answers.same:
        return "A and B are right and wrong on the very same queries: there is no difference here."
    scope = "" if found.generalises else "On these clips, "
    p = p_value(found.p)
    if found.p < LEVEL:
        better, worse, shown = ("A", "B", interval) if interval.mean > 0 else ("B", "A", turned(interval))
        low, high = (points(value, places).removeprefix("+") for value in (shown.low, shown.high))
        size = f"{percent(shown.mean, places)} points [{low}, {high}]"
        return f"{scope}{better} is significantly better than {worse}, by {size}; {p}."
    most = percent(max(abs(interval.low), abs(interval.high)), places)
    return (
        f"{scope}A and B do not differ significantly: A minus B is {difference(interval, places)} points; {p}. "
        f"That does not make them equal: up to {most} points are not ruled out."
    )


def scope_sentence(found: Comparison) -> str:
    """What the interval speaks for."""
    covered = coverage(found.analysis, len(found.seeds))
    alone = ""
    if len(found.seeds) == 1:
        alone = " It holds for these trained models alone: there is one seed."
    if not found.generalises:
        return f"The interval is for {covered} ({found.analysis.headline().note}), not for new performances.{alone}"
    return f"The interval is for {covered} of the same classes.{alone}"


def training(found: Comparison) -> str:
    """Whether the two were trained alike."""
    sides = (("A", found.first), ("B", found.second))
    untrained = [f"{letter} {_untrained(side)}" for letter, side in sides if not side.measured.trained]
    if untrained:
        return f"{'; '.join(untrained)}: the difference may come from anything in its making."
    if found.same_conditions:
        one, two = found.first.measured.training, found.second.measured.training
        if one.method == two.method and not found.settings:
            return "The same method, settings and conditions of training, as far as the records name them."
        return "Trained under the same conditions, but for what belongs to the method."
    if found.unplanned:
        return "TRAINING DIFFERS, and the difference in accuracy may come from any of this."
    if found.conditions:
        return "Trained under the same conditions, but for what their study varies."
    return "Digests of the conditions of training differ, though nothing that the records name does."


def seeds(found: Comparison) -> list[str]:
    """Which seeds were compared, and which were not."""
    parts = [f"Seeds: {listed(found.seeds)}."] if found.seeds else []
    for letter, unused in zip("AB", found.unused, strict=True):
        if unused:
            parts.append(f"Not used, since the other lacks them: seeds {listed(unused)} of {letter}.")
    for letter, side in (("A", found.first), ("B", found.second)):
        if side.single and found.seeds:
            parts.append(f"{letter} is one set of answers, compared with every seed of the other.")
    return parts


def cautions(found: Comparison, comparisons: int = 1) -> list[str]:
    """What keeps the sentence from being a finding.

    Args:
        comparisons: made together with this one, on all suites.
    """
    parts = []
    if found.episodes < len(found.suite):
        parts.append(f"Only {found.episodes:,} of {len(found.suite):,} episodes were scored by both.")
    if not (found.first.measured.inference.inductive and found.second.measured.inference.inductive):
        parts.append("In one of them a query's scores may depend on the other queries (transductive).")
    parts += [
        f"{letter} has one pre-training for all seeds: the interval does not cover pre-training again."
        for letter, side in (("A", found.first), ("B", found.second))
        if side.measured.pretrainings and not side.measured.pretrained_anew
    ]
    return parts + _multiplicity(found, comparisons)


def versions(found: Comparison) -> str:
    """The code behind the two, where it is known and differs."""
    if found.first.measured.external or found.second.measured.external:
        return ""
    first, second = _commit(found.first), _commit(found.second)
    return "" if first == second else f"Code: A {first}, B {second}."


def _on_suite(found: Comparison, comparisons: int) -> list[Block]:
    places = found.decimals
    blocks: list[Block] = [
        Paragraph(suite_title(found.suite.name)),
        Paragraph(f"{sentence(found)} {scope_sentence(found)}"),
        Paragraph(f"Means: A {percent(found.means[0], places)} %, B {percent(found.means[1], places)} %."),
        estimates_table(found.analysis, places),
    ]
    signs, counts = found.signs, found.answers
    times = f", each counted once for each of {len(found.seeds)} seeds" if len(found.seeds) > 1 else ""
    facts = [
        f"Sign flips by subject: {p_value(signs.p_value)}, for comparison; with so few subjects it cannot fall below "
        f"{signs.smallest:.2g}.",
        f"Episodes: A has more right in {counts.more_first:,}, B in {counts.more_second:,}, as many in "
        f"{counts.equal:,}.",
        f"Queries: only A right {counts.only_first:,}, only B right {counts.only_second:,}, both {counts.both:,}, "
        f"neither {counts.neither:,}{times}.",
        *(f"{title}: A {one}, B {two}." for title, one, two in metric_lines(found)),
        *_classes(found),
    ]
    return [*blocks, Items(tuple(facts)), *(Paragraph(text, "warning") for text in cautions(found, comparisons))]


def metric_lines(found: Comparison) -> list[tuple[str, str, str]]:
    """Title of each metric that both sides have, and its values, each over the row's own seeds and episodes."""
    one, two = (side.measured.metrics.values for side in (found.first, found.second))
    return [
        (metric.title, metric.text(one[metric], found.decimals), metric.text(two[metric], found.decimals))
        for metric in one
        if one[metric] is not None and two.get(metric) is not None
    ]


def _classes(found: Comparison) -> list[str]:
    """The classes in which each gains most; without intervals."""
    ordered = sorted(found.classes, key=lambda each: (-each.difference, each.name))
    ends = (
        ("A", [each for each in ordered[:EXTREMES] if each.difference >= LEAST]),
        ("B", [each for each in ordered[::-1][:EXTREMES] if each.difference <= -LEAST]),
    )
    found_classes = []
    for letter, chosen in ends:
        gains = [
            f"{each.name} {points(each.difference, 0)} ({percent(each.first, 0)} against {percent(each.second, 0)} %)"
            for each in chosen
        ]
        if gains:
            found_classes.append(f"Classes in which {letter} gains most: {'; '.join(gains)}.")
    return found_classes


def _multiplicity(found: Comparison, comparisons: int) -> list[str]:
    pair = found.pair
    if pair is not None and found.first.ranking.comparisons is not None:
        count = len(found.first.ranking.comparisons.pairs)
        if count < 2:
            return []
        text = (
            f"One of {count} pairs of its ranking. Together with all of them: "
            f"{bounds(pair.simultaneous, found.decimals)} points, Holm-adjusted {p_value(pair.adjusted)}"
        )
        if found.p < LEVEL <= pair.adjusted:
            return [f"{text}: unless this pair was chosen before any result was known, the difference is undecided."]
        return [f"{text}."]
    if comparisons > 1:
        return [
            f"One of {comparisons} comparisons made here: of twenty differences that are none, one is expected to have "
            "p below 0.05."
        ]
    return []


def _differences(title: str, differing: Sequence[Difference]) -> Table:
    return plain_table("differences", title, (title.lower(), "A", "B"), differing, align="lll")


def _folder_table(suite: str, lines: Sequence[tuple[Comparison, float]]) -> Table:
    differs = any(each.conditions or each.settings for each, _ in lines)
    header = ("row", "A, %", "B, %", "A minus B, points [95 %]", "p", "Holm p", *(["differs in"] if differs else []))
    rows = [
        [
            each.first.name,
            *(percent(mean, each.decimals) for mean in each.means),
            difference(each.interval, each.decimals),
            bare_p(each.p),
            bare_p(p),
            *([_what_differs(each)] if differs else []),
        ]
        for each, p in lines
    ]
    return plain_table("differences", suite_title(suite), header, rows)


def _what_differs(found: Comparison) -> str:
    parts = dict.fromkeys(name.split(".")[0] for name, _, _ in found.conditions)
    return ", ".join([*parts, *(["settings of the method"] if found.settings else [])]) or "nothing recorded"


def _origin(side: Side) -> str:
    return f"{side.folder}, study {side.study}" if side.study else side.folder


def _untrained(side: Side) -> str:
    training = side.measured.training
    if side.measured.external:
        source = training.conditions.get("source", "not known")
        return f"was made outside the harness ({source}), and nothing of its training is known here"
    return "is a control, and nothing in it is trained"


def _commit(side: Side) -> str:
    made = side.measured.training.provenance
    commit = str(made.get("commit") or "not known")[:12]
    return f"{commit} with uncommitted changes" if made.get("changed") else commit
