"""`oneshot run`: the benchmark table, or a part of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import STORES, Data, Layout, Override, Preset, Split, Stores, Workers

if TYPE_CHECKING:
    from rich.console import Console

    from harness.benchmark.run import Benchmark
    from harness.config.settings import Settings


def command(
    data: Data,
    preset: Preset = "quick",
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of records and report; default runs/PRESET-DATA.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option("--method", help="Only these methods, or a .py file that defines one. Repeatable."),
    ] = None,
    modalities: Annotated[str | None, typer.Option(help="Only rows on: video, sensors or both.")] = None,
    suite: Annotated[
        list[str] | None, typer.Option("--suite", help="Suites instead of the preset's. Repeatable.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Number of training seeds, from 0.")] = None,
    layout: Layout = None,
    split: Split = None,
    store: Stores = STORES,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    override: Override = None,
    workers: Workers = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be done and what it would cost.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Do again what is recorded.")] = False,
) -> None:
    """Run the benchmark table: prepare, train, select on validation, score once on every suite, report.

    What is recorded is not done again; what was cut off continues.

    Examples:

        oneshot run --data ~/MMAct --preset standard

        oneshot run --data ~/UTD-MHAD --method ./my_method.py --modalities both --seeds 5

        oneshot run --data data/embedded --set training.steps=50 --dry-run
    """
    from harness.cli.console import console
    from harness.cli.watch import TerminalWatcher
    from harness.config.settings import load_settings
    from harness.data.task.open_task import open_task

    settings = _narrowed(load_settings(preset, override or []), method, modalities, suite, seeds)
    watcher = TerminalWatcher(console)
    task = open_task(
        data, settings, stores=store, watcher=watcher, layout=layout, split=split, workers=workers, plan_only=dry_run
    )
    folder = out or Path("runs") / f"{settings.preset}-{data.resolve().name}"

    from harness.benchmark.run import Benchmark
    from harness.runtime.device import choose_device

    chosen = choose_device(device, settings.precision)
    benchmark = Benchmark(task, folder, chosen, watcher, force)
    if force:
        from harness.cli.forced import what_is_replaced

        console.print(what_is_replaced(benchmark), soft_wrap=True, markup=False, highlight=False)
    if dry_run:
        from harness.cli.plan import show_plan

        show_plan(benchmark, console)
        return
    facts = task.completeness()
    if not facts["complete"]:
        usable, listed = facts["clips_usable"], facts["clips_listed"]
        missing = {name: count for name, count in facts["performances_without_sensor"].items() if count}
        console.print(
            f"[yellow]Incomplete data: {usable:,} of {listed:,} clips usable; performances without a sensor: "
            f"{missing or 'none'}. `oneshot data verify` lists everything.[/yellow]",
            soft_wrap=True,
        )
    _expect(benchmark, console)
    benchmark.run()

    from harness.report import print_report, write_report

    print_report(folder / "records", console)
    for path in write_report(folder / "records", folder):
        console.print(f"written: {path}", soft_wrap=True)


def _expect(benchmark: Benchmark, console: Console) -> None:
    """Refuse early what cannot fit the device, and say what a run on something larger than `quick` will take."""
    from harness.benchmark.cost.demand import demands, require

    demanded = demands(benchmark)
    require(demanded, benchmark)
    if benchmark.settings.preset != "quick" and any(benchmark.todo(job) for job in benchmark.jobs):
        from harness.benchmark.cost.estimate import estimate
        from harness.cli.plan import expectation

        console.print(expectation(estimate(benchmark, demanded), benchmark), soft_wrap=True)


def _narrowed(
    settings: Settings, methods: list[str] | None, modalities: str | None, suites: list[str] | None, seeds: int | None
) -> Settings:
    """The settings with only some rows, other suites or another number of seeds."""
    from harness.config.plugins.registry import load_method
    from harness.config.settings import SCRATCH, Row
    from harness.runtime.errors import HarnessError, nearest
    from harness.training.initialisation import pretrains

    rows = list(settings.rows)
    if methods:
        chosen: list[Row] = []
        for name in methods:
            method = load_method(name)  # refuses an unknown name with the nearest right one
            usable, start = method.needs.modalities, name if pretrains(method) else SCRATCH
            own = [row for row in rows if row.method == name]
            both = tuple(m for m in ("video", "sensors") if m in usable)
            every = [(m,) for m in both] + ([both] if len(both) > 1 else [])
            regime = "tuned" if settings.initialisation == "fresh" else "frozen"  # no use in a random frozen encoder
            common = {"method": name, "regime": regime, "initialisation": start}
            chosen += own or [Row.model_validate({**common, "modalities": m}) for m in every]
        rows = chosen
    if modalities is not None:
        labels = ("video", "sensors", "both")
        if modalities not in labels:
            raise HarnessError(f"no modalities {modalities!r}.", remedy=nearest(modalities, labels))
        rows = [row for row in rows if row.modality_label == modalities]
        if not rows:
            raise HarnessError(f"no row on {modalities}.", remedy="`oneshot methods` lists what each method can use.")
    update: dict[str, object] = {"rows": tuple(rows)}
    if suites:
        from harness.data.episodes.suites import suite_spec

        update["suites"] = tuple(suite_spec(name).name for name in suites)
    if seeds is not None:
        update["seeds"] = tuple(range(seeds))
    return settings.model_copy(update=update)
