"""`oneshot data index`: what there is, by name alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Root = Annotated[Path, typer.Argument(help="The folder that holds the recordings.", show_default=False)]
LayoutName = Annotated[
    str | None,
    typer.Option("--layout", help="mmact, mmact-flat or utd-mhad; recognised by looking if not given."),
]


def command(
    root: Root,
    layout: LayoutName = None,
    out: Annotated[Path | None, typer.Option(help="Write the clip table to this CSV file.")] = None,
) -> None:
    """List the clips of a data set from the names of its files; no recording is opened.

    Example: oneshot data index ~/MMAct --out clips.csv
    """
    from collections import Counter

    from rich.table import Table

    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.data import layouts
    from mmact_oneshot.harness.data.tabular import write_csv

    table = layouts.index(root, layout)
    clips = table.frame
    performances = clips.drop_duplicates("performance")
    generated = ", generated data" if table.generated is not None else ""
    console.print(f"{root}: layout {table.layout}{generated}", highlight=False, soft_wrap=True)
    summary = Table("", "found")
    for what in ("class_name", "subject", "camera", "scene", "session"):
        summary.add_row({"class_name": "classes"}.get(what, f"{what}s"), f"{clips[what].nunique():,}")
    summary.add_row("performances", f"{len(performances):,}")
    summary.add_row("clips", f"{len(clips):,}")
    for sensor in table.sensor_names:
        summary.add_row(f"performances with {sensor}", f"{(performances[sensor] != '').sum():,}")
    console.print(summary)
    for kind, count in Counter(defect.kind for defect in table.defects).most_common():
        console.print(f"{count:,} x {kind}", highlight=False)
    if table.defects:
        console.print(f"The rule and the remedy of each: oneshot data verify {root}", soft_wrap=True)
    if out is not None:
        write_csv(clips, out)
        console.print(f"The clip table is in {out}", soft_wrap=True)
