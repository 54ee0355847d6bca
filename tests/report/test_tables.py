"""From small records to groups, ranks and figures known by hand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.episodes.suites import SUITES
from harness.records import RecordFolder, SkippedRecord
from harness.report import read_report
from harness.report.columns import (
    COLUMNS,
    accuracy,
    caption,
    columns_of,
    data_warnings,
    guard_sentence,
    key,
    legend,
    marks,
)
from harness.report.markdown import markdown
from harness.report.tables import SuiteTable
from harness.report.words import MISSING, SUITE_RULES, SUITE_TITLES, compact, decimals, percent
from harness.runtime.errors import HarnessError
from tests.helpers.small_runs import DATA, add, add_seeds, answers

NAN = float("nan")
HALF = [[1.0, 0.5, 0.0, 0.5], [1.0, 0.5, 0.5, 0.5], [0.5, 0.5, 0.0, 0.5]]
BETTER = [[1.0, 1.0, 0.5, 1.0]] * 3


def table(folder: Path) -> SuiteTable:
    (only,) = read_report(folder).suites
    return only


def test_mean_and_interval_over_seeds_and_episodes(tmp_path: Path) -> None:
    add_seeds(tmp_path, "one", HALF)
    (row,) = table(tmp_path).rows
    # Seed means .5, .625, .375: variance 1/64, over 3 seeds 1/192. Seed-averaged episodes 5/6, 1/2, 1/6, 1/2:
    # variance 2/27, over 4 episodes 1/54.
    assert row.interval.mean == pytest.approx(0.5)
    assert row.interval.standard_error == pytest.approx((1 / 192 + 1 / 54) ** 0.5)
    freedom = (1 / 192 + 1 / 54) ** 2 / ((1 / 192) ** 2 / 2 + (1 / 54) ** 2 / 3)
    assert row.interval.degrees_of_freedom == pytest.approx(freedom)
    assert [training.seed for training in row.trainings] == [0, 1, 2]
    assert row.per_class == (0.25, 0.75, None)
    assert row.extreme_class(best=False) == ("alpha", 0.25)
    assert row.extreme_class(best=True) == ("beta", 0.75)
    assert row.confusion.tolist() == [[3, 9, 0], [3, 9, 0], [0, 0, 0]]
    assert (row.train_seconds, row.test_seconds, row.episodes_per_second) == (11.0, 1.5, 100.0)


def test_rows_of_one_training_digest_are_ranked_by_mean(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "better", BETTER)
    (section,) = table(tmp_path).sections
    assert [(row.label, row.rank) for row in section.rows] == [("better", 1), ("half", 2)]
    assert section.heading == "Video, shared encoders frozen"
    best = table(tmp_path).best
    assert best is not None
    assert best.label == "better"


def test_equal_means_share_a_rank(tmp_path: Path) -> None:
    for name in ("b", "a"):
        add_seeds(tmp_path, name, HALF)
    assert [(row.label, row.rank) for row in table(tmp_path).rows] == [("a", 1), ("b", 1)]


def test_rows_of_other_seeds_than_their_rivals_are_not_ranked(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "better", BETTER)
    for seed in range(5):
        add(tmp_path, "five", seed, answers([1.0] * 4))
    made = table(tmp_path)
    assert [(row.label, row.rank) for row in made.rows] == [("better", 1), ("half", 2), ("five", None)]
    assert "other seeds than 0, 1, 2" in made.rows[-1].notes[0]


def test_another_training_digest_is_another_section_that_says_what_differs(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    protocol = {"classes": "base", "training": {"steps": 9}}
    add_seeds(tmp_path, "better", BETTER, training_digest="9" * 64, training_protocol=protocol)
    made = table(tmp_path)
    assert [[row.rank for row in section.rows] for section in made.sections] == [[1], [1]]
    assert {section.heading for section in made.sections} == {
        "Video, shared encoders frozen; training.steps 5",
        "Video, shared encoders frozen; training.steps 9",
    }
    assert marks(made) == [MISSING, MISSING]  # no rank where there is no rival


RECIPES: dict[str, dict[str, Any]] = {
    "slow": {"training_digest": "7" * 64, "training_protocol": {"input": {"frames": 8}, "training": {"clip": 0.0}}},
    "quick": {"training_digest": "8" * 64, "training_protocol": {"input": {"frames": 16}, "training": {"clip": 0.0}}},
}


def test_published_recipes_share_a_section_that_ranks_nothing(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add(tmp_path, "control", 0, answers([1.0] * 4), regime="untrained", training_digest="1" * 64)
    for name, protocol in RECIPES.items():
        add_seeds(tmp_path, name, BETTER[:1], recipe="published", regime="tuned", **protocol)
    made = table(tmp_path)
    assert [section.digest for section in made.sections] == ["a" * 64, None, None]
    matched, published, _ = made.sections
    assert matched.heading == "Video, shared encoders frozen", "as without them"
    assert published.heading == "Published recipes: each method as its paper trains it"
    assert [(row.label, row.rank, row.notes) for row in published.rows] == [("quick", None, ()), ("slow", None, ())]
    assert marks(made)[1:3] == ["", ""]


def test_external_data_is_a_column_where_rows_may_differ_in_it(tmp_path: Path) -> None:
    add_seeds(tmp_path / "one", "half", HALF)
    assert columns_of(table(tmp_path / "one")) == COLUMNS
    changes: dict[str, Any] = {"recipe": "published", "external_data": ("a file.safetensors sha256:0",)}
    add_seeds(tmp_path / "two", "half", HALF, **changes)
    add_seeds(tmp_path / "two", "plain", HALF, recipe="published")
    made = table(tmp_path / "two")
    assert columns_of(made)[-1].header == "external data"
    assert [columns_of(made)[-1].cell(row) for row in made.rows] == ["a file.safetensors", "none"]


def test_controls_come_last_and_are_not_ranked(tmp_path: Path) -> None:
    add(tmp_path, "control", 0, answers([1.0] * 4), regime="untrained", training_digest="1" * 64)
    add_seeds(tmp_path, "half", HALF, modalities=("video", "sensors"))
    made = table(tmp_path)
    assert [section.digest for section in made.sections] == ["a" * 64, None]
    assert made.sections[1].rows[0].rank is None
    assert made.sections[1].rows[0].notes == ()
    assert made.best is made.sections[0].rows[0]


def test_what_is_incomplete_transductive_or_of_few_seeds_is_shown_but_not_ranked(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "better", BETTER)
    add_seeds(tmp_path, "gaps", [[1.0, NAN, 1.0, 0.5]] * 3)
    add_seeds(tmp_path, "joint", [[1.0] * 4] * 3, transductive=True)
    add_seeds(tmp_path, "once", [[1.0] * 4])
    made = table(tmp_path)
    rows = {row.label: row for row in made.rows}
    assert {name: row.rank for name, row in rows.items()} == {
        "better": 1,
        "half": 2,
        "gaps": None,
        "joint": None,
        "once": None,
    }
    assert rows["gaps"].notes[0].startswith("incomplete 3 of 4")
    assert rows["gaps"].interval.mean == pytest.approx(2.5 / 3)
    assert rows["once"].notes == ("1 seed: this trained model only; a rank needs 3",)
    assert len(legend(made)) == 3
    assert sorted(marks(made)) == ["1", "2", "a", "b", "c"]


def test_seeds_that_lack_different_episodes_are_compared_on_those_they_share(tmp_path: Path) -> None:
    add_seeds(tmp_path, "gaps", [[NAN, 0.0, 1.0, 0.5], [1.0, NAN, 1.0, 0.5]])
    (row,) = table(tmp_path).rows
    assert (row.scored, row.interval.mean) == (2, 0.75)


def test_rows_of_one_method_are_told_apart_by_their_settings(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "half", HALF, tag="wide", method_settings={"projection": 16})
    assert sorted(row.label for row in table(tmp_path).rows) == ["half (projection 16)", "half (projection 8)"]


def test_a_control_with_other_input_is_another_row(tmp_path: Path) -> None:
    for frames in (4, 8):
        protocol = {"input": {"frames": frames}, "training": None}
        changes: dict[str, Any] = {
            "regime": "untrained",
            "training_digest": f"{frames}" * 64,
            "training_protocol": protocol,
        }
        add(tmp_path, "control", 0, answers([1.0, 0.5]), **changes)
    assert [row.label for row in table(tmp_path).rows] == ["control (input.frames 4)", "control (input.frames 8)"]


def test_suites_are_separate_tables_headline_first(tmp_path: Path) -> None:
    for suite in ("test-cross-subject", "test"):
        add(tmp_path, "half", 0, answers(HALF[0]), suite=suite)
    assert [made.suite for made in read_report(tmp_path).suites] == ["test", "test-cross-subject"]


def test_the_caption_says_what_the_interval_covers(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    text = " ".join(caption(table(tmp_path)))
    assert "Guessing reaches 50 %" in text
    assert "1 labelled clip of each of 2 classes" in text
    assert "It does not cover new recordings, new subjects or new classes" in text
    assert "Looks at this suite, as logged: 3, of 3 trainings; 3 are shown here." in text
    assert "never the same performance" in text
    assert key(read_report(tmp_path))


def test_every_suite_has_its_rule_in_words() -> None:
    assert set(SUITE_RULES) == set(SUITE_TITLES) == set(SUITES)


def test_random_off_chance_is_said_loudly(tmp_path: Path) -> None:
    fair = [1.0, 0.0] * 40
    add(tmp_path / "fair", "random", 0, answers(fair), regime="untrained")
    add(tmp_path / "off", "random", 0, answers([1.0, 0.5] * 40), regime="untrained")
    (passed,), (failed,) = table(tmp_path / "fair").guards, table(tmp_path / "off").guards
    assert passed.p == 1.0
    assert "Check passed" in guard_sentence(passed)
    assert failed.failed
    assert "CHECK FAILED" in guard_sentence(failed)
    assert "p < 0.001" in guard_sentence(failed)


def test_data_that_is_generated_or_incomplete_is_marked() -> None:
    assert data_warnings(DATA) == []
    assert "Generated data" in data_warnings(DATA | {"generated": {"statement": "simulated"}})[0]
    (text,) = data_warnings(
        DATA | {"complete": False, "clips_usable": 28, "performances_without_sensor": {"acc": 3, "gyro": 0}}
    )
    assert text == "Incomplete data: 2 of 30 clips are absent or unreadable; 3 performances have no acc."


@pytest.mark.parametrize(
    ("error", "share", "text"),
    [
        (0.0019, 0.70666, "70.7"),
        (0.0004, 0.70666, "70.67"),
        (0.015, 0.70666, "71"),
        (0.01, 0.7, "70"),
        (NAN, 0.5, "50.0"),
    ],
)
def test_digits_follow_the_standard_error(error: float, share: float, text: str) -> None:
    assert percent(share, decimals(error)) == text


def test_figures_are_short() -> None:
    assert [compact(n) for n in (0, 999, 1500, 83329, 986285, 25_600_000)] == [
        "0", "999", "1.5k", "83k", "986k", "26M",
    ]  # fmt: skip


def test_accuracy_is_clipped_and_percent(tmp_path: Path) -> None:
    add(tmp_path, "half", 0, answers([1.0, 1.0, 1.0, 0.5]))
    (row,) = table(tmp_path).rows
    assert accuracy(row) == "88 [48, 100]"  # SE 12.5 points, t(3) 3.18


def test_no_records(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no records here"):
        read_report(tmp_path)
    (tmp_path / "training").mkdir()
    with pytest.raises(HarnessError, match="nothing has been scored"):
        read_report(tmp_path)


def test_a_run_folder_and_its_records_are_the_same(tmp_path: Path) -> None:
    add_seeds(tmp_path / "records", "half", HALF)
    assert len(read_report(tmp_path).suites) == len(read_report(tmp_path / "records").suites) == 1


def test_skipped_rows_alone_make_a_report(tmp_path: Path) -> None:
    skipped = SkippedRecord(id="x", volatile={}, method="m", modalities=("video",), regime="frozen", reason="no video")
    RecordFolder(tmp_path).write(skipped)
    assert read_report(tmp_path).skipped == (skipped,)


@pytest.mark.parametrize(
    ("kind", "field", "value", "message"),
    [
        ("evaluation", "accuracy", "high", "accuracy"),
        ("evaluation", "accuracy", 0.9, "accuracy: the record says 0.9, its predictions give 0.5"),
        ("evaluation", "scored", 3, "scored"),
        ("evaluation", "episodes", 5, "predictions"),
        ("evaluation", "per_class", [0.5], "per_class"),
        ("evaluation", "predictions_digest", "0", "predictions do not match"),
        ("training", "regime", "warm", "regime"),
    ],
)
def test_a_broken_record_is_named_with_its_field(
    tmp_path: Path, kind: str, field: str, value: object, message: str
) -> None:
    add(tmp_path, "half", 0, answers(HALF[0]))
    (path,) = (tmp_path / kind).glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(HarnessError, match=message):
        read_report(tmp_path)


def test_two_records_of_one_row_and_seed_are_refused(tmp_path: Path) -> None:
    for tag in ("", "copy"):
        add(tmp_path, "half", 0, answers(HALF[0]), tag=tag)
    with pytest.raises(HarnessError, match="two records of one row"):
        read_report(tmp_path)


def test_an_evaluation_without_its_training_is_refused(tmp_path: Path) -> None:
    identity = add(tmp_path, "half", 0, answers(HALF[0]))
    (tmp_path / "training" / f"{identity}.json").unlink()
    with pytest.raises(HarnessError, match="no training record 'half"):
        read_report(tmp_path)


def test_predictions_without_labels_ask_for_another_run(tmp_path: Path) -> None:
    add(tmp_path, "half", 0, answers(HALF[0]))
    (path,) = (tmp_path / "evaluation").glob("*.json")
    content = json.loads(path.read_text())
    file = tmp_path / "predictions" / content["predictions"]
    np.savez_compressed(file, predicted=answers(HALF[0]))
    content["predictions_digest"] = hashlib.sha256(file.read_bytes()).hexdigest()
    path.write_text(json.dumps(content))
    with pytest.raises(HarnessError, match="no labels"):
        read_report(tmp_path)


def test_the_log_of_looks_is_checked(tmp_path: Path) -> None:
    add(tmp_path, "half", 0, answers(HALF[0]))
    with (tmp_path / "test_access.jsonl").open("a") as stream:
        stream.write("{}\n")
    with pytest.raises(HarnessError, match="line 2"):
        read_report(tmp_path)


def test_a_row_that_does_not_apply_is_told_once_for_all_its_seeds(tmp_path: Path) -> None:
    add_seeds(tmp_path, "m", [[1, 0.5]])
    common = {"volatile": {}, "method": "m", "modalities": ("sensors",), "regime": "frozen"}
    for name, reason in (("s0", "needs video"), ("s1", "needs video"), ("other", "needs a map")):
        RecordFolder(tmp_path).write(SkippedRecord.model_validate({**common, "id": name, "reason": reason}))
    assert sorted(each.reason for each in read_report(tmp_path).skipped) == ["needs a map", "needs video"]


def test_sections_that_differ_name_the_difference_and_what_to_run(tmp_path: Path) -> None:
    for digest, protocol in (
        ("1", {"classes": "base", "training": {"steps": 5}}),
        ("2", {"classes": "base", "training": {"steps": 9}}),
        ("3", {"classes": "base", "training": {"steps": 5}, "transformer": {"size": "tiny", "patch": 8}}),
    ):
        add_seeds(tmp_path, "trx", HALF, training_digest=digest * 64, training_protocol=protocol)
    headings = {section.digest: section.heading for section in table(tmp_path).sections}
    assert headings["1" * 64].endswith("; training.steps 5; no transformer of its own")
    assert headings["2" * 64].endswith("; training.steps 9; no transformer of its own")
    assert headings["3" * 64].endswith("; training.steps 5; with a transformer of its own")
    text = markdown(read_report(tmp_path))
    assert "run those of one again under the conditions of the other" in text
    assert "--set training.steps=VALUE" in text
