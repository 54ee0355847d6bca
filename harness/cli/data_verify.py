"""`oneshot data verify`: what is wrong with the recordings, how it is handled, and what to do about it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmact_oneshot.harness.cli.data_index import LayoutName, Root

if TYPE_CHECKING:
    import pandas as pd

    from mmact_oneshot.harness.data.clips import ClipTable
    from mmact_oneshot.harness.data.verify import VerifyReport


def command(
    root: Root,
    layout: LayoutName = None,
    split: Annotated[
        str | None,
        typer.Option(help="The split whose clips are expected: a name or a file. By default that of the layout."),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every defect to this CSV file.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Read names only; open no recording.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")] = None,
) -> None:
    """List every defect of a data set with the rule that handles it and the remedy; and the expected counts.

    Exits with 0 where all recordings are usable (known defects are handled by stated rules), and with 1 where
    a video or a sensor file is not.

    Example: oneshot data verify ~/MMAct --csv defects.csv
    """
    from rich.progress import Progress

    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.data import layouts
    from mmact_oneshot.harness.data.tabular import write_csv
    from mmact_oneshot.harness.data.verify import verify

    table = layouts.index(root, layout)
    expected, classes = _expected(table, split)
    with Progress(console=console, transient=True, disable=quick) as progress:
        task = progress.add_task("Opening performances", total=None)
        report = verify(
            table,
            expected=expected,
            known_classes=classes,
            deep=not quick,
            workers=workers or os.cpu_count() or 1,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    _show(report)
    if csv is not None:
        write_csv(report.defects, csv)
        console.print(f"All {len(report.defects):,} defects are in {csv}", soft_wrap=True)
    elif len(report.defects):
        console.print("Every defect in full: --csv FILE")
    if not report.usable:
        raise typer.Exit(1)


def _expected(table: ClipTable, name: str | None) -> tuple[pd.DataFrame | None, frozenset[str] | None]:
    """The clips and the classes of a split, as far as they are known apart from the recordings."""
    from mmact_oneshot.harness.data.splits import clip_list, default_split, load_split

    chosen = name or default_split(table.layout, table.generated)
    if chosen is None:
        return None, None
    split = load_split(chosen)
    if table.generated is None and split.clips is None:
        return None, split.classes
    return clip_list(split, table.generated, table.frame, table.layout), split.classes


def _show(report: VerifyReport) -> None:
    import pandas as pd
    from rich.table import Table

    from mmact_oneshot.harness.cli.console import console

    counts = Table("", "found", "expected", title="Counts")
    for what, found, expected in report.counts.itertuples(index=False, name=None):
        counts.add_row(what, f"{found:,}", "unknown" if pd.isna(expected) else f"{expected:,}")
    console.print(counts)
    if not len(report.defects):
        console.print("No defect.")
        return
    kinds = Table("kind", "count", title="Defects", show_lines=True)
    for column in ("example", "rule", "remedy"):
        kinds.add_column(column, overflow="fold")
    for kind in report.kinds.itertuples():
        name = f"{kind.kind} (unusable)" if kind.unusable else str(kind.kind)
        kinds.add_row(name, f"{kind.count:,}", *map(str, (kind.example, kind.rule, kind.remedy)))
    console.print(kinds)
    if not report.deep:
        console.print("The names alone were read: leave out --quick to open every recording.")
