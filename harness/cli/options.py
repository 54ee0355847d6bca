"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Option("--data", help="Folder of recordings, or a prepared store.", show_default=False)]
Layout = Annotated[str | None, typer.Option("--layout", help="mmact, mmact-flat or utd-mhad; recognised if not given.")]
Split = Annotated[str | None, typer.Option("--split", help="mmact, utd-mhad, generated, or a TOML file of classes.")]
Preset = Annotated[str, typer.Option("--preset", help="quick, standard, full, published, or a TOML file.")]
Override = Annotated[
    list[str] | None, typer.Option("--set", help="Override a setting: --set end_to_end.steps=50. Repeatable.")
]
Stores = Annotated[Path, typer.Option("--store", help="Folder in which prepared stores are kept.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; by default one for each core.")]
STORES = Path("store")
