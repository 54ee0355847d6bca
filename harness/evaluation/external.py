"""What was predicted outside the harness, as records: a row that stands apart and is never ranked. No torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from mmact_oneshot.harness.config.protocols import protocol_of
from mmact_oneshot.harness.config.studies import modality_label
from mmact_oneshot.harness.data.episodes.sampling import Draws
from mmact_oneshot.harness.data.episodes.suites import Suite, build_suite, suite_spec
from mmact_oneshot.harness.data.splits import clip_list, load_split
from mmact_oneshot.harness.evaluation.metrics import measure
from mmact_oneshot.harness.evaluation.predictions_file import Predictions
from mmact_oneshot.harness.records import Episodes, EvaluationRecord, RecordFolder, SuiteRecord, TrainingRecord
from mmact_oneshot.harness.runtime.digests import digest
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest
from mmact_oneshot.harness.runtime.provenance import provenance

EXTERNAL = "external"
ELSEWHERE = {"device": "elsewhere"}  # in place of hardware: what made the predictions is not known


@dataclass(frozen=True)
class Claim:
    """What whoever made the predictions says of them; nobody here can check it.

    Attributes:
        name: of the row.
        modalities: that were used, in training or in test.
        source: who says so: a paper, a repository with its commit, a person.
        note: what else a reader must know, such as other training data.
        transductive: whether the scores of a query may depend on the other queries.
    """

    name: str
    modalities: tuple[str, ...]
    source: str
    note: str = ""
    seed: int = 0
    transductive: bool = False

    @property
    def conditions(self) -> dict[str, str]:
        """In place of the conditions of a training."""
        return {
            "made": "outside the harness",
            "source": self.source,
            "note": self.note or "none",
            "transductive": "yes" if self.transductive else "no",
        }


def recorded_suite(records: RecordFolder, name: str) -> tuple[SuiteRecord, Episodes]:
    """A suite of a run by its name, or by the id of its record where several have that name.

    Raises:
        HarnessError: no such suite; several; or none recorded at all.
    """
    suites = records.all(SuiteRecord)
    if not suites:
        raise HarnessError(
            "no suite is recorded here.", where=records.folder, remedy="Start `oneshot run` again: it records them."
        )
    found = [suite for suite in suites if name in (suite.suite, suite.id)]
    if not found:
        known = {suite.suite for suite in suites}
        raise HarnessError(f"no suite {name!r} was scored.", where=records.folder, remedy=nearest(name, known))
    if len(found) > 1:
        raise HarnessError(
            f"{len(found)} suites {name!r}, of different recordings or lengths.",
            where=records.folder,
            remedy=f"Name one of: {', '.join(suite.id for suite in found)}.",
        )
    return found[0], records.read_episodes(found[0])


def rebuilt_suite(records: RecordFolder, name: str, split: str | None, clips: pd.DataFrame | None) -> Suite:
    """The suite of a run, drawn again.

    Args:
        split: a name or a file; None: what the records name.
        clips: of the recordings, where no published list names them.

    Raises:
        HarnessError: the clip list or the split at hand gives other episodes than the run had.
    """
    recorded, episodes = recorded_suite(records, name)
    origin = a_training(records, recorded).data
    chosen = load_split(split or str(origin["split"]))
    listed = clip_list(chosen, origin["generated"], clips, str(origin["layout"]))
    built = build_suite(suite_spec(recorded.suite), chosen, listed, len(episodes.label))
    if built.digest != recorded.suite_digest:
        raise HarnessError(
            f"suite {name} comes out with digest {built.digest[:8]}, but the run had {recorded.suite_digest[:8]}: its "
            "clips or its classes were others.",
            where=records.folder,
            remedy="Name its recordings with --data and its split with --split.",
        )
    return built


def a_training(records: RecordFolder, suite: SuiteRecord) -> TrainingRecord:
    """Any row that was scored on the suite, which says of what recordings and what split its clips are.

    Raises:
        HarnessError: there is none.
    """
    for evaluation in records.all(EvaluationRecord):
        if evaluation.evaluation_digest == suite.evaluation_digest and records.has(TrainingRecord, evaluation.training):
            return records.read(TrainingRecord, evaluation.training)
    raise HarnessError(
        f"nothing was scored on suite {suite.suite} yet, so its recordings are not known.",
        where=records.folder,
        remedy="`oneshot run --method random` is the quickest row.",
    )


def external_records(
    claim: Claim, suite: SuiteRecord, episodes: Episodes, predictions: Predictions, like: TrainingRecord
) -> tuple[TrainingRecord, EvaluationRecord]:
    """The two records of such a row, not written yet: until then they speak of the file that was given.

    Args:
        like: a row of the same run, whose recordings are these.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    protocol = protocol_of(suite.suite).name
    own = digest([claim.name, claim.modalities, claim.conditions])[:8]
    label = modality_label(claim.modalities)
    identity = f"{_slug(claim.name)}-{label}-{EXTERNAL}-{protocol}-s{claim.seed}-{own}"
    made = provenance(dict(ELSEWHERE))
    training = TrainingRecord.model_validate(
        {
            "id": identity,
            "volatile": {"date": now},
            "method": claim.name,
            "method_source": EXTERNAL,
            "bibtex": "",
            "modalities": claim.modalities,
            "training": EXTERNAL,
            "protocol": protocol,
            "transductive": claim.transductive,
            "method_settings": {},
            "seed": claim.seed,
            "preset": EXTERNAL,
            "settings": {},
            "changes": {},
            "conditions_digest": digest(claim.conditions),
            "conditions": claim.conditions,
            "learning_rate": None,
            "search": None,
            "tried": [],
            "external_data": (),
            "pretraining": None,
            "initialisation": EXTERNAL,
            "encoder": "default",
            "data": like.data,
            "parameters": {},
            "encoders": {},
            "validations": [],
            "best_step": 0,
            "losses": [],
            "provenance": made,
        }
    )
    metrics = measure(predictions.predicted, _draws(episodes), len(suite.classes))
    name = EvaluationRecord.identity(identity, suite.suite, suite.evaluation_digest)
    evaluation = EvaluationRecord(
        id=name,
        volatile={"date": now},
        training=identity,
        suite=suite.suite,
        suite_digest=suite.suite_digest,
        evaluation_digest=suite.evaluation_digest,
        way=episodes.support.shape[1],
        shot=episodes.support.shape[2],
        episodes=len(episodes.label),
        scored=metrics.scored,
        queries_per_episode=episodes.label.shape[1],
        accuracy=metrics.accuracy,
        classes=suite.classes,
        per_class=tuple(None if value != value else float(value) for value in metrics.per_class.tolist()),
        confusion=tuple(tuple(row) for row in metrics.confusion.tolist()),
        predictions=f"{name}.npz",
        predictions_digest=predictions.digest,
        external=claim.source,
        provenance=made | {"file_sha256": predictions.digest},
    )
    return training, evaluation


def require_new(records: RecordFolder, training: TrainingRecord, evaluation: EvaluationRecord) -> None:
    """Raises HarnessError where such a row is recorded already: what was scored is not replaced."""
    if records.has(EvaluationRecord, evaluation.id):
        raise HarnessError(
            f"{training.method!r} has a record for seed {training.seed} on suite {evaluation.suite} already.",
            where=records.path(EvaluationRecord, evaluation.id),
            remedy="Score another training with another --seed, another version under another --name; or leave "
            "--record out.",
        )


def log_access(records: RecordFolder, evaluation: EvaluationRecord) -> None:
    """Scoring predictions is a test access, wherever they were made."""
    records.log_test_access(
        {
            "suite": evaluation.suite,
            "suite_digest": evaluation.suite_digest,
            "training": evaluation.training,
            "date": str(evaluation.volatile["date"]),
        }
    )


def write(
    records: RecordFolder,
    training: TrainingRecord,
    evaluation: EvaluationRecord,
    predictions: Predictions,
    episodes: Episodes,
) -> None:
    """Write the predictions, then the records that name them."""
    file, file_digest = records.write_predictions(evaluation.id, predictions.predicted, episodes.label)
    records.write(training)
    records.write(evaluation.model_copy(update={"predictions": file, "predictions_digest": file_digest}))


def _draws(episodes: Episodes) -> Draws:
    return Draws(episodes.drawn, episodes.support, episodes.query, episodes.label)


def _slug(name: str) -> str:
    """For a file's name; two names that come out alike differ in the digest."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))[:40] or "row"
