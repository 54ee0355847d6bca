"""A heat map: a number in every cell, and its place on the scale behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from mmact_oneshot.harness.report.charts.canvas import LETTER, SIZE, Canvas, cut
from mmact_oneshot.harness.report.charts.figure import Panel
from mmact_oneshot.harness.report.charts.palette import STEPS, step
from mmact_oneshot.harness.report.formats import MISSING, percent

CELL, LABEL, LINE, PAD = 38, 160, 12, 7  # a row is as high as its label's lines, and a little more
SMALL = 10  # size of labels and of the names of columns
NAME, SHORT = 150, 5  # at most so long a name of a column, and one of so few letters needs no turn
TURN, SINE, COSINE = -40.0, 0.64, 0.77
KEY, PHONE = 38, 330  # headings stay in view as well, and so are no wider than a phone


@dataclass(frozen=True)
class Line:
    """One line of a heat map: a heading of those below, or a row with a share for each column, None where unknown."""

    label: str
    shares: tuple[float | None, ...] = ()
    places: int = 0
    marked: int | None = None  # the cell with a frame

    @property
    def heading(self) -> bool:
        return not self.shares


def heat_map(columns: Sequence[str], lines: Sequence[Line], description: str) -> Panel:
    """A panel of which labels and headings stay in view where it is wider than the page."""
    across = CELL * len(columns)
    side, cells = Canvas(LABEL), Canvas(LABEL + across + _overhang(columns))
    y = _head(columns)
    _names(cells, columns, y)
    drawn: list[tuple[Line, list[str], float]] = []
    for line in lines:
        limit = min(LABEL + across, PHONE) / (LETTER * SIZE) if line.heading else (LABEL - 8) / (LETTER * SMALL)
        texts = wrap(line.label, max(8, int(limit)))
        drawn.append((line, texts if line.heading else texts[:2], y))
        y += 15 * len(texts) + 5 if line.heading else LINE * len(texts[:2]) + PAD
    side.box(0, 0, LABEL, y, "ground")
    for line, texts, top in drawn:
        if line.heading:
            for number, text in enumerate(texts):
                side.text(0, top + 15 * (number + 1), text, "soft")
        else:
            _label(side, line, texts, top)
            _row(cells, line, top, LINE * len(texts) + PAD)
    _key(cells, y + 12)
    return Panel("", description, cells.width, y + KEY, cells.body, side.body, LABEL)


def _label(canvas: Canvas, line: Line, texts: list[str], top: float) -> None:
    whole = " ".join(texts) == " ".join(line.label.split())
    for number, text in enumerate(texts):
        last = number == len(texts) - 1
        shown = text if whole or not last else f"{text[:-1]}…"
        canvas.text(0, top + LINE * (number + 1) + 1, shown, "name", tip="" if whole else line.label)


def _row(canvas: Canvas, line: Line, top: float, high: float) -> None:
    for place, share in enumerate(line.shares):
        x = LABEL + CELL * place
        middle, base = x + (CELL - 1) / 2, top + high / 2 + 3.5
        if share is None:
            canvas.text(middle, base, MISSING, "soft", "middle")
            continue
        canvas.box(x, top, CELL - 1, high - 1, f"h{step(share)}")
        canvas.text(middle, base, percent(share, line.places), f"t{step(share)}", "middle")
    if line.marked is not None:
        canvas.box(LABEL + CELL * line.marked + 0.5, top + 0.5, CELL - 2, high - 2, "line")


def _names(canvas: Canvas, columns: Sequence[str], base: float) -> None:
    for place, name in enumerate(columns):
        middle = LABEL + CELL * (place + 0.5)
        if _short(columns):
            canvas.text(middle, base - 5, name, "small", "middle")
        else:
            canvas.text(middle + 3, base - 5, cut(name, NAME, SMALL), "small", turn=TURN, tip=name)


def _short(columns: Sequence[str]) -> bool:
    """Whether the names of the columns fit above the cells as they are."""
    return all(len(name) <= SHORT for name in columns)


def _head(columns: Sequence[str]) -> float:
    """Room above the cells for the names of the columns."""
    return 16 + (0 if _short(columns) else SINE * max(map(_long, columns)))


def _overhang(columns: Sequence[str]) -> float:
    """Room on the right for the ends of the last names."""
    if _short(columns):
        return 0
    return max(0, *(COSINE * _long(name) - CELL * (len(columns) - place - 0.5) for place, name in enumerate(columns)))


def _long(name: str) -> float:
    return LETTER * SMALL * len(cut(name, NAME, SMALL))


def _key(canvas: Canvas, y: float) -> None:
    """The scale, from none to all."""
    wide = 14
    for place in range(STEPS):
        canvas.box(LABEL + wide * place, y, wide, 10, f"h{place}")
    for share in (0, 50, 100):
        canvas.text(LABEL + wide * STEPS * share / 100, y + 22, f"{share} %", "small", "middle")
