"""What a report is made of: typed blocks, which writers turn into HTML, Markdown, LaTeX and terminal text.

Text is plain: writers escape it. Only what stands between backticks is set as code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mmact_oneshot.harness.report.charts.figure import Figure

Tone = Literal["plain", "note", "warning", "alarm"]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; notes are set small, warnings and alarms stand out."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what is read first.
        detail: what is set smaller behind it: an interval.
        mark: a sign behind both, such as a tie; explained in the caption.
        strong: the best of its kind.
        key: what it is sorted by; empty where nothing is known, which comes last in any order.
        tip: why there is nothing in the cell, or what stands behind it.
        target: id of the section to which the cell links.
    """

    text: str
    detail: str = ""
    mark: str = ""
    strong: bool = False
    key: str = ""
    tip: str = ""
    target: str = ""

    @property
    def whole(self) -> str:
        """All of it on one line."""
        return " ".join(filter(None, [self.text, self.detail])) + self.mark


@dataclass(frozen=True)
class Column:
    """A column; ``group`` names several neighbours together."""

    header: str
    align: Literal["l", "r"] = "r"
    group: str = ""


@dataclass(frozen=True)
class Table:
    """A table. The first cell of a line is its header.

    Attributes:
        name: letters, digits, hyphens and underscores; unique in the report.
        lines: (R, C).
        beside: columns that a narrow page leaves out, because the table stands elsewhere as well.
        caption: at most 40 words.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    lines: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    beside: tuple[int, ...] = ()
    sortable: bool = False


@dataclass(frozen=True)
class Chart:
    """A figure with its table; ``file`` is its name as a file of its own, empty where it has none."""

    figure: Figure
    file: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture that lies beside the records.

    Attributes:
        text: in place of the picture, for who cannot see it.
        path: from the folder of the report.
    """

    text: str
    path: str
    content: bytes = b""


@dataclass(frozen=True)
class Link:
    """A file to download, or a section to go to."""

    text: str
    name: str
    content: str = ""


@dataclass(frozen=True)
class Links:
    """Links in a line."""

    links: tuple[Link, ...]


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        name: id: letters, digits, hyphens and underscores; unique in the report.
        folded: closed until a reader opens it.
    """

    name: str
    title: str
    blocks: tuple[Block, ...]
    folded: bool = False


Block = Paragraph | Items | Table | Chart | Picture | Links | Section


@dataclass(frozen=True)
class StudyBlocks:
    """The main tables of a study.

    Attributes:
        notes: why rows are not ranked.
        sentences: what follows, one for each choice of modalities.
        answers: how the rows stand to the reference, by modality, in words; the page has them beside the matrix.
        pairs: the reference against every other row; None where nothing is compared.
    """

    question: str
    matrix: Table
    notes: Items
    sentences: Items
    answers: Items
    pairs: Table | None

    @property
    def blocks(self) -> tuple[Block, ...]:
        notes = (self.notes,) if self.notes.items else ()
        pairs = () if self.pairs is None else (self.pairs,)
        return (Paragraph(self.question), self.matrix, *notes, self.sentences, *pairs)


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes:
        title, subtitle: data set, preset, date.
        warnings: what must be known before any figure.
        main: question, matrix and findings of the main study: the first screen; None where nothing was scored.
        sections: everything below it.
    """

    title: str
    subtitle: str
    warnings: tuple[Paragraph, ...]
    main: StudyBlocks | None
    sections: tuple[Section, ...] = ()

    def blocks(self) -> Iterator[Block]:
        """Every block below the first screen, in order, those of a section after the section."""
        yield from _walk(self.sections)


def _walk(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Section):
            yield from _walk(block.blocks)


def plain_table(
    name: str,
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    align: str = "",
    caption: str = "",
) -> Table:
    """A table of texts.

    Args:
        align: a letter for each column; by default the first left and the others right.
    """
    sides = align or "l" + "r" * (len(header) - 1)
    columns = tuple(Column(text, "l" if side == "l" else "r") for text, side in zip(header, sides, strict=True))
    return Table(name, title, columns, tuple(tuple(Cell(text) for text in row) for row in rows), caption)
