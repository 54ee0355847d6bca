"""The page that opens a folder of results, and what it says may be concluded."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report import conclusions, read_report
from harness.report.overview import overview
from tests.helpers.small_runs import DATA, add_pretraining, add_seeds, add_suite, cells
from tests.report.test_inference import shares

COVERAGE = {
    "command": "python -m harness.report.statistics.simulation.coverage --replicates 10",
    "level": 0.95,
    "episodes": 100,
    "headline_limits": [0.92, 0.99],
    "worlds": [
        {
            "world": {"name": "UTD B"},
            "replicates": 10,
            "true_sd": 0.0238,
            "intervals": {
                kind: {"share": 0.9 + place / 100, "mean_half_width": 0.05}
                for place, kind in enumerate(("closed", "performances", "subjects", "deletion", "headline"))
            },
        }
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    add_suite(tmp_path, 300)
    for place, (method, mean) in enumerate({"protonet": 0.6, "can": 0.5, "trx": 0.9}.items()):
        add_seeds(tmp_path, method, [shares(mean, 10 * place + seed) for seed in range(3)])
    return tmp_path


def test_conclusions_about_recordings(folder: Path) -> None:
    report = read_report(folder)
    told = " ".join(conclusions.may(report))
    assert "On test, video, shared encoders frozen: trx is better than all 2 rivals." in told
    assert "new performances and new subjects" in told
    refused = " ".join(conclusions.may_not(report))
    assert "3 classes were tested, and no interval speaks for others" in refused
    assert "Anything about MMAct" in refused
    assert "How the methods do as their papers train them" in refused
    assert "settings were fixed" not in refused
    assert f"`{'c' * 12}` (9 trainings)" in conclusions.frozen_at(report)


def test_generated_data_allow_no_conclusion_about_mmact(tmp_path: Path) -> None:
    data = DATA | {"layout": "mmact", "generated": {"seed": 1}}
    add_seeds(tmp_path, "trx", [shares(0.6, seed) for seed in range(3)], data=data)
    report = read_report(tmp_path)
    assert "say nothing about MMAct" in " ".join(conclusions.may_not(report))
    assert conclusions.may(report) == ["That the whole chain runs, from recordings to this report."]
    add_suite(tmp_path, 300)
    for name in ("protonet", "can"):
        add_seeds(tmp_path, name, [shares(0.9, 10 + seed) for seed in range(3)], data=data)
    assert conclusions.may(read_report(tmp_path))[0].startswith("On generated data, test, video")


def test_a_shared_pretraining_is_a_condition(tmp_path: Path) -> None:
    identity = add_pretraining(tmp_path)
    means = [shares(0.6, seed) for seed in range(3)]
    add_seeds(tmp_path, "trx", means, pretraining=identity, initialisation="mu_mae")
    assert "conditional on one pre-training" in " ".join(conclusions.may_not(read_report(tmp_path)))


def test_the_overview_has_every_folder_and_the_coverage(folder: Path) -> None:
    report = read_report(folder)
    text = overview({"utd-mhad": report, "again": report}, COVERAGE)
    assert text.index("May not be concluded") < text.index("## utd-mhad") < text.index("## again")
    assert "(utd-mhad/report.html)" in text
    table = cells(text, "## utd-mhad")
    assert table[0][-2:] == ["accuracy, % [95 %]", "ranks"]
    assert [line[1] for line in table[2:]] == ["trx", "protonet", "can"]
    assert cells(text, "## Do the intervals hold")[1] == [
        "UTD B",
        "2.38",
        "90.0",
        "91.0",
        "92.0",
        "93.0",
        "94.0",
        "5.00",
    ]
    assert "Do the intervals hold" not in overview({"utd-mhad": report}, None)
