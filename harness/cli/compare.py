"""`oneshot compare`: the difference of two rows, with everything that is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    first: Annotated[str, typer.Argument(metavar="A", help="A row, FOLDER:ROW, or a folder.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="B", help="The same.", show_default=False)],
    folder: Annotated[
        Path | None,
        typer.Option("--in", help="Folder of a run, for rows alone; by default the latest below ./runs."),
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", help="Only this study; by default the first that has the row.")
    ] = None,
    suite: Annotated[
        list[str] | None, typer.Option("--suite", help="Only this suite. Repeatable; by default all that both have.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: shares in 0..1, differences A minus B.")] = False,
) -> None:
    """Compare two rows in pairs: the same episodes, the same seeds; from the records alone.

    A row is named as the report names it, or by enough of it to tell it from the others: parts in their order,
    separated by commas. A folder alone stands for the row of the other side's name, and two folders for all rows that
    both have: two versions of a method or of the code. Exits with 0 whatever comes out.

    Examples:

        oneshot compare "mu_mae, both" "trx, both" --in runs/quick-embedded

        oneshot compare "runs/old:mine, both" "runs/new:mine, both" --suite test

        oneshot compare runs/old runs/new --json
    """
    from json import dumps

    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.cli.runs import latest_run
    from mmact_oneshot.harness.report.model.comparison import comparison_blocks, folder_blocks
    from mmact_oneshot.harness.report.results.compare_all import adjusted_p, compare_selected
    from mmact_oneshot.harness.report.results.row_selectors import Scope, select, selector
    from mmact_oneshot.harness.report.writers.comparison_json import comparison_json
    from mmact_oneshot.harness.report.writers.terminal import say, show_blocks

    a, b = selector(first, folder, latest_run), selector(second, folder, latest_run)
    whole = a.row is None and b.row is None
    found, left_out = compare_selected(select(a, b, Scope(study, suite or ())), strict=not whole)
    adjusted = adjusted_p(found) if whole else [None] * len(found)
    if json:
        content = [comparison_json(each, len(found), p) for each, p in zip(found, adjusted, strict=True)]
        typer.echo(dumps({"comparisons": content, "left_out": left_out}, indent=1, allow_nan=False))
        return
    show_blocks(folder_blocks(found, adjusted_p(found)) if whole else comparison_blocks(found), console)
    for text in left_out:
        say(console, f"{text}.", "dim")
