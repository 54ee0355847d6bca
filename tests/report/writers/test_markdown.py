"""The report as Markdown: whole tables, names that end nothing, the matrix first."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import pytest

from mmact_oneshot.harness.report import Report, read_report
from mmact_oneshot.harness.report.model.blocks import Cell, Column, Table
from mmact_oneshot.harness.report.model.document import document
from mmact_oneshot.harness.report.writers.markdown import code, escape, grid, image, link_to, markdown
from tests.helpers.small_runs import BETTER, GENERATED, HALF, add_control, add_seeds, add_skipped


def tables_of(text: str) -> list[list[str]]:
    """Lines of every table."""
    lines = text.splitlines()
    return [list(part) for inside, part in groupby(lines, key=lambda line: line.startswith("|")) if inside]


def whole(text: str) -> bool:
    """Whether all lines of every table have as many cells."""
    found = tables_of(text)
    return bool(found) and all(len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1 for table in found)


def test_the_front_comes_first_then_further_studies(rich_report: Report, rich: Path) -> None:
    text = markdown(document(rich_report, rich / "records"), "figures/matrix.svg")
    parts = (
        "# UTD-MHAD, preset quick", "![The matrix as a picture](figures/matrix.svg)", "Which method recognises best?",
        "## methods: test (headline suite)", "## Does mu_mae beat ...?", "## Study initialisation",
        "## Study published", "## Predictions made outside the harness",
    )  # fmt: skip
    positions = [text.index(part) for part in parts]
    assert positions == sorted(positions)
    assert "![" not in markdown(document(rich_report, rich / "records"))


def test_the_matrix_has_marks_notes_and_findings(rich_report: Report, rich: Path) -> None:
    text = markdown(document(rich_report, rich / "records"))
    first = tables_of(text)[0]
    assert re.match(
        r"\| method +\| +video, test \| +sensors, test \| +both, test \| +video, test-cross-subject", first[0]
    )
    assert re.match(r"\| trx +\| +\*\*94\*\* \[87, 100\]= \|", first[2])
    assert "- a: seed 0 alone: a rank needs 3 seeds, and a comparison the same ones." in text
    assert text.count("is significantly better than") >= 3


def test_tables_are_whole_and_can_be_read_as_they_are(rich_report: Report, rich: Path) -> None:
    text = markdown(document(rich_report, rich / "records"))
    assert whole(text)
    for table in tables_of(text):
        assert len({len(line) for line in table}) == 1, "padded"
        assert re.fullmatch(r"\|( :?-+:? \|)+", table[1])


def test_names_end_no_cell_and_no_emphasis(tmp_path: Path) -> None:
    hostile = "|*x*<b>`\\|"
    for name, accuracies in (("mu_mae", HALF), ("can", BETTER), ("other", HALF)):
        add_seeds(tmp_path, f"{name}{hostile}", accuracies)
    text = markdown(document(read_report(tmp_path), tmp_path))
    assert whole(text)
    assert "can\\|\\*x\\*\\<b\\>\\`\\\\\\|" in text
    for table in tables_of(text):
        assert not re.search(r"(?<!\\)<", "".join(table))
    assert "mu\\_mae" not in text, "an underscore inside a word needs no escape"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b<c", "a\\|b\\<c"),
        ("*x* `y` \\", "\\*x\\* \\`y\\` \\\\"),
        ("two\nlines", "two lines"),
    ],
)
def test_text_stands_for_itself(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_code_is_what_stands_between_backticks() -> None:
    assert code("say `a <b>` & *go*") == "say `a <b>` & \\*go\\*"
    assert code("an odd ` one") == "an odd \\` one"


def test_links_and_pictures_cannot_be_ended_by_their_text() -> None:
    assert link_to("a]b|c", "x/a b (1).html") == "[a)b\\|c](x/a%20b%20%281%29.html)"
    assert image("a]b", "a]b.png") == "![a)b](a%5Db.png)"


def test_cells_have_alignment_strength_detail_and_mark() -> None:
    line = (Cell("row"), Cell("1", "[0, 2]", "=", strong=True))
    assert grid(Table("t", "", (Column("a", "l"), Column("b")), (line,))).splitlines() == [
        "| a   |             b |",
        "| --- | ------------: |",
        "| row | **1** [0, 2]= |",
    ]


def test_why_nothing_was_scored_is_said(tmp_path: Path) -> None:
    add_skipped(tmp_path, "can", "needs a map")
    text = markdown(document(read_report(tmp_path), tmp_path))
    assert text.index("## Study methods") < text.index("- can, sensors: needs a map.")


def test_warnings_and_failed_checks_stand_on_top(tmp_path: Path) -> None:
    add_control(tmp_path, [1.0, 0.5] * 40, data=GENERATED)
    text = markdown(document(read_report(tmp_path), tmp_path))
    assert text.index("> **test: CHECK FAILED") < text.index("> **Generated data") < text.index("## methods")
