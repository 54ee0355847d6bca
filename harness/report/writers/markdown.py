"""Blocks as Markdown: the first screen of a report, short enough for a README, and the main tables of its studies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from mmact_oneshot.harness.report.model.blocks import Block, Cell, Document, Items, Links, Paragraph, Section, Table
from mmact_oneshot.harness.runtime.names import printable

_LINK = re.compile(r"\](?=[(\[:])")  # the end of what a link, a picture or the address of one begins with


def markdown(document: Document, picture: str = "") -> str:
    """The front of a report and the main tables of its other studies; the page has everything.

    Args:
        picture: path of the matrix as a picture.
    """
    parts = [f"# {escape(document.title)}", escape(document.subtitle), *_blocks(document.warnings, 2)]
    parts += [image("The matrix as a picture", picture)] if picture else []
    parts += _blocks(document.main.blocks, 2) if document.main is not None else []
    for section in document.sections:
        if not section.folded and any(isinstance(block, Table | Items) for block in section.blocks):
            parts += [f"## {escape(section.title)}", *_blocks(section.blocks, 3)]
    return printable("\n\n".join(parts) + "\n")


def overview_markdown(sections: Sequence[Section]) -> str:
    """The page that opens a folder of several reports."""
    parts = ["# Results", "Made by `oneshot report` from the records in these folders, and from nothing else."]
    for section in sections:
        parts += [f"## {escape(section.title)}", *_blocks(section.blocks, 3)]
    return printable("\n\n".join(parts) + "\n")


def _blocks(blocks: Sequence[Block], level: int) -> list[str]:
    """Open blocks; folded sections and charts are left to the page."""
    parts: list[str] = []
    for block in blocks:
        match block:
            case Paragraph(text, tone):
                loud = tone in ("warning", "alarm")
                parts.append(f"> **{escape(text)}**" if loud else code(text))
            case Links(links):
                parts.append("Whole report: " + ", ".join(link_to(link.text, link.name) for link in links) + ".")
            case Items(items):
                parts.append(bullets(map(code, items)))
            case Table():
                parts += [f"{'#' * level} {escape(block.title)}"] if block.title else []
                parts += [grid(block), *([code(block.caption)] if block.caption else [])]
            case Section() if not block.folded:
                parts += [f"{'#' * level} {escape(block.title)}", *_blocks(block.blocks, level + 1)]
            case _:
                pass
    return parts


def grid(table: Table) -> str:
    """A table, padded so that the text itself can be read. Groups of columns become part of the headers."""
    groups = {column.group for column in table.columns if column.group}
    header = [
        f"{column.header}, {column.group.split(' (')[0]}" if column.group and len(groups) > 1 else column.header
        for column in table.columns
    ]
    rows = [[escape(text) for text in header], *([_cell(cell) for cell in line] for line in table.lines)]
    widths = [max(3, *(len(row[place]) for row in rows)) for place in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if column.align == "r" else cell.ljust(width)
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        )
        return f"| {' | '.join(cells)} |"

    rule = " | ".join(
        "-" * (width - 1) + ":" if column.align == "r" else "-" * width
        for width, column in zip(widths, table.columns, strict=True)
    )
    return "\n".join([line(rows[0]), f"| {rule} |", *(line(row) for row in rows[1:])])


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    strong = f"**{text}**" if cell.strong else text
    return " ".join(filter(None, [strong, escape(cell.detail)])) + escape(cell.mark)


def escape(text: str) -> str:
    """Names come from files and plugins: nothing in them may end a cell, open a tag, a link or a picture, or start
    emphasis. (Underscores inside a word do none of it, nor do brackets that no address follows.)"""
    for sign in "\\|*<>`":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(_LINK.sub(r"\\]", text).split())


def code(text: str) -> str:
    """Escaped, with what stands between backticks left as code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return escape(text)
    return "".join(
        f"`{' '.join(piece.split())}`" if odd % 2 else escape(piece) if piece.strip() == piece else _spaced(piece)
        for odd, piece in enumerate(pieces)
    )


def _spaced(piece: str) -> str:
    """Escaped, with the spaces at its ends."""
    left, right = " " * piece.startswith(" "), " " * (piece.endswith(" ") and bool(piece.strip()))
    return f"{left}{escape(piece)}{right}"


def bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def link_to(text: str, path: str) -> str:
    """A link whose text cannot end it."""
    return f"[{escape(text).replace('[', '(').replace(']', ')')}]({quote(path)})"


def image(text: str, path: str) -> str:
    """A picture with its text alternative; neither can end the link."""
    plain = escape(text).replace("[", "(").replace("]", ")")
    return f"![{plain}]({quote(path)})"
