"""`oneshot episodes audit`: what the episodes give away."""

from __future__ import annotations

from typing import Annotated

import typer

from mmact_oneshot.harness.cli.episodes_build import suites_of


def command(
    suite: Annotated[
        list[str] | None, typer.Option("--suite", help="Suites; by default all that are possible.")
    ] = None,
    split: Annotated[str, typer.Option("--split", help="mmact, utd-mhad or generated.")] = "mmact",
) -> None:
    """Shared performances, subjects and cameras of query and true support, and what oracles reach that see only these.

    Built from the split alone; no recordings are needed.

    Example: oneshot episodes audit --split mmact --suite test --suite test-paper
    """
    from rich.table import Table

    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.data.episodes.audit import audit

    built, impossible = suites_of(split, suite)
    table = Table("", *built, title=f"{split}: shares in percent")
    figures = {name: audit(each) for name, each in built.items()}
    for key in next(iter(figures.values())):
        table.add_row(key, *(f"{100 * figures[name][key]:.2f}" for name in built))
    console.print(table)
    console.print(
        "'same X': query and a support clip of its class agree in X. 'X oracle': accuracy of knowing X alone."
    )
    console.print("Below chance: the rule keeps the true class from agreeing in X, so recognising X misleads.")
    for reason in impossible:
        console.print(f"not possible: {reason}")
