"""Axes of charts: a grid with its values, and what they are values of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mmact_oneshot.harness.report.charts.canvas import Canvas
from mmact_oneshot.harness.report.charts.scale import Scale

HALF_LETTER = 2.8


def below(
    canvas: Canvas,
    x: Scale,
    values: Iterable[float],
    top: float,
    bottom: float,
    label: Callable[[float], str],
    name: str = "",
) -> None:
    """A horizontal axis at ``bottom`` with grid lines up to ``top``."""
    for value in values:
        canvas.line(x(value), top, x(value), bottom, "grid")
        canvas.text(x(value), bottom + 12, label(value), "small", "middle")
    if name:
        middle = max((x.start + x.end) / 2, len(name) * HALF_LETTER)  # a long name must not leave the chart
        canvas.text(middle, bottom + 26, name, "small", "middle")


def beside(
    canvas: Canvas,
    y: Scale,
    values: Iterable[float],
    left: float,
    right: float,
    label: Callable[[float], str],
    name: str = "",
) -> None:
    """A vertical axis at ``left`` with grid lines to ``right``; its name stands above it."""
    for value in values:
        canvas.line(left, y(value), right, y(value), "grid")
        canvas.text(left - 4, y(value) + 3.5, label(value), "small", "end")
    if name:
        canvas.text(0, y.end - 8, name, "small")
