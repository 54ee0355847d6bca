"""One row with one seed: trained or found trained, evaluated on its suites, recorded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.benchmark.set_aside import set_results_aside
from mmact_oneshot.harness.benchmark.steps import unscored_suites
from mmact_oneshot.harness.encoders.placement import placed
from mmact_oneshot.harness.evaluation.alone import Fresh, copied
from mmact_oneshot.harness.evaluation.evaluate import TrainedMethod, evaluate_suite
from mmact_oneshot.harness.evaluation.features import FeatureTable, embed_clips, encode_clips
from mmact_oneshot.harness.records import SearchRecord, SkippedRecord, TrainingRecord
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.device import peak_memory
from mmact_oneshot.harness.runtime.digests import digest
from mmact_oneshot.harness.runtime.provenance import provenance
from mmact_oneshot.harness.training.checkpoint import load_weights, save_weights
from mmact_oneshot.harness.training.conditions import weights_of, without_folders
from mmact_oneshot.harness.training.initialisation import Pretrained, ReleasedWeights
from mmact_oneshot.harness.training.job import TrainingJob
from mmact_oneshot.harness.training.loop import Trained
from mmact_oneshot.harness.training.method_training import MethodTraining, Notes, TrainedPart
from mmact_oneshot.harness.training.rate_search import RateSearch, found_rate
from mmact_oneshot.harness.training.workspace import Workspace


@dataclass(frozen=True)
class _Outcome:
    """A training, its learning rate (None: nothing was trained), and the search behind the rate."""

    trained: Trained
    learning_rate: float | None = None
    search: SearchRecord | None = None


@dataclass(frozen=True)
class RowRunner:
    """Runs the rows of a plan, one seed at a time."""

    training: MethodTraining

    @property
    def workspace(self) -> Workspace:
        return self.training.workspace

    def run(self, job: TrainingJob) -> None:
        """Train where there is no training yet, and score on the suites that have no complete record.

        Raises:
            NotApplicable: the method cannot do what the row asks.
            DivergedError: a loss or a score is not finite.
        """
        method = self._trained(job)
        ranks.from_first(lambda: self._score(job, method, unscored_suites(self.workspace, job)))

    def _score(self, job: TrainingJob, method: FewShotMethod, suites: tuple[str, ...]) -> None:
        workspace = self.workspace
        placed(method, workspace.device.torch).eval()
        fresh = copied(method)
        encoded = self.training.encoded(job, method, "novel")
        trained = TrainedMethod(
            method=method,
            training=job.id,
            source=self.training.clips(job),
            encoded_without=partial(self.training.encoded, job, method, "novel"),
            embedded=embed_clips(method, encoded, workspace.device).held_near(workspace.device),
            fresh=Fresh(fresh, partial(self._embedded_alone, job, fresh, encoded)),
            encoding_seconds=encoded.seconds,
        )
        for suite in suites:
            evaluate_suite(trained, workspace.task, suite, workspace.records, workspace.device)

    def _embedded_alone(
        self, job: TrainingJob, method: FewShotMethod, encoded: FeatureTable, clips: np.ndarray
    ) -> FeatureTable:
        """Clips one by one: of frozen encoders their features as they are kept, else ``encode``; then ``embed``."""
        device = self.workspace.device
        if not job.frozen or type(method).encode is not FewShotMethod.encode:
            encoded = encode_clips(
                method.encode, self.training.clips(job), clips, device, job.settings.batch, at_once=1
            )
        return embed_clips(method, encoded, device, clips, batch=1)

    def skip(self, job: TrainingJob, reason: str) -> None:
        """Record why a row has no figures."""
        self.workspace.watcher.note(f"  no figures: {reason}")
        self.workspace.records.write(
            SkippedRecord(
                id=job.id,
                volatile={},
                method=job.label,
                modalities=job.row.modalities,
                training=job.training,
                reason=reason,
            )
        )

    def _trained(self, job: TrainingJob) -> FewShotMethod:
        """The method as it was or is trained now, and recorded.

        Where its weights were removed it is trained again. If that gives the same, its record and its evaluations
        stay; if not, such as on another machine, they are set aside: no row mixes the answers of two trainings.
        """
        workspace, weights = self.workspace, self.workspace.weights("checkpoints", job.id)
        method, encoders = self.training.build(job)
        search = RateSearch(self.training)
        recorded = workspace.records.has(TrainingRecord, job.id)

        def release() -> None:
            weights.with_suffix(".state").unlink(missing_ok=True)
            search.release(job)

        if recorded and (not job.trained or weights.is_file()):
            if job.trained:
                load_weights(weights, TrainedPart(method, job))
            ranks.from_first(release)  # a run may have been cut off just before
            return method
        outcome = self._train(job, method, search, weights)

        def keep() -> None:
            record = _record(workspace, job, method, encoders, outcome)
            same = recorded and _same(record, workspace.records.read(TrainingRecord, job.id))
            if recorded and not same:
                target, _ = set_results_aside(workspace, job)
                workspace.watcher.note(f"  trained again, and otherwise: what was scored before is in {target}")
            if job.trained:
                save_weights(weights, TrainedPart(method, job).state_dict(), {"training": job.id})
            if not same:
                workspace.records.write(record)
            release()

        ranks.from_first(keep)
        return method

    def _train(self, job: TrainingJob, method: FewShotMethod, search: RateSearch, weights: Path) -> _Outcome:
        """Train a method that was just built, at the learning rate that is given or was found."""
        if job.budget is None:
            return _Outcome(Trained())
        found, rate = found_rate(self.workspace, job), job.budget.learning_rate
        if found is not None and found.best is not None:
            rate = found.best.learning_rate
            taken = search.take(job, found, method)
            if taken is not None:
                return _Outcome(taken, rate, found)
        title = f"{job.title}, seed {job.seed}"
        trained = self.training.train(job, method, job.budget.at(rate), weights, title=title, name=job.id)
        return _Outcome(trained, rate, found)


def _same(record: TrainingRecord, before: TrainingRecord) -> bool:
    """Whether two records are of one training: validations, losses and the encoders' states agree to the last bit."""
    results = {"learning_rate", "parameters", "validations", "losses", "best_step"}
    states = [{name: notes["state"] for name, notes in each.encoders.items()} for each in (record, before)]
    dumps = [each.model_dump(mode="json", include=results) for each in (record, before)]
    return states[0] == states[1] and dumps[0] == dumps[1]


def _record(
    workspace: Workspace, job: TrainingJob, method: FewShotMethod, encoders: Notes, outcome: _Outcome
) -> TrainingRecord:
    trained, search, initialisation = outcome.trained, outcome.search, job.initialisation
    used = {name: note for name, note in encoders.items() if name in method.encoders}  # Mu-MAE deletes one of them
    files = [weights_of(job.settings, modality) for modality in used]
    if isinstance(initialisation, ReleasedWeights):
        files.append({"name": initialisation.name, "sha256": initialisation.conditions["file"]})
    return TrainingRecord(
        id=job.id,
        method=job.label,
        method_source=job.method_source,
        bibtex=method.bibtex,
        modalities=job.row.modalities,
        training=job.training,
        protocol=job.protocol.name,
        transductive=method.transductive,
        unchecked=job.unchecked,
        method_settings=job.method_settings,
        seed=job.seed,
        preset=job.settings.preset,
        settings=without_folders(job.settings.model_dump(mode="json", exclude={"studies", "seeds", "suites"})),
        changes=without_folders(job.row.changes),
        conditions_digest=digest(job.conditions),
        conditions=job.conditions,
        learning_rate=outcome.learning_rate,
        search=None if search is None else search.id,
        tried=[] if search is None else [(trial.learning_rate, trial.accuracy) for trial in search.trials],
        external_data=tuple(f"{file['name']} sha256:{file['sha256']}" for file in files if file),
        pretraining=initialisation.id(job.seed) if isinstance(initialisation, Pretrained) else None,
        initialisation=initialisation.name,
        encoder=job.settings.encoder,
        data=workspace.task.origin(),
        parameters={
            "total": sum(p.numel() for p in method.parameters()),
            "trained": sum(p.numel() for p in method.parameters() if p.requires_grad),
        },
        encoders={name: {k: v for k, v in note.items() if k != "volatile"} for name, note in used.items()},
        validations=trained.validations,
        best_step=trained.best_step,
        losses=trained.losses,
        provenance=provenance(workspace.device.describe()),
        volatile={
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(trained.seconds, 2),
            "waited_for_data": round(trained.waited, 2),
            "clips_per_second": round(trained.rate, 1),
            "resumed": trained.resumed,
            "micro_batch_halvings": trained.halvings,
            "peak_memory_bytes": peak_memory(workspace.device),
            "encoders": {name: note["volatile"] for name, note in used.items()},
        },
    )
