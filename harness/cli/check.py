"""`oneshot check`: does a method keep the contract?"""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    method: Annotated[str, typer.Argument(help="A method's name, or a .py file with one.", show_default=False)],
) -> None:
    """Run the conformance checks on a method, for every choice of modalities that it can use.

    Exits with 1 if any fails.

    Example: oneshot check ./my_method.py
    """
    from rich.table import Table

    from mmact_oneshot.harness.benchmark.conformance.checks import check_method
    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.plugins.methods import load_method
    from mmact_oneshot.harness.plugins.registry import plugin_label

    chosen = load_method(method)
    usable = chosen.needs.modalities
    choices = [(name,) for name in usable] + ([("video", "sensors")] if len(usable) > 1 else [])
    failed = 0
    for modalities in choices:
        table = Table("check", "", "detail", title=f"{plugin_label(method)} on {' and '.join(modalities)}")
        for finding in check_method(chosen, modalities):
            failed += not finding.passed
            table.add_row(finding.name, "passed" if finding.passed else "[red]FAILED[/red]", finding.detail)
        console.print(table)
    if failed:
        console.print(f"[red]{failed} checks failed.[/red]")
        raise typer.Exit(1)
