"""The report as CSV: what pandas reads is what the report holds, digit for digit."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mmact_oneshot.harness.records import EvaluationRecord, RecordFolder
from mmact_oneshot.harness.report import Report, read_report
from mmact_oneshot.harness.report.writers.csv_files import COLUMNS, columns, csv_files
from tests.helpers.small_runs import (
    GENERATED,
    HALF,
    add,
    add_control,
    add_external,
    add_seeds,
    add_suite,
    answers,
    row_of,
    shares,
    study_suite,
    three_seeds,
)

EPISODES = 60
HOSTILE = 'a "quoted", name\nwith a break; é 中'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only read."""
    records = tmp_path_factory.mktemp("run") / "records"
    add_suite(records, EPISODES)
    for place, (name, mean) in enumerate({"good": 0.9, "fair": 0.8, "bad": 0.3}.items()):
        add_seeds(records, name, three_seeds(mean, 10 * place, EPISODES))
    add_control(records, [1.0, 0.0] * 30)
    return records


def rounded(value: Any) -> Any:
    """As the files have it: six digits."""
    return pytest.approx(value, rel=5e-6)


def tables(report: Report) -> dict[str, Any]:
    """Data frames: Any, since a cell may be of any type."""
    return {name: pd.read_csv(io.StringIO(text)) for name, text in csv_files(report).items()}


def test_rows_come_back_as_they_were(folder: Path) -> None:
    results = study_suite(folder)
    found = tables(read_report(folder))["rows.csv"].set_index("row")
    assert sorted(found.index) == sorted(row.name for row in results.rows)
    for row in results.rows:
        line, analysis = found.loc[row.name], row.measured.inference.analysis
        interval, metrics = row.interval, row.measured.metrics
        assert analysis is not None
        assert (line["accuracy"], line["se"], line["low"], line["high"], line["df"]) == rounded(
            (interval.mean, interval.standard_error, interval.low, interval.high, interval.degrees_of_freedom)
        )
        assert line["performance_se"] == rounded(analysis.performances.standard_error)
        assert line["subject_se"] == rounded(analysis.subjects.standard_error)
        assert line["clips_se"] == rounded(analysis.clips.standard_error)
        assert np.isnan(line["delete_one_se"])
        assert line["macro_f1"] == rounded(metrics.value("macro_f1"))
        assert line["worst_decile"] == rounded(metrics.value("worst_decile"))
        assert str(line["seeds"]) == " ".join(map(str, row.measured.seeds))
        assert line["conditions"] == row.measured.training.conditions_digest
        assert line["evaluation"] == results.suite.record.evaluation_digest
        assert (line["study"], line["suite"], line["commit"], line["generated"]) == ("methods", "test", "c" * 40, "no")
        assert json.loads(line["settings"]) == {"projection": 8}
        assert (line["episodes"], line["scored"], line["training"]) == (60, 60, row.measured.training.training)
    ranked = found.loc[["good, video", "fair, video", "bad, video"]]
    assert ranked["rank"].tolist() == [1, 2, 3]
    assert ranked["rank_high"].tolist()[-1] == 3
    assert ranked["tied"].tolist()[0] == "yes"
    assert ranked["tied"].tolist()[-1] == "no"
    assert np.isnan(ranked["p_vs_best"].iat[0])
    assert ranked["p_vs_best"].iat[-1] < 0.001
    assert ranked["covers"].unique().tolist() == ["new performances, new subjects and training again"]
    assert found.loc["random, video", ["rank", "tied", "initialisation", "encoder"]].isna().all()


def test_every_pair_of_a_ranking(folder: Path) -> None:
    ranking = study_suite(folder).rankings["video"]
    report = read_report(folder)
    found = tables(report)["pairs.csv"]
    assert len(found) == 3
    for number, pair in enumerate(ranking.pairs()):
        line = found.loc[number]
        assert (line["a"], line["b"], line["pairs"]) == (pair.first.name, pair.second.name, 3)
        assert line["difference"] == rounded(pair.interval.mean)
        assert line["low"] == rounded(pair.interval.low)
        assert line["simultaneous_high"] == rounded(pair.simultaneous.high)
        assert line["p"] == rounded(pair.p)
        assert line["p_holm"] == rounded(pair.adjusted)
        assert line["p_sign_flips"] == rounded(pair.signs.p_value)
        assert line["p_sign_flips_smallest"] == 2.0**-7
    means = tables(report)["rows.csv"].set_index("row")["accuracy"]
    assert np.allclose(found["difference"], means[found["a"]].to_numpy() - means[found["b"]].to_numpy(), atol=2e-6)


def test_classes_groups_confusion_calibration_and_ablations(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    records, whole = RecordFolder(tmp_path), []
    for record in records.all(EvaluationRecord):
        if record.id.startswith("good"):
            predicted, label = records.read_predictions(record)
            right = int((predicted == label).sum())
            whole.append(float((predicted == label)[:50].mean()))
            ablation = {"without": "video", "episodes": 50, "accuracy": 0.25, "complete": whole[-1]}
            sure = {"queries": (0,) * 9 + (120,), "confidence": (0.0,) * 9 + (114.0,), "correct": (0,) * 9 + (right,)}
            changes = {"ablations": (ablation,), "calibration": sure}
            records.write(EvaluationRecord.model_validate(record.model_dump() | changes))
    report, results = read_report(tmp_path), study_suite(tmp_path)
    found, row = tables(report), row_of(results, "good")
    of_row = {name: table[table["row"] == "good, video"] for name, table in found.items() if "row" in table}
    confusion = row.measured.confusion  # summed over three seeds
    assert confusion.sum() == of_row["confusion.csv"]["queries"].sum() == 3 * EPISODES * 2
    assert of_row["classes.csv"][["class", "queries", "right", "predicted"]].to_numpy().tolist() == [
        [name, confusion[place].sum(), confusion[place, place], confusion[:, place].sum()]
        for place, name in enumerate(row.measured.classes)
    ]
    subjects = of_row["groups.csv"][of_row["groups.csv"]["by"] == "subject"]
    assert subjects["accuracy"].tolist() == rounded(
        [group.accuracy for group in row.measured.metrics.groups["subject"]]
    )
    assert subjects["name"].tolist() == [f"s{number}" for number in range(8)]
    assert set(found["groups.csv"]["by"]) == {"subject", "camera"}, "there is one scene"
    (line,) = of_row["ablations.csv"][["without", "episodes", "accuracy", "complete"]].to_numpy().tolist()
    assert line == ["video", 50, 0.25, rounded(sum(whole) / 3)]
    curve = of_row["calibration.csv"]
    assert (len(curve), curve["queries"].sum(), curve["from"].iat[-1], curve["to"].iat[-1]) == (10, 360, 0.9, 1.0)
    assert curve["right"].sum() == confusion.diagonal().sum()
    line = found["rows.csv"].set_index("row").loc["good, video"]
    assert line["calibration_error"] == rounded(row.measured.metrics.value("calibration_error"))


def test_nothing_stands_where_there_is_no_figure(tmp_path: Path) -> None:
    nan = float("nan")
    add_suite(tmp_path, 4, subjects=4)
    add_seeds(tmp_path, "absent", [[0.5, 0.5, nan, nan], [nan, nan, 0.5, 0.5]])  # no common episode
    add_seeds(tmp_path, "half", HALF)
    found = tables(read_report(tmp_path))
    rows = found["rows.csv"].set_index("row")
    assert rows.loc["absent, video", ["accuracy", "low", "rank", "clips_se"]].isna().all()
    assert rows.loc["half, video", ["subject_se", "tied", "p_vs_best"]].isna().all()
    assert rows.loc["half, video", "covers"] == "new performances and training again"
    assert len(found["pairs.csv"]) == 0
    assert tuple(found["pairs.csv"].columns) == COLUMNS["pairs.csv"]
    assert "nan" not in "".join(csv_files(read_report(tmp_path)).values())


def test_every_file_has_its_columns(rich_report: Report) -> None:
    found = tables(rich_report)
    assert set(found) == set(COLUMNS)
    for name, table in found.items():
        assert tuple(table.columns) == columns(name, rich_report)
        assert len(table) > 0, name


def test_a_row_is_identified_by_study_evaluation_and_name(rich_report: Report) -> None:
    rows = tables(rich_report)["rows.csv"]
    assert not rows.duplicated(["study", "evaluation", "row"]).any()
    assert set(rows["study"]) == {"methods", "initialisation", "published", "external"}


def test_predictions_made_elsewhere_are_rows_without_a_rank(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_external(tmp_path, "Ours", HALF[0])
    line = tables(read_report(tmp_path))["rows.csv"].set_index("row").loc["Ours, video"]
    assert (line["study"], line["training"], line["accuracy"]) == ("external", "external", 0.5)
    assert pd.isna(line["rank"])
    assert line["notes"].startswith("external, as stated by")


def test_hostile_names_and_generated_data(tmp_path: Path) -> None:
    add_suite(tmp_path, EPISODES, classes=(HOSTILE, "beta", "gamma"))
    for place, name in enumerate((HOSTILE, "other")):
        add_seeds(tmp_path, name, three_seeds(0.5, 10 * place, EPISODES), data=GENERATED)
    add(tmp_path, "lone", 0, answers(shares(0.5, 50, EPISODES)), data=GENERATED)
    found = tables(read_report(tmp_path))
    assert HOSTILE in found["rows.csv"]["method"].tolist()
    assert HOSTILE in found["classes.csv"]["class"].tolist()
    for name, table in found.items():
        assert (table["generated"] == "yes").all(), name
    assert "\r" not in "".join(csv_files(read_report(tmp_path)).values())
