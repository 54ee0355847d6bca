"""The report on a terminal: the matrix within its width, and few lines of text."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from mmact_oneshot.harness.report import Report, read_report
from mmact_oneshot.harness.report.model.blocks import Block, Items, Paragraph, plain_table
from mmact_oneshot.harness.report.model.matrix import matrix
from mmact_oneshot.harness.report.results.report import Report as Results
from mmact_oneshot.harness.report.writers.terminal import show, show_blocks, show_table
from tests.helpers.small_runs import BETTER, GENERATED, HALF, add_control, add_seeds, add_skipped

MOST = 10  # lines of text beside a matrix and the title


def printed(report: Results, width: int = 80) -> list[str]:
    stream = io.StringIO()
    show(report, Console(file=stream, width=width, highlight=False))
    return stream.getvalue().splitlines()


@pytest.fixture(scope="module")
def main_only(rich_report: Report) -> Results:
    """The report of a run of one study, such as `quick`."""
    return replace(rich_report, studies=rich_report.studies[:1], external=())


@pytest.mark.parametrize("width", [60, 70, 80, 120])
def test_no_line_is_wider_than_the_terminal_or_80_columns(rich_report: Report, width: int) -> None:
    lines = printed(rich_report, width)
    assert max(map(len, lines)) <= min(width, 80)
    assert not any(line.endswith(" ") for line in lines)


def test_the_matrix_is_whole(main_only: Results) -> None:
    lines = printed(main_only)
    header = next(number for number, line in enumerate(lines) if line.startswith("method "))
    assert lines[header].split() == ["method", "video", "sensors", "both"]
    assert lines[header + 1].split() == ["trx", *["94", "[87,", "100]="] * 3]
    labels = [line.split()[0] for line in lines[header + 1 : header + 9]]
    assert labels == main_only.studies[0].suites[0].labels, "the second suite is left to the page"


def test_text_is_short(main_only: Results) -> None:
    lines = printed(main_only)
    header = next(number for number, line in enumerate(lines) if line.startswith("method "))
    text = [*lines[1:header], *lines[header + 1 + len(main_only.studies[0].suites[0].labels) :]]
    assert len(text) <= MOST
    joined = " ".join(text)
    assert "Which method recognises best?" in joined
    assert "[95 % interval]; =: not significantly different from the best; chance 50 %" in joined
    assert "a: seed 0 alone: a rank needs 3 seeds, and a comparison the same ones." in joined
    assert joined.count("is significantly better than") == 3


def test_the_title_has_data_preset_and_date(main_only: Results) -> None:
    assert printed(main_only)[0] == "UTD-MHAD, preset quick, 2026-01-01"


def test_all_studies_and_external_rows_are_shown(rich_report: Report) -> None:
    lines = printed(rich_report)
    for study in rich_report.studies:
        assert any(line.startswith(f"{study.name}: ") for line in lines)
    assert "Ours, both on test: made elsewhere, 68.8%" in lines


def test_generated_data_and_failed_checks_are_shown_before_figures(tmp_path: Path) -> None:
    add_control(tmp_path, [1.0, 0.5] * 40, data=GENERATED)
    text = "\n".join(printed(read_report(tmp_path)))
    assert text.index("test: CHECK FAILED") < text.index("nothing here is about MMAct") < text.index("method ")


def test_why_nothing_was_scored_is_said(tmp_path: Path) -> None:
    add_skipped(tmp_path, "can", "needs a map")
    assert printed(read_report(tmp_path))[1:] == [
        "methods: Which method recognises best, trained end to end with one schedule?",
        "Rows that could not be scored:",
        "can, sensors: needs a map.",
    ]


def test_names_are_no_markup(tmp_path: Path) -> None:
    """Rich would read [bold] as an instruction, and [/] as an error."""
    for name, accuracies in (("trx", HALF), ("can", BETTER)):
        add_seeds(tmp_path, f"{name} [bold]x[/] [/nope]", accuracies)
    report = read_report(tmp_path)
    text = "\n".join(printed(report))
    assert text.count("can [bold]x[/] [/nope]") == 2, "in the matrix and in the finding"
    assert max(map(len, printed(report, 60))) <= 60


def test_long_names_are_cut_so_that_figures_stay(tmp_path: Path) -> None:
    for modalities in (("video",), ("sensors",), ("video", "sensors")):
        add_seeds(
            tmp_path, "a method with a very long name, by far too long for any table", HALF, modalities=modalities
        )
    lines = printed(read_report(tmp_path), 60)
    (row,) = [line for line in lines if "…" in line]
    assert row.startswith("a method")
    assert row.count("[") == 3


def test_the_best_stands_out(rich_report: Report) -> None:
    report = rich_report.studies[0]
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system="standard", highlight=False)
    show_table(matrix(report, report.suites), console)
    strong = [line for line in stream.getvalue().splitlines() if "\x1b[1;32m" in line]
    assert len(strong) == 1
    assert strong[0].startswith("trx")
    assert strong[0].count("\x1b[1;32m") == 3


def test_blocks_are_printed_in_order_and_tables_fold() -> None:
    stream = io.StringIO()
    table = plain_table("t", "a title", ("name", "value"), [("[bold]x[/]", "long " * 40)])
    blocks: list[Block] = [Paragraph("first [b]", "warning"), Items(("second", "third")), table]
    show_blocks(blocks, Console(file=stream, width=60, highlight=False))
    text = stream.getvalue()
    assert text.index("first [b]") < text.index("second") < text.index("third") < text.index("[bold]x[/]")
    assert max(map(len, text.splitlines())) <= 60
    assert text.count("long") == 40
