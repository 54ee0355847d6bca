"""Accuracy of every row on every class."""

from __future__ import annotations

from mmact_oneshot.harness.report.charts.figure import Figure
from mmact_oneshot.harness.report.charts.heatmap import Line, heat_map
from mmact_oneshot.harness.report.charts.suite_figure import SuiteFigure
from mmact_oneshot.harness.report.formats import percent
from mmact_oneshot.harness.report.results.report import StudySuite


@SuiteFigure
def per_class(results: StudySuite) -> Figure | None:
    """A heat map of rows by classes; None where nothing was scored."""
    classes = results.suite.record.classes
    lines: list[Line] = []
    for modality, ranking in results.rankings.items():
        rows = [row for row in ranking.rows if row.measured.episodes]
        lines += [Line(modality)] if rows else []
        lines += [Line(row.label, row.measured.per_class, row.measured.class_decimals) for row in rows]
    if not lines:
        return None
    cells = [
        (row.name, *(percent(share, row.measured.class_decimals) for share in row.measured.per_class))
        for row in results.rows
        if row.measured.episodes
    ]
    return Figure(
        name="classes",
        title="Accuracy by class, %",
        notes=(
            "Mean over seeds, of the queries of a class. Digits follow the standard error of the least certain class, "
            "its queries taken as independent. No interval speaks for other classes.",
        ),
        panels=(
            heat_map(
                classes,
                lines,
                f"{len(cells)} rows by {len(classes)} classes: {', '.join(classes)}. {_extremes(results)}",
            ),
        ),
        header=("row", *classes),
        cells=tuple(cells),
        wide=True,
    )


def _extremes(results: StudySuite) -> str:
    """The hardest and the easiest class of the best row, in formats."""
    best = results.best
    if best is None:
        return ""
    worst, easiest = best.measured.extreme_class(False), best.measured.extreme_class(True)
    if worst is None or easiest is None:
        return ""
    return (
        f"{best.name} is worst on {worst[0]} ({percent(worst[1], 0)} %) and best on {easiest[0]} "
        f"({percent(easiest[1], 0)} %)."
    )
