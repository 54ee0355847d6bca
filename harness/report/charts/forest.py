"""Forest plot: within every ranked section, each row less the reference, with both intervals."""

from __future__ import annotations

import math

from harness.report import words
from harness.report.charts.axes import below
from harness.report.charts.canvas import Canvas
from harness.report.charts.figure import Figure, Panel
from harness.report.charts.scale import Scale, around, ticks
from harness.report.differences import Difference, differences, reference
from harness.report.rows import Row
from harness.report.tables import Section, SuiteTable

WIDTH, PLOT, LINE, TOP = 344, 176, 34, 22
LEAST = 0.01  # of a scale, to either side
HEADER = ("section", "row", "less", "difference, points [95 %]", "simultaneous", "p", "adjusted p", "sign flips p")


def forest(table: SuiteTable) -> Figure | None:
    """One panel a section, each on a scale of its own; None where nothing is compared."""
    compared = [
        (section, chosen, found)
        for section in table.sections
        if (chosen := reference(section)) is not None and (found := differences(section))
    ]
    if not compared:
        return None
    return Figure(
        name="differences",
        title="Differences to the reference method",
        notes=(
            "Accuracy of a row less that of the reference of its section, in percentage points, on the same episodes "
            "with the same seeds. Thick: 95 % interval of this difference alone. Thin: simultaneous interval, which "
            "holds together with those of all pairs of the section (Bonferroni). p: two-sided, of no difference, "
            "Holm-adjusted over all pairs of the section. Filled mark: adjusted p below 0.05; hollow: the two cannot "
            "be told apart. In the table also a permutation test by subjects (sign flips), for comparison only.",
            "Every section has a scale of its own: its rows are not to be compared with those of another. The "
            "reference is the plainest ranked protonet of a section; where it has none, its best row. Sections with "
            "fewer than two ranked rows have nothing to compare.",
        ),
        panels=tuple(_panel(section, chosen, found) for section, chosen, found in compared),
        header=HEADER,
        cells=tuple(_cells(section, chosen, each) for section, chosen, found in compared for each in found),
        numeric=3,
        columns=3,
    )


def told_apart(found: Difference) -> bool:
    """Whether the adjusted p says that there is a difference."""
    return math.isfinite(found.adjusted) and found.adjusted < 0.05


def scale_of(found: list[Difference]) -> Scale:
    """From the least to the greatest end of all intervals; with no difference, and a point to either side, on it."""
    intervals = [interval for each in found for interval in (each.interval, each.simultaneous)]
    return Scale(*around([LEAST, -LEAST, *(end for each in intervals for end in (each.low, each.high))]), 4, PLOT)


def _panel(section: Section, chosen: Row, found: list[Difference]) -> Panel:
    canvas, scale = Canvas(WIDTH), scale_of(found)
    bottom = TOP + LINE * len(found) + 2
    canvas.label(0, 11, f"less {chosen.label}", WIDTH, "soft")
    below(canvas, scale, ticks(scale.low, scale.high, 5), TOP, bottom, _tick, "percentage points; right: better")
    canvas.line(scale(0), TOP, scale(0), bottom, "line")
    for number, each in enumerate(found):
        _row(canvas, each, TOP + LINE * number, scale)
    clear = sum(map(told_apart, found))
    return Panel(
        heading=section.heading,
        description=f"{len(found)} rows less {chosen.label}; {clear} can be told from it. "
        + "; ".join(f"{each.row.label} {_told(each)}" for each in found),
        width=WIDTH,
        height=bottom + 30,
        body=canvas.body,
    )


def _row(canvas: Canvas, found: Difference, top: float, scale: Scale) -> None:
    canvas.label(4, top + 13, found.row.label, WIDTH - 8, "halo")
    y = top + 24
    low, high = found.simultaneous.low, found.simultaneous.high
    if math.isfinite(low):
        canvas.line(scale(low), y, scale(high), y, "one")
        for end in (low, high):
            canvas.line(scale(end), y - 3, scale(end), y + 3, "one")
    if math.isfinite(found.interval.low):
        canvas.line(scale(found.interval.low), y, scale(found.interval.high), y, "one thick")
    tip = f"{found.row.label}: {_told(found)}"
    canvas.mark("circle", scale(found.interval.mean), y, "one-mark" if told_apart(found) else "one hollow", 4, tip)
    p = words.bare_p(found.adjusted)
    canvas.text(WIDTH, y + 4, f"{_difference(found)} · p {p}", "small", "end")


def _difference(found: Difference) -> str:
    return words.difference(found.interval, words.decimals(found.interval.standard_error))


def _told(found: Difference) -> str:
    return f"{_difference(found)} points, adjusted p {words.bare_p(found.adjusted)}"


def _tick(value: float) -> str:
    return f"{value * 100:+.6g}".replace("-", words.MINUS).replace("+0", "0")


def _cells(section: Section, chosen: Row, found: Difference) -> tuple[str, ...]:
    places = words.decimals(found.interval.standard_error)
    return (
        section.heading,
        found.row.label,
        chosen.label,
        _difference(found),
        words.bounds(found.simultaneous, places),
        words.bare_p(found.p),
        words.bare_p(found.adjusted),
        words.bare_p(found.signs.p_value),
    )
