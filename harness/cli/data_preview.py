"""`oneshot data preview`: a contact sheet of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmact_oneshot.harness.cli.options import Layout


def command(
    root: Annotated[Path, typer.Argument(help="The folder that holds the recordings.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The picture to write (.png, .pdf or .svg).")] = Path("preview.png"),
    classes: Annotated[str, typer.Option(help="Classes, parted by commas; six spread over all if not given.")] = "",
    frames: Annotated[int, typer.Option(min=1, help="Frames of each clip.")] = 7,
    layout: Layout = None,
) -> None:
    """Draw frames of some clips with the traces of their sensors under them.

    Example: oneshot data preview ~/data/generated --out sheet.png --classes waving_hand,kicking,walking
    """
    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.data.layouts import find_layout, index
    from mmact_oneshot.harness.data.preview import preview

    table = index(root, layout)
    names = [name.strip() for name in classes.split(",") if name.strip()]
    shown = preview(table, find_layout(root, layout), out, names, frames)
    console.print(f"{len(shown)} clips are shown in {out}", highlight=False, soft_wrap=True)
