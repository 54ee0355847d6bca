"""A figure: panels that are drawn, the same figures as a table for who cannot see them, and both as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from mmact_oneshot.harness.report.charts.canvas import LETTER, SIZE, Canvas, attribute, plain
from mmact_oneshot.harness.report.charts.palette import LIGHT, fixed_rules

MARGIN, GAP = 20, 24
FONT = "'DejaVu Sans', 'Segoe UI', 'Liberation Sans', Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Panel:
    """One drawing. Its heading stands above it, in the page as text.

    Attributes:
        description: what the figure shows, for who cannot see it.
        width, height: of the ground, in units of the chart.
        body: what a canvas holds.
        side: what stays in view on the left where the panel is wider than the page; over the body, in the same units.
        side_width: of its ground.
    """

    heading: str
    description: str
    width: float
    height: float
    body: str
    side: str = ""
    side_width: float = 0


@dataclass(frozen=True)
class Figure:
    """Panels that belong together.

    Attributes:
        name: of its files, without an ending.
        notes: sentences on how to read it and what it leaves out.
        header, cells: the same figures as a table, (C,) and (R, C).
        numeric: place of the first column of numbers.
        columns: panels in a line, where it stands alone.
        small: many small panels; the page sets them closer.
        wide: panels that keep their size, however narrow the page.
    """

    name: str
    title: str
    notes: tuple[str, ...]
    panels: tuple[Panel, ...]
    header: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    numeric: int = 1
    columns: int = 1
    small: bool = False
    wide: bool = False


def inline(panel: Panel, identity: str, title: str, zoom: float = 1.0) -> str:
    """SVG for a page that has the palette's rules; two, where a part stays in view.

    Args:
        identity: unique in the page.
    """
    label = ": ".join(filter(None, [title, panel.heading]))
    name, more = attribute(f"{identity}-t"), attribute(f"{identity}-d")
    drawn = (
        f'<svg class="chart" role="img" aria-labelledby={name} aria-describedby={more} '
        f"{_size(panel.width, panel.height, zoom)}><title id={name}>{plain(label)}</title>"
        f"<desc id={more}>{plain(panel.description)}</desc>{panel.body}</svg>"
    )
    if not panel.side:
        return drawn
    side = f'<svg class="chart" aria-hidden="true" {_size(panel.side_width, panel.height, zoom)}>{panel.side}</svg>'
    return f'<div class="stays">{side}{drawn}</div>'


def _size(width: float, height: float, zoom: float) -> str:
    return f'viewBox="0 0 {width:g} {height:g}" width="{zoom * width:g}" height="{zoom * height:g}"'


def standalone(figure: Figure, subtitle: str, warnings: Sequence[str] = ()) -> str:
    """SVG as a file of its own: light colours, white ground, with title, warnings and notes.

    Args:
        subtitle: which suite, and what marks its data.
    """
    inner = max(
        sum(panel.width for panel in figure.panels[: figure.columns])
        + GAP * (min(figure.columns, len(figure.panels)) - 1),
        560,
    )
    canvas = Canvas(inner + 2 * MARGIN)
    y = _top(canvas, figure.title, subtitle, warnings)
    drawn = []
    for first in range(0, len(figure.panels), figure.columns):
        row = figure.panels[first : first + figure.columns]
        headings = [_wrapped(panel.heading, panel.width) for panel in row]
        x, top = float(MARGIN), y + 15 * max(map(len, headings))
        for panel, lines in zip(row, headings, strict=True):
            for number, line in enumerate(lines):
                canvas.text(x, top - 15 * (len(lines) - number - 1) - 4, line, "strong")
            drawn.append(f'<g transform="translate({x:g} {top:g})">{panel.body}{panel.side}</g>')
            x += panel.width + GAP
        y = top + max(panel.height for panel in row) + GAP - 8
    for note in figure.notes:
        for line in _wrapped(note, inner):
            y += 15
            canvas.text(MARGIN, y, line, "soft")
    width, height = canvas.width, y + MARGIN
    description = " ".join([*warnings, *figure.notes])
    return (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="t" aria-describedby="d" '
        f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}" font-family="{FONT}">'
        f'<title id="t">{plain(f"{figure.title}: {subtitle}")}</title><desc id="d">{plain(description)}</desc>'
        f"<style>{fixed_rules()}</style>"
        f'<rect width="{width:g}" height="{height:g}" fill="{LIGHT["ground"]}"/>'
        f"{canvas.body}{''.join(drawn)}</svg>\n"
    )


def _top(canvas: Canvas, title: str, subtitle: str, warnings: Sequence[str]) -> float:
    """Draws what stands above the panels; returns where it ends."""
    inner = canvas.width - 2 * MARGIN
    y = float(MARGIN)
    for line in _wrapped(title, inner, 15):
        y += 16
        canvas.text(MARGIN, y, line, "head")
    for line in _wrapped(subtitle, inner):
        y += 17
        canvas.text(MARGIN, y, line, "soft")
    for warning in warnings:
        lines = _wrapped(warning, inner - 20)
        canvas.box(MARGIN, y + 10, inner, 12 + 15 * len(lines), "warn")
        for number, line in enumerate(lines):
            canvas.text(MARGIN + 10, y + 26 + 15 * number, line, "strong")
        y += 24 + 15 * len(lines)
    return y + 12


def _wrapped(text: str, width: float, size: float = SIZE) -> list[str]:
    return wrap(text, max(8, int(width / (LETTER * size))))
