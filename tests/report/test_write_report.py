"""The files of a report: the same bytes for the same records, made from records alone, nothing computed twice."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mmact_oneshot.harness.cli import main
from mmact_oneshot.harness.report import read_report, write_files, write_report
from mmact_oneshot.harness.report.model.blocks import Chart
from mmact_oneshot.harness.report.model.document import document
from mmact_oneshot.harness.report.results.report import StudySuite
from mmact_oneshot.harness.report.statistics.family import Family
from mmact_oneshot.harness.report.writers.terminal import show
from tests.helpers.html_page import Page
from tests.helpers.small_runs import (
    BETTER,
    GENERATED,
    HALF,
    add_control,
    add_external,
    add_pretraining,
    add_seeds,
    add_skipped,
    add_study,
)

ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"
FILES = {
    "report.html", "report.md", "report.tex", "references.bib", "rows.csv", "pairs.csv", "classes.csv", "groups.csv",
    "confusion.csv", "calibration.csv", "ablations.csv",
}  # fmt: skip
WRITE = """
import pathlib, sys
from mmact_oneshot.harness.report import write_report
write_report(pathlib.Path(sys.argv[1]))
"""


@pytest.fixture
def run(rich: Path, tmp_path: Path) -> Path:
    """A run's folder that a test may write into."""
    return Path(shutil.copytree(rich, tmp_path / "run"))


def content(folder: Path) -> dict[str, bytes]:
    """All files of a report by their path in the folder."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in found
        if path.relative_to(folder).parts[0] != "records"
    }


def python(code: str, *arguments: Path, seed: str = "0") -> None:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env={"PYTHONHASHSEED": seed})


def test_every_file_is_written_beside_the_records(run: Path) -> None:
    report, written = write_report(run)
    assert {path.name for path in written} == FILES
    assert all(path.parent == run and path.is_file() for path in written)
    assert report.main is not None
    figures = {path.name for path in (run / "figures").iterdir()}
    assert {"matrix.svg", "matrix.png", "methods-test-differences.svg", "learning-curves.svg"} <= figures
    assert [name for name in figures if name.endswith(".png")] == ["matrix.png"]
    assert not list(run.rglob("*.tmp"))


@pytest.mark.slow
def test_same_records_same_bytes(run: Path, tmp_path: Path) -> None:
    """In other processes, with other orders of hashes, from another path, with files made in another order."""
    python(WRITE, run, seed="1")
    first = content(run)
    assert len(first) > len(FILES) + 20
    copy = tmp_path / "elsewhere"
    for path in sorted((run / "records").rglob("*"), reverse=True):
        if path.is_file():
            (copy / path.relative_to(run)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy / path.relative_to(run))
    python(WRITE, copy, seed="2")
    second = content(copy)
    assert set(first) == set(second)
    assert [name for name in first if first[name] != second[name]] == []


def test_a_report_needs_neither_torch_nor_pandas(run: Path) -> None:
    code = """
import io, pathlib, sys
from rich.console import Console
import mmact_oneshot.harness.cli.report
from mmact_oneshot.harness.report import write_report
from mmact_oneshot.harness.report.writers.terminal import show
report, _ = write_report(pathlib.Path(sys.argv[1]))
show(report, Console(file=io.StringIO()))
assert not {"torch", "timm", "pandas", "matplotlib"} & set(sys.modules), sorted(sys.modules)
"""
    python(code, run)


def test_no_statistic_is_computed_twice(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pair of rows of a ranking is compared once, whatever the number of files; every row analysed once."""
    calls: Counter[tuple[int, tuple[int, ...]]] = Counter()
    analysis = Family._analysis

    def counted(family: Family, rows: list[int], bounds: tuple[float, float]) -> object:
        calls[id(family), tuple(rows)] += 1
        families.append(family)  # kept, so that no other gets its id
        return analysis(family, rows, bounds)

    families: list[Family] = []
    monkeypatch.setattr(Family, "_analysis", counted)
    report, _ = write_report(run)
    show(report, Console(file=io.StringIO()))
    assert len(calls) > 30
    assert {place: count for place, count in calls.items() if count > 1} == {}


def test_every_png_where_it_is_asked_for(tmp_path: Path) -> None:
    add_seeds(tmp_path / "records", "half", HALF)
    write_files(read_report(tmp_path), tmp_path / "records", tmp_path / "out", every_png=True)
    figures = {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    assert {path.removesuffix(".svg") for path in figures if path.endswith(".svg")} == {
        path.removesuffix(".png") for path in figures if path.endswith(".png")
    }


def test_the_matrix_as_a_picture_names_every_row(run: Path) -> None:
    write_report(run)
    root = ElementTree.parse(run / "figures" / "matrix.svg").getroot()
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"trx", "mu_mae", "random", "video", "sensors", "both"} <= set(texts)
    assert "UTD-MHAD, preset quick · 2026-01-01 · one-shot action recognition" in " ".join(filter(None, texts))


def test_figures_of_rows_that_are_no_more_go(run: Path) -> None:
    write_report(run)
    (run / "figures" / "gone.svg").write_text("old")
    (run / "figures" / "notes.txt").write_text("somebody's own")
    write_report(run)
    assert not (run / "figures" / "gone.svg").exists()
    assert (run / "figures" / "notes.txt").exists()


def test_generated_data_is_marked_everywhere(tmp_path: Path) -> None:
    for name, accuracies in (("half", HALF), ("better", BETTER)):
        add_seeds(tmp_path / "records", name, accuracies, data=GENERATED)
    report, files = write_report(tmp_path)
    stream = io.StringIO()
    show(report, Console(file=stream, width=80))
    written = {path.name: path.read_text("utf-8") for path in files if path.suffix not in (".csv", ".bib")}
    written |= {path.name: path.read_text("utf-8") for path in (tmp_path / "figures").glob("*.svg")}
    for name, text in {**written, "terminal": stream.getvalue()}.items():
        assert "Generated data" in text, name
        assert "80.17" not in text, name
    for path in files:
        if path.suffix == ".csv":
            lines = list(csv.DictReader(path.read_text("utf-8").splitlines()))
            assert {line["generated"] for line in lines} <= {"yes"}, path.name


def test_a_report_that_was_read_once_is_written_to_any_place(run: Path, tmp_path: Path) -> None:
    report = read_report(run)
    first = write_files(report, run / "records", tmp_path / "one")
    again = write_files(report, run / "records", tmp_path / "two")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_records_with_a_single_control_make_every_file(tmp_path: Path) -> None:
    add_control(tmp_path / "records", [1.0, 0.0] * 4)
    _, files = write_report(tmp_path)
    assert {path.name for path in files} == FILES


def test_records_without_any_figure_make_every_file(tmp_path: Path) -> None:
    add_skipped(tmp_path / "records", "can", "needs a map")
    _, files = write_report(tmp_path)
    assert {path.name for path in files} == FILES


def test_odd_names_of_suites_and_studies_make_safe_files(tmp_path: Path) -> None:
    records = tmp_path / "run" / "records"
    for suite in ("a b", "<b>", "é"):
        add_seeds(records, "half", HALF, suite=suite)
    add_study(records, "..x")
    add_seeds(records, "half", HALF, suite="a b", study="..x")
    add_external(records, "../ours", HALF[0], suite="a b")
    add_pretraining(records)
    write_report(tmp_path / "run")
    assert {path.name for path in tmp_path.iterdir()} == {"run"}, "nothing is written beside the folder"
    names = [path.name for path in (tmp_path / "run" / "figures").iterdir()]
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in names)
    assert len(names) > 10


def test_names_that_look_alike_in_a_file_s_name_overwrite_nothing(tmp_path: Path) -> None:
    """Studies, suites and rows; and suites of one name, such as those of other recordings."""
    records = tmp_path / "records"
    for study in ("é", "中"):
        for suite in ("test", "<b>", "(b)"):
            for row in ("<i>", "</i>"):
                add_seeds(records, row, HALF, suite=suite, study=study)
    report = read_report(tmp_path)
    again = [replace(study, suites=(*study.suites, _of_other_recordings(study.suites[0]))) for study in report.studies]
    report = replace(report, studies=tuple(again))
    write_files(report, records, tmp_path)
    charts = [block.file for block in document(report, records).blocks() if isinstance(block, Chart) and block.file]
    assert len(charts) > 10
    files = {path.name for path in (tmp_path / "figures").iterdir()}
    assert files == {"matrix.png", "matrix.svg", *(f"{name}.svg" for name in charts)}
    assert len(files) == len(charts) + 2
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []


def _of_other_recordings(results: StudySuite) -> StudySuite:
    record = results.suite.record.model_copy(update={"evaluation_digest": "0" * 64})
    return replace(results, suite=replace(results.suite, record=record))


def test_the_command_writes_beside_the_records(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = CliRunner().invoke(main.app, ["report", str(run)])
    assert done.exit_code == 0, done.output
    assert (run / "report.md").is_file()
    assert (run / "figures" / "matrix.svg").is_file()
    monkeypatch.chdir(run.parent)
    nothing = CliRunner().invoke(main.app, ["report"])
    assert nothing.exit_code == 2
    assert "no run here" in nothing.output


def test_a_folder_of_runs_gets_a_page_that_opens_them(tmp_path: Path) -> None:
    for place, name in enumerate(("one", "two")):
        add_seeds(tmp_path / "results" / name / "records", "half", [HALF, BETTER][place])
    done = CliRunner().invoke(main.app, ["report", str(tmp_path / "results")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "results" / "README.md").read_text("utf-8")
    for name in ("one", "two"):
        assert (tmp_path / "results" / name / "report.html").is_file()
        assert f"({name}/report.html)" in text
    assert not (tmp_path / "results" / "one" / "README.md").exists()
