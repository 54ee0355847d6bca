"""What `oneshot run --validation-only` found: accuracies on the validation suite, row by row and rate by rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from mmact_oneshot.harness.benchmark.plan import Plan
    from mmact_oneshot.harness.training.workspace import Workspace


def show_validation(workspace: Workspace, plan: Plan, console: Console) -> None:
    """The best validation accuracy at every learning rate that was tried, with the step at which it was reached."""
    from rich.table import Table
    from rich.text import Text

    from mmact_oneshot.harness.records import SearchRecord

    searches = {job.search.row_id: job.search for job in plan.jobs if job.search is not None}
    found = {
        name: workspace.records.read(SearchRecord, name)
        for name in searches
        if workspace.records.has(SearchRecord, name)
    }
    rates = sorted({trial.learning_rate for record in found.values() for trial in record.trials})
    table = Table("row", "modalities", *(f"{rate:g}" for rate in rates), title="Validation accuracy, %, at each rate")
    for name, record in found.items():
        job, cells = searches[name], dict.fromkeys(rates, Text())
        for trial in record.trials:
            text = "diverged" if trial.accuracy is None else f"{100 * trial.accuracy:.1f} (step {trial.best_step})"
            cells[trial.learning_rate] = Text(text, "bold" if trial == record.best else "")
        table.add_row(job.name, job.row.modality_label, *cells.values())
    console.print(table)
    missing = len({job.row_id for job in plan.jobs if job.trained}) - len(found)
    if missing:
        console.print(f"Rows that are not searched are not trained here: {missing}.")
    console.print("No test suite was accessed.")
