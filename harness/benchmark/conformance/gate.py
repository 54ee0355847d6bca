"""The gate: before anything is trained, every method keeps the contract, or the run does not begin."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from inspect import getfile
from pathlib import Path

from mmact_oneshot.harness.api import NotApplicable
from mmact_oneshot.harness.benchmark.conformance.bench import STEPS
from mmact_oneshot.harness.benchmark.conformance.checks import check_method, not_checked
from mmact_oneshot.harness.plugins.registry import BUILT_IN
from mmact_oneshot.harness.records import TrainingRecord
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.provenance import code_commit, is_changed
from mmact_oneshot.harness.training.job import TrainingJob, build_untrained
from mmact_oneshot.harness.training.workspace import Workspace


def require_conformance(workspace: Workspace, jobs: Iterable[TrainingJob]) -> None:
    """Check every method, with its settings, on the modalities of its rows.

    Not checked again: methods of ours whose folder is as committed, since the tests check them; and methods
    that have a checked row of this very source, settings and commit in the run.

    Raises:
        HarnessError: a method breaks the contract; the check, what it means and the remedy are named. Or it applies
            to the row's clips and to none of the checks'.
    """
    pending = {_key(job): job for job in jobs if not job.unchecked}
    known = _known(workspace)
    for key, job in pending.items():
        if key in known or (job.method_source == BUILT_IN and not is_changed(Path(getfile(job.method)).parent)):
            continue
        watcher = workspace.watcher
        watcher.begin(f"checking {job.name} on {job.row.modality_label}", None)
        try:
            findings = check_method(job.method, job.row.modalities, job.method_settings)
        finally:
            watcher.end()
        if not_checked(findings):
            _require_not_applicable(workspace, job, findings[0].detail)
        broken = [finding for finding in findings if not finding.passed]
        if broken:
            first, others = broken[0], ", ".join(finding.name for finding in broken[1:])
            raise HarnessError(
                f"does not keep the contract of a method, and was not run: {first.rule} Found: {first.detail}."
                f"{f' Broken as well: {others}.' if others else ''}",
                where=f"{job.row.method}, {job.row.modality_label}, check {first.name!r}",
                remedy=f"{first.remedy} `oneshot check {job.row.method}` makes all checks; --unchecked gives the "
                "row all the same, without a rank.",
            )


def _require_not_applicable(workspace: Workspace, job: TrainingJob, why: str) -> None:
    """Raises HarnessError where a method that could not be checked applies to its row's clips all the same."""
    with suppress(NotApplicable):
        build_untrained(workspace.task, job)
        raise HarnessError(
            f"could not be checked, and was not run: on the clips of the checks it is {why}.",
            where=f"{job.row.method}, {job.row.modality_label}",
            remedy=f"Let it apply to clips of {STEPS[-1]} frames and {4 * STEPS[-1]} samples of two sensors; "
            "--unchecked gives the row all the same, without a rank.",
        )


def _known(workspace: Workspace) -> set[str]:
    """Keys of what has passed, with the code that runs now."""
    commit = code_commit()
    if commit["commit"] is None or commit["changed"]:
        return set()
    return {
        _of(record.method_source, record.method_settings, record.modalities)
        for record in workspace.records.all(TrainingRecord)
        if not record.unchecked and record.provenance.get("commit") == commit["commit"]
    }


def _key(job: TrainingJob) -> str:
    return _of(job.method_source, job.method_settings, job.row.modalities, job.label)


def _of(source: str, settings: object, modalities: object, label: str = "") -> str:
    """Lists and tuples are alike: a record has been JSON."""
    return json.dumps([source, label if source == BUILT_IN else "", settings, modalities], sort_keys=True)
