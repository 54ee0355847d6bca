"""`oneshot run`: the benchmark, or a part of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmact_oneshot.harness.cli.options import STORES, Data, Layout, Override, Split, Stores, Workers
from mmact_oneshot.harness.engines import IN_PROCESS
from mmact_oneshot.harness.runtime.progress import Silent

if TYPE_CHECKING:
    from mmact_oneshot.harness.benchmark.request import Request
    from mmact_oneshot.harness.engines.clusters import ClusterOptions


def command(
    data: Data,
    preset: Annotated[
        str | None, typer.Option("--preset", help="quick (default), standard, full, published, or a TOML file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of records and report; default runs/PRESET-DATA.")
    ] = None,
    join: Annotated[
        Path | None,
        typer.Option("--join", help="Folder of a run that gets the rows, with its baselines and trained encoders."),
    ] = None,
    study: Annotated[
        list[str] | None, typer.Option("--study", help="A study of the preset, or all; default methods. Repeatable.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            help="Only these methods, or a .py file that defines one; with settings NAME:a=1,b=2. Repeatable.",
        ),
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
    engine: Annotated[
        str,
        typer.Option(help="Where the steps are done: in-process, local, dask, slurm, pbs, lsf, sge, oar or htcondor."),
    ] = IN_PROCESS,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Workers of the engine, at most; default one a GPU, or one for four cores."),
    ] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of the Dask scheduler, for --engine dask.")] = None,
    cluster_options: Annotated[
        Path | None,
        typer.Option("--cluster-options", help="TOML file with options of the batch system: queue, walltime, memory."),
    ] = None,
    feature_cache: Annotated[
        float,
        typer.Option("--feature-cache", min=0, help="GB of frozen encoders' features that workers share; 0: none."),
    ] = 20.0,
    time_limit: Annotated[
        float | None,
        typer.Option(
            "--time-limit",
            min=0.01,
            help="Minutes that a step (a pre-training, a warm start, a search, a row) may take: one that is not done "
            "by then keeps its state, and the others go on.",
        ),
    ] = None,
    validation_only: Annotated[
        bool,
        typer.Option("--validation-only", help="Search the learning rates on validation classes; score no test suite."),
    ] = False,
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="Run methods of your own without checking them first; they get no rank."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be done and what it would cost.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Move what is recorded aside (into replaced/) and do it again.")
    ] = False,
) -> None:
    """Run a study: prepare, pre-train, train, select on validation, score once on every suite, report.

    What is recorded is not done again; what was cut off continues.

    Examples:

        oneshot run --data ~/MMAct --preset standard

        oneshot run --data ~/MMAct --preset standard --study all --dry-run

        oneshot run --data ~/UTD-MHAD --method ./my_method.py:width=64 --modalities both --seeds 5

        oneshot run --data data/embedded --method ./my_method.py --join runs/quick-embedded

        oneshot run --data ~/MMAct --preset standard --engine slurm --cluster-options slurm.toml --jobs 8

        torchrun --nproc-per-node 8 -m mmact_oneshot run --data ~/MMAct --preset full
    """
    from mmact_oneshot.harness.benchmark.joining import joined_preset
    from mmact_oneshot.harness.benchmark.narrowing import Narrowing
    from mmact_oneshot.harness.benchmark.request import Request
    from mmact_oneshot.harness.runtime import ranks
    from mmact_oneshot.harness.runtime.errors import HarnessError

    if join is not None and out is not None:
        raise HarnessError("--join and --out both name the folder of the run.", remedy="Leave one of them out.")
    cluster = None
    if engine != IN_PROCESS:
        from mmact_oneshot.harness.engines.clusters import ClusterOptions, read_options

        cluster = ClusterOptions(
            engine, jobs, scheduler, read_options(cluster_options), cluster_options, int(feature_cache * 1e9)
        )
    chosen, own = (preset or "quick", ()) if join is None else joined_preset(join, preset, override or ())
    request = Request(
        data,
        chosen,
        (*own, *(override or ())),
        Narrowing(study or (), method or (), modalities, suite or (), seeds),
        join or out,
        layout,
        split,
        store,
        device,
        workers,
        unchecked,
        time_limit,
    )
    with ranks.joined():
        if cluster is not None and ranks.count() > 1:
            raise HarnessError(
                "torchrun and --engine both start processes.", remedy="Start `oneshot run --engine` without torchrun."
            )
        _run(request, cluster, dry_run=dry_run, force=force, validation_only=validation_only)


def _run(
    request: Request, cluster: ClusterOptions | None, *, dry_run: bool, force: bool, validation_only: bool
) -> None:
    """The run; where several processes share it, the first one speaks and writes."""
    from mmact_oneshot.harness.benchmark.conformance.gate import require_conformance
    from mmact_oneshot.harness.benchmark.run import run_plan
    from mmact_oneshot.harness.benchmark.set_aside import set_aside
    from mmact_oneshot.harness.benchmark.steps import RowStep, pending_rows, pending_steps
    from mmact_oneshot.harness.cli import plan_view
    from mmact_oneshot.harness.cli.console import console, show_pages
    from mmact_oneshot.harness.cli.validation_view import show_validation
    from mmact_oneshot.harness.cli.watch import TerminalWatcher
    from mmact_oneshot.harness.report import write_report
    from mmact_oneshot.harness.report.writers.terminal import show
    from mmact_oneshot.harness.runtime import ranks

    workspace, plan = ranks.first_before_others(
        lambda: request.opened(TerminalWatcher(console), plan_only=dry_run), lambda: request.opened(Silent())
    )
    if dry_run:
        plan_view.show_plan(workspace, plan, console)
        return

    def checked() -> None:
        require_conformance(workspace, plan.jobs if force else (step.job for step in pending_rows(workspace, plan)))
        if force:
            plan_view.show_set_aside(workspace, *set_aside(workspace, plan), console)

    ranks.from_first(checked)
    steps = pending_steps(workspace, plan)
    if validation_only:
        steps = [step for step in steps if not isinstance(step, RowStep)]

    def announced() -> None:
        plan_view.show_completeness(workspace.task, console)
        plan_view.show_expectation(workspace, steps, console)

    ranks.from_first(announced)
    if cluster is None:
        run_plan(workspace, plan, steps)
    else:
        from mmact_oneshot.harness.engines.run import run_with_engine

        run_with_engine(cluster, request, workspace, plan, steps)
    if not ranks.is_first():
        return
    if validation_only:
        show_validation(workspace, plan, console)
        return
    report, files = write_report(workspace.folder)
    show(report, console)
    show_pages(files)
