"""The report as Markdown: the tables first, then all that a reader needs to judge them."""

from __future__ import annotations

from harness.report import appendix, factors, further, pretraining, words
from harness.report.columns import (
    Column,
    caption,
    columns_of,
    data_warnings,
    guard_sentence,
    key,
    legend,
    marks,
    title,
)
from harness.report.grid import bullets, escape, grid
from harness.report.rows import Row
from harness.report.tables import Report, SuiteTable


def _extreme(best: bool) -> Column:
    def cell(row: Row) -> str:
        found = row.extreme_class(best)
        return words.MISSING if found is None else f"{words.percent(found[1], 0)} {found[0]}"

    return Column("best class" if best else "worst class", cell, left=True)


def _wide(table: SuiteTable) -> list[Column]:
    """As on the terminal, but there is room for the names of the hardest and the easiest class."""
    return [
        part
        for column in columns_of(table)
        for part in ((_extreme(False), _extreme(True)) if column.header == "worst / best" else (column,))
    ]


def markdown(report: Report) -> str:
    """The whole report; depends on nothing but the records."""
    parts = ["# Benchmark report", *_warnings(report)]
    if report.suites:
        parts.append("![The table as a picture](table.svg)")
    for table in report.suites:
        parts += _suite(table)
    if report.suites:
        parts += ["## How to read the columns", bullets(key(report))]
    parts += [
        *pretraining.section(report),
        *appendix.rows(report),
        *appendix.training_conditions(report),
        *appendix.recipes(report),
        *appendix.learning_rates(report),
        *appendix.selection(report),
        *appendix.not_run(report),
        *appendix.published(report),
        *appendix.provenance(report),
    ]
    return "\n\n".join(parts) + "\n"


def _warnings(report: Report) -> list[str]:
    several = len(report.data) > 1
    lines = [
        f"> **{escape(warning)}**" + (f" (data {words.short(str(data.get('digest')))})" if several else "")
        for data in report.data
        for warning in data_warnings(data)
    ]
    lines += [
        f"> **{escape(table.suite)}: {guard_sentence(guard)}**"
        for table in report.suites
        for guard in table.guards
        if guard.failed
    ]
    return ["\n>\n".join(lines)] if lines else []


def _suite(table: SuiteTable) -> list[str]:
    cells: list[list[str]] = []
    wide = _wide(table)
    left = iter(marks(table))
    for section in table.sections:
        cells.append(["", f"*{escape(section.heading)}*", *[""] * (len(wide) - 1)])
        cells += [[next(left), *(escape(column.cell(row)) for column in wide)] for row in section.rows]
    header = ["#", *(column.header for column in wide)]
    parts = [f"## {escape(title(table))}", grid(header, cells, ["", *("l" if column.left else "r" for column in wide)])]
    notes = [f"{letter}: {escape(reason)}." for reason, letter in legend(table).items()]
    parts.append(bullets([*notes, *caption(table)]))
    return [*parts, *factors.section(table), *further.section(table), *_per_class(table), *_confusion(table)]


def _per_class(table: SuiteTable) -> list[str]:
    cells = []
    for row, name in zip(table.rows, table.names, strict=True):
        digits = row.class_decimals
        if row.scored:
            cells.append([escape(name), *(words.percent(share, digits) for share in row.per_class)])
    header = ["row", *(escape(name) for name in table.classes)]
    return ["### Accuracy by class, %", grid(header, cells, "l" + "r" * len(table.classes))] if cells else []


def _confusion(table: SuiteTable) -> list[str]:
    best = table.best
    if best is None:
        return []
    name = dict(zip(map(id, table.rows), table.names, strict=True))[id(best)]
    kind = "the ranked row with the highest accuracy" if best.rank is not None else "no row is ranked; the highest"
    asked = best.confusion.sum(axis=1)
    cells = [
        [
            f"{number + 1} {escape(class_name)}",
            *(
                _bold(words.percent(count / asked[number], 0), place == number) if asked[number] else words.MISSING
                for place, count in enumerate(best.confusion[number].tolist())
            ),
        ]
        for number, class_name in enumerate(table.classes)
    ]
    header = ["true class", *(str(number + 1) for number in range(len(table.classes)))]
    return [
        f"### What is taken for what: {escape(name)} ({kind})",
        "Rows are the true class, columns the answer by number, in % of the queries of the true class. A class is "
        "offered as an answer only in the episodes that hold it.",
        grid(header, cells, "l" + "r" * len(table.classes)),
    ]


def _bold(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted else text
