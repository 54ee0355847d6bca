"""Reports made from records alone: on the terminal, as a page, Markdown, LaTeX, CSV and figures. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.report.load import load, records_folder
from harness.report.tables import Report, build

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Report", "print_report", "read_report", "records_folder", "write_files", "write_overview", "write_report"]

FIGURES = "figures"


def read_report(folder: Path) -> Report:
    """The tables of a run folder or its folder of records.

    Raises:
        HarnessError: no records, or a broken one; the file and the field are named.
    """
    return build(load(folder))


def write_report(records: Path, out: Path) -> list[Path]:
    """Write all reports of a folder of records to ``out``: byte for byte the same for the same records.

    Returns:
        The files written, without the single figures.

    Raises:
        HarnessError: no records, or a broken one; the file and the field are named.
    """
    return write_files(read_report(records), records, out)


def write_files(report: Report, records: Path, out: Path, every_png: bool = False) -> list[Path]:
    """Write a report that was read before; pictures of pre-trainings are beside the records.

    Args:
        every_png: all figures as PNG, and not the main ones alone.
    """
    from harness.report.charts import figures
    from harness.report.csv_files import csv_files
    from harness.report.html import html, read_pictures
    from harness.report.latex import latex
    from harness.report.markdown import markdown
    from harness.report.picture import picture

    content = {
        "report.html": html(report, read_pictures(report, records)),
        "report.md": markdown(report),
        "report.tex": latex(report),
        "table.svg": picture(report),
        **csv_files(report),
    }
    written = _write(out, {name: text.encode() for name, text in content.items()})
    drawn = figures(report, every_png)
    _write(out / FIGURES, drawn)
    for old in (out / FIGURES).iterdir():  # of a row or suite that is no more
        if old.name not in drawn and old.suffix in {".svg", ".png"}:
            old.unlink()
    return written


def write_overview(reports: Mapping[str, Report], folder: Path, out: Path) -> Path:
    """Write the page that opens a folder of several runs.

    Args:
        reports: by the folder that each lies in.
        folder: holds the runs and, where there is one, the record of the simulation of intervals.
    """
    from harness.report.overview import COVERAGE, overview, read_coverage

    (written,) = _write(out, {"README.md": overview(reports, read_coverage(folder / COVERAGE)).encode()})
    return written


def _write(out: Path, content: Mapping[str, bytes]) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        temporary = out / f"{name}.tmp"
        temporary.write_bytes(data)
        temporary.replace(out / name)
    return [out / name for name in content]


def print_report(records_folder: Path, console: Console) -> None:
    """Print the tables.

    Raises:
        HarnessError: no records, or a broken one; the file and the field are named.
    """
    from harness.report.terminal import show

    show(read_report(records_folder), console)
