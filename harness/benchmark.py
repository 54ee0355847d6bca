"""The main job: every row of a table trained, selected on validation, and scored once on every suite.

What is already recorded is not done again, and what was cut off continues from its last look at validation.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import torch

from harness.api import Encoder, FewShotMethod, NotApplicable, Setup
from harness.device import Device
from harness.encoders.build import seeded
from harness.episodes.suites import SUITES
from harness.errors import DivergedError, HarnessError
from harness.evaluation.evaluate import evaluate_suite
from harness.evaluation.features import FeatureTable, embed_clips, encode_clips
from harness.input import ClipSource
from harness.jobs import Job, bare_setup, plan_jobs
from harness.progress import Silent, Watcher
from harness.protocol import Settings, digest
from harness.provenance import provenance
from harness.records import EvaluationRecord, RecordFolder, SkippedRecord, TrainingRecord
from harness.task import Task
from harness.training.checkpoint import load_weights, save_weights
from harness.training.curves import curve_log
from harness.training.fit import fit
from harness.training.loop import Trained
from harness.training.shared_encoder import SharedEncoders


class Benchmark:
    """Runs the rows of ``task.settings``.

    Args:
        task: the data.
        out: folder of records, checkpoints, shared encoders and curves.
        device: where to run.
        watcher: told what goes on.
        force: do again what is recorded.
    """

    def __init__(
        self, task: Task, out: Path, device: Device, watcher: Watcher | None = None, force: bool = False
    ) -> None:
        self.task, self.out, self.device, self.force = task, out, device, force
        self.watcher: Watcher = watcher or Silent()
        self.records = RecordFolder(out / "records")
        self.shared = SharedEncoders(task, out / "encoders", device, self.watcher, self._curves, force)
        self.jobs = plan_jobs(task, device.precision)

    @property
    def settings(self) -> Settings:
        return self.task.settings

    def todo(self, job: Job) -> tuple[str, ...]:
        """Suites of a job that have no record of these very episodes yet; all of them under ``force``."""
        if self.force:
            return job.suites
        if self.records.has(SkippedRecord, job.id):
            return ()
        return tuple(suite for suite in job.suites if not self._scored(job, suite))

    def _scored(self, job: Job, suite: str) -> bool:
        identity = f"{job.id}.{suite}"
        if not self.records.has(EvaluationRecord, identity):
            return False
        return self.records.read(EvaluationRecord, identity).suite_digest == self.task.suite(suite).digest

    def run(self) -> None:
        """Do every job that is not recorded."""
        self.task.require_usable()
        for name in self.settings.suites:
            suite = self.task.suite(name)  # an impossible suite is refused before anything is trained
            if suite.spec.role != "novel":
                tests = ", ".join(spec.name for spec in SUITES.values() if spec.role == "novel")
                raise HarnessError(f"suite {name!r} is for selection, not for a table.", remedy=f"Known: {tests}.")
        for number, job in enumerate(self.jobs, 1):
            suites = self.todo(job)
            if suites:
                self.watcher.note(f"{number}/{len(self.jobs)} {job.id}")
                try:
                    self._run(job, suites)
                except (NotApplicable, DivergedError) as reason:
                    self._skip(job, str(reason))

    def _skip(self, job: Job, reason: str) -> None:
        """Record why a row has no figures; the other rows go on."""
        self.watcher.note(f"  no figures: {reason}")
        self.records.write(
            SkippedRecord(
                id=job.id,
                volatile={},
                method=job.label,
                modalities=job.row.modalities,
                regime=job.regime,
                reason=reason,
            )
        )

    def _run(self, job: Job, suites: tuple[str, ...]) -> None:
        method, encoders = self._build(job)
        weights = self.out / "checkpoints" / f"{job.id}.safetensors"
        if (
            job.regime != "untrained"
            and weights.is_file()
            and self.records.has(TrainingRecord, job.id)
            and not self.force
        ):
            load_weights(weights, _Own(method, job.regime))
        else:
            state_file = self.out / "checkpoints" / f"{job.id}.state"
            if self.force:
                state_file.unlink(missing_ok=True)
            trained = self._train(job, method, state_file)
            if job.regime != "untrained":
                save_weights(weights, _Own(method, job.regime).state_dict(), {"training": job.id})
            self.records.write(self._record(job, method, encoders, trained))
        method.to(self.device.torch).eval()
        encoded = self._encoded(job, method, "novel")
        embedded = embed_clips(method, encoded, self.device)
        costs = {"encode": round(encoded.seconds, 3), "embed": round(embedded.seconds, 3)}
        for suite in suites:
            evaluate_suite(method, embedded, self.task, suite, job.id, self.records, self.device, costs)

    def _build(self, job: Job) -> tuple[FewShotMethod, dict[str, dict[str, Any]]]:
        """The method on its shared encoders. Raises NotApplicable."""
        for modality in job.row.modalities:
            if not self.task.has(modality):
                raise NotApplicable(f"no clip of this data set has {modality}")
        encoders: dict[str, Encoder] = {}
        notes: dict[str, dict[str, Any]] = {}
        if job.method.needs.outputs:
            for modality in job.row.modalities:
                encoders[modality], notes[modality] = self.shared.trained(modality, job.seed, job.regimen)
                encoders[modality].requires_grad_(job.regime == "tuned")
        bare = bare_setup(self.task, job.row, job.regimen)
        with seeded(job.seed, "head", job.label):
            method = job.method(Setup(**{**vars(bare), "encoders": encoders}), **job.method_settings)
        return method, notes

    def _train(self, job: Job, method: FewShotMethod, state_file: Path) -> Trained:
        if not any(parameter.requires_grad for parameter in method.parameters()):
            return Trained()
        source: ClipSource | FeatureTable
        if job.regime == "frozen":
            roles = job.regimen.classes if "validation" in job.regimen.classes else f"{job.regimen.classes}+validation"
            source = self._encoded(job, method, roles)
        else:
            source = ClipSource(self.task.store, self.settings.input, job.row.modalities)
        return fit(
            method,
            self.task,
            self.settings.budget(job.regime),
            job.regimen,
            source,
            device=self.device,
            seed=job.seed,
            state_file=state_file,
            title=f"{job.label}, {job.row.modality_label}, {job.regime}, seed {job.seed}",
            watcher=self.watcher,
            curves=self._curves(job.id),
        )

    def _encoded(self, job: Job, method: FewShotMethod, role: str) -> FeatureTable:
        """Encoded clips of a role: shared where the encoders are frozen, the method's own otherwise."""
        if job.regime == "frozen" and _default_encode(method):
            tables = [
                self.shared.features(modality, job.seed, job.regimen, method.needs.outputs, role)
                for modality in job.row.modalities
            ]
            return reduce(FeatureTable.joined, tables)
        source = ClipSource(self.task.store, self.settings.input, job.row.modalities)
        method.eval()
        return encode_clips(method.encode, source, self.task.role_rows(role), self.device, self.settings.batch)

    def _record(
        self, job: Job, method: FewShotMethod, encoders: dict[str, dict[str, Any]], trained: Trained
    ) -> TrainingRecord:
        task, manifest = self.task, self.task.store.manifest
        volatile = {name: note["volatile"] for name, note in encoders.items()}
        return TrainingRecord(
            id=job.id,
            method=job.label,
            method_source=job.method_source,
            modalities=job.row.modalities,
            regime=job.regime,
            regimen=job.regimen.name,
            transductive=method.transductive,
            method_settings=job.method_settings,
            seed=job.seed,
            preset=task.settings.preset,
            recipe=task.settings.recipe,
            settings=task.settings.model_dump(mode="json", exclude={"rows", "seeds", "suites"}),
            training_digest=digest(job.protocol),
            training_protocol=job.protocol,
            data={
                "layout": manifest["layout"],
                "digest": task.data_digest,
                "split": task.split.name,
                "split_digest": task.split.digest,
                "generated": manifest["generated"],
                **task.completeness(),
            },
            parameters={
                "total": sum(p.numel() for p in method.parameters()),
                "trained": sum(p.numel() for p in method.parameters() if p.requires_grad),
            },
            encoders={n: {k: v for k, v in note.items() if k != "volatile"} for n, note in encoders.items()},
            selection=trained.trace,
            best_step=trained.best_step,
            losses=trained.losses,
            provenance=provenance(self.device.describe()),
            volatile={
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(trained.seconds, 2),
                "waited_for_data": round(trained.waited, 2),
                "clips_per_second": round(trained.rate, 1),
                "resumed": trained.resumed,
                "peak_memory_bytes": _peak_memory(self.device),
                "encoders": volatile,
            },
        )

    def _curves(self, name: str) -> Callable[[int, dict[str, float]], None]:
        return curve_log(self.out / "tensorboard" / name)


class _Own(torch.nn.Module):
    """The part of a method that its checkpoint holds: all of it, or all but the shared encoders where frozen."""

    def __init__(self, method: FewShotMethod, regime: str) -> None:
        super().__init__()
        for name, module in method.named_children():
            if name != "encoders" or regime == "tuned":
                self.add_module(name, module)
        for name, parameter in method.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, buffer in method.named_buffers(recurse=False):
            self.register_buffer(name, buffer)


def _default_encode(method: FewShotMethod) -> bool:
    return type(method).encode is FewShotMethod.encode


def _peak_memory(device: Device) -> int:
    """Bytes: of the GPU where there is one, of the process otherwise."""
    if device.torch.type == "cuda":
        return torch.cuda.max_memory_allocated(device.torch)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
