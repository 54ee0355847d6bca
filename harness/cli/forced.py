"""What `oneshot run --force` is about to replace, said before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.records import EvaluationRecord, PretrainingRecord, SearchRecord, SkippedRecord, TrainingRecord

if TYPE_CHECKING:
    from harness.benchmark.run import Benchmark


def what_is_replaced(benchmark: Benchmark) -> str:
    """Every record and shared encoder of the run's rows that is there, by name, and what is left alone."""
    records, jobs = benchmark.records, benchmark.jobs
    searched = [*jobs, *(job.search for job in jobs if job.search)]
    evaluations = [f"{job.id}.{suite}" for job in jobs for suite in job.suites]
    searches = {job.search.row_id for job in jobs if job.search}
    starts = {job.start.id(job.seed) for job in searched if job.start.network is not None}
    encoders = {
        benchmark.shared.name(job.settings, modality, job.seed, job.regimen, job.encoder_start)
        for job in searched
        if job.method.needs.outputs and job.settings.initialisation == "shared"
        for modality in job.row.modalities
    }
    found = {
        "trainings": [job.id for job in jobs if records.has(TrainingRecord, job.id)],
        "evaluations": [name for name in evaluations if records.has(EvaluationRecord, name)],
        "rows without figures": [job.id for job in jobs if records.has(SkippedRecord, job.id)],
        "searches of learning rates": sorted(name for name in searches if records.has(SearchRecord, name)),
        "pre-trainings": sorted(name for name in starts if records.has(PretrainingRecord, name)),
        "shared encoders": sorted(name for name in encoders if benchmark.shared.path(name).is_file()),
    }
    lines = [f"--force: these are done again, and replaced in {benchmark.out}:"]
    for kind, names in found.items():
        if names:
            lines.append(f"  {kind} ({len(names)}):")
            lines += [f"    {name}" for name in names]
    if len(lines) == 1:
        lines = [f"--force: nothing of this run is in {benchmark.out} yet, so nothing is replaced."]
    looks, more = len(records.looks.read() or ()), len(evaluations)
    lines.append(
        f"The log of test accesses is kept: {looks:,} so far, up to {more:,} to come. Rows and suites that are no part "
        "of this run stay as they are."
    )
    return "\n".join(lines)
