"""The search of a learning rate: each candidate trained in full with one seed, the best on validation kept.

The same effort for every row of a study, and all of it in a record. The choice is made once for a row, on base and
validation classes, and then holds for all its seeds and protocols. The trial that wins is the training of its seed and
is not done a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from glob import escape
from pathlib import Path

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.records import SearchRecord, Trial
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.digests import digest
from mmact_oneshot.harness.runtime.errors import DivergedError
from mmact_oneshot.harness.runtime.provenance import provenance
from mmact_oneshot.harness.training.checkpoint import load_weights, save_weights
from mmact_oneshot.harness.training.job import TrainingJob
from mmact_oneshot.harness.training.loop import Trained
from mmact_oneshot.harness.training.method_training import MethodTraining, TrainedPart
from mmact_oneshot.harness.training.workspace import Workspace


def is_searched(workspace: Workspace, job: TrainingJob) -> bool:
    """Whether nothing of the search for a job is left to do."""
    if job.search is None:
        return True
    if not workspace.records.has(SearchRecord, job.search.row_id):
        return False
    return not _left(workspace.records.read(SearchRecord, job.search.row_id))


def found_rate(workspace: Workspace, job: TrainingJob) -> SearchRecord | None:
    """The finished search for a job; None where its learning rate is given.

    Raises:
        DivergedError: no candidate could be trained with.
    """
    if job.search is None:
        return None
    record = workspace.records.read(SearchRecord, job.search.row_id)
    if record.best is None:
        reason = record.trials[0].failure or "no reason recorded"
        raise DivergedError(f"every learning rate tried diverged; at {record.candidates[0]:g}: {reason}")
    return record


@dataclass(frozen=True)
class RateSearch:
    """Searches, each done once, and continued where it was cut off."""

    training: MethodTraining

    @property
    def workspace(self) -> Workspace:
        return self.training.workspace

    def run(self, job: TrainingJob) -> None:
        """Try what is left of the candidates for a job that has a search.

        Raises:
            NotApplicable: the method cannot do what the row asks.
        """
        assert job.search is not None
        record = self._begun(job.search)
        for rate in _left(record):
            record = self._tried(job.search, record, rate)
        if record.best is not None:
            self.workspace.watcher.note(f"  learning rate {record.best.learning_rate:g} from now on")

    def take(self, job: TrainingJob, record: SearchRecord, method: FewShotMethod) -> Trained | None:
        """The winning trial as the training of a job: loads its state into ``method``, which was just built.

        Returns:
            None where the trial is no training of this job, or its state is not kept: train, it gives the same.
        """
        path = self._kept(record)
        if job.search is None or job.id != job.search.id or record.best is None or not path.is_file():
            return None
        notes = load_weights(path, TrainedPart(method, job))
        return Trained(**notes, validations=record.best.validations)

    def release(self, job: TrainingJob) -> None:
        """Forget the state of the winning trial, once the training of its seed is kept elsewhere."""
        if job.search is not None and job.id == job.search.id:
            self._forget(job.search.row_id)

    def _begun(self, job: TrainingJob) -> SearchRecord:
        """The search as it was left, or a new one."""
        if self.workspace.records.has(SearchRecord, job.row_id):
            return self.workspace.records.read(SearchRecord, job.row_id)
        assert job.budget is not None
        return SearchRecord(
            id=job.row_id,
            method=job.label,
            method_source=job.method_source,
            modalities=job.row.modalities,
            training=job.training,
            method_settings=job.method_settings,
            seed=job.seed,
            conditions_digest=digest(job.conditions),
            candidates=job.budget.search,
            trials=[],
            provenance=provenance(self.workspace.device.describe()),
            volatile={"seconds": [], "resumed": []},
        )

    def _tried(self, job: TrainingJob, record: SearchRecord, rate: float) -> SearchRecord:
        """The record with one more trial, written."""
        assert job.budget is not None
        number = len(record.trials) + 1
        method, _ = self.training.build(job)
        trained, weights = Trained(), self._path(record.id, number)
        try:
            trained = self.training.train(
                job,
                method,
                job.budget.at(rate),
                weights,
                title=f"{job.title}, learning rate {rate:g}, {number} of {len(record.candidates)}",
                name=weights.stem,
            )
            trial = Trial(
                learning_rate=rate,
                accuracy=max(value for _, value in trained.validations),
                best_step=trained.best_step,
                validations=trained.validations,
                failure=None,
            )
        except DivergedError as error:
            trial = Trial(learning_rate=rate, accuracy=None, best_step=None, validations=[], failure=error.problem)
        volatile = {
            "seconds": [*record.volatile["seconds"], round(trained.seconds, 2)],
            "resumed": [*record.volatile["resumed"], trained.resumed],
        }
        record = record.model_copy(update={"trials": [*record.trials, trial], "volatile": volatile})
        ranks.from_first(lambda: self._keep(job, record, method, trained))
        return record

    def _keep(self, job: TrainingJob, record: SearchRecord, method: FewShotMethod, trained: Trained) -> None:
        """Write the record, and the state of its last trial where that is the best."""
        best = record.best == record.trials[-1]
        if best:
            notes = {name: value for name, value in vars(trained).items() if name not in ("best", "validations")}
            save_weights(self._kept(record), TrainedPart(method, job).state_dict(), notes)
        self.workspace.records.write(record)
        self._path(record.id, len(record.trials)).with_suffix(".state").unlink(missing_ok=True)
        if best:  # it is recorded: what was the best before it is of no more use
            self._forget(record.id, but=self._kept(record))

    def _kept(self, record: SearchRecord) -> Path:
        """Where the state of the best trial so far is."""
        best = record.best
        return self._path(record.id, 0 if best is None else 1 + record.trials.index(best))

    def _path(self, identity: str, number: int) -> Path:
        return self.workspace.weights("checkpoints", f"search-{identity}-{number}")

    def _forget(self, identity: str, but: Path | None = None) -> None:
        for path in self._path(identity, 0).parent.glob(f"search-{escape(identity)}-*"):
            if path != but:
                path.unlink()


def _left(record: SearchRecord) -> tuple[float, ...]:
    return record.candidates[len(record.trials) :]
