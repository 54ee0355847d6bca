"""The report as CSV: what pandas reads is what the report holds, digit for digit."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.records import RecordFolder, Removed, TrainingRecord
from harness.records.schema import EvaluationRecord
from harness.report import Report, read_report
from harness.report.csv_files import csv_files
from tests.helpers.retold import retell
from tests.helpers.small_runs import DATA, add, add_seeds, add_suite, answers

ROOT = Path(__file__).parents[2]
EPISODES = 60
HOSTILE = 'a "quoted", name\nwith a break; é 中'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    records = tmp_path / "records"
    add_suite(records, EPISODES)
    for place, name in enumerate(("good", "fair", "bad")):
        for seed in range(3):
            drawn = np.random.default_rng([place, seed]).random((EPISODES, 2)) < (0.9, 0.8, 0.3)[place]
            add(records, name, seed, answers(drawn.mean(axis=1).tolist()))
    add(records, "random", 0, answers([1.0, 0.0] * 30), regime="untrained")
    return records


def rounded(value: Any) -> Any:
    """As the files have it: six digits."""
    return pytest.approx(value, rel=5e-6)


def tables(report: Report) -> dict[str, Any]:
    """Data frames: Any, since a cell may be of any type."""
    return {name: pd.read_csv(io.StringIO(text)) for name, text in csv_files(report).items()}


def test_rows_come_back_as_they_were(folder: Path) -> None:
    report = read_report(folder)
    (suite,) = report.suites
    found = tables(report)["rows.csv"].set_index("row")
    assert sorted(found.index) == sorted(suite.names)
    for row, name in zip(suite.rows, suite.names, strict=True):
        line = found.loc[name]
        interval, analysis = row.interval, row.inference.analysis
        assert analysis is not None
        assert (line["accuracy"], line["se"], line["low"], line["high"], line["df"]) == rounded(
            (interval.mean, interval.standard_error, interval.low, interval.high, interval.degrees_of_freedom)
        )
        assert line["performance_se"] == rounded(analysis.performances.standard_error)
        assert line["subject_se"] == rounded(analysis.subjects.standard_error)
        assert line["closed_se"] == rounded(analysis.closed.standard_error)
        assert line["macro_f1"] == rounded(row.metrics.macro_f1)
        assert line["worst_decile"] == rounded(row.metrics.worst_decile)
        assert line["seeds"] == " ".join(str(training.seed) for training in row.trainings)
        assert line["training"] == row.training.training_digest
        assert line["evaluation"] == suite.evaluation_digest
        assert line["commit"] == "c" * 40
        assert line["generated"] == "no"
        assert json.loads(line["settings"]) == {"projection": 8}
    ranked = found.loc[["good, video, frozen", "fair, video, frozen", "bad, video, frozen"]]
    assert ranked["rank"].tolist() == [1, 2, 3]
    assert ranked["rank_high"].tolist()[-1] == 3
    assert ranked["tied"].tolist()[0] == "yes"
    assert ranked["tied"].tolist()[-1] == "no"
    assert np.isnan(ranked["p_vs_best"].iat[0])
    assert ranked["p_vs_best"].iat[-1] < 0.001
    assert ranked["covers"].unique().tolist() == ["new performances and new subjects, training again"]
    assert pd.isna(found.loc["random, video", "rank"])
    assert pd.isna(found.loc["random, video", "tied"])


def test_every_pair_of_a_section(folder: Path) -> None:
    report = read_report(folder)
    section = report.suites[0].sections[0]
    compared = section.comparisons
    assert compared is not None
    found = tables(report)["pairs.csv"]
    assert len(found) == 3
    for number, (first, second) in enumerate(compared.pairs):
        line = found.loc[number]
        assert (line["a"], line["b"]) == (section.ranked[first].name, section.ranked[second].name)
        paired = compared.paired[number]
        assert line["difference"] == rounded(paired.analysis.interval().mean)
        assert line["low"] == rounded(paired.analysis.interval().low)
        assert line["simultaneous_high"] == rounded(compared.simultaneous[number].high)
        assert line["p"] == rounded(paired.analysis.p_value)
        assert line["p_holm"] == rounded(compared.adjusted[number])
        assert line["p_sign_flips"] == rounded(paired.signs.p_value)
        assert line["p_sign_flips_smallest"] == 2.0**-7
    means = tables(report)["rows.csv"].set_index("row")["accuracy"]
    assert np.allclose(found["difference"], means[found["a"]].to_numpy() - means[found["b"]].to_numpy(), atol=2e-6)


def test_classes_groups_and_what_was_removed(folder: Path) -> None:
    records, whole = RecordFolder(folder), []
    for record in records.all(EvaluationRecord):
        if record.id.startswith("good"):
            predicted, label = records.read_predictions(record)
            whole.append(float((predicted == label)[:50].mean()))
            removed = Removed(modality="video", episodes=50, accuracy=0.25, complete=whole[-1])
            records.write(record.model_copy(update={"robustness": (removed,)}))
    report = read_report(folder)
    (suite,) = report.suites
    found = tables(report)
    classes = found["classes.csv"]
    good = classes[classes["row"] == "good, video, frozen"]
    taken = found["confusion.csv"]
    assert taken[taken["row"] == "good, video, frozen"]["queries"].sum() == 3 * suite.episodes * suite.queries
    confusion = next(row for row in suite.rows if row.label == "good").confusion  # summed over three seeds
    assert good[["class", "queries", "right", "answered"]].to_numpy().tolist() == [
        [name, confusion[place].sum(), confusion[place, place], confusion[:, place].sum()]
        for place, name in enumerate(suite.classes)
    ]
    assert confusion.sum() == 3 * suite.episodes * suite.queries
    groups = found["groups.csv"]
    row = suite.rows[0]
    part = groups[(groups["row"] == suite.names[0]) & (groups["by"] == "subject")]
    assert part["accuracy"].tolist() == rounded([group.accuracy for group in row.metrics.groups["subject"]])
    assert part["name"].tolist() == [f"s{number}" for number in range(8)]
    assert set(groups["by"]) == {"subject", "camera"}, "there is one scene"
    assert found["removed.csv"][["row", "removed", "episodes", "accuracy", "complete"]].to_numpy().tolist() == [
        ["good, video, frozen", "video", 50, 0.25, rounded(sum(whole) / 3)]
    ]


def test_without_episodes_nothing_is_made_up(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", [[1.0, 0.5, 0.0, 0.5]] * 3)
    add_seeds(tmp_path, "more", [[1.0, 1.0, 0.5, 1.0]] * 3)
    found = tables(read_report(tmp_path))
    rows = found["rows.csv"]
    assert rows[["performance_se", "subject_se", "rank_low", "tied", "p_vs_best"]].isna().all(axis=None)
    assert rows["closed_se"].notna().all()
    assert rows["covers"].unique().tolist() == ["these clips, training again"]
    assert len(found["pairs.csv"]) == 0
    assert "p_holm" in found["pairs.csv"].columns


def test_hostile_names_and_generated_data(folder: Path) -> None:
    retell(folder, TrainingRecord, "good", method=HOSTILE)
    retell(folder, TrainingRecord, data=DATA | {"generated": {"statement": "simulated"}})
    found = tables(read_report(folder))
    assert HOSTILE in found["rows.csv"]["method"].tolist()
    for name, table in found.items():
        assert (table["generated"] == "yes").all(), name
    assert "\r" not in "".join(csv_files(read_report(folder)).values())


def test_needs_no_pandas(folder: Path) -> None:
    code = """
import sys
from pathlib import Path
from typing import Any
from harness.report import read_report
from harness.report.csv_files import csv_files
from harness.report.latex import latex
report = read_report(Path(sys.argv[1]))
csv_files(report), latex(report)
assert not {"torch", "pandas", "matplotlib"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True)
