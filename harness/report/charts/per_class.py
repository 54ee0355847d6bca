"""Accuracy of every row on every class."""

from __future__ import annotations

from harness.report import words
from harness.report.charts import looks
from harness.report.charts.figure import Figure
from harness.report.charts.heatmap import Line, heat_map
from harness.report.tables import SuiteTable


def per_class(table: SuiteTable) -> Figure | None:
    """A heat map of rows by classes; None where nothing was scored."""
    lines: list[Line] = []
    for section in table.sections:
        rows = [row for row in section.rows if row.scored]
        lines += [Line(section.heading)] if rows else []
        lines += [Line(looks.label(section, row), row.per_class, row.class_decimals) for row in rows]
    if not lines:
        return None
    cells = [
        (name, *(words.percent(share, row.class_decimals) for share in row.per_class))
        for row, name in zip(table.rows, table.names, strict=True)
        if row.scored
    ]
    return Figure(
        name="classes",
        title="Accuracy by class, %",
        notes=(
            "Mean over seeds, of the queries of a class. The digits shown follow the standard error of the class that "
            "is least certain, its queries taken as independent; no interval of the table speaks for other classes.",
        ),
        panels=(
            heat_map(
                table.classes,
                lines,
                f"{len(cells)} rows by {len(table.classes)} classes: {', '.join(table.classes)}. {_extremes(table)}",
            ),
        ),
        header=("row", *table.classes),
        cells=tuple(cells),
        wide=True,
    )


def _extremes(table: SuiteTable) -> str:
    """The hardest and the easiest class of the best row, in words."""
    best = table.best
    if best is None:
        return ""
    worst, easiest = best.extreme_class(False), best.extreme_class(True)
    if worst is None or easiest is None:
        return ""
    return (
        f"{best.name} is worst on {worst[0]} ({words.percent(worst[1], 0)} %) and best on {easiest[0]} "
        f"({words.percent(easiest[1], 0)} %)."
    )
