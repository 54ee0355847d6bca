"""Learning curves: accuracy on the validation suite at every look, seed by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.report import starts, words
from harness.report.charts.axes import below, beside
from harness.report.charts.canvas import Canvas
from harness.report.charts.figure import Figure, Panel
from harness.report.charts.palette import SERIES
from harness.report.charts.scale import Scale, around, ticks
from harness.report.tables import Report

WIDTH, HEIGHT = 172, 132
LEFT, RIGHT, TOP, BOTTOM = 24, 166, 8, 104
DASHES = ("", " dash")
MARKS = ("circle", "square", "diamond", "triangle")


@dataclass(frozen=True)
class Trace:
    """One training: (step, accuracy) at every look, and the step that was kept."""

    seed: int
    looks: tuple[tuple[float, float], ...]
    kept: float | None

    @property
    def accuracy(self) -> float | None:
        """Of what was kept."""
        return next((share for step, share in self.looks if step == self.kept), None)


@dataclass(frozen=True)
class Curve:
    """All seeds of a row, or of an encoder that rows share."""

    name: str
    traces: list[Trace] = field(default_factory=list)


def curves(report: Report) -> Figure | None:
    """Small multiples: shared encoders first, then rows in the order of the tables. None where nothing was selected."""
    found = [*_encoders(report), *_rows(report)]
    if not found:
        return None
    shares = [share for curve in found for trace in curve.traces for _, share in trace.looks]
    y = Scale(*around(shares), BOTTOM, TOP)
    return Figure(
        name="learning-curves",
        title="Learning curves on the validation classes",
        notes=(
            "Accuracy in % on the validation suite by training step, all on one vertical scale. A line a seed; the "
            "large mark is the state that was kept and tested (circle, square, diamond, triangle: first to fourth "
            "seed). Shared encoders were trained before the heads that stand on them. No interval is drawn: these "
            "figures select, they are no results.",
        ),
        panels=tuple(_panel(curve, y) for curve in found),
        header=("what", "seed", "kept step", "kept, %", "step: accuracy, %"),
        cells=tuple(
            (
                curve.name,
                str(trace.seed),
                words.MISSING if trace.kept is None else f"{trace.kept:g}",
                words.percent(trace.accuracy, 1),
                " · ".join(f"{step:g}: {words.percent(share, 1)}" for step, share in trace.looks),
            )
            for curve in found
            for trace in curve.traces
        ),
        columns=5,
        small=True,
    )


def _rows(report: Report) -> list[Curve]:
    """Every row that has a trace."""
    found = []
    for name, row in report.rows.items():
        traces = [
            Trace(training.seed, tuple(training.selection), training.best_step)
            for training in row.trainings
            if training.selection
        ]
        if traces:
            found.append(Curve(name, traces))
    return found


def _encoders(report: Report) -> list[Curve]:
    """Every shared encoder once, by its trained state."""
    traces: dict[tuple[str, str], Trace] = {}
    for training in report.trainings:
        for modality, note in sorted(training.encoders.items()):
            if note.get("selection"):
                name = f"shared {starts.shared_encoder(training, modality)} encoder"
                looks = tuple((step, share) for step, share in note["selection"])
                trace = Trace(training.seed, looks, note.get("best_step"))
                traces.setdefault((name, str(note.get("state"))), trace)
    found: dict[str, Curve] = {}
    for (name, _), trace in sorted(traces.items(), key=lambda each: (each[0][0], each[1].seed, each[0][1])):
        found.setdefault(name, Curve(name)).traces.append(trace)
    return list(found.values())


def _panel(curve: Curve, y: Scale) -> Panel:
    canvas = Canvas(WIDTH)
    steps = [step for trace in curve.traces for step, _ in trace.looks]
    x = Scale(*_span(steps), LEFT + 6, RIGHT - 4)
    beside(canvas, y, ticks(y.low, y.high, 5), LEFT, RIGHT, lambda value: f"{value * 100:g}")
    below(canvas, x, _named(steps), BOTTOM, BOTTOM, lambda value: f"{value:g}", "step")
    for number, trace in enumerate(curve.traces):
        _draw(canvas, trace, number, x, y)
    return Panel(
        heading=curve.name,
        description="; ".join(_told(trace) for trace in curve.traces),
        width=WIDTH,
        height=HEIGHT,
        body=canvas.body,
    )


def _draw(canvas: Canvas, trace: Trace, number: int, x: Scale, y: Scale) -> None:
    colour = SERIES[number % len(SERIES)]
    points = [(x(step), y(share)) for step, share in trace.looks]
    if len(points) > 1:
        canvas.path(points, f"{colour}{DASHES[number % len(DASHES)]}")
    if trace.accuracy is not None and trace.kept is not None:
        tip = _told(trace)
        canvas.mark(MARKS[number % len(MARKS)], x(trace.kept), y(trace.accuracy), f"{colour}-mark", 3.5, tip)


def _told(trace: Trace) -> str:
    if trace.accuracy is None:
        return f"seed {trace.seed}: what was kept is not among the looks"
    return f"seed {trace.seed}: step {trace.kept:g} kept, {words.percent(trace.accuracy, 1)} %"


def _span(steps: Sequence[float]) -> tuple[float, float]:
    low, high = min(steps), max(steps)
    return (low, high) if high > low else (low - 1, high + 1)


def _named(steps: Sequence[float]) -> list[float]:
    return sorted({min(steps), max(steps)})
