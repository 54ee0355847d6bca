"""`oneshot doctor`: what is installed here, what is missing, and how to get it."""

from __future__ import annotations

from typing import Annotated

import typer

from mmact_oneshot.harness.cli.options import STORES, Stores

NEEDED = {
    "torch": "pip install 'torch>=2.9'",
    "timm": "pip install timm",
    "decord": "pip install decord (eva-decord on Apple silicon); only needed to prepare recordings",
    "av": "pip install av; only needed to prepare recordings and to generate data",
    "tensorboard": "pip install tensorboard",
    "pandas": "pip install pandas",
}


def command(
    store: Stores = STORES,
    data: Annotated[str | None, typer.Option("--data", help="Also check this folder of recordings.")] = None,
) -> None:
    """Show versions, devices, disk and data, and say what is missing. Exits with 1 if something needed is.

    Example: oneshot doctor --data ~/MMAct
    """
    import importlib
    import os
    import platform
    import shutil
    from pathlib import Path

    from rich.table import Table

    from mmact_oneshot.harness.cli.console import console
    from mmact_oneshot.harness.encoders.torchvision_stub import declare_missing_operators
    from mmact_oneshot.harness.runtime.errors import HarnessError
    from mmact_oneshot.harness.runtime.provenance import code_commit, installed

    table = Table(
        "", "found", "remedy", title=f"mmact-oneshot {installed('mmact-oneshot')}, commit {code_commit()['commit']}"
    )
    missing = 0
    table.add_row("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}", "")
    for package, remedy in NEEDED.items():
        found = installed(package) or (installed("eva-decord") if package == "decord" else None)
        trouble = ""
        if found is not None:
            try:
                if package == "timm":
                    declare_missing_operators()
                importlib.import_module(package)
            except Exception as error:  # a broken installation can raise anything
                trouble = f" but does not import: {error}"
        missing += found is None or bool(trouble)
        table.add_row(package, f"{found or 'missing'}{trouble}", remedy if found is None or trouble else "")

    import torch

    cores = f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads"
    table.add_row("cpu", cores, "")
    if torch.cuda.is_available():
        table.add_row("cuda", f"{torch.cuda.get_device_name(0)}, bfloat16 {torch.cuda.is_bf16_supported()}", "")
    else:
        table.add_row("cuda", "none: runs on the CPU", "for `standard` and `full`, a machine with a GPU")
    here = store if store.exists() else Path()
    table.add_row("disk for stores", f"{shutil.disk_usage(here).free / 1e9:.0f} GB free in {here.resolve()}", "")
    if data is not None:
        from mmact_oneshot.harness.data.layouts import index

        try:
            clips = index(Path(data))
            table.add_row("data", f"{clips.layout}: {len(clips.frame):,} clips", "")
        except HarnessError as error:
            missing += 1
            table.add_row("data", error.problem, error.remedy)
    else:
        table.add_row("data", "not checked", "--data FOLDER; or write some: oneshot data synthesize data/embedded")
    console.print(table)
    if missing:
        raise typer.Exit(1)
