"""What a run consists of: one job for every row, seed and regimen, each with a name that says all that matters."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import torch

from harness.api import Encoder, FewShotMethod, NotApplicable, Setup
from harness.config.budgets import Budget
from harness.config.plugins.registry import check_settings, load_method, method_label, method_source
from harness.config.settings import LONGER, Row, Settings
from harness.data.task.task import Task
from harness.encoders.build import build_encoder, transformer_spec
from harness.runtime.errors import HarnessError
from harness.training.conditions import (
    HEADLINE_REGIMEN,
    SEARCH_SEED,
    Regimen,
    digest,
    regimen_of,
    training_protocol,
    weights_of,
)
from harness.training.initialisation import Start, clip_shape, pretrains, start_of


@dataclass(frozen=True)
class Job:
    """One row with one seed under one regimen, and the suites it is scored on.

    Attributes:
        settings: that hold for the row, its own changes included.
        regime: "frozen", "tuned" or, for a method without parameters, "untrained".
        protocol: what must be equal in rows that are ranked together.
        start: what the transformers of the row start from.
        search: the job that learning rates are tried for, which is the row with the search seed under the headline
            regimen; None where the learning rate is given.
    """

    row: Row
    settings: Settings
    seed: int
    regimen: Regimen
    suites: tuple[str, ...]
    label: str
    regime: str
    method: type[FewShotMethod]
    method_settings: dict[str, Any]
    method_source: str
    protocol: dict[str, Any]
    start: Start
    search: Job | None = None

    @property
    def id(self) -> str:
        """File name of its records; ends in a digest of everything that decides the result."""
        return f"{self._name}-{self.regimen.name}-s{self.seed}-{self._key(self.seed)}"

    @property
    def row_id(self) -> str:
        """The same for all its seeds."""
        return f"{self._name}-{self._key()}"

    @property
    def name(self) -> str:
        """The method with the settings that its row gives."""
        given = ", ".join(f"{name} {value}" for name, value in self.row.settings.items())
        return f"{self.label} ({given})" if given else self.label

    @property
    def title(self) -> str:
        """For a reader who watches the run."""
        told = self.start.protocol or self.settings.encoder == "transformer"
        start = f", start {self.start.name}" if told else ""
        return f"{self.name}, {self.row.modality_label}, {self.regime}{start}"

    @property
    def encoder_start(self) -> Start:
        """What the shared encoders start from: networks of other kinds than the transformer have no pre-training."""
        return self.start if self.settings.encoder == "transformer" else Start()

    @property
    def budget(self) -> Budget | None:
        """Of its training; None where nothing is trained."""
        return None if self.regime == "untrained" else self.settings.budget(self.regime)

    @property
    def _name(self) -> str:
        return f"{self.label}-{self.row.modality_label}-{self.regime}"

    def _key(self, *more: object) -> str:
        return digest([self.protocol, self.label, self.method_source, self.method_settings, *more])[:8]


def plan_jobs(task: Task, precision: str) -> list[Job]:
    """All jobs of a run, seed by seed, so that shared features are needed for one seed at a time.

    Args:
        precision: in which the encoders and heads run.

    Raises:
        HarnessError: an unknown method, a setting that it does not have, or an encoder that nothing ever trains.
    """
    settings = task.settings
    regimens = {regimen_of(suite): None for suite in settings.suites}
    common = task.common_digests(precision)
    jobs: dict[str, Job] = {}
    starts: dict[str, Start] = {}  # by row and regimen: none depends on the seed
    for seed in settings.seeds:
        for row in settings.rows:
            for regimen in regimens:
                job = _job(task, row, seed, regimen, common, starts)
                if job.regime == "untrained" and seed != settings.seeds[0]:
                    continue  # nothing of it depends on the seed
                if job.budget is not None and job.budget.search:
                    job = replace(job, search=_job(task, row, SEARCH_SEED, HEADLINE_REGIMEN, common, starts))
                jobs.setdefault(job.id, job)
    return list(jobs.values())


def _job(task: Task, row: Row, seed: int, regimen: Regimen, common: dict[str, str], starts: dict[str, Start]) -> Job:
    settings = task.settings.for_row(row)
    method = load_method(row.method)
    chosen = check_settings(method, row.settings, where=f"row {row.method}")
    trained, shared = has_parameters(method, row, regimen, task, chosen), bool(method.needs.outputs)
    key = f"{row!r} {regimen.name}"
    if key not in starts:
        starts[key] = start_of(task, row, settings, regimen, common, chosen)
    start = starts[key]
    if start.name == LONGER:
        if settings.initialisation != "shared":
            raise HarnessError("there is no training of shared encoders to prolong.", where=f"row {row.method}")
        settings = _longer(settings, len(task.role_rows(regimen.classes)))
    if trained and not shared and pretrains(method) and row.regime == "frozen" and start.protocol is None:
        raise HarnessError(
            "the method's own encoder would be frozen in its random initial state.",
            where=f"row {row.method}",
            remedy=f'Set initialisation = "{row.method}", or regime = "tuned".',
        )
    if not shared and not pretrains(method):  # no encoder to freeze: the whole method is trained, or nothing is
        row = row.model_copy(update={"regime": "tuned"})
    elif shared and row.regime == "frozen" and settings.initialisation == "fresh":
        for modality in row.modalities:
            if not weights_of(settings, modality) and not (settings.encoder == "transformer" and start.of(modality)):
                raise HarnessError(
                    f"the {modality} encoder would be frozen in its random initial state.",
                    where=f"row {row.method}",
                    remedy='Name its weights, or choose regime = "tuned" or initialisation = "shared".',
                )
    protocol = training_protocol(
        settings,
        row,
        regimen,
        common,
        shared=shared,
        start=start.in_protocol,
        own_transformer=pretrains(method) and settings.encoder == "default" and start.network is None,
    )
    if not trained:
        kept = ("code", *common, "input", "store", "modalities")
        protocol = {name: protocol[name] for name in kept} | {"training": None}
    return Job(
        row=row,
        settings=settings,
        seed=seed if trained else 0,
        regimen=regimen,
        suites=tuple(suite for suite in task.settings.suites if regimen_of(suite) == regimen),
        label=method_label(row.method),
        regime=row.regime if trained else "untrained",
        method=method,
        method_settings=chosen,
        method_source=method_source(row.method),
        protocol=protocol,
        start=start,
    )


def _longer(settings: Settings, clips: int) -> Settings:
    """The settings with the training of the shared encoders prolonged by as many clips as a pre-training passes."""
    budget = settings.encoder_training
    each = budget.episodes_per_step * settings.way * (settings.shot + budget.queries)
    steps = budget.steps + ceil(settings.pretraining.passes(clips) / each)
    return settings.model_copy(update={"encoder_training": budget.model_copy(update={"steps": steps})})


def has_parameters(
    method: type[FewShotMethod], row: Row, regimen: Regimen, task: Task, settings: dict[str, Any]
) -> bool:
    """Whether there is anything to train: the shared encoders, or parameters of the method's own."""
    if method.needs.outputs:
        return True
    try:
        with torch.device("meta") if pretrains(method) else nullcontext():  # large ones take a while to fill
            return any(True for _ in method(bare_setup(task, row, regimen), **settings).parameters())
    except NotApplicable:
        return False


def bare_setup(task: Task, row: Row, regimen: Regimen) -> Setup:
    """The setup of a row without its encoders."""
    settings = task.settings.for_row(row)
    return Setup(
        row.modalities,
        tuple(task.store.sensors),
        len(task.split.role(regimen.classes)),
        settings.way,
        settings.shot,
        shape=clip_shape(settings),
        transformer=transformer_spec(settings),
    )


def build_method(task: Task, job: Job) -> FewShotMethod:
    """A job's method on encoders as they begin, for finding out what it needs and takes.

    Raises:
        NotApplicable: the method cannot do what the row asks.
    """
    names = job.row.modalities if job.method.needs.outputs else ()
    sensors = tuple(task.store.sensors)
    encoders: dict[str, Encoder] = {name: build_encoder(name, job.settings, sensors, 0) for name in names}
    setup = replace(bare_setup(task, job.row, job.regimen), encoders=encoders)
    return job.method(setup, **job.method_settings)
