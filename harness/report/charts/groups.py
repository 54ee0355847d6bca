"""Accuracy of every row by subject, by scene and by camera of the query."""

from __future__ import annotations

from harness.report import words
from harness.report.charts import looks
from harness.report.charts.figure import Figure
from harness.report.charts.heatmap import Line, heat_map
from harness.report.tables import SuiteTable

KINDS = ("subject", "scene", "camera")


def groups(table: SuiteTable) -> list[Figure]:
    """A heat map for each kind of which the suite has more than one."""
    return [figure for what in KINDS if (figure := _figure(table, what)) is not None]


def _figure(table: SuiteTable, what: str) -> Figure | None:
    found = {id(row): {each.name: each for each in row.metrics.groups.get(what, ())} for row in table.rows}
    columns = tuple(dict.fromkeys(name for known in found.values() for name in known))
    if not columns:
        return None
    lines: list[Line] = []
    for section in table.sections:
        rows = [row for row in section.rows if found[id(row)]]
        lines += [Line(section.heading)] if rows else []
        for row in rows:
            shares = tuple(known.accuracy if (known := found[id(row)].get(name)) else None for name in columns)
            lines.append(Line(looks.label(section, row), shares))
    cells = [
        (
            name,
            *(
                words.percent(known.accuracy, 1) if (known := found[id(row)].get(each)) else words.MISSING
                for each in columns
            ),
        )
        for row, name in zip(table.rows, table.names, strict=True)
        if found[id(row)]
    ]
    asked = {each.name: each.queries for row in table.rows for each in row.metrics.groups.get(what, ())}
    told = "; ".join(f"{what} {name}: {asked[name]:,}" for name in columns)
    return Figure(
        name=f"{what}s",
        title=f"Accuracy by {what} of the query, %",
        notes=(
            f"Mean over seeds. Queries of one seed: {told}. The queries of one {what} are not "
            "independent, and no interval is given for a single one.",
        ),
        panels=(heat_map(columns, lines, f"{len(cells)} rows by {len(columns)} {what}s: {', '.join(columns)}."),),
        header=("row", *(f"{what} {name}" for name in columns)),
        cells=tuple(cells),
        wide=True,
    )
