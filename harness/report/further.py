"""What stands behind and beside a suite's table, as Markdown: errors by estimand, differences, further figures."""

from __future__ import annotations

from collections.abc import Callable

from harness.report import words
from harness.report.covering import decided_by
from harness.report.differences import differences, reference
from harness.report.grid import bullets, escape, grid
from harness.report.metrics import Metrics
from harness.report.rows import Row
from harness.report.statistics import Estimate
from harness.report.tables import SuiteTable


def section(table: SuiteTable) -> list[str]:
    return [*_differences(table), *_errors(table), *_figures(table), *_without(table), *_apart(table), *_groups(table)]


def _differences(table: SuiteTable) -> list[str]:
    cells = []
    for ranked in table.sections:
        chosen = reference(ranked)
        if chosen is None:
            continue
        cells.append([f"*{escape(ranked.heading)}*, less {escape(chosen.label)}", *[""] * 5])
        for found in differences(ranked):
            places = words.decimals(found.interval.standard_error)
            cells.append(
                [
                    escape(found.row.label),
                    words.difference(found.interval, places),
                    words.bounds(found.simultaneous, places),
                    words.bare_p(found.p),
                    words.bare_p(found.adjusted),
                    words.bare_p(found.signs.p_value),
                ]
            )
    if not cells:
        return []
    return [
        "### Differences in pairs, percentage points",
        grid(["row", "difference [95 %]", "simultaneous", "p", "Holm p", "sign flips p"], cells, "lrrrrr"),
        bullets(
            [
                "Row less the reference of its section, on the same episodes with the same seeds; what an interval "
                "covers is as for the table. Simultaneous: together with those of all pairs of the section "
                "(Bonferroni). p: of no difference, two-sided; Holm p: adjusted over all pairs of the section; sign "
                "flips p: a permutation test by subjects, for comparison only, never below 2 to the power of 1 less "
                "the number of subjects. `oneshot compare` gives any other pair.",
                words.REFERENCE,
            ]
        ),
    ]


def _errors(table: SuiteTable) -> list[str]:
    cells = []
    for row, name in zip(table.rows, table.names, strict=True):
        analysis, closed = row.inference.analysis, row.inference.closed
        if analysis is None or closed is None:
            continue
        parts = (closed, analysis.performances, analysis.subjects, analysis.deletion)
        cells.append([escape(name), *map(_error, parts), decided_by(analysis)])
    if not cells:
        return []
    notes = {
        f"new {what}: {found.note}"
        for row in table.rows
        if (analysis := row.inference.analysis)
        for what, found in (("performances", analysis.performances), ("subjects", analysis.subjects))
        if found.note and not found.available
    }
    return [
        "### Standard errors by what they cover, percentage points",
        grid(
            ["row", "these clips", "new performances", "new subjects", "new subjects, delete-one", "interval from"],
            cells,
            "lrrrrl",
        ),
        bullets(
            [
                "In brackets the degrees of freedom of t. All of them cover training again where a row has several "
                "seeds. These clips: all episodes that could be drawn from them. New performances, new subjects: of "
                "the same classes, by the infinitesimal jackknife; beside it the subjects by leaving out one at a "
                "time, which is noisier and decides nothing. The interval of the table is the wider of the first two "
                "open ones. none: no effect could be detected beyond what drawing episodes explains, so the error is "
                "that of these clips.",
                *sorted(notes),
            ]
        ),
    ]


def _error(found: Estimate) -> str:
    if not found.available:
        return words.MISSING
    text = f"{found.standard_error * 100:.2f} ({found.degrees_of_freedom:,.0f})"
    return f"{text} none" if found.note else text


def _figures(table: SuiteTable) -> list[str]:
    cells = [
        [escape(name), *(cell(row) for cell in FIGURES.values())]
        for row, name in zip(table.rows, table.names, strict=True)
        if row.scored
    ]
    if not cells:
        return []
    return [
        "### Further figures",
        grid(["row", *FIGURES], cells, "l" + "r" * len(FIGURES)),
        bullets(
            [
                "Macro-F1: mean of F1 over classes, %. Worst tenth: accuracy on the tenth of the episodes that went "
                "worst, %. Calibration: expected calibration error of the softmax of the scores, percentage points, "
                "in ten parts; a dash for controls, whose scores are no probabilities. MFLOPs: operations (a "
                "multiplication and its addition are two) of matrix products, convolutions and attention, in "
                "millions, for one clip and, on top, for one episode. Memory, GB: on a GPU the most that was held in "
                "training; on a CPU the peak of the process since it began, earlier rows included, which tells "
                "little of one "
                "row. All without intervals; means over seeds (calibration: all seeds together)."
            ]
        ),
    ]


def _mega(row: Row, what: Callable[[Metrics], int | None]) -> str:
    found = what(row.metrics)
    return words.MISSING if found is None else f"{found / 1e6:,.1f}" if found < 1e7 else f"{found / 1e6:,.0f}"


def calibration_error(row: Row) -> float | None:
    """Of methods whose scores are meant as probabilities; the controls' are not."""
    return row.metrics.calibration_error if row.trained else None


FIGURES: dict[str, Callable[[Row], str]] = {
    "macro-F1": lambda row: words.percent(row.metrics.macro_f1, row.decimals),
    "worst tenth": lambda row: words.percent(row.metrics.worst_decile, 0),
    "calibration": lambda row: words.percent(calibration_error(row), 1),
    "MFLOPs a clip": lambda row: _mega(row, lambda found: found.cost.clip if found.cost else None),
    "MFLOPs an episode": lambda row: _mega(row, lambda found: found.cost.episode if found.cost else None),
    "memory": lambda row: words.MISSING if row.memory is None or not row.trained else f"{row.memory / 1e9:.1f}",
}


def _without(table: SuiteTable) -> list[str]:
    names = list(dict.fromkeys(each.modality for row in table.rows for each in row.metrics.without))
    if not names:
        return []
    cells, counts = [], set()
    for row, name in zip(table.rows, table.names, strict=True):
        found = {each.modality: each for each in row.metrics.without}
        if found:
            counts |= {each.episodes for each in found.values()}
            complete = next(iter(found.values())).complete
            shares = [words.percent(found[each].accuracy, 0) if each in found else words.MISSING for each in names]
            cells.append([escape(name), words.percent(complete, 0), *shares])
    episodes = " and ".join(f"{count:,}" for count in sorted(counts))
    return [
        "### With something removed at test: accuracy, %",
        grid(["row", "all there", *(f"without {escape(name)}" for name in names)], cells, "l" + "r" * (1 + len(names))),
        bullets(
            [
                f"Trained with everything; in the test, taken from all clips, as if it had not been recorded. On the "
                f"first {episodes} episodes of the suite, so that 'all there' may differ a little from the table. "
                "Without intervals; means over seeds. Differences of "
                "a few points are within the error of few episodes."
            ]
        ),
    ]


def _apart(table: SuiteTable) -> list[str]:
    cells = [
        [
            escape(name),
            f"{found.episodes:,}",
            words.percent(found.accuracy, 0),
            words.percent(found.others, 0),
        ]
        for row, name in zip(table.rows, table.names, strict=True)
        if (found := row.metrics.apart) is not None
    ]
    if not cells:
        return []
    return [
        "### Episodes in which a clip lacks something",
        grid(["row", "episodes", "accuracy on them, %", "on the others, %"], cells, "lrrr"),
        bullets(
            [
                "Lacks something: some clip of the episode was recorded without video or one of the sensors that "
                "the row "
                "sees. Both are in the figure of the table. Without intervals; means over seeds."
            ]
        ),
    ]


def _groups(table: SuiteTable) -> list[str]:
    parts = []
    for what in ("subject", "scene", "camera"):
        names = list(dict.fromkeys(each.name for row in table.rows for each in row.metrics.groups.get(what, ())))
        cells = []
        for row, name in zip(table.rows, table.names, strict=True):
            found = {each.name: each.accuracy for each in row.metrics.groups.get(what, ())}
            if found:
                cells.append([escape(name), *(words.percent(found.get(each), 0) for each in names)])
        if cells:
            parts += [
                f"### Accuracy by {what} of the query, %",
                grid(["row", *map(escape, names)], cells, "l" + "r" * len(names)),
                bullets(["Without intervals; means over seeds."]),
            ]
    return parts
