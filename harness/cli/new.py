"""`oneshot new`: a working file to start from, with its test."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class What(StrEnum):
    """What can be begun."""

    method = "method"
    encoder = "encoder"
    layout = "layout"
    metric = "metric"


def command(
    kind: Annotated[What, typer.Argument(help="method, encoder, layout or metric.", show_default=False)],
    name: Annotated[str, typer.Argument(help="In lower case: my_method.", show_default=False)],
    folder: Annotated[Path, typer.Option("--in", help="Where the files go.")] = Path(),
    package: Annotated[
        bool, typer.Option("--package", help="An installable package with an entry point, for others to install.")
    ] = False,
) -> None:
    """Write a working, commented method, encoder, layout or metric, and its test.

    Examples:

        oneshot new method my_method

        oneshot new method my_method --package
    """
    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.cli.scaffold import next_steps, write_new

    written = write_new(kind.value, name, folder, package)
    for path in written:
        console.print(f"written: {path}", soft_wrap=True)
    for line in next_steps(kind.value, name, written[0], package):
        console.print(line, soft_wrap=True)
