"""`oneshot report`: tables from records alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of a run, its folder of records, or a folder of several runs (which get a README.md that "
            "opens them); by default the latest run below ./runs.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the files go; by default beside the records.", show_default=False),
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="A .py file with a metric of your own. Repeatable.")
    ] = None,
    figure: Annotated[
        list[str] | None, typer.Option("--figure", help="A .py file with a figure of your own. Repeatable.")
    ] = None,
    png: Annotated[bool, typer.Option("--png", help="Every figure as PNG, and not the main ones alone.")] = False,
) -> None:
    """Print the tables of a run again and write its reports, from the records alone: a page that works without a
    network (report.html), Markdown, LaTeX, CSV, BibTeX, and the figures as SVG and PNG.

    Nothing is trained or scored, and the same records give the same files byte for byte.

    Examples:

        oneshot report results/utd-mhad --out /tmp/report

        oneshot report --metric ./never_right.py
    """
    from mmact_oneshot.harness.cli.console import console, show_pages
    from mmact_oneshot.harness.cli.runs import latest_run
    from mmact_oneshot.harness.report import Report, alone, read_report, records_folder, write_files, write_overview
    from mmact_oneshot.harness.report.writers.terminal import show

    chosen = latest_run() if folder is None else folder
    several = {} if (chosen / "records").is_dir() else {path.parent.name: path for path in chosen.glob("*/records")}
    written: list[Path] = []
    reports: dict[str, Report] = {}
    for name, records in sorted(several.items()) or [("", records_folder(chosen))]:
        target = records.parent if out is None else out / name
        with alone(target):
            report = reports[name] = read_report(records, metric or ())
            written += write_files(report, records, target, png, figure or ())
        show(report, console)
        console.print()
    if several:
        written.append(write_overview(reports, chosen, out or chosen))
    show_pages(written)
