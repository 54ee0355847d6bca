"""Small folders of records whose figures can be worked out by hand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmact_oneshot.harness.config.studies import modality_label
from mmact_oneshot.harness.records import (
    Episodes,
    EvaluationRecord,
    PretrainingRecord,
    RecordFolder,
    SkippedRecord,
    StudyRecord,
    StudyRow,
    SuiteRecord,
    TrainingRecord,
)
from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.report.results.rankings import Row
from mmact_oneshot.harness.report.results.report import StudySuite
from mmact_oneshot.harness.runtime.digests import digest

CLASSES = ("alpha", "beta", "gamma")
DATA: dict[str, Any] = {
    "layout": "utd-mhad",
    "digest": "d" * 64,
    "split": "utd-mhad",
    "split_digest": "e" * 64,
    "generated": None,
    "streams": [],
    "clips_listed": 30,
    "clips_usable": 30,
    "performances_without_sensor": {"acc": 0},
    "problems": 0,
    "complete": True,
}
GENERATED = DATA | {"layout": "mmact", "generated": {"statement": "simulated"}}
WAY = 2
HALF = [[1.0, 0.5, 0.0, 0.5], [1.0, 0.5, 0.5, 0.5], [0.5, 0.5, 0.0, 0.5]]
BETTER = [[1.0, 1.0, 0.5, 1.0]] * 3
BOTH = ("video", "sensors")
CONDITIONS: dict[str, Any] = {"classes": "base", "budget": {"steps": 5}}
QUESTIONS = {
    "methods": "Which method recognises best, trained end to end with one schedule?",
    "initialisation": "Does pre-training help, and is it more than more training?",
    "published": "What do the papers' own recipes give?",
}
VARIES = {"initialisation": ("initialisation",), "published": ("method", "recipe")}


def labels(episodes: int, queries: int = 2) -> np.ndarray:
    """True positions (N, Q): 0 1 0 1 ..."""
    return np.broadcast_to(np.arange(queries, dtype=np.int8) % WAY, (episodes, queries)).copy()


def answers(shares: Sequence[float], queries: int = 2) -> np.ndarray:
    """Predictions with these shares of right answers in each episode; NaN: not scored."""
    predicted = labels(len(shares), queries)
    for episode, share in enumerate(shares):
        if np.isnan(share):
            predicted[episode] = -1
        else:
            wrong = queries - round(share * queries)
            predicted[episode, :wrong] = 1 - predicted[episode, :wrong]
    return predicted


def shares(mean: float, seed: int, episodes: int = 300) -> list[float]:
    """Accuracies of episodes of two queries, each right with this chance."""
    drawn = np.random.Generator(np.random.Philox(key=seed)).random((episodes, 2)) < mean
    return [float(share) for share in drawn.mean(axis=1)]


def three_seeds(mean: float, first: int = 0, episodes: int = 300) -> list[list[float]]:
    return [shares(mean, first + seed, episodes) for seed in range(3)]


def add_suite(
    folder: Path, episodes: int, *, suite: str = "test", subjects: int = 8, queries: int = 2, **changes: Any
) -> Episodes:
    """Write the record of a suite (with ``changes``) that ``add`` scores on: three classes, two performances of each by
    every subject, one scene, two cameras, one sensor, which clip 0 lacks. Label 0 is always the first class of an
    episode."""
    random = np.random.Generator(np.random.Philox(key=7))
    clips = np.arange(3 * subjects * 2 * 2)  # class, subject, performance, camera
    kind, subject, _, camera = np.unravel_index(clips, (3, subjects, 2, 2))
    drawn = np.stack([random.permutation(3)[:WAY] for _ in range(episodes)])
    label, performances = labels(episodes, queries), subjects * 2
    first = random.integers(performances, size=(episodes, WAY))
    others = 1 + random.integers(performances - 1, size=(episodes, queries))
    other = (np.take_along_axis(first, label.astype(np.int64), axis=1) + others) % performances
    asked = np.take_along_axis(drawn, label.astype(np.int64), axis=1)
    support = (drawn * performances + first) * 2 + random.integers(2, size=first.shape)
    query = (asked * performances + other) * 2 + random.integers(2, size=other.shape)
    found = Episodes(
        support=support[..., None],
        query=query,
        label=label,
        drawn=drawn,
        performance=clips // 2,
        subject=subject,
        scene=np.zeros_like(clips),
        camera=camera,
        present=np.stack([clips >= 0, clips > 0], axis=1),
    )
    assert (kind[query] == asked).all()
    records = RecordFolder(folder)
    tested = changes.pop("evaluation_digest", hashlib.sha256(suite.encode()).hexdigest())
    identity = SuiteRecord.identity(suite, tested)
    file, digest_of_file = records.write_episodes(identity, found)
    content: dict[str, Any] = {
        "id": identity,
        "volatile": {},
        "suite": suite,
        "suite_digest": "f" * 64,
        "evaluation_digest": tested,
        "classes": CLASSES,
        "subjects": tuple(f"s{number}" for number in range(subjects)),
        "scenes": ("room",),
        "cameras": ("left", "right"),
        "streams": ("video", "acc"),
        "episodes": file,
        "episodes_digest": digest_of_file,
    }
    records.write(SuiteRecord.model_validate(content | changes))
    return found


def add_study(folder: Path, name: str = "methods", **changes: Any) -> None:
    """Write the record of a study, or change it; its rows stay."""
    records = RecordFolder(folder)
    content: dict[str, Any] = {
        "id": name,
        "volatile": {},
        "question": QUESTIONS.get(name, f"What does {name} say?"),
        "varies": VARIES.get(name, ("method",)),
        "reference": {},
        "preset": "quick",
        "rows": (),
    }
    if records.has(StudyRecord, name):
        content = records.read(StudyRecord, name).model_dump()
    records.write(StudyRecord.model_validate(content | changes))


def add_row(folder: Path, study: str, row: StudyRow) -> None:
    """Write a row into a study, which is made where it is not there; its trainings join those of the same row."""
    records = RecordFolder(folder)
    if not records.has(StudyRecord, study):
        add_study(folder, study)
    found = {each.model_dump_json(exclude={"trainings"}): each for each in records.read(StudyRecord, study).rows}
    key = row.model_dump_json(exclude={"trainings"})
    known = found[key].trainings if key in found else ()
    found[key] = row.model_copy(update={"trainings": tuple(dict.fromkeys((*known, *row.trainings)))})
    add_study(folder, study, rows=tuple(each.model_dump() for each in found.values()))


def add_pretraining(folder: Path, method: str = "mu_mae", seed: int = 0, **changes: Any) -> str:
    """Write a record of a pre-training (with ``changes``); returns its id."""
    content: dict[str, Any] = {
        "id": f"{_slug(method)}-video-sensors-s{seed}",
        "volatile": {"seconds": 120.0, "clips_per_second": 64.0, "waited_for_data": 30.0, "date": "2026-01-01"},
        "method": method,
        "method_source": "built-in",
        "modalities": BOTH,
        "network": {"depth": 4},
        "seed": seed,
        "conditions_digest": "9" * 64,
        "conditions": {"classes": "base", "budget": {"epochs": 20, "batch": 64}},
        "classes": ("delta", "epsilon"),
        "clips": 16,
        "clips_seen": 320,
        "steps": 5,
        "parameters": 1500,
        "losses": [(3, {"video": 0.9, "acc": 0.8}), (5, {"video": 0.51234, "acc": 0.25})],
        "probes": [],
        "state": "7" * 64,
        "picture": None,
        "data": DATA,
        "provenance": {"hardware": {"device": "a processor", "cores": 2}},
    }
    record = PretrainingRecord.model_validate(content | changes)
    RecordFolder(folder).write(record)
    return record.id


def add(
    folder: Path,
    method: str,
    seed: int,
    predicted: np.ndarray,
    *,
    suite: str = "test",
    study: str = "methods",
    tag: str = "",
    pretrained: str = "",
    own: bool = True,
    evaluation: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """Write a training record (with ``changes``), its evaluation and its place in a study; returns the training's id.

    A suite of as many episodes is written where there is none of that name.

    Args:
        study: empty for predictions that belong to none.
        tag: of the id, for two records of one row and seed.
        pretrained: the method whose pre-training it begins from, which is written too; empty for none.
        own: whether each training seed has a pre-training of its own.
        evaluation: changes of the evaluation record.
    """
    records = RecordFolder(folder)
    if pretrained:
        begun_from = add_pretraining(folder, pretrained, seed if own else 0)
        changes = {"pretraining": begun_from, "initialisation": pretrained} | changes
    training = _training(method, seed, tag, changes)
    records.write(training)
    if study:
        fields = ("method", "modalities", "training", "encoder", "initialisation", "changes")
        row = {name: getattr(training, name) for name in fields}
        row |= {"source": training.method_source, "settings": training.method_settings, "trainings": (training.id,)}
        add_row(folder, study, StudyRow.model_validate(row))
    known = [record for record in records.all(SuiteRecord) if record.suite == suite]
    if not known:
        add_suite(folder, len(predicted), suite=suite, queries=predicted.shape[1])
        known = [record for record in records.all(SuiteRecord) if record.suite == suite]
    _evaluate(records, training, predicted, known[0], dict(evaluation or {}))
    return training.id


def add_seeds(folder: Path, method: str, accuracies: Sequence[Sequence[float]], **changes: Any) -> None:
    """A row with one seed for each list of episode accuracies."""
    for seed, each in enumerate(accuracies):
        add(folder, method, seed, answers(each), **changes)


def add_control(folder: Path, accuracies: Sequence[float], method: str = "random", **changes: Any) -> str:
    """A control: nothing of it is trained, and one seed is enough."""
    untrained: dict[str, Any] = {"training": "none", "learning_rate": None, "validations": [], "best_step": 0}
    return add(folder, method, 0, answers(accuracies), **(untrained | changes))


def add_external(folder: Path, name: str, accuracies: Sequence[float], seed: int = 0, **changes: Any) -> str:
    """Predictions made elsewhere."""
    claim = {"made": "outside the harness", "source": "arXiv 2601.00001", "note": "trained on Kinetics"}
    fixed: dict[str, Any] = {"training": "external", "method_source": "external", "preset": "external", "settings": {}}
    fixed |= {"method_settings": {}, "conditions": claim, "learning_rate": None, "parameters": {}, "validations": []}
    return add(folder, name, seed, answers(accuracies), study="", **(fixed | changes))


def add_skipped(folder: Path, method: str, reason: str, modalities: tuple[str, ...] = ("sensors",), **row: Any) -> None:
    """A row that a method cannot fill."""
    identity = f"{_slug(method)}-{modality_label(modalities)}-skipped"
    common: dict[str, Any] = {"method": method, "modalities": modalities, "training": "frozen"}
    record = SkippedRecord.model_validate(common | {"id": identity, "volatile": {}, "reason": reason})
    RecordFolder(folder).write(record)
    content: dict[str, Any] = {"source": "built-in", "encoder": "default", "initialisation": "scratch", "changes": {}}
    content["settings"] = {"projection": 8}
    add_row(folder, "methods", StudyRow.model_validate(common | content | {"trainings": (identity,)} | row))


def rewrite(
    folder: Path, kind: type[TrainingRecord] | type[EvaluationRecord], containing: str = "", **changes: Any
) -> None:
    """Change fields of all records of a kind whose id contains some text."""
    records = RecordFolder(folder)
    for record in records.all(kind):  # type: ignore[type-var]
        if containing in record.id:
            records.write(kind.model_validate(record.model_dump() | changes))


def study_suite(folder: Path, study: str = "methods", suite: str = "test") -> StudySuite:
    """A study of a report on a suite."""
    (found,) = [each for each in read_report(folder).studies if each.name == study]
    (only,) = [results for results in found.suites if results.suite.name == suite]
    return only


def row_of(results: StudySuite, label: str, modality: str = "video") -> Row:
    found = results.row(label, modality)
    assert found is not None, [row.name for row in results.rows]
    return found


def _training(method: str, seed: int, tag: str, changes: Mapping[str, Any]) -> TrainingRecord:
    content: dict[str, Any] = {
        "volatile": {"seconds": 10.0 + seed, "date": "2026-01-01"},
        "method": method,
        "method_source": "built-in",
        "bibtex": "",
        "modalities": ("video",),
        "training": "frozen",
        "protocol": "headline",
        "transductive": False,
        "method_settings": {"projection": 8},
        "seed": seed,
        "preset": "quick",
        "settings": {},
        "changes": {},
        "conditions": CONDITIONS,
        "learning_rate": 1e-3,
        "search": None,
        "tried": [],
        "external_data": (),
        "pretraining": None,
        "initialisation": "scratch",
        "encoder": "default",
        "data": DATA,
        "parameters": {"total": 1500, "trained": 20},
        "validations": [(1, 0.5), (2, 0.6)],
        "best_step": 2,
        "losses": [],
        "provenance": {"version": "0.1.0", "commit": "c" * 40, "changed": False, "versions": {"torch": "2.9"}},
    } | dict(changes)
    shared = content["modalities"] if content["training"] in ("frozen", "end_to_end") else ()
    content.setdefault("encoders", {modality: {"state": "e" * 64} for modality in shared})
    decided_by = [content[name] for name in ("conditions", "modalities", "training", "encoder", "initialisation")]
    content.setdefault("conditions_digest", digest(decided_by))
    row = digest([method, content["method_settings"], content["method_source"], content["conditions_digest"]])[:6]
    label = modality_label(tuple(content["modalities"]))
    identity = f"{_slug(method)}-{label}-{content['training']}-{content['protocol']}-s{seed}-{row}{tag}"
    return TrainingRecord.model_validate({"id": identity} | content)


def evaluation_file(folder: Path, training: str) -> Path:
    """The record of a training on the suite ``test``."""
    (path,) = (folder / "evaluation").glob(f"{training}.test-????????.json")
    return path


def _evaluate(
    records: RecordFolder, training: TrainingRecord, predicted: np.ndarray, suite: SuiteRecord, changes: dict[str, Any]
) -> None:
    episodes = records.read_episodes(suite)
    label = episodes.label
    done = (predicted >= 0).all(axis=1)
    true, answered = (
        np.take_along_axis(episodes.drawn[done], part[done].astype(np.int64), axis=1) for part in (label, predicted)
    )
    count = len(suite.classes)
    confusion = np.bincount((true * count + answered).ravel(), minlength=count**2).reshape(count, count).tolist()
    accuracy = float((predicted == label).mean(axis=1)[done].mean()) if done.any() else 0.0
    identity = EvaluationRecord.identity(training.id, suite.suite, suite.evaluation_digest)
    file, digest_of_file = records.write_predictions(identity, predicted, label)
    content: dict[str, Any] = {
        "id": identity,
        "volatile": {"seconds": {"encode": 1.0, "score": 0.5}, "episodes_per_second": 100},
        "training": training.id,
        "suite": suite.suite,
        "suite_digest": suite.suite_digest,
        "evaluation_digest": suite.evaluation_digest,
        "way": WAY,
        "shot": 1,
        "episodes": len(predicted),
        "scored": int(done.sum()),
        "queries_per_episode": predicted.shape[1],
        "accuracy": accuracy,
        "classes": suite.classes,
        "per_class": tuple(row[place] / sum(row) if sum(row) else None for place, row in enumerate(confusion)),
        "confusion": tuple(map(tuple, confusion)),
        "predictions": file,
        "predictions_digest": digest_of_file,
        "provenance": {},
        "external": "arXiv 2601.00001" if training.training == "external" else "",
    }
    records.write(EvaluationRecord.model_validate(content | changes))
    entry = {"suite": suite.suite, "suite_digest": suite.suite_digest, "training": training.id, "date": "2026-01-01"}
    records.log_test_access(entry)


def _slug(name: str) -> str:
    return "-".join(re.findall(r"[a-z0-9_]+", name.lower())) or "x"
