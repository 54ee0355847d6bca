"""The front of a report on a terminal: the matrix within 80 columns, and ten lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mmact_oneshot.harness.report.formats import percent
from mmact_oneshot.harness.report.model.blocks import Block, Cell, Column, Items, Paragraph, Table, Tone
from mmact_oneshot.harness.report.model.captions import TIED
from mmact_oneshot.harness.report.model.document import failures, skipped_blocks, study_blocks, title, warnings
from mmact_oneshot.harness.report.results.report import Report, StudyResults

WIDEST = 80
GAP = 2
SHORTEST = 10  # letters of a label


def show(report: Report, console: Console) -> None:
    """Print the matrix of every study, with a sentence for each choice of modalities; or why nothing was scored."""
    say(console, f"{title(report)}, {report.date}", "bold")
    for text in failures(report):
        say(console, text, "bold red")
    for text in warnings(report):
        say(console, text, "bold yellow")
    for study in report.studies:
        if study.suites:
            _study(study, console)
        elif study.skipped:
            say(console, f"{study.name}: {study.record.question}", "bold")
            show_blocks(skipped_blocks(study), console)
    for suite, ranking in report.external:
        for row in ranking.rows:
            say(console, f"{row.name} on {report.name_of(suite)}: made elsewhere, {row.interval.mean:.1%}", "dim")


def _study(study: StudyResults, console: Console) -> None:
    blocks = study_blocks(study)
    say(console, f"{study.name}: {blocks.question}", "bold")
    show_table(blocks.matrix, console)
    chance = percent(study.suites[0].suite.chance, 1).removesuffix(".0")
    say(console, f"[95 % interval]; {TIED}: not significantly different from the best; chance {chance} %", "dim")
    for item in (*blocks.notes.items, *blocks.sentences.items):  # the pairs are one command away
        say(console, item)


STYLES: dict[Tone, str] = {"plain": "", "note": "dim", "warning": "yellow", "alarm": "bold red"}


def show_blocks(blocks: Sequence[Block], console: Console) -> None:
    """Print paragraphs, lists and tables; other blocks have no place on a terminal."""
    for block in blocks:
        if isinstance(block, Paragraph):
            say(console, block.text, STYLES[block.tone])
        elif isinstance(block, Items):
            for item in block.items:
                say(console, item)
        elif isinstance(block, Table):
            console.print(_folding(block), width=min(console.width, WIDEST))


def show_table(table: Table, console: Console, width: int = WIDEST) -> None:
    """Print a table as wide as the terminal and at most so wide, without the columns that stand elsewhere as well."""
    places = [place for place in range(len(table.columns)) if place not in table.beside]
    columns = [table.columns[place] for place in places]
    lines = [[_text(line[place]) for place in places] for line in table.lines]
    widths = [max(len(column.header), *(len(line[place]) for line in lines)) for place, column in enumerate(columns)]
    surplus = sum(widths) + GAP * (len(widths) - 1) - min(console.width, width)
    widths[0] = max(SHORTEST, widths[0] - max(0, surplus))
    header = _line([column.header for column in columns], columns, widths)
    console.print(Text(header, "bold"), soft_wrap=True)
    for line, cells in zip(lines, table.lines, strict=True):
        text = Text(_line(line, columns, widths))
        at = 0
        for place, at_width in zip(places, widths, strict=True):
            if cells[place].strong:
                text.stylize("bold green", at, at + at_width)
            at += at_width + GAP
        console.print(text, soft_wrap=True)


def _folding(table: Table) -> RichTable:
    """A table whose long cells fold."""
    found = RichTable(box=SIMPLE_HEAD)
    for column in table.columns:
        found.add_column(Text(column.header), justify="left" if column.align == "l" else "right", overflow="fold")
    for line in table.lines:
        found.add_row(*(Text(cell.whole) for cell in line))
    return found


def _text(cell: Cell) -> str:
    """A cell on one line; marks stand behind, in a column of their own."""
    return f"{' '.join(filter(None, [cell.text, cell.detail]))}{cell.mark or ' '}" if cell.detail else cell.whole


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        cut = cell if len(cell) <= width else f"{cell[: width - 1]}…"
        parts.append(cut.ljust(width) if column.align == "l" else cut.rjust(width))
    return (" " * GAP).join(parts).rstrip()


def say(console: Console, text: str, style: str = "") -> None:
    """Wrapped at 80 columns, without markup: names may hold brackets."""
    for line in Text(text, style).wrap(console, min(console.width, WIDEST)):
        line.rstrip()
        console.print(line, soft_wrap=True)
