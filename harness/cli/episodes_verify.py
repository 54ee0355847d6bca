"""`oneshot episodes verify`: do the suites come out here as they were committed?"""

from __future__ import annotations

import typer


def command() -> None:
    """Draw every committed suite again and compare its digest; exits with 1 if any differs.

    Example: oneshot episodes verify
    """
    from rich.table import Table
    from rich.text import Text

    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.cli.episodes_build import suites_of
    from mmact_oneshot.harness.data.episodes.suites import committed_digests

    table = Table("split", "suite", "episodes", "digest", "")
    wrong = 0
    for split, digests in committed_digests().items():
        built, _ = suites_of(split, list(digests))
        for name, expected in digests.items():
            same = name in built and built[name].digest == expected
            wrong += not same
            count = f"{built[name].spec.episodes:,}" if name in built else "-"
            table.add_row(split, name, count, expected[:16], "as committed" if same else Text("DIFFERENT", "red"))
    console.print(table)
    if wrong:
        console.print(f"{wrong} suites differ: results would not be comparable with anybody else's.", style="red")
        raise typer.Exit(1)
