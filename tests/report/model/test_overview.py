"""The page that opens a folder of results, and what it says may not be concluded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.report import read_report, write_overview
from mmact_oneshot.harness.report.model.blocks import Items, Section, Table
from mmact_oneshot.harness.report.model.overview import COVERAGE, overview, read_coverage
from mmact_oneshot.harness.report.writers.markdown import overview_markdown
from tests.helpers.small_runs import (
    DATA,
    GENERATED,
    add_control,
    add_seeds,
    add_skipped,
    add_study,
    add_suite,
    three_seeds,
)

SHARES = {"clips": 0.9, "performances": 0.91, "subjects": 0.92, "deletion": 0.93, "headline": 0.94}
SIMULATION: dict[str, Any] = {
    "command": "python -m mmact_oneshot.harness.report.statistics.simulation.coverage --replicates 10",
    "level": 0.95,
    "episodes": 100,
    "headline_limits": [0.92, 0.99],
    "worlds": [
        {
            "world": {"name": "UTD B"},
            "replicates": 10,
            "true_sd": 0.0238,
            "intervals": {kind: {"share": share, "mean_half_width": 0.05} for kind, share in SHARES.items()},
        }
    ],
}


def items(section: Section) -> list[str]:
    return [text for block in section.blocks if isinstance(block, Items) for text in block.items]


def found(sections: tuple[Section, ...], name: str) -> Section:
    (section,) = [each for each in sections if each.name == name]
    return section


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("records")
    add_suite(made, 300)
    for place, (method, mean) in enumerate({"protonet": 0.6, "can": 0.5, "trx": 0.9}.items()):
        add_seeds(made, method, three_seeds(mean, 10 * place))
    return made


def test_each_study_with_a_reference_has_a_sentence(tmp_path: Path) -> None:
    add_suite(tmp_path, 300)
    for study, best in {"methods": "trx", "frozen": "can"}.items():
        add_study(tmp_path, study, question=f"{study}?", reference={"method": "can"})
        for place, name in enumerate(("trx", "can")):
            add_seeds(tmp_path, name, three_seeds(0.9 if name == best else 0.5, 10 * place), study=study, tag=study)
    assert items(found(overview({"here": read_report(tmp_path)}, None), "found")) == [
        "Video: trx, 89.6 [87.7, 91.5] %, is significantly better than every other method.",
        "methods? Video: can: significantly worse than trx.",
        "frozen? Video: can: significantly better than trx.",
    ]


def test_a_row_that_learnt_nothing_is_said_with_what_was_found(tmp_path: Path) -> None:
    add_suite(tmp_path, 300)
    for name, best in {"stuck": 0.55, "learnt": 0.9}.items():
        add_seeds(tmp_path, name, three_seeds(best), validations=[(10, 0.5), (20, best)], best_step=20)
    (*_, last) = items(found(overview({"here": read_report(tmp_path)}, None), "found"))
    assert "points of chance: stuck, video (validation 55 %, test 55 %)." in last


def test_a_study_of_which_a_part_is_there_says_how_much(tmp_path: Path) -> None:
    add_suite(tmp_path, 300)
    add_study(tmp_path, "methods", question="Which?", reference={"method": "can"})
    for place, name in enumerate(("trx", "can")):
        add_seeds(tmp_path, name, three_seeds(0.9 - 0.4 * place, 10 * place))
    (*_, last) = items(found(overview({"here": read_report(tmp_path)}, None), "found"))
    assert last == "Which? Video: can: significantly worse than trx."
    add_seeds(tmp_path, "late", three_seeds(0.5)[:1])
    add_seeds(tmp_path, "later", three_seeds(0.5)[:1])
    for path in (tmp_path / "evaluation").glob("later-*"):
        path.unlink()
    (*_, last) = items(found(overview({"here": read_report(tmp_path)}, None), "found"))
    assert last.endswith(" So far 2 of 4 rows have 3 seeds.")


def test_what_was_found_comes_first_then_its_limits(folder: Path) -> None:
    report = read_report(folder)
    sections = overview({"utd-mhad": report, "again": report}, None)
    assert [section.name for section in sections] == ["found", "limits", "utd-mhad", "again"]
    assert len(items(sections[0])) == 2
    assert all("is significantly better than every other method." in text for text in items(sections[0]))
    limits = " ".join(items(sections[1]))
    assert "other classes" in limits
    assert "without a significant difference are equal" in limits
    assert "How a method does as its paper trains it" in limits


@pytest.mark.parametrize(
    ("data", "limited"),
    [(DATA, True), (GENERATED, True), (DATA | {"layout": "mmact"}, False)],
    ids=["other recordings", "generated", "MMAct"],
)
def test_nothing_is_said_of_mmact_without_its_recordings(tmp_path: Path, data: dict[str, Any], limited: bool) -> None:
    add_seeds(tmp_path, "trx", three_seeds(0.6), data=data)
    text = " ".join(items(found(overview({"one": read_report(tmp_path)}, None), "limits")))
    assert ("Anything about MMAct" in text) is limited


def test_generated_data_and_failed_checks_are_shown_for_each_folder(tmp_path: Path) -> None:
    add_control(tmp_path, [1.0, 0.5] * 40, data=GENERATED)
    text = overview_markdown(overview({"one": read_report(tmp_path)}, None))
    assert text.index("## one") < text.index("CHECK FAILED") < text.index("nothing here is about MMAct")


def test_a_folder_in_which_nothing_was_scored_says_so(tmp_path: Path) -> None:
    add_skipped(tmp_path, "can", "needs a map")
    assert "Nothing was scored yet." in overview_markdown(overview({"one": read_report(tmp_path)}, None))


def test_the_page_links_to_every_report(folder: Path, tmp_path: Path) -> None:
    report = read_report(folder)
    assert write_overview({"utd-mhad": report, "a b": report}, tmp_path, tmp_path) == tmp_path / "README.md"
    text = (tmp_path / "README.md").read_text("utf-8")
    for link in ("(utd-mhad/report.html)", "(utd-mhad/report.md)", "(utd-mhad/report.tex)", "(a%20b/report.html)"):
        assert link in text
    assert text.index("## What was found") < text.index("## What may not be concluded") < text.index("## utd-mhad")
    assert "Do the intervals hold" not in text
    assert "README.md" not in text
    (tmp_path / "utd-mhad").mkdir()
    (tmp_path / "utd-mhad" / "README.md").write_text("How it came about.")
    noted = write_overview({"utd-mhad": report, "a b": report}, tmp_path, tmp_path).read_text("utf-8")
    assert noted.count("README.md)") == 1
    assert "(utd-mhad/README.md)" in noted
    rows = re.findall(r"^\| (\w+) +\|", text.partition("## utd-mhad")[2], re.MULTILINE)
    assert rows[:4] == ["method", "trx", "protonet", "can"]


def test_coverage_of_the_intervals_is_shown_where_it_was_simulated(folder: Path, tmp_path: Path) -> None:
    (tmp_path / COVERAGE).write_text(json.dumps(SIMULATION), "utf-8")
    assert read_coverage(tmp_path / "none.json") is None
    section = found(overview({"one": read_report(folder)}, read_coverage(tmp_path / COVERAGE)), "coverage")
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert [cell.text for cell in table.lines[0]] == ["UTD B", "2.38", "90.0", "91.0", "92.0", "93.0", "94.0", "5.00"]
    assert len(table.caption.split()) <= 40
    write_overview({"one": read_report(folder)}, tmp_path, tmp_path)
    assert "Do the intervals hold?" in (tmp_path / "README.md").read_text("utf-8")
