"""Predictions made elsewhere, scored alone: the same figures as a row of a report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.records import EvaluationRecord, RecordFolder, SuiteRecord, TrainingRecord
from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.report.model.blocks import Items, Paragraph, Table
from mmact_oneshot.harness.report.model.external_score import score_blocks
from mmact_oneshot.harness.report.results.measured import Measured
from mmact_oneshot.harness.report.results.single_evaluation import measured_single
from tests.helpers.small_runs import GENERATED, add_external, add_suite, shares

EPISODES = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("records")
    add_suite(made, EPISODES)
    add_external(made, "Ours", shares(0.7, 3, EPISODES), data=GENERATED)
    return made


def alone(folder: Path) -> Measured:
    records = RecordFolder(folder)
    (training,), (evaluation,) = records.all(TrainingRecord), records.all(EvaluationRecord)
    (suite,) = records.all(SuiteRecord)
    predicted, _ = records.read_predictions(evaluation)
    return measured_single(training, evaluation, predicted, suite, records.read_episodes(suite))


def test_it_says_what_the_row_of_a_report_says(folder: Path) -> None:
    ((_, ranking),) = read_report(folder).external
    (row,) = ranking.rows
    found = alone(folder)
    assert found.interval == row.interval
    assert found.inference.analysis == row.measured.inference.analysis
    assert found.per_class == row.measured.per_class
    assert found.metrics == row.measured.metrics


def test_every_figure_is_shown(folder: Path) -> None:
    found = alone(folder)
    blocks = score_blocks(found, incomplete=2)
    text = " ".join(block.text for block in blocks if isinstance(block, Paragraph))
    assert text.startswith("Generated data")
    assert "Ours, video: made outside the harness (as stated by arXiv 2601.00001)" in text
    assert f"Accuracy {found.interval.mean * 100:.0f} [" in text
    assert f"{EPISODES} of {EPISODES} episodes" in text
    assert "Left out, since only some queries have a prediction: 2 episodes." in text
    (table,) = [block for block in blocks if isinstance(block, Table)]
    assert [line[0].text.split(" (")[0] for line in table.lines] == [
        "these clips",
        "new performances",
        "new subjects",
        "new subjects, delete-one",
    ]
    (items,) = [block for block in blocks if isinstance(block, Items)]
    facts = " ".join(items.items)
    for name, share in zip(found.classes, found.per_class, strict=True):
        assert share is not None
        assert f"{name} {share * 100:.0f}" in facts
    assert "By subject of the query, %: s0 " in facts
    assert "By camera of the query, %: left " in facts


def test_an_incomplete_episode_is_left_out(folder: Path) -> None:
    records = RecordFolder(folder)
    (training,), (evaluation,) = records.all(TrainingRecord), records.all(EvaluationRecord)
    (suite,) = records.all(SuiteRecord)
    predicted = np.array(records.read_predictions(evaluation)[0])
    predicted[:5] = -1
    found = measured_single(training, evaluation, predicted, suite, records.read_episodes(suite))
    assert found.episodes == EPISODES - 5
    assert not found.complete
