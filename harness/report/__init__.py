"""Reports made from records alone: on the terminal, as Markdown and as a picture. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.report.load import load, records_folder
from harness.report.tables import Report, build

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Report", "print_report", "read_report", "records_folder", "write_report"]


def read_report(folder: Path) -> Report:
    """The tables of a run folder or its folder of records.

    Raises:
        HarnessError: no records, or a broken one; the file and the field are named.
    """
    return build(load(folder))


def write_report(records_folder: Path, out: Path) -> list[Path]:
    """Write ``report.md`` and ``table.svg`` to ``out``: byte for byte the same for the same records.

    Returns:
        The files written.

    Raises:
        HarnessError: no records, or a broken one; the file and the field are named.
    """
    return write_files(read_report(records_folder), out)


def write_files(report: Report, out: Path) -> list[Path]:
    """Write a report that was read before."""
    from harness.report.markdown import markdown
    from harness.report.picture import picture

    out.mkdir(parents=True, exist_ok=True)
    content = {"report.md": markdown(report), "table.svg": picture(report)}
    for name, text in content.items():
        temporary = out / f"{name}.tmp"
        temporary.write_text(text, "utf-8", newline="\n")
        temporary.replace(out / name)
    return [out / name for name in content]


def print_report(records_folder: Path, console: Console) -> None:
    """Print the tables.

    Raises:
        HarnessError: no records, or a broken one; the file and the field are named.
    """
    from harness.report.terminal import show

    show(read_report(records_folder), console)
