"""`oneshot merge`: one table from runs that were made apart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, or their folders of records.")],
    out: Annotated[Path, typer.Option(help="Folder of the merged records and their report; none of the runs.")],
) -> None:
    """Put the records of several runs together, and report on them: rows, seeds or studies that were run on machines
    that share no folder.

    Each record is copied as it is, the rows of a study are united, and all test accesses are kept. Two runs that say
    different things of one step are refused. Only records are copied: to add rows, continue one of the runs and merge
    again.

    Examples:

        oneshot merge runs/video runs/sensors --out runs/merged
    """
    from shutil import rmtree

    from mmact_oneshot.harness.cli.console import console, show_pages
    from mmact_oneshot.harness.records.merging import merge, require_all_again
    from mmact_oneshot.harness.report import alone, read_report, records_folder, write_files
    from mmact_oneshot.harness.report.writers.terminal import show
    from mmact_oneshot.harness.runtime.errors import HarnessError

    sources, records, fresh = [records_folder(run) for run in runs], out / "records", out / "records.tmp"
    for run, source in zip(runs, sources, strict=True):
        if source.resolve() in (records.resolve(), out.resolve()):
            raise HarnessError("one of the runs.", where=out, remedy="Name another folder with --out.")
        if sources.count(source) > 1:
            raise HarnessError("named twice.", where=run, remedy="Name each run once.")
    for folder in (records, fresh):
        if folder.is_symlink():
            raise HarnessError("a link.", where=folder, remedy="Remove it, or name another folder with --out.")
    with alone(out):
        rmtree(fresh, ignore_errors=True)
        try:
            origin = merge(sources, fresh)
            try:
                report = read_report(fresh)
            except HarnessError as error:  # which is of a file that goes again
                if isinstance(error.where, Path):
                    error.where = origin.get(error.where, error.where)
                raise
            require_all_again(records, fresh)
            rmtree(records, ignore_errors=True)
            fresh.replace(records)
        finally:
            rmtree(fresh, ignore_errors=True)
        pages = write_files(report, records, out)
    show(report, console)
    console.print()
    show_pages(pages)
