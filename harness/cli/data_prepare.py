"""`oneshot data prepare`: decode every clip once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmact_oneshot.harness.cli.options import STORES, Layout, Override, Preset, Stores, Workers


def command(
    root: Annotated[Path, typer.Argument(help="The folder that holds the recordings.", show_default=False)],
    layout: Layout = None,
    preset: Preset = "quick",
    override: Override = None,
    store: Stores = STORES,
    workers: Workers = None,
) -> None:
    """Decode every clip once into a memory-mapped store; training never opens a video.

    Can be stopped and started again; a second run finds nothing to do.

    Example: oneshot data prepare ~/MMAct --preset standard --store /fast/disk
    """
    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.cli.watch import TerminalWatcher
    from mmact_oneshot.harness.config.presets import load_settings
    from mmact_oneshot.harness.data.layouts import index
    from mmact_oneshot.harness.data.prepare import is_prepared, prepare

    settings = load_settings(preset, override or [])
    table = index(root, layout)
    if is_prepared(table, settings.store, store):
        done = prepare(table, settings.store, store)
        console.print(f"Nothing to do: {done.folder} is complete.", soft_wrap=True)
        return
    watcher = TerminalWatcher(console)
    watcher.begin(f"decoding {len(table.frame):,} clips", None)
    try:
        done = prepare(table, settings.store, store, workers=workers, progress=watcher.advance, watcher=watcher)
    finally:
        watcher.end()
    size = sum(file.stat().st_size for file in done.folder.rglob("*") if file.is_file())
    console.print(f"{done.folder}: {done.manifest['clips']:,} clips, {size / 1e6:,.0f} MB", soft_wrap=True)
    problems = done.manifest["problems"]
    if problems:
        console.print(f"{len(problems):,} problems, the first: {problems[0]['path']}: {problems[0]['detail']}")
        console.print("All of them, with remedies: oneshot data verify")
