"""How large a step is, and how far it has come: by the files of a run alone."""

from __future__ import annotations

from glob import escape

from mmact_oneshot.harness.benchmark.cost.work import work_of
from mmact_oneshot.harness.benchmark.steps import PretrainingStep, RowStep, SearchStep, Step, WarmStartStep
from mmact_oneshot.harness.training.workspace import Workspace

BACKWARD = 3  # times the arithmetic of a forward pass, with it


def size_of(workspace: Workspace, step: Step) -> float:
    """Clips that pass a network in a step, those of training three times; at least one."""
    return 1.0 + sum(BACKWARD * work.trained + work.encoded for work in work_of(workspace, [step]))


def progress_mark(workspace: Workspace, step: Step) -> object:
    """Changes whenever a step has kept something from which it would continue."""
    match step:
        case PretrainingStep():
            kind, name = "pretraining", escape(step.pretraining.id(step.seed))
        case WarmStartStep():
            kind, name = "encoders", escape(step.key.id)
        case SearchStep():
            assert step.job.search is not None
            kind, name = "checkpoints", f"search-{escape(step.job.search.row_id)}-*"
        case RowStep():
            kind, name = "checkpoints", escape(step.job.id)
    folder = workspace.weights(kind, name).parent
    found = [*folder.glob(f"{name}.state"), *folder.glob(f"{name}.safetensors")]
    if isinstance(step, RowStep):
        found += workspace.records.predictions.glob(f"{escape(step.job.id)}.*")
    return sorted((path.name, path.stat().st_mtime_ns) for path in found)
