"""The matrix and the pairs of a study, cell by cell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mmact_oneshot.harness.report import Report, read_report
from mmact_oneshot.harness.report.formats import MISSING
from mmact_oneshot.harness.report.model.blocks import Cell, Table
from mmact_oneshot.harness.report.model.captions import PAIRS, TIED
from mmact_oneshot.harness.report.model.matrix import footnotes, matrix, pairs_table, slug
from tests.helpers.small_runs import (
    BETTER,
    BOTH,
    HALF,
    add,
    add_control,
    add_seeds,
    add_skipped,
    add_study,
    add_suite,
    answers,
    row_of,
    study_suite,
    three_seeds,
)

SAFE = "[a-z0-9_-]+"


def main_matrix(folder: Path) -> Table:
    study = read_report(folder).studies[0]
    return matrix(study, study.suites[:2])


def cells(table: Table) -> dict[tuple[str, str], Cell]:
    """By label and modality, of the first suite."""
    count = len(table.columns) - len(table.beside)
    headers = [column.header for column in table.columns[:count]]
    return {(line[0].text, headers[place]): line[place] for line in table.lines for place in range(1, count)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("records")
    add_suite(made, 300)
    for place, (method, mean) in enumerate({"protonet": 0.6, "trx": 0.9, "can": 0.9}.items()):
        add_seeds(made, method, three_seeds(mean, 10 * place))
        if method != "can":
            add_seeds(made, method, three_seeds(mean, 50 + 10 * place), modalities=BOTH)
    add_control(made, [1.0, 0.0] * 150)
    add_skipped(made, "can", "needs a map")
    add_skipped(made, "can", "needs one stream", BOTH)
    return made


def test_methods_down_and_modalities_across(folder: Path) -> None:
    table = main_matrix(folder)
    assert [column.header for column in table.columns] == ["method", "video", "both"]
    assert [line[0].text for line in table.lines] == ["trx", "protonet", "can", "random"]
    assert table.sortable
    assert table.title == "methods: test (headline suite)"


def test_a_cell_has_mean_interval_mark_and_key(folder: Path) -> None:
    results, found = study_suite(folder), cells(main_matrix(folder))
    for (label, modality), cell in found.items():
        row = results.row(label, modality)
        if row is None:
            assert (cell.text, cell.key) == (MISSING, "")
            continue
        places = row.measured.decimals
        assert cell.text == f"{row.interval.mean * 100:.{places}f}"
        assert cell.detail == f"[{row.interval.low * 100:.{places}f}, {row.interval.high * 100:.{places}f}]"
        assert float(cell.key) == pytest.approx(row.interval.mean)
    assert found["can", "both"].tip == "needs one stream"
    assert found["random", "both"].tip == "", "nobody asked for that row"


def test_the_best_and_what_does_not_differ_from_it_are_marked(folder: Path) -> None:
    results, found = study_suite(folder), cells(main_matrix(folder))
    best, second, third = results.rankings["video"].ranked
    assert {best.label, second.label} == {"trx", "can"}
    assert (found[best.label, "video"].strong, found[best.label, "video"].mark) == (True, TIED)
    assert (found[second.label, "video"].strong, found[second.label, "video"].mark) == (False, TIED)
    assert (found[third.label, "video"].strong, found[third.label, "video"].mark) == (False, "")
    assert (found["trx", "both"].strong, found["trx", "both"].mark) == (True, ""), "better than the only other row"
    assert (found["random", "video"].strong, found["random", "video"].mark) == (False, "")


def test_a_row_without_rivals_is_not_marked_as_the_best(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    cell = cells(main_matrix(tmp_path))["half", "video"]
    assert (cell.strong, cell.mark) == (False, "")


def test_letters_say_why_a_row_is_not_ranked(tmp_path: Path) -> None:
    nan = float("nan")
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "gaps", [[1.0, nan, 1.0, 0.5]] * 2)
    add_seeds(tmp_path, "once", [[1.0] * 4])
    results = study_suite(tmp_path)
    letters = footnotes(results)
    assert list(letters.values()) == ["a", "b", "c"]
    found = cells(main_matrix(tmp_path))
    for name in ("gaps", "once"):
        notes = row_of(results, name).notes
        assert found[name, "video"].mark == "".join(letters[note] for note in notes)
        assert found[name, "video"].tip == "; ".join(notes)
    assert len(found["gaps", "video"].mark) == 2


def test_a_row_of_which_nothing_could_be_scored_has_no_figure(tmp_path: Path) -> None:
    nan = float("nan")
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "absent", [[0.5, 0.5, nan, nan], [nan, nan, 0.5, 0.5]])
    cell = cells(main_matrix(tmp_path))["absent", "video"]
    assert (cell.text, cell.key, cell.tip) == (MISSING, "", "no episode could be scored")


def test_the_second_suite_stands_beside_the_first(rich_report: Report) -> None:
    study = rich_report.studies[0]
    table = matrix(study, study.suites)
    assert [column.group for column in table.columns[1:]] == ["test (headline suite)"] * 3 + [
        "test-cross-subject (support and query from different subjects)"
    ] * 3
    assert table.beside == (4, 5, 6)
    assert [line[0].text for line in table.lines] == study.suites[0].labels


def test_rows_lead_to_their_sections(rich_report: Report) -> None:
    study = rich_report.studies[0]
    table = matrix(study, study.suites)
    targets = [line[0].target for line in table.lines]
    assert targets[0] == "row-methods-trx"
    assert "row-methods-mu_mae" in targets, "ordinary names are as they are"
    assert len(set(targets)) == len(targets)
    assert all(re.fullmatch(SAFE, target) for target in targets)


def test_different_names_have_different_safe_names() -> None:
    names = ["b", "<b>", "</b>", "B", "é", "中", "x", "", "-", "a b", "a-b", "a_b", "a--b", "trx (a 1)", "trx (a_1)"]
    found = [slug(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(re.fullmatch(SAFE, name) for name in found)
    assert re.fullmatch("b-a-b-[0-9a-f]{8}", slug("<b>..A b"))


@pytest.mark.parametrize("name", ["methods", "mu_mae", "test-cross-subject", "x", "0"])
def test_an_ordinary_name_is_safe_as_it_is(name: str) -> None:
    assert slug(name) == name


def test_pairs_ask_whether_the_reference_beats_the_others(tmp_path: Path) -> None:
    add_study(tmp_path, reference={"method": "mu_mae"})
    add_suite(tmp_path, 300)
    for place, (name, mean) in enumerate({"mu_mae": 0.7, "can": 0.3, "trx": 0.95, "protonet": 0.7}.items()):
        add_seeds(tmp_path, name, three_seeds(mean, 10 * place))
    report = read_report(tmp_path)
    table = pairs_table(report.studies[0], study_suite(tmp_path))
    assert table is not None
    assert table.title == "Does mu_mae beat ...?"
    assert {line[0].text: line[1].text for line in table.lines} == {
        "trx": "no",
        "protonet": "undecided",
        "can": "yes",
    }
    for line in table.lines:
        (pair,) = [pair for pair in study_suite(tmp_path).against("video") if pair.second.label == line[0].text]
        assert float(line[1].key) == pytest.approx(pair.interval.mean)
        assert line[1].strong == pair.significant
        assert line[1].tip.startswith("Holm-adjusted p ")
    assert table.caption == PAIRS


def test_without_a_method_to_ask_for_rows_stand_minus_their_reference(tmp_path: Path) -> None:
    add_study(tmp_path, "initialisation", reference={"initialisation": "scratch"})
    add_suite(tmp_path, 300)
    for place, (begins, mean) in enumerate({"scratch": 0.5, "prolonged": 0.5, "mu_mae": 0.9}.items()):
        add_seeds(tmp_path, "trx", three_seeds(mean, 10 * place), study="initialisation", initialisation=begins)
    table = pairs_table(read_report(tmp_path).studies[0], study_suite(tmp_path, "initialisation"))
    assert table is not None
    assert table.title == "Each row minus the one with initialisation scratch"
    assert {line[0].text: line[1].text for line in table.lines} == {
        "trx (from mu_mae)": "significant",
        "trx (prolonged)": "undecided",
    }
    assert table.lines[0][1].detail.startswith("+")


def test_without_a_reference_rows_stand_minus_the_best(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "better", BETTER)
    table = pairs_table(read_report(tmp_path).studies[0], study_suite(tmp_path))
    assert table is not None
    assert table.title == "Each row minus the best (better)"
    ((label, answer),) = table.lines
    assert label.text == "half"
    assert float(answer.key) == pytest.approx(-0.375)


def test_no_pairs_where_nothing_is_compared(tmp_path: Path) -> None:
    add(tmp_path, "half", 0, answers(HALF[0]))
    assert pairs_table(read_report(tmp_path).studies[0], study_suite(tmp_path)) is None
