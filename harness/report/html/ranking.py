"""The ranked table of a suite, cell by cell, with what it is sorted by."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from markupsafe import Markup

from harness.report import words
from harness.report.charts import looks
from harness.report.charts.canvas import Canvas
from harness.report.charts.scale import Scale
from harness.report.columns import columns_of, legend, marks
from harness.report.rows import Row
from harness.report.tables import SuiteTable

SIZES = {"k": 1e3, "M": 1e6, "G": 1e9}
NUMBER = re.compile(rf"([+\-{words.MINUS}]?)(\d[\d,]*(?:\.\d+)?)([kMG]?)")
WIDTH, HEIGHT = 112, 16
BAR = Scale(0, 1, 4, WIDTH - 4)


@dataclass(frozen=True)
class Header:
    """A column. ``kind``: how it is sorted, "text" or "number"; empty where it is not."""

    text: str
    kind: str
    left: bool


@dataclass(frozen=True)
class Cell:
    """``key``: what it is sorted by; empty where nothing is known, which comes last in any order."""

    text: str | Markup
    key: str = ""
    left: bool = False
    more: str = ""  # for who cannot see


@dataclass(frozen=True)
class Line:
    """One row. ``mark``: rank and tie, or the letters of why it has none; ``name``: the method."""

    mark: Cell
    name: str
    cells: tuple[Cell, ...]
    tied: bool


@dataclass(frozen=True)
class Group:
    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Ranking:
    """``notes``: why rows are not ranked, by letter."""

    headers: tuple[Header, ...]
    groups: tuple[Group, ...]
    notes: tuple[tuple[str, str], ...]


def ranking(table: SuiteTable) -> Ranking:
    """All columns of :func:`harness.report.columns.columns_of`, and the interval drawn to scale."""
    columns = columns_of(table)
    headers = [Header("#", "number", True)]
    for column in columns:
        headers.append(Header(column.header, "text" if column.left else "number", column.left))
        if _is_accuracy(column.header):
            headers.append(Header("0 to 100 %", "", True))
    left = iter(marks(table))
    groups = []
    for section in table.sections:
        lines = []
        for row in section.rows:
            cells: list[Cell] = []
            for column in columns[1:]:
                text = column.cell(row)
                if _is_accuracy(column.header):
                    cells += [Cell(text, _exact(row)), Cell(_bar(row, table.chance), left=True)]
                else:
                    cells.append(Cell(text, text if column.left else key(text), column.left))
            mark = next(left)
            tied = row.tied and "=" in mark
            told = "cannot be told from the best of its section" if tied else ""
            lines.append(Line(Cell(mark, key(mark), True, told), columns[0].cell(row), tuple(cells), tied))
        groups.append(Group(section.heading, tuple(lines)))
    return Ranking(tuple(headers), tuple(groups), tuple((letter, why) for why, letter in legend(table).items()))


def key(text: str) -> str:
    """The first number of a cell, for sorting: ``1.9k / 701k`` is 1900; nothing where there is none.

    >>> key("1.9k / 701k"), key("54 [48, 61]"), key("-")
    ('1900', '54', '')
    """
    found = NUMBER.search(text)
    if found is None:
        return ""
    sign, digits, size = found.groups()
    value = float(digits.replace(",", "")) * SIZES.get(size, 1.0)
    return f"{-value if sign in ('-', words.MINUS) else value:.9g}"


def _is_accuracy(header: str) -> bool:
    return header.startswith("accuracy")


def _exact(row: Row) -> str:
    return f"{row.interval.mean:.9g}" if math.isfinite(row.interval.mean) else ""


def _bar(row: Row, chance: float) -> Markup:
    """Mean and interval drawn between 0 and 100 %, chance dashed. It repeats the figures beside it, so that readers of
    screens need not hear of it."""
    canvas, middle = Canvas(WIDTH), HEIGHT / 2
    canvas.line(BAR(0), middle, BAR(1), middle, "grid")
    canvas.line(BAR(chance), 1, BAR(chance), HEIGHT - 1, "rule dash")
    if row.scored:
        shape, colour = looks.mark(row)
        if math.isfinite(row.interval.low):
            canvas.line(BAR(row.interval.low), middle, BAR(row.interval.high), middle, f"{colour} bold")
        canvas.mark(shape, BAR(row.interval.mean), middle, f"{colour}-mark", 3)
    return Markup(
        f'<svg class="chart" aria-hidden="true" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f"{canvas.body}</svg>"
    )
