"""Conditions of training below a study: what is the same in all of its rows, and what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.report.model.blocks import Section, Table
from mmact_oneshot.harness.report.model.training_sections import conditions_section
from tests.helpers.small_runs import BOTH, CONDITIONS, HALF, add_control, add_seeds, add_study

ENCODER = {"segments": 2, "width": 8}


def tables_of(section: Section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


def lines(table: Table) -> list[list[str]]:
    return [[cell.text for cell in line] for line in table.lines]


def differing(folder: Path) -> dict[str, dict[str, str]]:
    """Setting -> row -> value, of those that differ in the only study."""
    section = conditions_section(read_report(folder).studies[0])
    assert section is not None
    found = [table for table in tables_of(section) if table.title == "What differs"]
    return {
        line[0]: dict(zip([column.header for column in table.columns[1:]], line[1:], strict=True))
        for table in found
        for line in lines(table)
    }


def test_conditions_are_divided_into_those_that_differ_and_the_others(tmp_path: Path) -> None:
    add_study(tmp_path, varies=("method", "budget"))
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "long", HALF, conditions=CONDITIONS | {"budget": {"steps": 9}})
    add_control(tmp_path, [1.0] * 4)
    section = conditions_section(read_report(tmp_path).studies[0])
    assert section is not None
    differing, same = tables_of(section)
    columns = [column.header for column in differing.columns[1:]]
    assert sorted(columns) == ["half, video", "long, video"], "a control has none"
    (line,) = lines(differing)
    assert line[0] == "budget.steps"
    assert dict(zip(columns, line[1:], strict=True)) == {"half, video": "5", "long, video": "9"}
    assert lines(same) == [["classes", "base"]]


def test_a_pretraining_is_one_line_of_the_conditions(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    conditions = CONDITIONS | {"pretraining": {"network": {"depth": 4, "width": 8}}}
    add_seeds(tmp_path, "mu_mae", HALF, pretrained="mu_mae", conditions=conditions)
    section = conditions_section(read_report(tmp_path).studies[0])
    assert section is not None
    names = [line[0] for table in tables_of(section) for line in lines(table)]
    assert [name for name in names if name.startswith("pretraining")] == ["pretraining"]


def test_no_conditions_where_nothing_was_trained(tmp_path: Path) -> None:
    add_control(tmp_path, [1.0] * 4)
    assert conditions_section(read_report(tmp_path).studies[0]) is None


def test_a_prolonged_warm_start_shows_its_steps(tmp_path: Path) -> None:
    add_study(tmp_path, "initialisation", varies=("initialisation",))
    for begins, steps in (("scratch", 26), ("prolonged", 126)):
        conditions = CONDITIONS | {"initialisation": begins, "warm_start": {"clip": 1.0, "steps": steps}}
        add_seeds(tmp_path, "trx", HALF, study="initialisation", initialisation=begins, conditions=conditions)
    assert differing(tmp_path) == {
        "initialisation": {"trx (from scratch), video": "scratch", "trx (prolonged), video": "prolonged"},
        "warm_start.steps": {"trx (from scratch), video": "26", "trx (prolonged), video": "126"},
    }


def test_encoders_that_differ_are_shown_and_those_that_a_row_has_not_are_no_difference(tmp_path: Path) -> None:
    add_study(tmp_path, varies=("method", "video_encoder"))

    def add(name: str, modalities: tuple[str, ...], encoders: dict[str, Any], **parts: Any) -> None:
        conditions = CONDITIONS | {"encoders": encoders, "warm_start": {"steps": 26}, "transformer": None} | parts
        add_seeds(tmp_path, name, HALF, modalities=modalities, conditions=conditions)

    add("trx", ("video",), {"video": ENCODER})
    add("trx", BOTH, {"video": ENCODER, "sensors": ENCODER})
    add("own", ("video",), {"video": ENCODER}, warm_start=None, transformer={"size": "tiny"})
    assert set(differing(tmp_path)) == {"transformer", "warm_start"}, "which row has them, not every part of them"
    add("wide", ("video",), {"video": ENCODER | {"width": 16}})
    assert differing(tmp_path)["encoders.video.width"] == {
        "trx, video": "8", "own, video": "8", "wide, video": "16", "trx, both": "8",
    }  # fmt: skip
