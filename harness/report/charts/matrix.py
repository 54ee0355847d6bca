"""The matrix of a study as a picture: every row with its interval, drawn to scale for each choice of modalities."""

from __future__ import annotations

import math

from mmact_oneshot.harness.report.charts.axes import below
from mmact_oneshot.harness.report.charts.canvas import Canvas
from mmact_oneshot.harness.report.charts.figure import Figure, Panel
from mmact_oneshot.harness.report.charts.row_style import mark
from mmact_oneshot.harness.report.charts.scale import Scale
from mmact_oneshot.harness.report.formats import MISSING, accuracy_text
from mmact_oneshot.harness.report.results.rankings import Row
from mmact_oneshot.harness.report.results.report import StudySuite

LABEL, PLOT, TEXT, GAP, LINE, TOP = 168, 132, 84, 22, 22, 26
TICKS = (0.0, 0.5, 1.0)


def matrix_chart(results: StudySuite, caption: str) -> Figure:
    """One panel, its columns the modalities that any row has.

    Args:
        caption: as for the table with the same figures.
    """
    labels, names = results.labels, list(results.rankings)
    width = LABEL + len(names) * (PLOT + TEXT + GAP) - GAP
    canvas, bottom = Canvas(width), TOP + LINE * len(labels) + 4
    for place, name in enumerate(names):
        _column(canvas, results, name, LABEL + place * (PLOT + TEXT + GAP), bottom)
    for number, label in enumerate(labels):
        canvas.label(0, TOP + LINE * number + 16, label, LABEL - 8, "name" if len(label) > 24 else "")
    described = "; ".join(f"{row.name} {accuracy_text(row.interval, row.measured.decimals)} %" for row in results.rows)
    return Figure(
        name="matrix",
        title="Accuracy with 95 % intervals",
        notes=(caption, "Dashed: chance."),
        panels=(Panel("", described, width, bottom + 18, canvas.body),),
        header=("method", *names),
        cells=tuple((label, *(_text(results.row(label, name)) for name in names)) for label in labels),
        wide=True,
    )


def _column(canvas: Canvas, results: StudySuite, modality: str, left: float, bottom: float) -> None:
    scale = Scale(0, 1, left, left + PLOT)
    canvas.text(left, 12, modality, "strong")
    below(canvas, scale, TICKS, TOP - 4, bottom, lambda share: f"{share * 100:g}")
    canvas.line(scale(results.suite.chance), TOP - 4, scale(results.suite.chance), bottom, "line dash")
    for number, label in enumerate(results.labels):
        row = results.row(label, modality)
        if row is not None and row.measured.episodes:
            _row(canvas, row, scale, TOP + LINE * number, left + PLOT + 8)


def _row(canvas: Canvas, row: Row, scale: Scale, top: float, at: float) -> None:
    y, interval = top + LINE / 2, row.interval
    shape, colour = mark(row)
    if math.isfinite(interval.low):
        canvas.line(scale(interval.low), y, scale(interval.high), y, f"{colour} bold")
    style = f"{colour}-mark" if row.measured.trained else f"{colour} hollow"
    canvas.mark(shape, scale(interval.mean), y, style, 3.5, f"{row.name}: {_text(row)} %")
    best = row.rank == 1
    canvas.text(at, y + 4, _text(row), "strong" if best else "")


def _text(row: Row | None) -> str:
    if row is None or not row.measured.episodes:
        return MISSING
    return accuracy_text(row.interval, row.measured.decimals)
