"""`oneshot report`: tables from records alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RUNS = Path("runs")


def command(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of a run, or its folder of records; by default the one run below ./runs.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where report.md and table.svg go; by default beside the records.", show_default=False),
    ] = None,
) -> None:
    """Print the tables of a run again and write report.md and table.svg, from its records alone.

    Nothing is trained or scored, and the same records give the same files byte for byte.

    Example: oneshot report results/utd-mhad --out /tmp/report
    """
    from harness.cli.console import console
    from harness.report import read_report, records_folder, write_files
    from harness.report.terminal import show

    records = records_folder(_only_run() if folder is None else folder)
    report = read_report(records)
    written = write_files(report, out or records.parent)
    show(report, console)
    console.print()
    for path in written:
        console.print(f"written: {path}", markup=False, soft_wrap=True)


def _only_run() -> Path:
    """The run that is meant where none is named.

    Raises:
        HarnessError: there is none below ``runs``, or more than one.
    """
    from harness.errors import HarnessError

    found = sorted(path.parent for path in RUNS.glob("*/records"))
    if len(found) != 1:
        known = f"Name one of: {', '.join(map(str, found))}." if found else "`oneshot run` makes one."
        raise HarnessError(f"{len(found)} runs here.", where=RUNS, remedy=known)
    return found[0]
