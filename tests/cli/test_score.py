"""`oneshot score`: predictions made elsewhere get the same statistics, and every fault in their file one message."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmact_oneshot.harness.data.episodes.suites import build_suite, shipped_clips, suite_spec
from mmact_oneshot.harness.evaluation.external import recorded_suite
from mmact_oneshot.harness.evaluation.metrics import evaluation_digest
from mmact_oneshot.harness.records import Episodes, EvaluationRecord, RecordFolder, SuiteRecord, TrainingRecord
from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.report.results.rankings import Row
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.scored_runs import EPISODES, csv, lines, make_run, oneshot, refused, right, said
from tests.helpers.small_runs import DATA, add, answers, evaluation_file, rewrite, study_suite

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run")


def external(run: Path) -> list[Row]:
    """Rows made elsewhere."""
    return [row for _, ranking in read_report(run).external for row in ranking.rows]


RECORD = ("--name", "Our method", "--modalities", "both", "--source", "arXiv 2601.00001", "--record")


def test_the_harness_s_own_predictions_score_the_same(run: Path) -> None:
    records = RecordFolder(run / "records")
    own = records.all(EvaluationRecord)[0]
    text = said(oneshot("score", run / "records" / "predictions" / own.predictions, "--in", run))
    assert f"Accuracy {100 * own.accuracy:.0f} [" in text
    assert f"{EPISODES} of {EPISODES} episodes" in text
    assert "new performances" in text
    assert "new subjects" in text
    assert len(records.all(EvaluationRecord)) == 3, "nothing is kept without --record"


def test_a_recorded_row_stands_apart_with_all_of_its_intervals(run: Path, tmp_path: Path) -> None:
    records = RecordFolder(run / "records")
    for seed in range(2):
        path = csv(tmp_path, lines(right(0.9, 20 + seed)))
        said(oneshot("score", path, "--in", run, *RECORD, "--seed", seed, "--note", "trained on Kinetics"))
    (row,) = external(run)
    assert row.name == "Our method, both"
    assert row.rank is None
    assert row.measured.seeds == (0, 1)
    assert row.interval.mean == np.mean(
        [(right(0.9, 20 + seed) == answers([1.0] * EPISODES)).mean() for seed in range(2)]
    )
    assert row.measured.inference.analysis is not None
    assert row.measured.inference.analysis.headline().available
    assert row.measured.metrics.groups["subject"]
    assert any("arXiv 2601.00001" in note and "Kinetics" in note for note in row.notes)
    (ranked,) = study_suite(run).rankings["video"].ranked
    assert ranked.label == "good", "the ranked rows are as they were"
    for training in row.measured.trainings:
        found = records.read(EvaluationRecord, evaluation_file(records.folder, training.id).stem)
        assert found.external == "arXiv 2601.00001"
        assert training.data == DATA
    text = said(oneshot("compare", "our method", "good", "--in", run))
    assert "A was made outside the harness (arXiv 2601.00001)" in text
    assert "Not used, since the other lacks them: seeds 2 of B." in text


def test_every_test_access_is_logged_and_no_record_replaced(run: Path, tmp_path: Path) -> None:
    path = csv(tmp_path, lines(right(0.9, 20)))
    log = run / "records" / "test_access.jsonl"
    before = len(log.read_text().splitlines())
    said(oneshot("score", path, "--in", run))
    said(oneshot("score", path, "--in", run, *RECORD))
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(entries) == before + 2
    assert entries[-1]["suite_digest"] == "f" * 64
    accesses = read_report(run).accesses
    assert accesses is not None
    assert accesses.count["f" * 64] == before + 2
    content = {path: path.read_bytes() for path in (run / "records").rglob("*") if path.is_file()}
    assert "has a record for seed 0" in refused(oneshot("score", path, "--in", run, *RECORD))
    assert content == {path: path.read_bytes() for path in (run / "records").rglob("*") if path.is_file()}


def test_refused_predictions_are_no_test_access(run: Path, tmp_path: Path) -> None:
    log = run / "records" / "test_access.jsonl"
    before = log.read_text()
    refused(oneshot("score", csv(tmp_path, lines(right(0.9, 20))[:-1]), "--in", run))
    assert log.read_text() == before


def test_a_run_without_recorded_episodes(tmp_path: Path) -> None:
    add(tmp_path, "good", 0, right(0.8, 0))
    for file in (tmp_path / "suite").iterdir():
        file.unlink()
    text = refused(oneshot("score", csv(tmp_path, lines(right(0.9, 20))), "--in", tmp_path))
    assert "no suite is recorded here" in text
    assert "oneshot run" in text


def test_partial_predictions_are_incomplete_and_unranked(run: Path, tmp_path: Path) -> None:
    content = lines(right(0.9, 20))
    del content[10], content[20:40]
    path = csv(tmp_path, content)
    assert "say --partial" in refused(oneshot("score", path, "--in", run))
    text = said(oneshot("score", path, "--in", run, "--partial", *RECORD))
    assert "29 of 40 episodes" in text
    assert "Left out, since only some queries have a prediction: 1 episode." in text
    (row,) = external(run)
    assert (row.measured.episodes, row.rank) == (29, None)
    assert any(note.startswith("29 of 40 episodes scored: no predictions") for note in row.notes)
    few = csv(tmp_path, lines(right(0.9, 20))[:4])
    assert "1 of 40 episodes are answered in full" in refused(oneshot("score", few, "--in", run, "--partial"))


def test_a_transductive_method_says_so(run: Path, tmp_path: Path) -> None:
    path = csv(tmp_path, lines(right(0.9, 20)))
    said(oneshot("score", path, "--in", run, *RECORD, "--transductive"))
    (row,) = external(run)
    assert not row.measured.inference.inductive
    assert any(note.startswith("transductive") for note in row.notes)
    said(oneshot("score", path, "--in", run, *RECORD))
    assert len(external(run)) == 2


def test_an_external_row_called_random_guards_nothing(run: Path, tmp_path: Path) -> None:
    path = csv(tmp_path, lines(right(1.0, 20)))
    said(oneshot("score", path, "--in", run, *RECORD[2:], "--name", "random"))
    assert not any(read_report(run).guards.values())


def exportable(folder: Path, count: int = 30) -> None:
    """A run on UTD-MHAD's own clips."""
    split, clips = shipped_clips("utd-mhad")
    suite = build_suite(suite_spec("test"), split, clips, count)
    records = RecordFolder(folder)
    tested = evaluation_digest("d" * 64, "e" * 64, suite.digest)
    codes: dict[str, np.ndarray] = {}
    names: dict[str, tuple[str, ...]] = {}
    for column in ("performance", "subject", "scene", "camera"):
        codes[column], found = pd.factorize(suite.clips[column], sort=True)
        names[column] = tuple(map(str, found))
    draws = suite.draws
    episodes = Episodes(
        support=draws.support,
        query=draws.query,
        label=draws.label,
        drawn=draws.classes,
        present=np.ones((len(suite.clips), 1), bool),
        **codes,
    )
    identity = SuiteRecord.identity("test", tested)
    file, digest = records.write_episodes(identity, episodes)
    records.write(
        SuiteRecord(
            id=identity,
            volatile={},
            suite="test",
            suite_digest=suite.digest,
            evaluation_digest=tested,
            classes=suite.classes,
            subjects=names["subject"],
            scenes=names["scene"],
            cameras=names["camera"],
            streams=("video",),
            episodes=file,
            episodes_digest=digest,
        )
    )
    add(folder, "good", 0, answers([1.0] * 4), suite="val")  # says what the recordings are
    rewrite(folder, EvaluationRecord, evaluation_digest=tested)


def test_exported_episodes_are_those_that_are_scored(tmp_path: Path) -> None:
    exportable(tmp_path)
    out = tmp_path / "episodes.csv"
    said(oneshot("episodes", "export", "test", "--in", tmp_path, "--out", out))
    found = pd.read_csv(out)
    assert list(found.columns) == ["episode", "role", "query", "label", "class_name", "clip"]
    queries = found[found["role"] == "query"]
    assert queries.groupby("episode")["query"].agg(list).tolist() == [[0, 1, 2, 3, 4]] * 30
    assert found[found["role"] == "support"].groupby("episode")["label"].agg(sorted).tolist() == [[0, 1, 2, 3, 4]] * 30
    mine = queries.rename(columns={"class_name": "predicted_class"})[["episode", "query", "predicted_class"]]
    mine.to_csv(tmp_path / "mine.csv", index=False)
    assert "Accuracy 100" in said(oneshot("score", tmp_path / "mine.csv", "--in", tmp_path))


def test_an_export_of_other_clips_is_refused(tmp_path: Path) -> None:
    exportable(tmp_path)
    rewrite(tmp_path, TrainingRecord, data=DATA | {"split": "mmact", "layout": "mmact"})
    text = refused(oneshot("episodes", "export", "test", "--in", tmp_path, "--out", tmp_path / "episodes.csv"))
    assert "but the run had" in text
    assert "--data" in text
    assert not (tmp_path / "episodes.csv").exists()


def test_several_suites_of_one_name_are_named_by_their_records(run: Path) -> None:
    records = RecordFolder(run / "records")
    (suite,) = records.all(SuiteRecord)
    identity = SuiteRecord.identity("test", "9" * 64)
    records.write(suite.model_copy(update={"id": identity, "evaluation_digest": "9" * 64}))
    with pytest.raises(HarnessError, match=f"Name one of: test-99999999, {suite.id}"):
        recorded_suite(records, "test")
    assert recorded_suite(records, suite.id)[0].evaluation_digest == suite.evaluation_digest


def test_needs_no_torch(run: Path, tmp_path: Path) -> None:
    path = csv(tmp_path, lines(right(0.9, 20)))
    code = """
import sys
from mmact_oneshot.harness.cli.main import app
try:
    app(["score", sys.argv[1], "--in", sys.argv[2]])
except SystemExit as done:
    assert not done.code
assert not {"torch", "timm", "decord", "av", "matplotlib"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(path), str(run)], cwd=ROOT, check=True, capture_output=True)
