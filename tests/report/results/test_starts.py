"""Rows that are compared begin from the same warm-started encoders, or the report says at its head which do not."""

from __future__ import annotations

from pathlib import Path

from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.report.model.document import failures
from mmact_oneshot.harness.report.results.starts import UnequalStart
from tests.helpers.small_runs import CONDITIONS, add, answers

ANSWERS = answers([1.0, 0.5] * 40)
ONE, OTHER = ({"video": {"state": letter * 64}} for letter in "ab")


def test_a_warm_start_that_was_made_again_is_told_with_the_rows_of_each(tmp_path: Path) -> None:
    add(tmp_path, "trx", 0, ANSWERS, encoders=ONE)
    add(tmp_path, "can", 0, ANSWERS, encoders=ONE)
    add(tmp_path, "protonet", 0, ANSWERS, encoders=OTHER)
    report = read_report(tmp_path)
    assert report.unequal_starts == (UnequalStart("video", "video", 0, (("can", "trx"), ("protonet",))),)
    (text,) = failures(report)
    assert text.startswith("CHECK FAILED: video, seed 0")
    assert "can, trx | protonet" in text


def test_other_seeds_and_conditions_have_encoders_of_their_own(tmp_path: Path) -> None:
    add(tmp_path, "trx", 0, ANSWERS, encoders=ONE)
    add(tmp_path, "trx", 1, ANSWERS, encoders=OTHER)
    add(tmp_path, "can", 0, ANSWERS, encoders=OTHER, conditions=CONDITIONS | {"precision": "bfloat16"})
    add(tmp_path, "nearest", 0, ANSWERS, encoders={})
    report = read_report(tmp_path)
    assert report.unequal_starts == ()
    assert failures(report) == []
