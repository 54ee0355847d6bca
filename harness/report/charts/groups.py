"""Accuracy of every row by subject, by scene and by camera of the query."""

from __future__ import annotations

from mmact_oneshot.harness.report.charts.figure import Figure
from mmact_oneshot.harness.report.charts.heatmap import Line, heat_map
from mmact_oneshot.harness.report.charts.suite_figure import SuiteFigure
from mmact_oneshot.harness.report.formats import MISSING, percent
from mmact_oneshot.harness.report.results.report import StudySuite

KINDS = ("subject", "scene", "camera")


@SuiteFigure
def groups(results: StudySuite) -> list[Figure]:
    """A heat map for each kind of which the suite has more than one."""
    return [figure for what in KINDS if (figure := _figure(results, what)) is not None]


def _figure(results: StudySuite, what: str) -> Figure | None:
    known_of = {
        row.name: {each.name: each for each in row.measured.metrics.groups.get(what, ())} for row in results.rows
    }
    columns = tuple(dict.fromkeys(name for known in known_of.values() for name in known))
    if not columns:
        return None
    lines: list[Line] = []
    for modality, ranking in results.rankings.items():
        rows = [row for row in ranking.rows if known_of[row.name]]
        lines += [Line(modality)] if rows else []
        for row in rows:
            shares = tuple(known.accuracy if (known := known_of[row.name].get(name)) else None for name in columns)
            lines.append(Line(row.label, shares))
    cells = [
        (
            row.name,
            *(percent(known.accuracy, 1) if (known := known_of[row.name].get(each)) else MISSING for each in columns),
        )
        for row in results.rows
        if known_of[row.name]
    ]
    asked = {each.name: each.queries for row in results.rows for each in row.measured.metrics.groups.get(what, ())}
    counts = "; ".join(f"{what} {name}: {asked[name]:,}" for name in columns)
    return Figure(
        name=f"{what}s",
        title=f"Accuracy by {what} of the query, %",
        notes=(
            f"Mean over seeds, without intervals: the queries of one {what} are not independent.",
            f"Queries of one seed: {counts}.",
        ),
        panels=(heat_map(columns, lines, f"{len(cells)} rows by {len(columns)} {what}s: {', '.join(columns)}."),),
        header=("row", *(f"{what} {name}" for name in columns)),
        cells=tuple(cells),
        wide=True,
    )
