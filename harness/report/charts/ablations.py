"""Ablation of modalities: the accuracy without a modality or a sensor at test time."""

from __future__ import annotations

from mmact_oneshot.harness.report.charts.axes import below
from mmact_oneshot.harness.report.charts.canvas import Canvas
from mmact_oneshot.harness.report.charts.figure import Figure, Panel
from mmact_oneshot.harness.report.charts.scale import Scale, around, ticks
from mmact_oneshot.harness.report.charts.suite_figure import SuiteFigure
from mmact_oneshot.harness.report.formats import percent, points
from mmact_oneshot.harness.report.results.metrics import Ablated
from mmact_oneshot.harness.report.results.rankings import Row
from mmact_oneshot.harness.report.results.report import StudySuite

WIDTH, START, END, TOP, HEAD, LINE = 344, 128, 270, 4, 18, 17


@SuiteFigure
def ablations(results: StudySuite) -> Figure | None:
    """A panel for every choice of modalities with rows that were tested so; None without any."""
    panels = {
        modality: rows
        for modality, ranking in results.rankings.items()
        if (rows := [row for row in ranking.rows if row.measured.trained and row.measured.metrics.ablations])
    }
    if not panels:
        return None
    every = [each for rows in panels.values() for row in rows for each in row.measured.metrics.ablations]
    scale = Scale(*around([share for each in every for share in (each.accuracy, each.complete)]), START, END)
    counts = " and ".join(f"{count:,}" for count in sorted({each.episodes for each in every}))
    return Figure(
        name="ablations",
        title="Ablation of modalities at test time",
        notes=(
            "Accuracy in %: hollow with everything, filled without the modality or sensor on the left, in all test "
            f"clips. Trained with everything. First {counts} episodes, without intervals. Right: change in points.",
        ),
        panels=tuple(_panel(modality, rows, scale) for modality, rows in panels.items()),
        header=("row", "without", "episodes", "with everything, %", "without it, %", "change, points"),
        cells=tuple(
            (
                row.name,
                each.without,
                f"{each.episodes:,}",
                percent(each.complete, 1),
                percent(each.accuracy, 1),
                points(each.accuracy - each.complete, 1),
            )
            for rows in panels.values()
            for row in rows
            for each in row.measured.metrics.ablations
        ),
        numeric=2,
        columns=3,
    )


def _panel(modality: str, rows: list[Row], scale: Scale) -> Panel:
    canvas = Canvas(WIDTH)
    bottom = TOP + sum(HEAD + LINE * len(row.measured.metrics.ablations) for row in rows) + 4
    below(canvas, scale, ticks(scale.low, scale.high, 5), TOP, bottom, lambda value: f"{value * 100:g}", "accuracy, %")
    y = float(TOP)
    for row in rows:
        y += HEAD
        canvas.label(0, y - 4, row.label, WIDTH, "halo")
        for each in row.measured.metrics.ablations:
            _line(canvas, each, y + LINE / 2, scale)
            y += LINE
    return Panel(
        heading=modality,
        description="; ".join(
            f"{row.label}: {', '.join(_described(each) for each in row.measured.metrics.ablations)}" for row in rows
        ),
        width=WIDTH,
        height=bottom + 30,
        body=canvas.body,
    )


def _line(canvas: Canvas, found: Ablated, y: float, scale: Scale) -> None:
    canvas.label(8, y + 4, f"without {found.without}", START - 16, "soft")
    left, whole = scale(found.accuracy), scale(found.complete)
    canvas.line(left, y, whole, y, "one")
    canvas.mark("circle", whole, y, "one hollow", 3.5)
    canvas.mark("circle", left, y, "one-mark", 3.5, _described(found))
    canvas.text(WIDTH, y + 4, points(found.accuracy - found.complete, 1), "", "end")


def _described(found: Ablated) -> str:
    return f"without {found.without} {percent(found.accuracy, 0)} % instead of {percent(found.complete, 0)} %"
