"""What a reader gets: terminal, Markdown, picture; the same bytes every time; no torch."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness.cli import main
from harness.records import RecordFolder, SkippedRecord
from harness.report import print_report, read_report, write_report
from harness.report.markdown import markdown
from tests.helpers.small_runs import DATA, add, add_seeds, answers

ROOT = Path(__file__).parents[2]
SHARES = [[1.0, 0.5, 0.0, 0.5], [1.0, 0.5, 0.5, 0.5], [0.5, 0.5, 0.0, 0.5]]
GENERATED = DATA | {"layout": "mmact", "generated": {"statement": "simulated"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    records = tmp_path / "run" / "records"
    add_seeds(records, "half", SHARES)
    add_seeds(records, "a|b<c", [[1.0, 1.0, 0.5, 1.0]] * 3)
    add(records, "random", 0, answers([1.0, 0.0] * 4), regime="untrained", modalities=("video", "sensors"))
    RecordFolder(records).write(
        SkippedRecord(id="x", volatile={}, method="can", modalities=("sensors",), regime="frozen", reason="needs a map")
    )
    return records


def printed(folder: Path, width: int) -> list[str]:
    stream = io.StringIO()
    print_report(folder, Console(file=stream, width=width))
    return stream.getvalue().splitlines()


def test_same_records_same_bytes(folder: Path, tmp_path: Path) -> None:
    named = {path.name for path in write_report(folder, tmp_path / "first")}
    first = {
        path.relative_to(tmp_path / "first"): path.read_bytes()
        for path in (tmp_path / "first").rglob("*")
        if path.is_file()
    }
    copy = tmp_path / "elsewhere"
    for path in sorted(folder.rglob("*"), reverse=True):  # other paths, other order on disk, other dates
        if path.is_file():
            (copy / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy / path.relative_to(folder))
    code = "import sys, pathlib, harness.report as r; r.write_report(*map(pathlib.Path, sys.argv[1:]))"
    subprocess.run([sys.executable, "-c", code, str(copy), str(tmp_path / "second")], cwd=ROOT, check=True)
    assert {"report.html", "report.md", "report.tex", "table.svg", "rows.csv", "pairs.csv"} <= named
    assert any(path.suffix == ".png" for path in first)
    assert set(first) == {
        path.relative_to(tmp_path / "second") for path in (tmp_path / "second").rglob("*") if path.is_file()
    }
    for name, content in first.items():
        assert (tmp_path / "second" / name).read_bytes() == content


def test_no_torch(folder: Path, tmp_path: Path) -> None:
    code = """
import io, pathlib, sys
from rich.console import Console
import harness.cli.report
from harness.report import print_report, write_report
records, out = map(pathlib.Path, sys.argv[1:])
write_report(records, out)
print_report(records, Console(file=io.StringIO()))
assert not {"torch", "timm", "pandas", "matplotlib"} & set(sys.modules), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(folder), str(tmp_path / "out")], cwd=ROOT, check=True)


def test_terminal_keeps_to_its_width(folder: Path) -> None:
    wide, narrow = printed(folder, 160), printed(folder, 70)
    assert max(map(len, wide)) <= 120
    assert max(map(len, narrow)) <= 70
    assert any("half" in line and "50 [" in line for line in wide)
    assert any("half" in line and "50 [" in line for line in narrow)
    assert any(line.startswith("Left out for want of width") for line in narrow)
    assert any("can, sensors: needs a map" in line for line in wide)


def test_markdown_tables_are_whole(folder: Path) -> None:
    lines = markdown(read_report(folder)).splitlines()
    for before, rule in pairwise(lines):
        if rule.startswith("| ---"):
            block = [before, rule]
            block += [line for line in lines[lines.index(rule) + 1 :][:3] if line.startswith("|")]
            columns = {line.replace("\\|", "").count("|") for line in block}
            assert len(columns) == 1, block
    text = "\n".join(" ".join(line.split()) for line in lines)
    assert "a\\|b\\<c" in text
    assert "| 1 alpha | **25** | 75 | 0 |" in text  # confusion of the best ranked row, in % of the true class
    assert "1: 50.0 · **2: 60.0**" in text
    assert "commit " + "c" * 40 in text
    assert "needs a map" in text


def test_learning_rates_are_listed_with_what_was_tried(tmp_path: Path) -> None:
    tried = [(0.0003, 0.5), (0.001, 0.625), (0.01, None)]
    add_seeds(tmp_path, "searched", SHARES, learning_rate=0.001, search="searched-video", tried=tried)
    add_seeds(tmp_path, "given", SHARES, learning_rate=0.02)
    add(tmp_path, "random", 0, answers([1.0, 0.0] * 4), regime="untrained", learning_rate=None)
    text = markdown(read_report(tmp_path))
    part = text[text.index("## Learning rates") :].split("## ")[1]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("| ")]
    assert cells[2:] == [
        ["given, video, frozen", "0.02", "none, it was given"],
        ["searched, video, frozen", "0.001", "0.0003: 50.0 · **0.001: 62.5** · 0.01: diverged"],
    ]


def test_published_recipes_say_in_which_settings_they_differ(folder: Path) -> None:
    for place, name in enumerate(("slow", "quick")):
        protocol = {
            "input": {"frames": 8 * (1 + place), "flip": True},
            "training": {"milestones": [0.5] * place},
            "encoder_training": {"steps": 5, "looks": 2} if place else None,
        }
        changes = {"recipe": "published", "training_digest": f"{7 + place}" * 64, "training_protocol": protocol}
        add_seeds(folder, name, SHARES, **changes)
    text = markdown(read_report(folder))
    title = "Published recipes: each method as its paper trains it"
    part = text[text.index(f"## {title}") :].split("\n## ")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("| ")]
    assert cells[0] == ["setting", "quick, video, frozen", "slow, video, frozen"]
    assert cells[2:] == [
        ["`encoder_training`", "yes", "none"],
        ["`input.frames`", "16", "8"],
        ["`training.milestones`", "0.5", "none"],
    ], "not flip: it agrees"
    for width in (80, 120):
        lines = printed(folder, width)
        assert title in lines
        assert any("Training differs in: encoder_training, input, training." in line for line in lines)
        assert max(map(len, lines)) <= width


def test_picture_is_well_formed_and_names_every_row(folder: Path, tmp_path: Path) -> None:
    write_report(folder, tmp_path)
    root = ElementTree.parse(tmp_path / "table.svg").getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"half", "a|b<c", "random"} <= set(texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 3


def test_generated_data_is_marked_everywhere(tmp_path: Path) -> None:
    add_seeds(tmp_path / "records", "half", SHARES, data=GENERATED)
    files = write_report(tmp_path / "records", tmp_path)
    written = [path.read_text("utf-8") for path in files if path.suffix != ".csv"]
    rows = csv.DictReader((tmp_path / "rows.csv").read_text("utf-8").splitlines())
    assert {row["generated"] for row in rows} == {"yes"}
    for text in [*written, "\n".join(printed(tmp_path, 120))]:
        assert "say nothing about MMAct" in text
        assert "GENERATED DATA" in text
        assert "80.17" not in text


def test_published_figures_stand_beside_real_mmact_only(tmp_path: Path) -> None:
    add(tmp_path / "mmact", "half", 0, answers(SHARES[0]), data=DATA | {"layout": "mmact-flat"})
    add(tmp_path / "utd", "half", 0, answers(SHARES[0]))
    text = markdown(read_report(tmp_path / "mmact"))
    assert "## Published figures (not measured here)" in text
    assert "80.17" in text
    assert "80.17" not in markdown(read_report(tmp_path / "utd"))


def test_a_failed_check_stands_on_top(tmp_path: Path) -> None:
    add(tmp_path, "random", 0, answers([1.0, 0.5] * 40), regime="untrained")
    text = markdown(read_report(tmp_path))
    assert text.index("CHECK FAILED") < text.index("## test")
    assert any(line.startswith("CHECK FAILED") for line in printed(tmp_path, 120))


def test_command_writes_beside_the_records(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from harness.cli import report
    from harness.runtime.errors import HarnessError

    app = typer.Typer()
    app.command()(report.command)
    done = CliRunner().invoke(app, [str(folder.parent)])
    assert done.exit_code == 0, done.output
    assert (folder.parent / "report.md").is_file()
    assert (folder.parent / "table.svg").is_file()
    monkeypatch.chdir(folder.parent.parent)
    nothing = CliRunner().invoke(app, [])
    assert isinstance(nothing.exception, HarnessError)
    assert "0 runs here" in str(nothing.exception)


def test_a_folder_of_runs_gets_a_page_that_opens_them(folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(folder, tmp_path / "results" / name / "records")
    done = CliRunner().invoke(main.app, ["report", str(tmp_path / "results")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "results" / "README.md").read_text("utf-8")
    for name in ("one", "two"):
        assert (tmp_path / "results" / name / "report.html").is_file()
        assert f"({name}/report.html)" in text
    assert not (tmp_path / "results" / "one" / "README.md").exists()


def test_figures_of_rows_that_are_no_more_go(folder: Path, tmp_path: Path) -> None:
    write_report(folder, tmp_path)
    (tmp_path / "figures" / "gone.svg").write_text("old")
    (tmp_path / "figures" / "notes.txt").write_text("somebody's own")
    write_report(folder, tmp_path)
    assert not (tmp_path / "figures" / "gone.svg").exists()
    assert (tmp_path / "figures" / "notes.txt").exists()
