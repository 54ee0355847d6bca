"""The report on a terminal: one table a suite, fitted to its width."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from harness.report import words
from harness.report.columns import (
    Column,
    caption,
    columns_of,
    data_warnings,
    guard_sentence,
    key,
    legend,
    marks,
    title,
)
from harness.report.rows import Row
from harness.report.tables import Report, SuiteTable

WIDEST = 120
GAP = 2
MARK = 3  # width of the column of ranks and letters


def show(report: Report, console: Console) -> None:
    """Print every suite table with its caption, then what was skipped."""
    for data in report.data:
        for warning in data_warnings(data):
            _print(console, warning, "bold yellow")
    for table in report.suites:
        console.print()
        _show_suite(table, console)
    if report.suites:
        console.print()
        for sentence in key(report):
            _print(console, sentence, "dim")
    if report.skipped:
        console.print()
        _print(console, "Not run", "bold")
        for skipped in report.skipped:
            _print(console, f"{skipped.method}, {words.modality_name(skipped.modalities)}: {skipped.reason}", indent=2)
    for name in report.unscored:
        _print(console, f"Trained, but scored on no suite yet: {name}", "yellow")


def _show_suite(table: SuiteTable, console: Console) -> None:
    _print(console, title(table), "bold")
    for guard in table.guards:
        if guard.failed:
            _print(console, guard_sentence(guard), "bold red")
    columns, widths = fit(columns_of(table), table.rows, min(console.width, WIDEST))
    header = [column.header for column in columns]
    console.print(Text(_line("#", header, columns, widths), "bold"), soft_wrap=True)
    console.print(Text("─" * (MARK + sum(widths) + GAP * len(widths)), "dim"), soft_wrap=True)
    left = iter(marks(table))
    for section in table.sections:
        _print(console, section.heading, "italic cyan")
        for row in section.rows:
            cells = [column.cell(row) for column in columns]
            console.print(Text(_line(next(left), cells, columns, widths)), soft_wrap=True)
        if section.published and len(section.rows) > 1:
            names = words.differing(words.flat(row.training.training_protocol) for row in section.rows)
            parts = ", ".join(dict.fromkeys(name.split(".")[0] for name in names)) or "nothing"
            _print(console, f"Training differs in: {parts}. The written report has the values.", "dim")
    for reason, letter in legend(table).items():
        _print(console, f"{letter}: {reason}.", "yellow")
    dropped = [column.header for column in columns_of(table) if column not in columns]
    if dropped:
        _print(console, f"Left out for want of width: {', '.join(dropped)}.", "dim")
    for sentence in caption(table):
        _print(console, sentence, "dim")


def fit(wanted: Sequence[Column], rows: Sequence[Row], width: int) -> tuple[list[Column], list[int]]:
    """The columns that fit into a width, and their widths; the method's name is cut where nothing else helps."""
    columns = list(wanted)
    widths = [max(len(column.header), *(len(column.cell(row)) for row in rows)) for column in columns]
    while MARK + sum(widths) + GAP * len(widths) > width and any(column.drop for column in columns):
        least = max(range(len(columns)), key=lambda place: columns[place].drop)
        del columns[least], widths[least]
    surplus = MARK + sum(widths) + GAP * len(widths) - width
    widths[0] = min(widths[0], max(8, widths[0] - max(0, surplus)))
    return columns, widths


def _line(mark: str, cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts = [mark.ljust(MARK)]
    for cell, column, width in zip(cells, columns, widths, strict=True):
        cut = cell if len(cell) <= width else f"{cell[: width - 1]}…"
        parts.append(cut.ljust(width) if column.left else cut.rjust(width))
    return (" " * GAP).join(parts).rstrip()


def _print(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Wrapped at the width of the tables, without markup: names may hold brackets."""
    for line in Text(text, style).wrap(console, min(console.width, WIDEST) - indent):
        line.rstrip()
        console.print(" " * indent, line, sep="", soft_wrap=True)
