"""The record of a suite's episodes: who is in them, and what is missing of their clips."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mmact_oneshot.harness.data.episodes.suites import Suite
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.evaluation.metrics import evaluation_digest
from mmact_oneshot.harness.records import Episodes, RecordFolder, SuiteRecord


def tested_digest(task: Task, suite_name: str) -> str:
    """The evaluation digest of a suite on the recordings of a task."""
    return evaluation_digest(task.data_digest, task.split.digest, task.suite(suite_name).digest)


def record_suite(task: Task, suite_name: str, records: RecordFolder) -> None:
    """Write the record of a suite, unless it is there.

    Raises:
        HarnessError: it is there, but broken or without its episodes.
    """
    suite = task.suite(suite_name)
    tested = tested_digest(task, suite_name)
    identity = SuiteRecord.identity(suite_name, tested)
    if records.has(SuiteRecord, identity):
        records.read_episodes(records.read(SuiteRecord, identity))
        return
    episodes, names = episodes_of(task, suite)
    file, digest = records.write_episodes(identity, episodes)
    records.write(
        SuiteRecord(
            id=identity,
            volatile={},
            suite=suite_name,
            suite_digest=suite.digest,
            evaluation_digest=tested,
            classes=suite.classes,
            subjects=names["subject"],
            scenes=names["scene"],
            cameras=names["camera"],
            streams=("video", *task.store.sensors),
            episodes=file,
            episodes_digest=digest,
        )
    )


def episodes_of(task: Task, suite: Suite) -> tuple[Episodes, dict[str, tuple[str, ...]]]:
    """The episodes with the identities of all clips, and the names behind the codes."""
    codes: dict[str, np.ndarray] = {}
    names: dict[str, tuple[str, ...]] = {}
    for column in ("performance", "subject", "scene", "camera"):
        codes[column], found = pd.factorize(suite.clips[column], sort=True)
        names[column] = tuple(str(name) for name in found)
    draws = suite.draws
    return (
        Episodes(
            support=draws.support,
            query=draws.query,
            label=draws.label,
            drawn=draws.classes,
            present=_present(task, suite),
            **codes,
        ),
        names,
    )


def _present(task: Task, suite: Suite) -> np.ndarray:
    """(C, S) bool: whether a clip has video, and each sensor anything measured."""
    rows, store = task.rows(suite.clips), task.store
    performances = store.performance[np.maximum(rows, 0)]
    streams = [values[performances].any(axis=1) for values in store.measured.values()]
    found: np.ndarray = np.stack([rows >= 0, *((rows >= 0) & stream for stream in streams)], axis=1)
    return found
