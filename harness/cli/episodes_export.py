"""`oneshot episodes export`: the episodes of a run, for methods that work outside this harness."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    suite: Annotated[str, typer.Argument(help="The suite.")] = "test",
    folder: Annotated[
        Path | None, typer.Option("--in", help="Folder of a run; by default the latest below ./runs.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Its recordings, where no published list names the clips.")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Its split, where that is a file.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="A CSV file; by default SUITE.csv.")] = None,
) -> None:
    """Write the very episodes of a run as CSV, a row per clip: what `oneshot score` wants predictions for.

    Columns: episode, from 0; role, support or query; query, the number of a query in its episode, from 0, empty for
    support clips; label, the position of its class in the episode, 0 to way - 1; class_name; clip, as the data set
    names it. The labels of queries are the answers: a method may not see them. Refused where the clip list at hand
    gives other episodes than the run had.

    Example: oneshot episodes export test --in runs/quick-embedded --out episodes.csv
    """
    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.cli.runs import latest_run
    from mmact_oneshot.harness.data.episodes.table import episode_table
    from mmact_oneshot.harness.data.layouts import index
    from mmact_oneshot.harness.data.tabular import write_csv
    from mmact_oneshot.harness.evaluation.external import rebuilt_suite
    from mmact_oneshot.harness.records import RecordFolder
    from mmact_oneshot.harness.report import records_folder

    records = RecordFolder(records_folder(latest_run() if folder is None else folder))
    built = rebuilt_suite(records, suite, split, None if data is None else index(data).frame)
    path = out or Path(f"{suite}.csv")
    write_csv(episode_table(built), path)
    console.print(f"{path}: {built.spec.episodes:,} episodes, digest {built.digest[:16]}", soft_wrap=True)
