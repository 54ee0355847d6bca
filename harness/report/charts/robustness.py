"""What is lost when a modality, or a sensor, is taken away at test."""

from __future__ import annotations

from harness.report import words
from harness.report.charts import looks
from harness.report.charts.axes import below
from harness.report.charts.canvas import Canvas
from harness.report.charts.figure import Figure, Panel
from harness.report.charts.scale import Scale, around, ticks
from harness.report.metrics import Without
from harness.report.rows import Row
from harness.report.tables import Section, SuiteTable

WIDTH, START, END, TOP, HEAD, LINE = 344, 128, 270, 4, 18, 17


def robustness(table: SuiteTable) -> Figure | None:
    """A panel for every section with rows that were tested so; None without any."""
    sections = [
        (section, rows)
        for section in table.sections
        if (rows := [row for row in section.rows if row.trained and row.metrics.without])
    ]
    if not sections:
        return None
    every = [each for _, rows in sections for row in rows for each in row.metrics.without]
    scale = Scale(*around([share for each in every for share in (each.accuracy, each.complete)]), START, END)
    names = dict(zip(map(id, table.rows), table.names, strict=True))
    counts = " and ".join(f"{count:,}" for count in sorted({each.episodes for each in every}))
    return Figure(
        name="robustness",
        title="When something is missing at test",
        notes=(
            "Accuracy in %. Hollow: with everything there; filled: without the modality or sensor named on the left, "
            "taken from all clips of the test as if it had not been recorded. Trained with everything. On the right "
            "the change in percentage points.",
            f"On the first {counts} episodes of the suite, so that accuracy with everything may differ a little from "
            "the table. Intervals are not recorded for these figures.",
        ),
        panels=tuple(_panel(section, rows, scale) for section, rows in sections),
        header=("row", "without", "episodes", "all there, %", "without it, %", "change, points"),
        cells=tuple(
            (
                names[id(row)],
                each.modality,
                f"{each.episodes:,}",
                words.percent(each.complete, 1),
                words.percent(each.accuracy, 1),
                words.points(each.accuracy - each.complete, 1),
            )
            for _, rows in sections
            for row in rows
            for each in row.metrics.without
        ),
        numeric=2,
        columns=3,
    )


def _panel(section: Section, rows: list[Row], scale: Scale) -> Panel:
    canvas = Canvas(WIDTH)
    bottom = TOP + sum(HEAD + LINE * len(row.metrics.without) for row in rows) + 4
    below(canvas, scale, ticks(scale.low, scale.high, 5), TOP, bottom, lambda value: f"{value * 100:g}", "accuracy, %")
    y = float(TOP)
    for row in rows:
        y += HEAD
        canvas.label(0, y - 4, looks.label(section, row), WIDTH, "halo")
        for each in row.metrics.without:
            _line(canvas, each, y + LINE / 2, scale)
            y += LINE
    return Panel(
        heading=section.heading,
        description="; ".join(f"{row.label}: {', '.join(_told(each) for each in row.metrics.without)}" for row in rows),
        width=WIDTH,
        height=bottom + 30,
        body=canvas.body,
    )


def _line(canvas: Canvas, found: Without, y: float, scale: Scale) -> None:
    canvas.label(8, y + 4, f"without {found.modality}", START - 16, "soft")
    left, whole = scale(found.accuracy), scale(found.complete)
    canvas.line(left, y, whole, y, "one")
    canvas.mark("circle", whole, y, "one hollow", 3.5)
    canvas.mark("circle", left, y, "one-mark", 3.5, _told(found))
    canvas.text(WIDTH, y + 4, words.points(found.accuracy - found.complete, 1), "", "end")


def _told(found: Without) -> str:
    return (
        f"without {found.modality} {words.percent(found.accuracy, 0)} % instead of {words.percent(found.complete, 0)} %"
    )
