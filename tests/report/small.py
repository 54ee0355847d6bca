"""Small folders of records whose figures can be worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.records import EvaluationRecord, RecordFolder, TrainingRecord
from harness.statistics import episode_interval

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


def add(
    folder: Path, method: str, seed: int, predicted: np.ndarray, *, suite: str = "test", tag: str = "", **changes: Any
) -> str:
    """Write a training record (with ``changes``) and its evaluation; returns the id, which holds ``tag``."""
    records = RecordFolder(folder)
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
            evaluation_digest="b" * 64,
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
    return identity


def add_seeds(folder: Path, method: str, shares: list[list[float]], **changes: Any) -> None:
    """A row with one seed for each list of episode accuracies."""
    for seed, accuracies in enumerate(shares):
        add(folder, method, seed, answers(accuracies), **changes)
