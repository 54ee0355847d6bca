"""A job's method: built on its encoders, fed with clips or cached features, trained, encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import torch

from harness.api import Encoder, FewShotMethod, NotApplicable
from harness.benchmark.plan import Job, bare_setup
from harness.config.budgets import Budget
from harness.data.task.clip_source import ClipSource
from harness.data.task.task import Task
from harness.encoders.build import seeded, state_digest
from harness.evaluation.features import FeatureTable, encode_clips
from harness.runtime.device import Device
from harness.runtime.progress import Watcher
from harness.training.episodic import Curves, fit
from harness.training.initialisation import pretrains, require_modality
from harness.training.loop import Trained
from harness.training.warm_start import SharedEncoders


class Trainer:
    """Does for one job at a time what jobs have in common.

    Args:
        task: the data.
        shared: the encoders that heads start from.
        device: where to run.
        watcher: told what goes on.
        curves: opens a log of scalars for a named training.
    """

    def __init__(
        self, task: Task, shared: SharedEncoders, device: Device, watcher: Watcher, curves: Callable[[str], Curves]
    ) -> None:
        self.task, self.shared, self.device, self.watcher, self.curves = task, shared, device, watcher, curves
        self._own: dict[tuple[object, ...], FeatureTable] = {}

    def build(self, job: Job) -> tuple[FewShotMethod, dict[str, dict[str, Any]]]:
        """The method in its initial state, and the records of its encoders.

        Raises:
            NotApplicable: the method cannot run on these modalities, or no clip has one of them.
        """
        for modality in job.row.modalities:
            if not self.task.has(modality):
                raise NotApplicable(f"no clip of this data set has {modality}")
            if modality not in job.method.needs.modalities:
                raise NotApplicable(f"does not use {modality}")
        require_modality(job.start, job.row.modalities)
        encoders: dict[str, Encoder] = {}
        notes: dict[str, dict[str, Any]] = {}
        if job.method.needs.outputs:
            for modality in job.row.modalities:
                encoder, notes[modality] = self.shared.trained(
                    job.settings, modality, job.seed, job.regimen, job.encoder_start
                )
                encoders[modality] = encoder.requires_grad_(job.regime == "tuned")
        bare = bare_setup(self.task, job.row, job.regimen)
        states = self.shared.pretrainer.states(job.start, job.seed) if pretrains(job.method) else {}
        with seeded(job.seed, "head", job.label):
            method = job.method(replace(bare, encoders=encoders, pretrained=states), **job.method_settings)
        for network in method.own_encoders():
            network.requires_grad_(job.regime == "tuned")
        return method, notes

    def train(
        self, job: Job, method: FewShotMethod, budget: Budget, *, state_file: Path, title: str, name: str
    ) -> Trained:
        """Train a method that was just built and leave it at the state that the regimen selects.

        Args:
            state_file: where a training that is cut off leaves its state.
            title: for the watcher.
            name: of the curves.

        Raises:
            DivergedError: a loss or a score is not finite.
        """
        source: ClipSource | FeatureTable
        if job.regime == "frozen":
            roles = job.regimen.classes if "validation" in job.regimen.classes else f"{job.regimen.classes}+validation"
            source = self.encoded(job, method, roles)
        else:
            source = self.clips(job)
        return fit(
            method,
            self.task,
            budget,
            job.regimen,
            source,
            device=self.device,
            seed=job.seed,
            state_file=state_file,
            title=title,
            watcher=self.watcher,
            curves=self.curves(name),
        )

    def encoded(self, job: Job, method: FewShotMethod, role: str, removed: str = "") -> FeatureTable:
        """Encoded clips of a role: shared where the encoders are frozen, the method's own otherwise.

        Args:
            removed: as for :class:`harness.data.task.clip_source.ClipSource`.
        """
        if job.regime == "frozen" and type(method).encode is FewShotMethod.encode:
            tables = [
                self.shared.features(
                    job.settings,
                    modality,
                    job.seed,
                    job.regimen,
                    job.encoder_start,
                    method.needs.outputs,
                    role,
                    removed if (removed == "video") == (modality == "video") else "",
                )
                for modality in method.encoders
            ]
            if type(method).encode_own is not FewShotMethod.encode_own:
                tables.append(self._own_features(job, method, role, removed))
            return reduce(FeatureTable.joined, tables)
        method.eval()
        rows = self.task.role_rows(role)
        return encode_clips(method.encode, self.clips(job, removed), rows, self.device, job.settings.batch)

    def _own_features(self, job: Job, method: FewShotMethod, role: str, removed: str) -> FeatureTable:
        """What a method with frozen encoders reads off the clips itself: computed once for all its learning rates."""
        state = state_digest(torch.nn.ModuleList(method.own_encoders()))
        key = (job.row_id, job.seed, state, role, removed)
        if key not in self._own:
            self._own = {old: table for old, table in self._own.items() if old[:2] == key[:2]}
            method.to(self.device.torch).eval()
            rows, done = self.task.role_rows(role), 0
            self.watcher.begin(f"{job.label}'s own features, {role} classes, seed {job.seed}", len(rows))

            def advance(count: int) -> None:
                nonlocal done
                done += count
                self.watcher.advance(done)

            try:
                self._own[key] = encode_clips(
                    method.encode_own, self.clips(job, removed), rows, self.device, job.settings.batch, advance
                )
            finally:
                self.watcher.end()
        return self._own[key]

    def clips(self, job: Job, removed: str = "") -> ClipSource:
        """The clips that a job's method sees."""
        return ClipSource(self.task.store, job.settings.input, job.row.modalities, removed=removed)


class Own(torch.nn.Module):
    """The part of a method that its checkpoint holds: all of it, or all but its encoders where they are frozen."""

    def __init__(self, method: FewShotMethod, regime: str) -> None:
        super().__init__()
        kept = [] if regime == "tuned" else [method.encoders, *method.own_encoders()]
        for name, module in method.named_children():
            if not any(module is encoder for encoder in kept):
                self.add_module(name, module)
        for name, parameter in method.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, buffer in method.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
