"""Learning curves: accuracy on the validation suite, seed by seed, and how much it still rose at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mmact_oneshot.harness.records import PretrainingRecord, TrainingRecord
from mmact_oneshot.harness.report.charts.axes import below, beside
from mmact_oneshot.harness.report.charts.canvas import Canvas
from mmact_oneshot.harness.report.charts.figure import Figure, Panel
from mmact_oneshot.harness.report.charts.palette import SERIES
from mmact_oneshot.harness.report.charts.scale import Scale, around, ticks
from mmact_oneshot.harness.report.formats import MISSING, percent
from mmact_oneshot.harness.report.results.levelling import FEWEST, rise_of

WIDTH, HEIGHT = 172, 132
LEFT, RIGHT, TOP, BOTTOM = 24, 166, 8, 104
DASHES = ("", " dash")
MARKS = ("circle", "square", "diamond", "triangle")


@dataclass(frozen=True)
class Trace:
    """One training: (step, accuracy) of every validation, and the step that was kept."""

    seed: int
    validations: tuple[tuple[float, float], ...]
    kept: float | None

    @property
    def accuracy(self) -> float | None:
        """Of what was kept."""
        return next((share for step, share in self.validations if step == self.kept), None)

    @property
    def rise(self) -> float | None:
        return rise_of([share for _, share in self.validations])


@dataclass(frozen=True)
class Curve:
    """All seeds of a row, or of a shared encoder."""

    name: str
    traces: list[Trace] = field(default_factory=list)


def learning_curves(
    rows: Mapping[str, Sequence[TrainingRecord]], pretrainings: Sequence[PretrainingRecord]
) -> Figure | None:
    """Small multiples: pre-trainings, shared encoders, then rows, by name. None where nothing was validated."""
    encoders = _encoders([training for trainings in rows.values() for training in trainings])
    found = [*_probes(pretrainings), *encoders, *_rows(rows)]
    if not found:
        return None
    y = Scale(
        *around([share for curve in found for trace in curve.traces for _, share in trace.validations]), BOTTOM, TOP
    )
    return Figure(
        name="learning-curves",
        title="Learning curves on the validation classes",
        notes=(
            "Accuracy in % on the validation suite by training step, on one vertical scale. A line for each seed; the "
            "large mark is the state that was kept and tested. These figures select; they are no results.",
            "Rise: mean of the last third of the validations minus that of the third before, in points. With fewer "
            f"than {FEWEST} validations nothing can be said of levelling off.",
        ),
        panels=tuple(_panel(curve, y) for curve in found),
        header=("what", "seed", "kept step", "kept, %", "rise", "step: accuracy, %"),
        cells=tuple(
            (
                curve.name,
                str(trace.seed),
                MISSING if trace.kept is None else f"{trace.kept:g}",
                percent(trace.accuracy, 1),
                MISSING if trace.rise is None else f"{trace.rise * 100:+.1f}",
                " · ".join(f"{step:g}: {percent(share, 1)}" for step, share in trace.validations),
            )
            for curve in found
            for trace in curve.traces
        ),
        columns=5,
        small=True,
    )


def _rows(rows: Mapping[str, Sequence[TrainingRecord]]) -> list[Curve]:
    """Every row that has a trace."""
    found = []
    for name, trainings in rows.items():
        traces = [
            Trace(training.seed, tuple(training.validations), training.best_step)
            for training in trainings
            if training.validations
        ]
        if traces:
            found.append(Curve(name, traces))
    return found


def _probes(pretrainings: Sequence[PretrainingRecord]) -> list[Curve]:
    """What the frozen networks of pre-trainings say on the way; pre-trainings of other settings apart."""
    found: dict[str, Curve] = {}
    for record in pretrainings:
        for modality in sorted({name for _, shares in record.probes for name in shares}):
            beside = " and ".join(record.modalities)
            title = f"probe of {modality}, {record.method} pre-training on {beside}"
            validations = tuple((step, shares[modality]) for step, shares in record.probes)
            curve = found.setdefault(f"{title} ({record.conditions_digest})", Curve(title))
            curve.traces.append(Trace(record.seed, validations, record.steps))
    return list(found.values())


def _encoders(trainings: Sequence[TrainingRecord]) -> list[Curve]:
    """Every shared encoder once, by its trained state."""
    traces: dict[tuple[str, str], Trace] = {}
    for training in trainings:
        for modality, note in sorted(training.encoders.items()):
            if note.get("validations"):
                validations = tuple((step, share) for step, share in note["validations"])
                trace = Trace(training.seed, validations, note.get("best_step"))
                traces.setdefault((encoder_name(training, modality), str(note.get("state"))), trace)
    found: dict[str, Curve] = {}
    for (name, _), trace in sorted(traces.items(), key=lambda each: (each[0][0], each[1].seed, each[0][1])):
        found.setdefault(name, Curve(name)).traces.append(trace)
    return list(found.values())


def encoder_name(training: TrainingRecord, modality: str) -> str:
    """``warm start of the video encoder (transformer, from mu_mae)``."""
    kind = f" (transformer, from {training.initialisation})" if training.encoder == "transformer" else ""
    prolonged = " (prolonged)" if training.initialisation == "prolonged" and not kind else ""
    return f"warm start of the {modality} encoder{kind}{prolonged}"


def _panel(curve: Curve, y: Scale) -> Panel:
    canvas = Canvas(WIDTH)
    steps = [step for trace in curve.traces for step, _ in trace.validations]
    x = Scale(*_span(steps), LEFT + 6, RIGHT - 4)
    beside(canvas, y, ticks(y.low, y.high, 5), LEFT, RIGHT, lambda value: f"{value * 100:g}")
    below(canvas, x, sorted({min(steps), max(steps)}), BOTTOM, BOTTOM, lambda value: f"{value:g}", "step")
    for number, trace in enumerate(curve.traces):
        _draw(canvas, trace, number, x, y)
    return Panel(
        heading=curve.name,
        description="; ".join(_described(trace) for trace in curve.traces),
        width=WIDTH,
        height=HEIGHT,
        body=canvas.body,
    )


def _draw(canvas: Canvas, trace: Trace, number: int, x: Scale, y: Scale) -> None:
    colour = SERIES[number % len(SERIES)]
    points = [(x(step), y(share)) for step, share in trace.validations]
    if len(points) > 1:
        canvas.path(points, f"{colour}{DASHES[number % len(DASHES)]}")
    if trace.accuracy is not None and trace.kept is not None:
        shape = MARKS[number % len(MARKS)]
        canvas.mark(shape, x(trace.kept), y(trace.accuracy), f"{colour}-mark", 3.5, _described(trace))


def _described(trace: Trace) -> str:
    if trace.accuracy is None:
        return f"seed {trace.seed}: what was kept is not among the validations"
    return f"seed {trace.seed}: step {trace.kept:g} kept, {percent(trace.accuracy, 1)} %"


def _span(steps: Sequence[float]) -> tuple[float, float]:
    low, high = min(steps), max(steps)
    return (low, high) if high > low else (low - 1, high + 1)
