"""Small folders of records whose figures can be worked out by hand."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from harness.records import Episodes, EvaluationRecord, PretrainingRecord, RecordFolder, SuiteRecord, TrainingRecord
from harness.report import read_report
from harness.report.markdown import markdown
from harness.report.statistics import episode_interval
from harness.report.tables import SuiteTable

CLASSES = ("alpha", "beta", "gamma")
DATA = {
    "layout": "utd-mhad",
    "digest": "d" * 64,
    "split": "utd-mhad",
    "split_digest": "e" * 64,
    "generated": None,
    "clips_listed": 30,
    "clips_usable": 30,
    "performances_without_sensor": {"acc": 0},
    "problems": 0,
    "complete": True,
}
WAY = 2
HALF = [[1.0, 0.5, 0.0, 0.5], [1.0, 0.5, 0.5, 0.5], [0.5, 0.5, 0.0, 0.5]]
BETTER = [[1.0, 1.0, 0.5, 1.0]] * 3
BOTH = ("video", "sensors")
STARTED: dict[str, dict[str, Any]] = {
    "plain": {},
    "scratch": {"encoder": "transformer"},
    "longer": {"encoder": "transformer", "initialisation": "longer"},
    "videomae": {"encoder": "transformer", "pretrained": "videomae"},
    "mu_mae": {"encoder": "transformer", "pretrained": "mu_mae"},
    "file": {"encoder": "transformer", "initialisation": "vit.pth", "external_data": ("vit.pth sha256:0",)},
}


def labels(episodes: int, queries: int = 2) -> np.ndarray:
    """True positions (N, Q): 0 1 0 1 ..."""
    return np.broadcast_to(np.arange(queries, dtype=np.int8) % WAY, (episodes, queries)).copy()


def answers(shares: list[float], queries: int = 2) -> np.ndarray:
    """Predictions with these shares of right answers in each episode; NaN: not scored."""
    predicted = labels(len(shares), queries)
    for episode, share in enumerate(shares):
        if np.isnan(share):
            predicted[episode] = -1
        else:
            wrong = queries - round(share * queries)
            predicted[episode, :wrong] = 1 - predicted[episode, :wrong]
    return predicted


def add_pretraining(folder: Path, method: str = "mu_mae", seed: int = 0, **changes: Any) -> str:
    """Write a record of a pre-training (with ``changes``); returns its id."""
    content: dict[str, Any] = {
        "id": f"{method}-video-sensors-s{seed}",
        "volatile": {"seconds": 120.0, "clips_per_second": 64.0, "waited_for_data": 30.0, "date": "2026-01-01"},
        "method": method,
        "method_source": "built-in",
        "modalities": BOTH,
        "network": {"depth": 4},
        "seed": seed,
        "digest": "9" * 64,
        "protocol": {"classes": "base", "budget": {"epochs": 20, "batch": 64}},
        "classes": ("delta", "epsilon"),
        "clips": 16,
        "clips_seen": 320,
        "steps": 5,
        "parameters": 1500,
        "losses": [(3, {"video": 0.9, "acc": 0.8}), (5, {"video": 0.51234, "acc": 0.25})],
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
    tag: str = "",
    pretrained: str = "",
    own: bool = True,
    **changes: Any,
) -> str:
    """Write a training record (with ``changes``) and its evaluation; returns the id, which holds ``tag``.

    Args:
        pretrained: the method whose pre-training it starts from, which is written too; empty for none.
        own: whether each training seed has a pre-training of its own.
    """
    records = RecordFolder(folder)
    if pretrained:
        identity = add_pretraining(folder, pretrained, seed if own else 0)
        changes = {"pretraining": identity, "initialisation": pretrained} | changes
    regime = changes.get("regime", "frozen")
    digest = changes.get("training_digest", "a" * 64)
    modalities = changes.get("modalities", ("video",))
    identity = f"{method}-{'-'.join(modalities)}-{regime}-{digest[:4]}-s{seed}{tag}"
    content: dict[str, Any] = {
        "id": identity,
        "volatile": {"seconds": 10.0 + seed, "date": "2026-01-01"},
        "method": method,
        "method_source": "built-in",
        "modalities": modalities,
        "regime": regime,
        "regimen": "headline",
        "transductive": False,
        "method_settings": {"projection": 8},
        "seed": seed,
        "preset": "quick",
        "recipe": "matched",
        "settings": {},
        "training_digest": digest,
        "training_protocol": {"classes": "base", "training": {"steps": 5}},
        "learning_rate": 1e-3,
        "search": None,
        "tried": [],
        "external_data": (),
        "data": DATA,
        "parameters": {"total": 1500, "trained": 20},
        "encoders": {},
        "selection": [(1, 0.5), (2, 0.6)],
        "best_step": 2,
        "losses": [],
        "provenance": {"version": "0.1.0", "commit": "c" * 40, "changed": False, "versions": {"torch": "2.9"}},
    }
    records.write(TrainingRecord.model_validate(content | changes))
    label = labels(*predicted.shape)
    done = (predicted >= 0).all(axis=1)
    accuracy = (predicted == label).mean(axis=1)[done]
    interval = episode_interval(accuracy)
    file, digest_of_file = records.write_predictions(f"{identity}.{suite}", predicted, label)
    records.write(
        EvaluationRecord(
            id=f"{identity}.{suite}",
            provenance={},
            volatile={"seconds": {"encode": 1.0, "score": 0.5}, "episodes_per_second": 100},
            training=identity,
            suite=suite,
            suite_digest="f" * 64,
            evaluation_digest=tested_on(suite),
            way=WAY,
            shot=1,
            episodes=len(predicted),
            scored=int(done.sum()),
            queries_per_episode=predicted.shape[1],
            accuracy=interval.mean,
            standard_error=interval.standard_error,
            interval=(interval.low, interval.high),
            classes=CLASSES,
            per_class=(0.25, 0.75, None),
            confusion=((1, 3, 0), (1, 3, 0), (0, 0, 0)),
            predictions=file,
            predictions_digest=digest_of_file,
        )
    )
    records.log_test_access({"suite": suite, "suite_digest": "f" * 64, "training": identity, "date": "2026-01-01"})
    _agree(records)
    return identity


def tested_on(suite: str) -> str:
    """The evaluation digest of a suite."""
    return ("b" if suite == "test" else hashlib.sha256(suite.encode()).hexdigest()[0]) * 64


def _agree(records: RecordFolder) -> None:
    """Where the classes of the episodes are recorded, evaluations say what their predictions give."""
    suites = {record.evaluation_digest: record for record in records.all(SuiteRecord)}
    for evaluation in records.all(EvaluationRecord):
        suite = suites.get(evaluation.evaluation_digest)
        if suite is None:
            continue
        drawn = records.read_episodes(suite).drawn
        predicted, label = (part.astype(np.int64) for part in records.read_predictions(evaluation))
        if len(drawn) != len(predicted):
            continue
        done = (predicted >= 0).all(axis=1)
        true, answered = (np.take_along_axis(drawn[done], part[done], axis=1) for part in (label, predicted))
        confusion = np.bincount((true * 3 + answered).ravel(), minlength=9).reshape(3, 3)
        asked = confusion.sum(axis=1).tolist()
        shares = [
            right / each if each else None for right, each in zip(confusion.diagonal().tolist(), asked, strict=True)
        ]
        told = {"per_class": tuple(shares), "confusion": tuple(map(tuple, confusion.tolist()))}
        records.write(evaluation.model_copy(update=told))


def add_suite(folder: Path, episodes: int, *, suite: str = "test", subjects: int = 8, **changes: Any) -> Episodes:
    """Write the record of a suite that ``add`` scores on: three classes, two performances of each by every subject,
    one scene, two cameras, one sensor, which clip 0 lacks. Label 0 is always the first class of an episode."""
    random = np.random.Generator(np.random.Philox(key=7))
    clips = np.arange(3 * subjects * 2 * 2)  # class, subject, performance, camera
    kind, subject, performance, camera = np.unravel_index(clips, (3, subjects, 2, 2))
    drawn = np.stack([random.permutation(3)[:WAY] for _ in range(episodes)])
    each = random.integers(subjects * 2, size=(episodes, WAY))  # performance of the query; the support's is the next
    view = random.integers(2, size=(2, episodes, WAY))
    query = drawn * subjects * 4 + each * 2 + view[0]
    support = drawn * subjects * 4 + (each + 1) % (subjects * 2) * 2 + view[1]
    found = Episodes(
        support=support[..., None],
        query=query,
        label=labels(episodes),
        drawn=drawn,
        performance=clips // 2,
        subject=subject,
        scene=np.zeros_like(clips),
        camera=camera,
        present=np.stack([clips >= 0, clips > 0], axis=1),
    )
    assert (kind[query] == drawn).all()
    assert (performance[query] != performance[support]).all()
    records = RecordFolder(folder)
    identity = SuiteRecord.identity(suite, tested_on(suite))
    file, digest = records.write_episodes(identity, found)
    content: dict[str, Any] = {
        "id": identity,
        "volatile": {},
        "suite": suite,
        "suite_digest": "f" * 64,
        "evaluation_digest": tested_on(suite),
        "classes": CLASSES,
        "subjects": tuple(f"s{number}" for number in range(subjects)),
        "scenes": ("room",),
        "cameras": ("left", "right"),
        "streams": ("video", "acc"),
        "episodes": file,
        "episodes_digest": digest,
    }
    records.write(SuiteRecord.model_validate(content | changes))
    _agree(records)
    return found


def add_seeds(folder: Path, method: str, shares: list[list[float]], **changes: Any) -> None:
    """A row with one seed for each list of episode accuracies."""
    for seed, accuracies in enumerate(shares):
        add(folder, method, seed, answers(accuracies), **changes)


def add_started(folder: Path, method: str, shares: list[list[float]], start: str, **changes: Any) -> None:
    """Like ``add_seeds``, with a training digest that depends on start and modalities, as in real records."""
    place = 2 * list(STARTED).index(start) + (changes.get("modalities") == BOTH)
    add_seeds(folder, method, shares, **{"training_digest": f"{place:x}" * 64} | STARTED[start] | changes)


def add_every_start(folder: Path) -> None:
    """A row for each way to start, and a control."""
    for start in reversed(STARTED):
        add_started(folder, "trx", BETTER if start == "mu_mae" else HALF, start)
    add_started(folder, "trx", BETTER, "mu_mae", modalities=BOTH)
    add(folder, "random", 0, answers([1.0, 0.0] * 2), regime="untrained", training_digest="e" * 64)


def table(folder: Path) -> SuiteTable:
    """The only table of a report."""
    (only,) = read_report(folder).suites
    return only


def text_of(folder: Path) -> str:
    return markdown(read_report(folder))


def cells(text: str, title: str) -> list[list[str]]:
    """The first table below a heading, without its rule."""
    part = text[text.index(title) :].splitlines()
    first = next(number for number, line in enumerate(part) if line.startswith("|"))
    lines = []
    for line in part[first:]:
        if not line.startswith("|"):
            break
        lines.append([cell.strip() for cell in line.replace("\\|", "/").split("|")[1:-1]])
    return [lines[0], *lines[2:]]
