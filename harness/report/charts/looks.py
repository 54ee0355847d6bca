"""What a row looks like in all charts: a mark and a colour for what it sees, and a name that its section completes."""

from __future__ import annotations

from harness.report import words
from harness.report.rows import Row
from harness.report.tables import Section

SEEN = {"video": ("circle", "one"), "sensors": ("square", "two"), "both": ("diamond", "three")}
OTHER = ("triangle", "four")


def seen(row: Row) -> str:
    """What it sees, in a word."""
    return words.modality_name(row.training.modalities)


def mark(row: Row) -> tuple[str, str]:
    """Shape and colour, by what it sees."""
    return SEEN.get(seen(row), OTHER)


def label(section: Section, row: Row) -> str:
    """The row within its section; with what it sees where the heading does not say so."""
    return row.label if section.digest is not None else f"{row.label}, {seen(row)}"
