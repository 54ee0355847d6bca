"""The plan of a run: which studies it does, and the job of every row, seed and protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch

from mmact_oneshot.harness.api import FewShotMethod, NotApplicable
from mmact_oneshot.harness.config.presets import row_settings
from mmact_oneshot.harness.config.protocols import HEADLINE, Protocol, protocol_of
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import PROLONGED, Row, Study
from mmact_oneshot.harness.plugins.methods import load_method, method_source
from mmact_oneshot.harness.plugins.registry import BUILT_IN, plugin_label
from mmact_oneshot.harness.plugins.settings import check_settings
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.training.conditions import Conditions, prolonged, training_conditions, weights_of
from mmact_oneshot.harness.training.frozen_features import SEARCH_SEED
from mmact_oneshot.harness.training.initialisation import (
    Initialisation,
    Scratch,
    conditions_of,
    initialisation_of,
    pretrains,
)
from mmact_oneshot.harness.training.job import TrainingJob, build_untrained, setup_of
from mmact_oneshot.harness.training.workspace import Workspace


@dataclass(frozen=True)
class PlannedStudy:
    """A study with the jobs of its rows: one list for each of ``study.rows``, over seeds and protocols."""

    name: str
    study: Study
    jobs: tuple[tuple[TrainingJob, ...], ...]


@dataclass(frozen=True)
class Plan:
    """What a run consists of.

    Attributes:
        jobs: of all studies, each once, seed by seed, so that features of frozen encoders are held for one seed.
    """

    studies: tuple[PlannedStudy, ...]
    jobs: tuple[TrainingJob, ...]

    def outputs(self, common: Conditions) -> dict[str, frozenset[str]]:
        """Encoder id -> outputs that some head takes of it while it is frozen."""
        found: dict[str, frozenset[str]] = {}
        for job in self.jobs:
            for key in job.encoder_keys(common).values() if job.frozen else ():
                found[key.id] = found.get(key.id, frozenset()).union(job.method.needs.outputs)
        return found


def make_plan(workspace: Workspace, names: Iterable[str], unchecked: bool = False) -> Plan:
    """The plan of some studies of the run's settings.

    Args:
        unchecked: methods of files and packages are not held to the contract, and get no rank.

    Raises:
        HarnessError: an unknown method, a setting that it does not have, an encoder that nothing ever trains, or a
            suite that is none of the test suites.
    """
    settings, planner = workspace.task.settings, _Planner(workspace, unchecked)
    studies = tuple(planner.study(name, settings.studies[name]) for name in names)
    seeds = dict.fromkeys(seed for name in names for seed in settings.studies[name].seeds or settings.seeds)
    every = [job for study in studies for jobs in study.jobs for job in jobs]
    ordered = {job.id: job for seed in (*seeds, None) for job in every if seed is None or job.seed == seed}
    return Plan(studies, tuple(_with_all_suites(job, every) for job in ordered.values()))


def _with_all_suites(job: TrainingJob, every: Sequence[TrainingJob]) -> TrainingJob:
    """The job with the suites of every study that has it."""
    suites = dict.fromkeys(suite for other in every if other.id == job.id for suite in other.suites)
    return replace(job, suites=tuple(suites))


class _Planner:
    """Makes jobs; what does not depend on the seed is worked out once."""

    def __init__(self, workspace: Workspace, unchecked: bool) -> None:
        self.workspace, self.task, self.unchecked = workspace, workspace.task, unchecked
        self._parts: dict[str, tuple[Settings, Initialisation, bool, bool]] = {}

    def study(self, name: str, study: Study) -> PlannedStudy:
        """All jobs of a study."""
        settings = self.task.settings
        suites, seeds = study.suites or settings.suites, study.seeds or settings.seeds
        protocols = dict.fromkeys(protocol_of(suite) for suite in suites)
        rows = []
        for row in study.rows:
            jobs: dict[str, TrainingJob] = {}
            for seed in seeds:
                for protocol in protocols:
                    own = tuple(suite for suite in suites if protocol_of(suite) == protocol)
                    job = self._job(row, seed, protocol, own, f"study {name}, row {row.method}")
                    jobs.setdefault(job.id, job)  # nothing of an untrained method depends on the seed
            rows.append(tuple(jobs.values()))
        return PlannedStudy(name, study, tuple(rows))

    def _job(self, row: Row, seed: int, protocol: Protocol, suites: tuple[str, ...], where: str) -> TrainingJob:
        method = load_method(row.method)
        chosen, source = check_settings(method, row.settings, where=where), method_source(row.method)
        if not method.needs.outputs and not pretrains(method):  # it has no encoder that could be frozen
            row = row.model_copy(update={"training": "end_to_end"})
        key = f"{row!r} {protocol.name}"
        if key not in self._parts:
            self._parts[key] = self._seedless(row, method, chosen, protocol, where)
        settings, initialisation, trained, head = self._parts[key]
        conditions = training_conditions(
            settings,
            row,
            protocol,
            shared=bool(method.needs.outputs),
            transformer=pretrains(method),
            initialisation=initialisation.name,
            pretraining=conditions_of(initialisation),
        )
        if not trained:
            conditions = {name: conditions[name] for name in ("input", "store", "modalities")} | {"training": "none"}
        budget = settings.budget(row.training) if head else None
        job = TrainingJob(
            row=row,
            settings=settings,
            seed=seed if trained else 0,
            protocol=protocol,
            suites=suites,
            label=plugin_label(row.method),
            trained=trained,
            method=method,
            method_settings=chosen,
            method_source=source,
            conditions=self.workspace.common | conditions,
            initialisation=initialisation,
            budget=budget,
            unchecked=self.unchecked and source != BUILT_IN,
        )
        if budget is not None and budget.search and (seed, protocol) != (SEARCH_SEED, HEADLINE):
            return replace(job, search=self._job(row, SEARCH_SEED, HEADLINE, (), where))
        return replace(job, search=job) if budget is not None and budget.search else job

    def _seedless(
        self, row: Row, method: type[FewShotMethod], chosen: dict[str, Any], protocol: Protocol, where: str
    ) -> tuple[Settings, Initialisation, bool, bool]:
        """Settings and initialisation of a row, whether anything of it is trained, and whether its head is."""
        settings = row_settings(self.task.settings, row)
        trained = bool(method.needs.outputs) or self._has_parameters(row, settings, method, chosen, protocol)
        initialisation: Initialisation = Scratch()
        if trained:
            initialisation = initialisation_of(self.task, row, settings, protocol, self.workspace.common, chosen)
        if initialisation.name == PROLONGED:
            settings = prolonged(settings, len(self.task.role_rows(protocol.classes)))
        if trained and row.training == "frozen":
            _require_states(row, method, settings, initialisation, where)
        head = trained and (row.training == "end_to_end" or self._has_head(row, settings, method, chosen, protocol))
        return settings, initialisation, trained, head

    def _has_parameters(
        self, row: Row, settings: Settings, method: type[FewShotMethod], chosen: dict[str, Any], protocol: Protocol
    ) -> bool:
        """Whether a method without shared encoders has anything to train."""
        try:
            with torch.device("meta") if pretrains(method) else nullcontext():  # large ones take a while to fill
                return any(True for _ in method(setup_of(self.task, row, settings, protocol), **chosen).parameters())
        except NotApplicable:
            return False

    def _has_head(
        self, row: Row, settings: Settings, method: type[FewShotMethod], chosen: dict[str, Any], protocol: Protocol
    ) -> bool:
        """Whether anything is trained on frozen encoders; True where a method cannot be built on shapes alone."""
        job = TrainingJob(row, settings, 0, protocol, (), "", True, method, chosen, "", {}, Scratch())
        try:
            with torch.device("meta"):
                built = build_untrained(self.task, job)
        except Exception:  # a plugin that reads values, or that does not apply: the run will say so
            return True
        frozen = {id(p) for network in (built.encoders, *built.own_encoders()) for p in network.parameters()}
        return any(id(parameter) not in frozen for parameter in built.parameters())


def _require_states(
    row: Row, method: type[FewShotMethod], settings: Settings, initialisation: Initialisation, where: str
) -> None:
    """Raises HarnessError where encoders would be frozen in the random state in which they were built."""
    if not method.needs.outputs:
        if pretrains(method) and initialisation.conditions is None:
            raise HarnessError(
                "the method's own encoder would be frozen in its random initial state.",
                where=where,
                remedy=f'Set initialisation = "{row.method}", or training = "end_to_end".',
            )
        return
    if settings.warm_start.objective != "none":
        return
    for modality in row.modalities:
        begun = settings.encoder == "transformer" and modality in initialisation.modalities
        if not begun and not weights_of(settings, modality):
            raise HarnessError(
                f"the {modality} encoder would be frozen in its random initial state.",
                where=where,
                remedy='Name its weights, choose training = "end_to_end", or set warm_start.objective.',
            )
