"""Forest plot: the reference of a study minus every other row, with both intervals."""

from __future__ import annotations

import math

from mmact_oneshot.harness.report.charts.axes import below
from mmact_oneshot.harness.report.charts.canvas import Canvas
from mmact_oneshot.harness.report.charts.figure import Figure, Panel
from mmact_oneshot.harness.report.charts.scale import Scale, around, ticks
from mmact_oneshot.harness.report.charts.suite_figure import SuiteFigure
from mmact_oneshot.harness.report.formats import MINUS, bare_p, bounds, decimals, difference
from mmact_oneshot.harness.report.results.rankings import Pair
from mmact_oneshot.harness.report.results.report import StudySuite

WIDTH, PLOT, LINE, TOP = 344, 176, 34, 22
LEAST = 0.01  # of a scale, to either side
HEADER = ("modalities", "row", "minus", "difference, points [95 %]", "simultaneous", "p", "adjusted p", "sign flips p")


@SuiteFigure
def forest(results: StudySuite) -> Figure | None:
    """One panel for each choice of modalities, each on a scale of its own; None where nothing is compared."""
    compared = {modality: pairs for modality in results.rankings if (pairs := results.against(modality))}
    if not compared:
        return None
    return Figure(
        name="differences",
        title="Differences in pairs",
        notes=(
            "Percentage points, on the same episodes with the same seeds. Thick: 95 % interval. Thin: simultaneous "
            "interval of all pairs on these modalities (Bonferroni). Filled: Holm-adjusted p below 0.05. In the table "
            "also a permutation test by subjects (sign flips).",
        ),
        panels=tuple(_panel(modality, pairs) for modality, pairs in compared.items()),
        header=HEADER,
        cells=tuple(_cells(modality, pair) for modality, pairs in compared.items() for pair in pairs),
        numeric=3,
        columns=3,
    )


def scale_of(pairs: list[Pair]) -> Scale:
    """From the least to the greatest end of all intervals; with no difference, and a point to either side, on it."""
    intervals = [interval for pair in pairs for interval in (pair.interval, pair.simultaneous)]
    return Scale(*around([LEAST, -LEAST, *(end for each in intervals for end in (each.low, each.high))]), 4, PLOT)


def _panel(modality: str, pairs: list[Pair]) -> Panel:
    canvas, scale = Canvas(WIDTH), scale_of(pairs)
    bottom = TOP + LINE * len(pairs) + 2
    firsts = list(dict.fromkeys(pair.first.label for pair in pairs))
    canvas.label(0, 11, f"{firsts[0]} minus:" if len(firsts) == 1 else "the reference minus:", WIDTH, "soft")
    name = f"percentage points; right: {firsts[0] if len(firsts) == 1 else 'the reference'} is better"
    below(canvas, scale, ticks(scale.low, scale.high, 5), TOP, bottom, _tick, name)
    canvas.line(scale(0), TOP, scale(0), bottom, "line")
    for number, pair in enumerate(pairs):
        _row(canvas, pair, TOP + LINE * number, scale)
    return Panel(
        heading=modality,
        description="; ".join(f"{pair.first.label} minus {pair.second.label} {_tip(pair)}" for pair in pairs),
        width=WIDTH,
        height=bottom + 30,
        body=canvas.body,
    )


def _row(canvas: Canvas, pair: Pair, top: float, scale: Scale) -> None:
    canvas.label(4, top + 13, pair.second.label, WIDTH - 8, "halo")
    y = top + 24
    low, high = pair.simultaneous.low, pair.simultaneous.high
    if math.isfinite(low):
        canvas.line(scale(low), y, scale(high), y, "one")
        for end in (low, high):
            canvas.line(scale(end), y - 3, scale(end), y + 3, "one")
    if math.isfinite(pair.interval.low):
        canvas.line(scale(pair.interval.low), y, scale(pair.interval.high), y, "one thick")
    tip = f"{pair.first.label} minus {pair.second.label}: {_tip(pair)}"
    canvas.mark("circle", scale(pair.interval.mean), y, "one-mark" if pair.significant else "one hollow", 4, tip)
    canvas.text(WIDTH, y + 4, f"{_difference(pair)} · p {bare_p(pair.adjusted)}", "small", "end")


def _difference(pair: Pair) -> str:
    return difference(pair.interval, decimals(pair.interval.standard_error))


def _tip(pair: Pair) -> str:
    return f"{_difference(pair)} points, adjusted p {bare_p(pair.adjusted)}"


def _tick(value: float) -> str:
    return f"{value * 100:+.6g}".replace("-", MINUS).replace("+0", "0")


def _cells(modality: str, pair: Pair) -> tuple[str, ...]:
    return (
        modality,
        pair.first.label,
        pair.second.label,
        _difference(pair),
        bounds(pair.simultaneous, decimals(pair.interval.standard_error)),
        bare_p(pair.p),
        bare_p(pair.adjusted),
        bare_p(pair.signs.p_value),
    )
