"""Markdown's building blocks: tables padded so that the text itself can be read, and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote


def escape(text: str) -> str:
    """Names come from files and plugins: nothing in them may end a cell, open a tag or start emphasis. (Underscores
    inside a word do neither.)"""
    for sign in "\\|*<>`":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def grid(header: Sequence[str], cells: Sequence[Sequence[str]], align: Sequence[str]) -> str:
    """A table.

    Args:
        header: (C,) of the columns.
        cells: (R, C), escaped.
        align: (C,) ``l`` or ``r`` for each column; anything else is left to the reader's program.
    """
    widths = [max(3, *(len(row[place]) for row in [header, *cells])) for place in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if side == "r" else cell.ljust(width)
            for cell, width, side in zip(row, widths, align, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = " | ".join(
        "-" * (width - 1) + ":" if side == "r" else "-" * width for width, side in zip(widths, align, strict=True)
    )
    return "\n".join([line(header), f"| {rule} |", *(line(row) for row in cells)])


def bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def image(text: str, path: str) -> str:
    """A picture with its text alternative; neither can end the link."""
    plain = escape(text).replace("[", "(").replace("]", ")")
    return f"![{plain}]({quote(path)})"
