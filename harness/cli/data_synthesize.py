"""`oneshot data synthesize`: a generated data set in MMAct's layout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmact_oneshot.harness.cli.options import Workers


def command(
    root: Annotated[Path, typer.Argument(help="A new or empty folder.", show_default=False)],
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    subjects: Annotated[int, typer.Option(min=1, help="How many people.")] = 8,
    cameras: Annotated[int, typer.Option(min=1, help="How many cameras see each performance.")] = 2,
    defects: Annotated[bool, typer.Option("--defects", help="Plant every known defect of the real data.")] = False,
    workers: Workers = None,
) -> None:
    """Write a generated data set: films and wearable sensors of a simulated body, in MMAct's official layout.

    Examples:
        oneshot data synthesize ~/data/generated
        oneshot data synthesize ~/data/broken --defects --subjects 4
    """
    import os
    from collections import Counter

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.data.synthetic import SyntheticSettings, synthesize

    settings = SyntheticSettings(seed=seed, subjects=subjects, cameras=cameras, defects=defects)
    columns = (TextColumn("Performances"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("performances", total=None)
        written = synthesize(
            root,
            settings,
            workers or os.cpu_count() or 1,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if written.performances == 0:
        console.print(f"Nothing to do: {root} is complete ({written.total:,} performances).", soft_wrap=True)
    else:
        console.print(f"{written.performances:,} of {written.total:,} performances written to {root}", soft_wrap=True)
    for kind, count in Counter(item.kind for item in written.planted).items():
        console.print(f"{count} x {kind}", highlight=False)
    if written.planted:
        console.print(f"What was planted is listed in {root / 'planted.json'}", soft_wrap=True)
