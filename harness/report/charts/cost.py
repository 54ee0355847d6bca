"""Accuracy against what it costs: parameters, and operations for one clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmact_oneshot.harness.report.charts.axes import below, beside
from mmact_oneshot.harness.report.charts.canvas import Canvas
from mmact_oneshot.harness.report.charts.figure import Figure, Panel
from mmact_oneshot.harness.report.charts.row_style import mark
from mmact_oneshot.harness.report.charts.scale import Scale, around, decades, ticks
from mmact_oneshot.harness.report.charts.suite_figure import SuiteFigure
from mmact_oneshot.harness.report.formats import MISSING, accuracy_text, compact
from mmact_oneshot.harness.report.results.rankings import Row
from mmact_oneshot.harness.report.results.report import StudySuite

WIDTH, HEIGHT = 344, 268
LEFT, TOP, BOTTOM = 30, 40, 222
COSTS: dict[str, Callable[[Row], int | None]] = {
    "parameters": lambda row: row.measured.training.parameters.get("total"),
    "operations for one clip": lambda row: found.clip if (found := row.measured.metrics.operations) else None,
}


@SuiteFigure
def cost(results: StudySuite) -> Figure | None:
    """A panel for each kind of cost that is recorded; None without any trained row."""
    named = {row.name: row for row in results.rows if row.measured.trained and row.measured.episodes}
    ends = [end for row in named.values() for end in (row.interval.low, row.interval.high, row.interval.mean)]
    if not named:
        return None
    y = Scale(*around([*ends, results.suite.chance]), BOTTOM, TOP)
    costs = {what: {name: cost for name, row in named.items() if (cost := value(row))} for what, value in COSTS.items()}
    costs = {what: known for what, known in costs.items() if known}
    if not costs:
        return None
    return Figure(
        name="cost",
        title="Accuracy against cost",
        notes=(
            "Vertical: 95 % interval. Circle: video; square: sensors; diamond: both. Dashed: chance. Filled: no row at "
            "the same or a lower cost has a higher mean. A multiplication with its addition counts as two operations.",
        ),
        panels=tuple(_panel(what, known, named, y, results.suite.chance) for what, known in costs.items()),
        header=("row", "modalities", "accuracy, % [95 %]", *COSTS),
        cells=tuple(
            (
                name,
                row.measured.modality,
                _accuracy(row),
                *(MISSING if not (found := value(row)) else f"{found:,}" for value in COSTS.values()),
            )
            for name, row in named.items()
        ),
        numeric=2,
        columns=2,
    )


def cheapest(points: Sequence[tuple[float, float]]) -> list[bool]:
    """For points (cost, accuracy): whether no other is better at the same or a lower cost."""
    return [not any(other <= cost and more > share for other, more in points) for cost, share in points]


def _good(known: dict[str, int], named: dict[str, Row]) -> dict[str, bool]:
    shares = [(cost, named[name].interval.mean) for name, cost in known.items()]
    return dict(zip(known, cheapest(shares), strict=True))


def _front(known: dict[str, int], named: dict[str, Row]) -> str:
    """The rows that nothing cheaper beats, from the cheapest."""
    good = _good(known, named)
    front = sorted((cost, name) for name, cost in known.items() if good[name])
    return "; ".join(f"{name} ({compact(cost)}, {_accuracy(named[name])} %)" for cost, name in front)


def _panel(what: str, known: dict[str, int], named: dict[str, Row], y: Scale, chance: float) -> Panel:
    canvas = Canvas(WIDTH)
    powers = decades(min(known.values()), max(known.values()))
    x = Scale(powers[0], powers[-1], LEFT + 8, WIDTH - 8, log=True)
    beside(canvas, y, ticks(y.low, y.high), LEFT, WIDTH, lambda value: f"{value * 100:g}", "accuracy, %")
    below(canvas, x, powers, TOP, BOTTOM, _power, what)
    canvas.line(LEFT, y(chance), WIDTH, y(chance), "line dash")
    good = _good(known, named)
    for name in sorted(known, key=good.__getitem__):  # the filled ones on top
        row, at = named[name], x(known[name])
        shape, colour = mark(row)
        canvas.line(at, y(row.interval.low), at, y(row.interval.high), colour)
        tip = f"{name}: {_accuracy(row)} %, {compact(known[name])}"
        canvas.mark(shape, at, y(row.interval.mean), f"{colour}-mark" if good[name] else f"{colour} hollow", 4, tip)
    _legend(canvas, [named[name] for name in known])
    return Panel(
        heading=f"Accuracy by {what}",
        description=f"{len(known)} rows. None is better at the same or a lower cost than: {_front(known, named)}.",
        width=WIDTH,
        height=HEIGHT,
        body=canvas.body,
    )


def _accuracy(row: Row) -> str:
    return accuracy_text(row.interval, row.measured.decimals)


def _power(value: float) -> str:
    return compact(int(value)).replace(".0", "")


def _legend(canvas: Canvas, rows: Sequence[Row]) -> None:
    x = float(LEFT + 8)
    for name, (shape, colour) in dict.fromkeys((row.measured.modality, mark(row)) for row in rows):
        canvas.mark(shape, x, 10, f"{colour}-mark")
        canvas.text(x + 9, 14, name)
        x += 28 + 7 * len(name)
