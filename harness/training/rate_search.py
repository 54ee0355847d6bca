"""The search of a learning rate: each candidate trained in full with one seed, the best on validation kept.

The same effort for every row of a table, and all of it in a record. The choice is made once for a row, on base and
validation classes, and then holds for all its seeds and regimens. The trial that wins is the training of its seed and
is not done a second time.
"""

from __future__ import annotations

from pathlib import Path

from harness.api import FewShotMethod
from harness.benchmark.plan import Job
from harness.records import RecordFolder, SearchRecord, Trial
from harness.runtime.errors import DivergedError
from harness.runtime.provenance import provenance
from harness.training.checkpoint import load_weights, save_weights
from harness.training.conditions import digest
from harness.training.loop import Trained
from harness.training.method_training import Own, Trainer


class RateSearch:
    """Searches, each done once, and continued where it was cut off.

    Args:
        trainer: builds and trains a job's method.
        records: where searches are recorded, trial by trial.
        folder: of checkpoints; the best trial so far is kept there until the training of its seed takes it over.
        force: do again what is recorded, once.
    """

    def __init__(self, trainer: Trainer, records: RecordFolder, folder: Path, force: bool = False) -> None:
        self.trainer, self.records, self.folder, self.force = trainer, records, folder, force
        self._fresh: set[str] = set()

    def done(self, job: Job) -> bool:
        """Whether nothing of the search for a job is left to do."""
        if job.search is None or not self.records.has(SearchRecord, job.search.row_id):
            return job.search is None
        return not self.force and not _left(self.records.read(SearchRecord, job.search.row_id))

    def chosen(self, job: Job) -> SearchRecord | None:
        """The finished search for a job; None where its learning rate is given.

        Raises:
            DivergedError: no candidate could be trained with.
        """
        if job.search is None:
            return None
        record = self._begun(job.search)
        left = _left(record)
        for rate in left:
            record = self._tried(job.search, record, rate)
        if left and record.best is not None:
            self.trainer.watcher.note(f"  learning rate {record.best.learning_rate:g} from now on")
        if record.best is None:
            reason = record.trials[0].failure or "no reason recorded"
            raise DivergedError(f"every learning rate tried diverged; at {record.candidates[0]:g}: {reason}")
        return record

    def take(self, job: Job, record: SearchRecord, method: FewShotMethod) -> Trained | None:
        """The winning trial as the training of a job: loads its state into ``method``, which was just built.

        Returns:
            None where the trial is no training of this job, or its state is not kept: train, it gives the same.
        """
        path = self._kept(record)
        if job.search is None or job.id != job.search.id or record.best is None or not path.is_file():
            return None
        notes = load_weights(path, Own(method, job.regime))
        return Trained(**notes, trace=record.best.trace)

    def release(self, job: Job) -> None:
        """Forget the state of the winning trial, once the training of its seed is kept elsewhere."""
        if job.search is not None and job.id == job.search.id:
            self._forget(job.search.row_id)

    def _begun(self, job: Job) -> SearchRecord:
        """The search as it was left, or a new one."""
        again = self.force and job.row_id not in self._fresh
        self._fresh.add(job.row_id)
        if again:
            self._forget(job.row_id)
        elif self.records.has(SearchRecord, job.row_id):
            return self.records.read(SearchRecord, job.row_id)
        assert job.budget is not None
        return SearchRecord(
            id=job.row_id,
            method=job.label,
            method_source=job.method_source,
            modalities=job.row.modalities,
            regime=job.regime,
            method_settings=job.method_settings,
            seed=job.seed,
            training_digest=digest(job.protocol),
            candidates=job.budget.search,
            trials=[],
            provenance=provenance(self.trainer.device.describe()),
            volatile={"seconds": [], "resumed": []},
        )

    def _tried(self, job: Job, record: SearchRecord, rate: float) -> SearchRecord:
        """The record with one more trial, written."""
        assert job.budget is not None
        number = len(record.trials) + 1
        method, _ = self.trainer.build(job)
        trained, state_file = Trained(), self.folder / f"search-{record.id}-{number}.state"
        try:
            trained = self.trainer.train(
                job,
                method,
                job.budget.at(rate),
                state_file=state_file,
                title=f"{job.title}, learning rate {rate:g}, {number} of {len(record.candidates)}",
                name=f"search-{record.id}-{number}",
            )
            accuracy = max(value for _, value in trained.trace)
            trial = Trial(
                learning_rate=rate, accuracy=accuracy, best_step=trained.best_step, trace=trained.trace, failure=None
            )
        except DivergedError as error:
            state_file.unlink(missing_ok=True)
            trial = Trial(learning_rate=rate, accuracy=None, best_step=None, trace=[], failure=error.problem)
        volatile = {
            "seconds": [*record.volatile["seconds"], round(trained.seconds, 2)],
            "resumed": [*record.volatile["resumed"], trained.resumed],
        }
        record = record.model_copy(update={"trials": [*record.trials, trial], "volatile": volatile})
        if record.best == trial:
            notes = {name: value for name, value in vars(trained).items() if name not in ("best", "trace")}
            save_weights(self._kept(record), Own(method, job.regime).state_dict(), notes)
        self.records.write(record)
        if record.best == trial:  # it is recorded: what was the best before it is of no more use
            self._forget(record.id, but=self._kept(record))
        return record

    def _kept(self, record: SearchRecord) -> Path:
        """Where the state of the best trial so far is."""
        best = record.best
        number = 0 if best is None else 1 + record.trials.index(best)
        return self.folder / f"search-{record.id}-{number}.safetensors"

    def _forget(self, identity: str, but: Path | None = None) -> None:
        for path in self.folder.glob(f"search-{identity}-*"):
            if path != but:
                path.unlink()


def _left(record: SearchRecord) -> tuple[float, ...]:
    return record.candidates[len(record.trials) :]
