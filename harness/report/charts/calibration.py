"""Reliability curves: how often a method is right when it is so sure."""

from __future__ import annotations

from harness.records import Calibration
from harness.report import words
from harness.report.charts.axes import below, beside
from harness.report.charts.canvas import Canvas
from harness.report.charts.figure import Figure, Panel
from harness.report.charts.scale import Scale
from harness.report.tables import SuiteTable

SIZE, LEFT, RIGHT, TOP, BOTTOM = 172, 28, 166, 22, 160
X, Y = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
NAMED = (0.0, 0.5, 1.0)
HEIGHT = 190


def calibration(table: SuiteTable) -> Figure | None:
    """Small multiples, a panel for every trained row whose scores were recorded; None without any."""
    found = [
        (name, row.metrics.calibration, row.metrics.calibration_error)
        for row, name in zip(table.rows, table.names, strict=True)
        if row.trained and row.metrics.calibration is not None
    ]
    panels = [_panel(name, known, error) for name, known, error in found if error is not None]
    if not panels:
        return None
    return Figure(
        name="calibration",
        title="Calibration",
        notes=(
            "Queries in ten parts by the probability of the answer (softmax of the scores): how sure a method was, "
            "from left to right, against how often it was right; on the diagonal the two agree, below it the method is "
            "too sure. Bars: share of the queries in each part. ECE: expected calibration error, the mean distance "
            "from the diagonal weighted by queries, in percentage points; all seeds together. Its sampling error is "
            "not recorded.",
        ),
        panels=tuple(panels),
        header=("row", "ECE, points", *(f"{10 * part} to {10 * part + 10} % sure" for part in range(10))),
        cells=tuple(
            (name, words.percent(error, 1), *(_cell(known, part) for part in range(len(known.queries))))
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
    below(canvas, X, NAMED, TOP, BOTTOM, lambda share: f"{share * 100:g}", "sure, %; upwards: right, %")
    total = sum(found.queries)
    for part, count in enumerate(found.queries):
        high = (BOTTOM - TOP) * count / total
        canvas.box(X(part / 10) + 1, BOTTOM - high, (RIGHT - LEFT) / 10 - 2, high, "bar")
    canvas.line(X(0), Y(0), X(1), Y(1), "line dash")
    points = curve(found)
    canvas.path([(X(sure), Y(right)) for sure, right, _ in points], "one")
    for sure, right, share in points:
        tip = f"{words.percent(sure, 0)} % sure, {words.percent(right, 0)} % right, {words.percent(share, 0)} % of all"
        canvas.mark("circle", X(sure), Y(right), "one-mark", 2.5, tip)
    canvas.text(LEFT, TOP - 9, f"ECE {words.percent(error, 1)}", "strong")
    return Panel(
        heading=name,
        description=f"Expected calibration error {words.percent(error, 1)} points. "
        + "; ".join(f"{words.percent(sure, 0)} % sure, {words.percent(right, 0)} % right" for sure, right, _ in points),
        width=SIZE,
        height=HEIGHT,
        body=canvas.body,
    )


def _cell(found: Calibration, part: int) -> str:
    """``55.2 right of 120`` queries."""
    count = found.queries[part]
    return f"{words.percent(found.correct[part] / count, 1)} % right of {count:,}" if count else words.MISSING
