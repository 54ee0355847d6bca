"""Ablation of modalities at test time: what is left out, on which episodes, and known accuracies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Features, FewShotMethod, Needs, Setup
from mmact_oneshot.harness.data.episodes.suites import Suite
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.evaluation.ablation import Ablations, removable
from mmact_oneshot.harness.evaluation.features import FeatureTable
from mmact_oneshot.harness.evaluation.scoring import Answers, answer_suite
from mmact_oneshot.harness.records import Ablation, EvaluationRecord, RecordFolder
from tests.helpers.toy_runs import run, task_with, workspace
from tests.helpers.toys import CPU, toy_task

BOTH = ("video", "sensors")


class ByVideo(FewShotMethod):
    """Scores by the class that video shows; sensors are carried along."""

    needs = Needs(outputs=())

    def score(self, support: Features, query: Features) -> Tensor:
        return -(query["video"][:, :, None] - support["video"].mean(dim=2)[:, None]).abs()


METHOD = ByVideo(Setup(BOTH, ("acc", "gyro"), 6, 5, 1))


@pytest.fixture(scope="module")
def task() -> Task:
    return toy_task(episodes=60)


def kinds(suite: Suite, rows: np.ndarray, size: int, without: str = "") -> FeatureTable:
    """The class of every clip that is there, once for each modality; 0 where it is left out."""
    kind = suite.clips["class_name"].map(list(suite.classes).index).to_numpy(np.float32)[rows >= 0]
    table = FeatureTable(rows[rows >= 0], size, torch.float32)
    table.write(0, {name: torch.from_numpy(kind * (name != without)) for name in BOTH})
    return table


def test_what_can_be_left_out_leaves_something() -> None:
    assert removable(BOTH, ("acc", "gyro"), False) == BOTH
    assert removable(BOTH, ("acc", "gyro"), True) == ("video", "sensors", "acc", "gyro")
    assert removable(BOTH, ("acc",), True) == BOTH, "the only sensor is all sensors"
    assert removable(("video",), ("acc", "gyro"), True) == ()
    assert removable(("sensors",), ("acc", "gyro"), True) == ("acc", "gyro")
    assert removable(("sensors",), ("acc", "gyro"), False) == ()
    assert removable(("sensors",), ("acc",), True) == ()


def test_accuracy_falls_to_chance_without_what_the_answer_depends_on(task: Task) -> None:
    suite = task.suite("test")
    rows, size = task.rows(suite.clips), len(task.store.clips)
    answers = answer_suite(METHOD, kinds(suite, rows, size), suite, rows, CPU)
    found = Ablations(BOTH, 40).run(METHOD, lambda name: kinds(suite, rows, size, name), suite, rows, CPU, answers)
    # without video all classes score alike, and the first is answered: right for one query in five
    assert found == (
        Ablation(without="video", episodes=40, accuracy=0.2, complete=1.0),
        Ablation(without="sensors", episodes=40, accuracy=1.0, complete=1.0),
    )


def test_the_episodes_are_the_first_that_were_scored_with_everything(task: Task) -> None:
    suite = task.suite("test")
    rows, size = task.rows(suite.clips), len(task.store.clips)
    rows[[3, 40]] = -1
    there = (rows[suite.draws.support] >= 0).all(axis=(1, 2)) & (rows[suite.draws.query] >= 0).all(axis=1)
    first = np.flatnonzero(there)[:10]
    assert first[-1] > 9, "some of the first ten touch an absent clip"
    right = np.random.default_rng(0).random(suite.draws.label.shape) < 0.5  # as if it had answered so
    predicted = np.where(there[:, None], np.where(right, suite.draws.label, (suite.draws.label + 1) % 5), -1)
    answers = Answers(predicted.astype(np.int8), np.zeros(predicted.shape, np.float32))

    def ablation(episodes: int) -> Ablation:
        (found,) = Ablations(("video",), episodes).run(
            METHOD, lambda name: kinds(suite, rows, size, name), suite, rows, CPU, answers
        )
        return found

    found = ablation(10)
    assert found.episodes == 10
    assert found.accuracy == pytest.approx(0.2)
    assert found.complete == pytest.approx(right[first].mean())
    assert ablation(1000).episodes == there.sum() < 60


def test_nothing_is_encoded_where_nothing_is_left_out(task: Task) -> None:
    def never(name: str) -> FeatureTable:
        raise AssertionError(name)

    suite = task.suite("test")
    empty = Answers(np.zeros(0), np.zeros(0))
    assert Ablations((), 10).run(METHOD, never, suite, task.rows(suite.clips), CPU, empty) == ()


def test_a_run_ablates_what_its_settings_ask_and_scores_again_where_they_ask_more(tmp_path: Path) -> None:
    rows = [{"method": "random", "modalities": list(BOTH)}, {"method": "sensor_nn", "modalities": ["sensors"]}]

    def ablations(**changes: Any) -> dict[tuple[str, str], tuple[tuple[str, int], ...]]:
        suites = ["test", "test-cross-subject"]
        run(workspace(tmp_path, task_with(rows, suites=suites, **changes)))
        return {
            (record.training.split("-")[0], record.suite): tuple((a.without, a.episodes) for a in record.ablations)
            for record in RecordFolder(tmp_path / "records").all(EvaluationRecord)
        }

    def accesses() -> int:
        return len(RecordFolder(tmp_path / "records").test_accesses.read() or ())

    found = ablations(ablate="modalities", ablation_episodes=0)
    assert set(found.values()) == {()}
    assert accesses() == 4
    found = ablations(ablate="modalities", ablation_episodes=30)
    assert found["random", "test"] == (("video", 30), ("sensors", 30))
    assert found["sensor_nn", "test"] == found["random", "test-cross-subject"] == ()
    assert accesses() == 5, "only what lacked figures was scored again"
    found = ablations(ablate="sensors", ablation_episodes=1000)
    assert found["random", "test"] == (("video", 40), ("sensors", 40), ("acc", 40), ("gyro", 40))
    assert found["sensor_nn", "test"] == (("acc", 40), ("gyro", 40))
    assert accesses() == 7
    ablations(ablate="modalities", ablation_episodes=5)
    assert accesses() == 7, "there is more than is asked for"
