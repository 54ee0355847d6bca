"""What a run consists of: one job for every row, seed and regimen, each with a name that says all that matters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.api import FewShotMethod, NotApplicable, Setup
from harness.protocol import Regimen, Row, digest, regimen_of, training_protocol
from harness.registry import check_settings, load_method, method_label, method_source
from harness.task import Task


@dataclass(frozen=True)
class Job:
    """One row with one seed under one regimen, and the suites it is scored on.

    Attributes:
        id: file name of its records; ends in a digest of everything that decides the result.
        regime: "frozen", "tuned" or, for a method without parameters, "untrained".
        protocol: what must be equal in rows that are ranked together.
    """

    row: Row
    seed: int
    regimen: Regimen
    suites: tuple[str, ...]
    id: str
    label: str
    regime: str
    method: type[FewShotMethod]
    method_settings: dict[str, Any]
    method_source: str
    protocol: dict[str, Any]


def plan_jobs(task: Task, precision: str) -> list[Job]:
    """All jobs of a run, seed by seed, so that shared features are needed for one seed at a time.

    Args:
        precision: in which the encoders and heads run.

    Raises:
        HarnessError: an unknown method, or a setting that it does not have.
    """
    settings = task.settings
    regimens = {regimen_of(suite): None for suite in settings.suites}
    common = task.common_digests(precision)
    jobs: dict[str, Job] = {}
    for seed in settings.seeds:
        for row in settings.rows:
            for regimen in regimens:
                for job in _jobs_of(task, row, seed, regimen, common):
                    jobs.setdefault(job.id, job)
    return list(jobs.values())


def _jobs_of(task: Task, row: Row, seed: int, regimen: Regimen, common: dict[str, str]) -> Iterator[Job]:
    settings = task.settings
    method = load_method(row.method)
    chosen = check_settings(method, row.settings, where=f"row {row.method}")
    trained, shared = has_parameters(method, row, regimen, task, chosen), bool(method.needs.outputs)
    if not trained and seed != settings.seeds[0]:
        return  # nothing of it depends on the seed
    if not shared:  # there is no shared encoder to freeze: the whole method is trained, or nothing is
        row = row.model_copy(update={"regime": "tuned"})
    regime, seed = (row.regime, seed) if trained else ("untrained", 0)
    source = method_source(row.method)
    protocol = training_protocol(settings, row, regimen, common, shared=shared)
    if not trained:
        kept = ("code", *common, "input", "store", "modalities")
        protocol = {name: protocol[name] for name in kept} | {"training": None}
    label = method_label(row.method)
    key = digest([protocol, label, source, chosen, seed])[:8]
    name = f"{label}-{row.modality_label}-{regime}-{regimen.name}-s{seed}-{key}"
    suites = tuple(suite for suite in settings.suites if regimen_of(suite) == regimen)
    yield Job(row, seed, regimen, suites, name, label, regime, method, chosen, source, protocol)


def has_parameters(
    method: type[FewShotMethod], row: Row, regimen: Regimen, task: Task, settings: dict[str, Any]
) -> bool:
    """Whether there is anything to train: the shared encoders, or parameters of the method's own."""
    if method.needs.outputs:
        return True
    try:
        return any(True for _ in method(bare_setup(task, row, regimen), **settings).parameters())
    except NotApplicable:
        return False


def bare_setup(task: Task, row: Row, regimen: Regimen) -> Setup:
    """The setup of a row without its encoders."""
    settings = task.settings
    return Setup(
        row.modalities,
        tuple(task.store.sensors),
        len(task.split.role(regimen.classes)),
        settings.way,
        settings.shot,
    )
