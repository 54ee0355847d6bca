"""A job's method: built on its encoders, trained on clips or features, and applied to clips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from mmact_oneshot.harness.api import Encoder, FewShotMethod, NotApplicable
from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.evaluation.features import FeatureTable, encode_clips
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training.episodic import train_on_task
from mmact_oneshot.harness.training.frozen_features import FrozenFeatures
from mmact_oneshot.harness.training.initialisation import pretrains, require_modality
from mmact_oneshot.harness.training.job import TrainingJob, setup_of
from mmact_oneshot.harness.training.loop import Source, Trained
from mmact_oneshot.harness.training.pretraining import pretrained_states
from mmact_oneshot.harness.training.warm_start import warm_started_encoder
from mmact_oneshot.harness.training.workspace import Workspace, training_context

Notes = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class MethodTraining:
    """Builds, trains and applies the methods of jobs.

    Attributes:
        features: of frozen encoders, shared by the jobs of a run.
    """

    workspace: Workspace
    features: FrozenFeatures

    def build(self, job: TrainingJob) -> tuple[FewShotMethod, Notes]:
        """The method in its initial state, and the notes of its shared encoders.

        Raises:
            NotApplicable: the method cannot run on these modalities, or no clip has one of them.
        """
        require_applicable(self.workspace, job)
        encoders: dict[str, Encoder] = {}
        notes: Notes = {}
        for modality, key in job.encoder_keys(self.workspace.common).items():
            encoder, notes[modality] = warm_started_encoder(self.workspace, key)
            encoders[modality] = encoder.requires_grad_(job.training == "end_to_end")
        setup = setup_of(self.workspace.task, job.row, job.settings, job.protocol)
        states = pretrained_states(self.workspace, job.initialisation, job.seed) if pretrains(job.method) else {}
        with seeded(job.seed, "head", job.label):
            method = job.method(replace(setup, encoders=encoders, pretrained=states), **job.method_settings)
        for network in method.own_encoders():
            network.requires_grad_(job.training == "end_to_end")
        return method, notes

    def train(
        self, job: TrainingJob, method: FewShotMethod, budget: Budget, weights: Path, *, title: str, name: str
    ) -> Trained:
        """Train a method that was just built and leave it at the state that the protocol selects.

        Args:
            weights: where the caller will keep them; the state of a training that is cut off lies beside.
            title: for the watcher.
            name: of the learning curves.

        Raises:
            DivergedError: a loss or a score is not finite.
        """
        source: Source = self.clips(job)
        if job.frozen:
            classes = job.protocol.classes
            source = self.encoded(job, method, classes if "validation" in classes else f"{classes}+validation")
        with training_context(
            self.workspace, job.seed, weights, title=title, name=name, budget=job.training
        ) as context:
            return train_on_task(method, self.workspace.task, budget, job.protocol, source, context)

    def encoded(self, job: TrainingJob, method: FewShotMethod, role: str, without: str = "") -> FeatureTable:
        """Encoded clips of a role: shared with other jobs where the encoders are frozen.

        Args:
            without: as for :class:`mmact_oneshot.harness.data.task.clip_source.ClipSource`.
        """
        if job.frozen and type(method).encode is FewShotMethod.encode:
            return self.features.of(job, method, role, without)
        method.eval()
        rows = self.workspace.task.role_rows(role)
        return encode_clips(
            method.encode,
            self.clips(job, without),
            rows,
            self.workspace.device,
            job.settings.batch,
            watcher=self.workspace.watcher,
        )

    def clips(self, job: TrainingJob, without: str = "") -> ClipSource:
        """The clips that a job's method gets."""
        return self.workspace.clips(job.settings, job.row.modalities, without)


def require_applicable(workspace: Workspace, job: TrainingJob) -> None:
    """Raises NotApplicable where the method cannot use a modality of the row, or the data lack it."""
    for modality in job.row.modalities:
        if not workspace.task.has(modality):
            raise NotApplicable(f"no clip of this data set has {modality}")
        if modality not in job.method.needs.modalities:
            raise NotApplicable(f"does not use {modality}")
    require_modality(job.initialisation, job.row.modalities)


class TrainedPart(torch.nn.Module):
    """The part of a method that its checkpoint holds: all of it, or all but its encoders where they are frozen."""

    def __init__(self, method: FewShotMethod, job: TrainingJob) -> None:
        super().__init__()
        left_out = [] if job.training == "end_to_end" else [method.encoders, *method.own_encoders()]
        for name, module in method.named_children():
            if not any(module is encoder for encoder in left_out):
                self.add_module(name, module)
        for name, parameter in method.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, buffer in method.named_buffers(recurse=False):
            self.register_buffer(name, buffer)
