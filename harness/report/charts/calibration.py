"""Reliability curves: how often a method is right when it is so sure."""

from __future__ import annotations

from mmact_oneshot.harness.records import Calibration
from mmact_oneshot.harness.report.charts.axes import below, beside
from mmact_oneshot.harness.report.charts.canvas import Canvas
from mmact_oneshot.harness.report.charts.figure import Figure, Panel
from mmact_oneshot.harness.report.charts.scale import Scale
from mmact_oneshot.harness.report.charts.suite_figure import SuiteFigure
from mmact_oneshot.harness.report.formats import MISSING, percent
from mmact_oneshot.harness.report.results.report import StudySuite

SIZE, LEFT, RIGHT, TOP, BOTTOM = 172, 28, 166, 22, 160
X, Y = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
NAMED = (0.0, 0.5, 1.0)
HEIGHT = 190


@SuiteFigure
def calibration(results: StudySuite) -> Figure | None:
    """Small multiples, a panel for every trained row whose scores were recorded; None without any."""
    found = [
        (row.name, row.measured.metrics.calibration, row.measured.metrics.value("calibration_error"))
        for row in results.rows
        if row.measured.trained and row.measured.metrics.calibration is not None
    ]
    panels = [_panel(name, known, error) for name, known, error in found if error is not None]
    if not panels:
        return None
    return Figure(
        name="calibration",
        title="Calibration",
        notes=(
            "Queries in ten parts by the probability of the answer (softmax of the scores), against the share of right "
            "answers; below the diagonal a method is too confident. Bars: share of the queries. ECE: expected "
            "calibration error, points, mean over seeds.",
        ),
        panels=tuple(panels),
        header=("row", "ECE, points", *(f"{10 * part} to {10 * part + 10} % confidence" for part in range(10))),
        cells=tuple(
            (name, percent(error, 1), *(_cell(known, part) for part in range(len(known.queries))))
            for name, known, error in found
        ),
        columns=5,
        small=True,
    )


def curve(found: Calibration) -> list[tuple[float, float, float]]:
    """(mean confidence, accuracy, share of all queries) of every part that has queries."""
    total = sum(found.queries)
    return [
        (sure / count, right / count, count / total)
        for count, sure, right in zip(found.queries, found.confidence, found.correct, strict=True)
        if count
    ]


def _panel(name: str, found: Calibration, error: float) -> Panel:
    canvas = Canvas(SIZE)
    beside(canvas, Y, NAMED, LEFT, RIGHT, lambda share: f"{share * 100:g}")
    below(canvas, X, NAMED, TOP, BOTTOM, lambda share: f"{share * 100:g}", "confidence, %; upwards: right, %")
    total = sum(found.queries)
    for part, count in enumerate(found.queries):
        high = (BOTTOM - TOP) * count / total
        canvas.box(X(part / 10) + 1, BOTTOM - high, (RIGHT - LEFT) / 10 - 2, high, "bar")
    canvas.line(X(0), Y(0), X(1), Y(1), "line dash")
    points = curve(found)
    canvas.path([(X(sure), Y(right)) for sure, right, _ in points], "one")
    for sure, right, share in points:
        tip = f"{percent(sure, 0)} % confidence, {percent(right, 0)} % right, {percent(share, 0)} % of all"
        canvas.mark("circle", X(sure), Y(right), "one-mark", 2.5, tip)
    canvas.text(LEFT, TOP - 9, f"ECE {percent(error, 1)}", "strong")
    return Panel(
        heading=name,
        description=f"Expected calibration error {percent(error, 1)} points. "
        + "; ".join(f"{percent(sure, 0)} % confidence, {percent(right, 0)} % right" for sure, right, _ in points),
        width=SIZE,
        height=HEIGHT,
        body=canvas.body,
    )


def _cell(found: Calibration, part: int) -> str:
    """``55.2 right of 120`` queries."""
    count = found.queries[part]
    return f"{percent(found.correct[part] / count, 1)} % right of {count:,}" if count else MISSING
