"""Records of pre-trainings: joined with what starts from them, and shown once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.report import read_report
from harness.report.words import MISSING
from harness.runtime.errors import HarnessError
from tests.helpers.small_runs import (
    HALF,
    add,
    add_pretraining,
    add_started,
    answers,
    cells,
    text_of,
)


def test_a_start_without_its_record_is_refused(tmp_path: Path) -> None:
    identity = add(tmp_path, "half", 0, answers(HALF[0]), pretrained="mu_mae")
    (tmp_path / "evaluation" / f"{identity}.test.json").unlink()  # also where nothing of it has been scored yet
    add(tmp_path, "other", 0, answers(HALF[0]))
    (tmp_path / "pretraining" / "mu_mae-video-sensors-s0.json").unlink()
    with pytest.raises(HarnessError, match="pretraining: no pre-training record 'mu_mae-video-sensors-s0'") as caught:
        read_report(tmp_path)
    assert f"{identity}.json" in str(caught.value)


def test_a_broken_pretraining_is_named_with_its_field(tmp_path: Path) -> None:
    add(tmp_path, "half", 0, answers(HALF[0]), pretrained="mu_mae")
    (path,) = (tmp_path / "pretraining").glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"steps": "many"}))
    with pytest.raises(HarnessError, match="steps"):
        read_report(tmp_path)


def test_a_folder_with_nothing_but_a_pretraining_asks_to_go_on(tmp_path: Path) -> None:
    add_pretraining(tmp_path)
    with pytest.raises(HarnessError, match="nothing has been scored"):
        read_report(tmp_path)


def test_the_section_on_pre_trainings(tmp_path: Path) -> None:
    add_started(tmp_path, "trx", HALF, "mu_mae", own=False)
    nothing: dict[str, Any] = {"volatile": {}, "losses": [], "modalities": ("video",), "provenance": {}}
    add_pretraining(tmp_path, "videomae", 1, **nothing)
    text = text_of(tmp_path)
    assert cells(text, "## Pre-training") == [
        ["pre-training", "method", "seed", "for seeds", "sees", "clips", "epochs", "steps", "parameters", "last losses",
         "seconds", "clips/s", "waiting for data, %"],
        ["mu_mae-video-sensors-s0", "mu_mae", "0", "0, 1, 2", "both", "16", "20", "5", "1.5k", "acc 0.25, video 0.512",
         "120", "64", "25"],
        ["videomae-video-sensors-s1", "videomae", "1", MISSING, "video", "16", "20", "5", "1.5k", *[MISSING] * 4],
    ]  # fmt: skip
    assert "- Trained on clips of the 2 base classes, without their labels; no clip of a validation or novel" in text
    assert "- External data: none." in text
    assert "its time is counted here and in no row's 'train s'" in text
    assert "Hardware: cores = 2, device = a processor." in text
    assert cells(text, "### Settings of pre-training")[1] == ["`budget.batch`", "64"]
    assert "Pre-training is not in 'train s' either: mu_mae 120 s, over all its seeds." in text
    assert "![" not in text.partition("## Pre-training")[2]


def test_classes_are_said_as_they_were_seen(tmp_path: Path) -> None:
    add_started(tmp_path, "trx", HALF, "mu_mae")
    add_pretraining(tmp_path, "paper", protocol={"classes": "base+validation"}, digest="8" * 64)
    add_pretraining(tmp_path, "other", protocol={}, digest="6" * 64)
    text = text_of(tmp_path)
    assert "mu_mae-video-sensors-s2: trained on clips of the 2 base classes" in text
    assert "paper-video-sensors-s0: trained on clips of the 2 base and validation classes, without their" in text
    assert "other-video-sensors-s0: trained on clips of the classes delta, epsilon, without their labels." in text
    assert cells(text, "### Settings of pre-training")[0] == [
        *("setting", "mu_mae, 99999999", "other, 66666666", "paper, 88888888"),
    ]


def test_pictures_are_linked_from_where_the_report_lies(tmp_path: Path) -> None:
    add_started(tmp_path, "trx", HALF, "mu_mae")
    add_pretraining(tmp_path, "a]b|c", 3, picture="a]b (1).png")
    text = text_of(tmp_path)
    assert (
        "![Clips as they are, with what was hidden from a)b\\|c left out, and with what it restored: video and "
        "sensors, seed 3](records/pretraining/a%5Db%20%281%29.png)"
    ) in text
    assert text.count("](records/pretraining/") == 1
