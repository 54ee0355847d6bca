"""The factor table: heads by what they start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.report.columns import marks
from harness.report.words import MISSING
from tests.helpers.small_runs import (
    BETTER,
    HALF,
    add_every_start,
    add_seeds,
    add_started,
    cells,
    table,
    text_of,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    add_every_start(tmp_path / "records")
    return tmp_path / "records"


def test_the_factor_table(folder: Path) -> None:
    found = cells(text_of(folder), "### By head, encoders and start")
    assert found[0] == ["head", "encoders", "start", "video", "sensors", "both"]
    assert [line[:3] for line in found[1:]] == [
        ["trx, frozen", "default", "scratch"],
        ["trx, frozen", "transformer", "scratch"],
        ["trx, frozen", "transformer", "longer"],
        ["trx, frozen", "transformer", "videomae"],
        ["trx, frozen", "transformer", "mu_mae"],
        ["trx, frozen", "transformer", "file vit.pth"],
    ]
    for line in found[1:]:
        better = line[2] == "mu_mae"
        assert line[3].startswith("88 [" if better else "50 [")
        assert line[4] == MISSING
        assert line[5].startswith("88 [") if better else line[5] == MISSING
    text = text_of(folder)
    assert "longer = scratch too" in text
    assert "Do not judge from whether these intervals overlap" in text
    assert "videomae = the pre-training of that method" in text
    assert "a prior of the method's own" not in text


def test_heads_of_the_factor_table_are_told_apart_and_keep_their_letters(tmp_path: Path) -> None:
    for number in (2, 4):
        changes: dict[str, Any] = {"tag": f"-{number}", "method_settings": {"projection": number}}
        add_started(tmp_path, "protonet", HALF, "mu_mae", **changes)
    add_started(tmp_path, "protonet", HALF[:1], "scratch", regime="tuned")
    add_started(tmp_path, "can", HALF, "plain")
    add_started(tmp_path, "published", HALF, "mu_mae", recipe="published")
    found = cells(text_of(tmp_path), "### By head, encoders and start")
    assert [line[:3] for line in found[1:]] == [
        ["protonet (projection 2), frozen", "transformer", "mu_mae"],
        ["protonet (projection 4), frozen", "transformer", "mu_mae"],
        ["protonet (projection 8), tuned", "transformer", "scratch"],
    ], "neither can, which never starts from anything, nor published recipes"
    assert found[3][3].endswith(" (a)")
    made = table(tmp_path)
    assert "a" in marks(made)


def test_a_prior_is_compared_with_its_own_start_from_scratch(tmp_path: Path) -> None:
    add_started(tmp_path, "mu_mae", HALF, "plain")
    assert "### By head" not in text_of(tmp_path)
    add_seeds(tmp_path, "mu_mae", HALF, pretrained="mu_mae", training_digest="c" * 64)
    add_seeds(tmp_path, "mu_mae", BETTER, pretrained="mu_mae", training_digest="d" * 64, tag="-wide")
    found = cells(text_of(tmp_path), "### By head, encoders and start")
    assert [line[:3] for line in found[1:]] == [
        ["mu_mae, frozen", "default", "scratch"],
        ["mu_mae, frozen", "default", "mu_mae"],
    ]
    first, second = found[2][3].split("; ")
    assert {first.rpartition(" ")[2], second.rpartition(" ")[2]} == {"(cccccccc)", "(dddddddd)"}
    assert "a prior of the method's own" in text_of(tmp_path)


def test_no_factor_table_where_rows_start_alike(tmp_path: Path) -> None:
    add_started(tmp_path, "trx", HALF, "mu_mae")
    add_started(tmp_path, "can", HALF, "mu_mae")
    assert "### By head" not in text_of(tmp_path)


def test_names_cannot_break_the_factor_table(tmp_path: Path) -> None:
    add_started(tmp_path, "a|b<c", HALF, "scratch")
    add_started(tmp_path, "a|b<c", HALF, "file", initialisation="x|*y*.pth")
    text = text_of(tmp_path)
    found = cells(text, "### By head, encoders and start")
    assert [line[:3] for line in found[1:]] == [
        ["a/b\\<c, frozen", "transformer", "scratch"],
        ["a/b\\<c, frozen", "transformer", "file x/\\*y\\*.pth"],
    ]
    assert {len(line) for line in found} == {6}


def test_a_method_as_released_says_so_in_its_name(tmp_path: Path) -> None:
    add_seeds(tmp_path, "mu_mae", [[1, 0.5]] * 3)
    add_seeds(tmp_path, "mu_mae", [[0.5, 0.5]] * 3, method_settings={"as_released": True, "width": 3}, tag="-released")
    labels = {row.label for row in table(tmp_path).rows}
    assert labels == {"mu_mae", "mu_mae as released"}
