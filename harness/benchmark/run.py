"""The main job: every row of a table trained, selected on validation, and scored once on every suite.

What is already recorded is not done again, and what was cut off continues from its last look at validation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from harness.api import FewShotMethod, NotApplicable
from harness.benchmark.plan import Job, plan_jobs
from harness.config.settings import Settings
from harness.data.episodes.suites import SUITES
from harness.data.task.task import Task
from harness.evaluation.ablation import is_tested_without, wanted_without
from harness.evaluation.evaluate import Tested, evaluate_suite
from harness.evaluation.features import embed_clips
from harness.evaluation.suite_record import record_suite
from harness.records import SCHEMA, EvaluationRecord, RecordFolder, SearchRecord, SkippedRecord, TrainingRecord
from harness.runtime.device import Device, peak_memory
from harness.runtime.errors import DivergedError, HarnessError
from harness.runtime.progress import Silent, Watcher
from harness.runtime.provenance import provenance
from harness.training.checkpoint import load_weights, save_weights
from harness.training.conditions import digest, weights_of
from harness.training.episodic import Curves
from harness.training.loop import Trained
from harness.training.method_training import Own, Trainer
from harness.training.pretraining import Pretrainer
from harness.training.rate_search import RateSearch
from harness.training.tensorboard import curve_log
from harness.training.warm_start import SharedEncoders


@dataclass(frozen=True)
class _Outcome:
    """A training, the learning rate that it had (None: nothing was trained), and the search behind the rate."""

    trained: Trained
    learning_rate: float | None = None
    search: SearchRecord | None = None


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
        self.pretrainer = Pretrainer(task, out / "pretraining", self.records, device, self.watcher, self._curves, force)
        self.shared = SharedEncoders(task, out / "encoders", self.pretrainer, device, self.watcher, self._curves, force)
        self.trainer = Trainer(task, self.shared, device, self.watcher, self._curves)
        self.search = RateSearch(self.trainer, self.records, out / "checkpoints", force)
        self.jobs = plan_jobs(task, device.precision)
        for job in self.jobs:
            if job.regime == "frozen" and self.todo(job):
                self.shared.want(job.row.modalities, job.settings, job.encoder_start, job.method.needs.outputs)

    @property
    def settings(self) -> Settings:
        return self.task.settings

    def todo(self, job: Job) -> tuple[str, ...]:
        """Suites of a job that have no complete record of these very episodes yet; all of them under ``force``."""
        if self.force:
            return job.suites
        if self.records.has(SkippedRecord, job.id):
            return ()
        return tuple(suite for suite in job.suites if not self._scored(job, suite))

    def _scored(self, job: Job, suite: str) -> bool:
        """Whether a suite is recorded with its predictions, its training, and every figure that the settings ask for
        (records of older versions lack some)."""
        identity = f"{job.id}.{suite}"
        if not self.records.has(EvaluationRecord, identity) or not self.records.has(TrainingRecord, job.id):
            return False
        record = self.records.read(EvaluationRecord, identity)
        names = wanted_without(suite, self.settings, job.row.modalities, tuple(self.task.store.sensors))
        return (
            record.suite_digest == self.task.suite(suite).digest
            and record.schema_version == SCHEMA
            and is_tested_without(record, names, self.settings.removed_episodes)
            and self.records.has_predictions(record)
        )

    def run(self) -> None:
        """Do every job that is not recorded."""
        self.task.require_usable()
        for name in self.settings.suites:
            suite = self.task.suite(name)  # an impossible suite is refused before anything is trained
            if suite.spec.role != "novel":
                tests = ", ".join(spec.name for spec in SUITES.values() if spec.role == "novel")
                raise HarnessError(f"suite {name!r} is for selection, not for a table.", remedy=f"Known: {tests}.")
        for name in self.settings.suites:
            record_suite(self.task, name, self.records)
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

    def _forget(self, job: Job) -> None:
        """Should the job fail or be cut off now, nothing of before takes its place."""
        self.records.remove(SkippedRecord, job.id)
        for suite in job.suites:
            self.records.remove(EvaluationRecord, f"{job.id}.{suite}")
        for suffix in (".safetensors", ".state"):
            self._weights(job).with_suffix(suffix).unlink(missing_ok=True)

    def _weights(self, job: Job) -> Path:
        return self.out / "checkpoints" / f"{job.id}.safetensors"

    def _run(self, job: Job, suites: tuple[str, ...]) -> None:
        if self.force:
            self._forget(job)
        method, encoders = self.trainer.build(job)
        weights, untrained = self._weights(job), job.regime == "untrained"
        if self.force or not self.records.has(TrainingRecord, job.id) or not (untrained or weights.is_file()):
            outcome = self._train(job, method)
            if not untrained:
                save_weights(weights, Own(method, job.regime).state_dict(), {"training": job.id})
            self.records.write(self._record(job, method, encoders, outcome))
        elif not untrained:
            load_weights(weights, Own(method, job.regime))
        self.search.release(job)
        method.to(self.device.torch).eval()
        encoded = self.trainer.encoded(job, method, "novel")
        embedded = embed_clips(method, encoded, self.device)
        tested = Tested(
            method=method,
            training=job.id,
            source=self.trainer.clips(job),
            encoded=partial(self.trainer.encoded, job, method, "novel"),
            embedded=embedded,
            costs={"encode": round(encoded.seconds, 3), "embed": round(embedded.seconds, 3)},
        )
        for suite in suites:
            evaluate_suite(tested, self.task, suite, self.records, self.device)

    def _train(self, job: Job, method: FewShotMethod) -> _Outcome:
        """Train a method that was just built, at the learning rate that was given or is found now."""
        if job.budget is None or not any(parameter.requires_grad for parameter in method.parameters()):
            return _Outcome(Trained())
        state_file = self._weights(job).with_suffix(".state")
        found = self.search.chosen(job)
        rate = job.budget.learning_rate
        if found is not None and found.best is not None:
            rate = found.best.learning_rate
            taken = self.search.take(job, found, method)
            if taken is not None:
                return _Outcome(taken, rate, found)
        title = f"{job.title}, seed {job.seed}"
        trained = self.trainer.train(job, method, job.budget.at(rate), state_file=state_file, title=title, name=job.id)
        return _Outcome(trained, rate, found)

    def _record(
        self, job: Job, method: FewShotMethod, encoders: dict[str, dict[str, Any]], outcome: _Outcome
    ) -> TrainingRecord:
        task = self.task
        trained, search = outcome.trained, outcome.search
        files = [weights_of(job.settings, modality) for modality in encoders]
        if job.start.file is not None and job.start.protocol is not None:
            files.append({"name": job.start.name, "sha256": job.start.protocol["file"]})
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
            preset=job.settings.preset,
            recipe=job.settings.recipe,
            settings=_without_folders(job.settings),
            training_digest=digest(job.protocol),
            training_protocol=job.protocol,
            learning_rate=outcome.learning_rate,
            search=None if search is None else search.id,
            tried=[] if search is None else [(trial.learning_rate, trial.accuracy) for trial in search.trials],
            external_data=tuple(f"{file['name']} sha256:{file['sha256']}" for file in files if file),
            pretraining=self.pretrainer.record_id(job.start, job.seed),
            initialisation=job.start.name,
            encoder=job.settings.encoder,
            data=task.origin(),
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
                "peak_memory_bytes": peak_memory(self.device),
                "encoders": volatile,
            },
        )

    def _curves(self, name: str) -> Curves:
        return curve_log(self.out / "tensorboard" / name)


def _without_folders(settings: Settings) -> dict[str, Any]:
    """The settings of a row as they are recorded: files by their names, wherever they lie."""
    content = settings.model_dump(mode="json", exclude={"rows", "seeds", "suites"})
    content["video_encoder"]["weights"] = Path(settings.video_encoder.weights).name
    return content
