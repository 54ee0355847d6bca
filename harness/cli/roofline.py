"""`oneshot roofline`: what the stages of a preset cost on paper, and how fast named GPUs can be at most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmact_oneshot.harness.cli.listings import Json
from mmact_oneshot.harness.cli.options import Override, Preset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmact_oneshot.harness.benchmark.cost.hardware import Hardware
    from mmact_oneshot.harness.benchmark.cost.stage import Stage

MEGA, GIGA = 1e6, 1e9


def command(
    preset: Preset = "full",
    override: Override = None,
    gpu: Annotated[
        list[str] | None, typer.Option("--gpu", help="H100, H200, A100 or RTX4090; default all. Repeatable.")
    ] = None,
    share: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of the peak that is shown beside the whole of it.")
    ] = 0.35,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time encoders and pre-trainings on the device at hand as well.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda; for --measure.")] = "auto",
    json: Json = False,
) -> None:
    """FLOPs and bytes of every stage of a preset, and the rates that published peaks of GPUs allow; needs no data.

    Examples:

        oneshot roofline --preset full

        oneshot roofline --preset standard --set precision=float32 --set compute.tf32=true --gpu A100 --json
    """
    from mmact_oneshot.harness.benchmark.cost.hardware import HARDWARE, hardware_named
    from mmact_oneshot.harness.benchmark.cost.roofline import measured, stages
    from mmact_oneshot.harness.benchmark.cost.stage import on_cuda
    from mmact_oneshot.harness.config.presets import load_settings
    from mmact_oneshot.harness.runtime.device import choose_device

    known = [hardware_named(name) for name in gpu or HARDWARE]
    settings = load_settings(preset, override or ())
    precision, tf32 = on_cuda(settings.precision), settings.compute.tf32
    chosen = choose_device(device, settings.precision, settings.compute) if measure else None
    found = stages(settings)
    rates = [None] * len(found) if chosen is None else measured(found, chosen)
    if json:
        from json import dumps

        content = {"preset": settings.preset, "precision": precision, "tf32": tf32, "share": share}
        lines = [_content(*each, known, precision, tf32) for each in zip(found, rates, strict=True)]
        typer.echo(dumps(content | {"stages": lines}, indent=1))
        return
    here = "" if chosen is None else f"measured on {chosen.torch.type}, {chosen.precision}"
    _show(f"preset {settings.preset} in {precision}", found, known, precision, tf32, share, rates, here)


def _content(
    stage: Stage, measured: float | None, known: Sequence[Hardware], precision: str, tf32: bool
) -> dict[str, Any]:
    """A stage as JSON."""
    bounds = {}
    for hardware in known:
        seconds, by = stage.bound(hardware, precision, tf32)
        bounds[hardware.name] = {"seconds": seconds, "by": by}
    return {
        "group": stage.group,
        "stage": stage.label,
        "per": stage.per,
        "clips": stage.clips,
        "flops": stage.flops,
        "flops_float32": stage.flops_float32,
        "memory_bytes": stage.memory,
        "link_bytes": stage.link,
        "store_bytes": stage.store,
        "bounds": bounds,
        **({} if measured is None else {"measured_per_second": measured}),
    }


def _show(
    title: str,
    stages: Sequence[Stage],
    known: Sequence[Hardware],
    precision: str,
    tf32: bool,
    share: float,
    measured: Sequence[float | None],
    here: str,
) -> None:
    """Two tables: the work, and the rates that it allows."""
    from rich.table import Table
    from rich.text import Text

    from mmact_oneshot.harness.cli.console import console

    work = Table("stage", "for a", "clips", "GFLOP", "in float32", "MB memory", "MB link", "MB store")
    rates = Table("stage", *(hardware.name for hardware in known), *([here] if here else []))
    work.title = f"{title}: the work"
    rates.title = f"{title}: how many a second at the peak, and at {share:.0%} of it"
    for table in (work, rates):
        for column in table.columns[1:]:  # where the terminal is narrow, the name of a stage folds
            column.no_wrap, column.justify = True, "left" if column.header == "for a" else "right"
    group = ""
    for stage, found in zip(stages, measured, strict=True):
        if stage.group != group:
            group = stage.group
            for table in (work, rates):
                table.add_section()
                table.add_row(Text(group, "bold"))
        amounts = (stage.flops / GIGA, stage.flops_float32 / GIGA, stage.memory / MEGA, stage.link / MEGA)
        work.add_row(
            stage.label, stage.per, str(stage.clips), *(_amount(each) for each in (*amounts, stage.store / MEGA))
        )
        bounds = [stage.bound(hardware, precision, tf32) for hardware in known]
        cells = [
            f"{_rate(bound.rate())} / {_rate(bound.rate(share))} {bound.by[0]}" if bound.seconds else ""
            for bound in bounds
        ]
        rates.add_row(stage.label, *cells, *([_rate(found)] if here else []))
    console.print(work)
    console.print(rates)
    console.print(
        "Bound by c: arithmetic, m: the memory of the device, l: the link from main memory. GFLOP are products and "
        "convolutions; MB memory: every result written and read once (harness/benchmark/cost/stage.py). Training in "
        "micro-batches encodes each clip once more. Decoding is the CPU's.",
        soft_wrap=True,
    )


def _amount(value: float) -> str:
    return f"{value:,.{2 if value < 100 else 0}f}" if value else ""


def _rate(value: float | None) -> str:
    """Three digits, in thousands or millions where there are many."""
    if value is None:
        return ""
    unit, shown = ("M", value / 1e6) if value >= 1e6 else ("k", value / 1e3) if value >= 1e4 else ("", value)
    return f"{shown:,.{0 if shown >= 100 else 1 if shown >= 10 else 2}f}{unit}"
