"""Rows that start from something: their headings, names, order, columns and captions."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from harness.report import print_report, read_report, write_report
from harness.report.columns import COLUMNS, START, caption, columns_of, key
from harness.report.markdown import markdown
from harness.report.words import MISSING
from harness.report.words import START as START_IN_WORDS
from tests.helpers.small_runs import (
    HALF,
    add,
    add_every_start,
    add_seeds,
    add_started,
    answers,
    cells,
    table,
    text_of,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    add_every_start(tmp_path / "records")
    return tmp_path / "records"


def test_headings_tell_the_start_in_order(folder: Path) -> None:
    made = table(folder)
    assert [section.heading for section in made.sections] == [
        "Video, shared encoders frozen",
        "Video, transformer from scratch, shared encoders frozen",
        "Video, transformer from scratch, trained longer, shared encoders frozen",
        "Video, transformer started from videomae's pre-training, shared encoders frozen",
        "Video, transformer started from mu_mae's pre-training, shared encoders frozen",
        "Video, transformer started from vit.pth, shared encoders frozen",
        "Video and sensors, transformer started from mu_mae's pre-training, shared encoders frozen",
        "Controls: nothing is trained, not ranked",
    ]
    assert made.names == [
        "trx, video, frozen",
        "trx, video, frozen, transformer from scratch",
        "trx, video, frozen, transformer from scratch, trained longer",
        "trx, video, frozen, transformer from videomae",
        "trx, video, frozen, transformer from mu_mae",
        "trx, video, frozen, transformer from vit.pth",
        "trx, both, frozen, transformer from mu_mae",
        "random, video",
    ]


def test_a_prior_and_encoders_of_the_methods_own_are_said(tmp_path: Path) -> None:
    add_seeds(tmp_path, "mu_mae", HALF, pretrained="mu_mae", regime="tuned")
    alone: dict[str, Any] = {"training_protocol": {"encoders": "the method's own"}, "training_digest": "1" * 64}
    add_seeds(tmp_path, "videomae", HALF, pretrained="videomae", **alone)
    made = table(tmp_path)
    assert [section.heading for section in made.sections] == [
        "Video, transformer started from videomae's pre-training, own encoders frozen",
        "Video, prior started from mu_mae's pre-training, encoders trained with the head",
    ]
    assert made.names == [
        "videomae, video, frozen, transformer from videomae",
        "mu_mae, video, tuned, prior from mu_mae",
    ]


def test_sections_of_one_start_say_what_differs(tmp_path: Path) -> None:
    for place, epochs in enumerate((20, 50)):
        changes: dict[str, Any] = {
            "training_digest": f"{place}" * 64,
            "training_protocol": {"pretraining": {"budget": {"epochs": epochs}, "seed": "the training's"}},
        }
        add_seeds(tmp_path, "trx", HALF, tag=f"-{epochs}", pretrained="mu_mae", encoder="transformer", **changes)
    start = "Video, transformer started from mu_mae's pre-training, shared encoders frozen"
    made = table(tmp_path)
    assert {section.heading for section in made.sections} == {
        f"{start}; pretraining.budget.epochs 20",
        f"{start}; pretraining.budget.epochs 50",
    }
    assert len(set(made.names)) == 2


def test_start_is_a_column_only_where_rows_differ_in_it(folder: Path, tmp_path: Path) -> None:
    made = table(folder)
    shown = columns_of(made)
    assert shown[3] is START
    assert [START.cell(row) for row in made.rows] == [
        *("scratch", "scratch", "longer", "videomae", "mu_mae", "file", "mu_mae", MISSING),
    ]
    assert START_IN_WORDS in key(read_report(folder))
    add_started(tmp_path / "one", "trx", HALF, "mu_mae")
    add(tmp_path / "one", "random", 0, answers([1.0, 0.0] * 2), regime="untrained", training_digest="e" * 64)
    assert columns_of(table(tmp_path / "one")) == COLUMNS
    assert START_IN_WORDS not in key(read_report(tmp_path / "one"))


def test_an_encoder_with_released_weights_does_not_start_from_scratch(tmp_path: Path) -> None:
    weights: dict[str, Any] = {"recipe": "published", "external_data": ("r50.pth sha256:0",)}
    add_seeds(tmp_path, "half", HALF, training_digest="1" * 64, **weights)
    assert columns_of(table(tmp_path))[-1].header == "external data"
    assert START not in columns_of(table(tmp_path)), "no row names a start"
    add_seeds(tmp_path, "mu_mae", HALF, pretrained="mu_mae", recipe="published")
    assert {START.cell(row) for row in table(tmp_path).rows} == {"file", "mu_mae"}


def test_published_recipes_of_one_method_are_told_apart_by_their_start(tmp_path: Path) -> None:
    common: dict[str, Any] = {"recipe": "published", "regime": "tuned"}
    add_seeds(tmp_path, "mu_mae", HALF, training_digest="1" * 64, training_protocol={"steps": 5}, **common)
    protocol = {"steps": 5, "pretraining": {"budget": {"epochs": 20, "batch": 64}, "seed": 0}}
    add_seeds(tmp_path, "mu_mae", HALF, pretrained="mu_mae", training_protocol=protocol, **common)
    assert table(tmp_path).names == [
        "mu_mae (pretraining 99999999, seed 0), video, tuned, prior from mu_mae",
        f"mu_mae (pretraining {MISSING}), video, tuned",
    ]
    recipes = cells(text_of(tmp_path), "## Published recipes")
    assert recipes[1:] == [["`pretraining`", "99999999, seed 0", MISSING]]


def test_intervals_say_whether_they_cover_pre_training_again(tmp_path: Path) -> None:
    def told(name: str) -> str:
        return " ".join(caption(table(tmp_path / name)))

    one = "conditional on one pre-training: their intervals do not cover pre-training again"
    own = "each training seed has a pre-training of its own, so that intervals cover pre-training again."
    add_seeds(tmp_path / "none", "trx", HALF)
    assert "pre-training" not in told("none")
    add_started(tmp_path / "one", "trx", HALF, "mu_mae", own=False)
    assert f"Rows that start from a pre-training are {one}." in told("one")
    assert own not in told("one")
    add_started(tmp_path / "own", "trx", HALF, "mu_mae")
    assert f"Rows that start from a pre-training: {own}" in told("own")
    assert one not in told("own")
    add_started(tmp_path / "once", "trx", HALF[:1], "mu_mae")
    assert f"are {one}." in told("once"), "a single seed covers nothing again"
    add_started(tmp_path / "mixed", "trx", HALF, "mu_mae")
    add_started(tmp_path / "mixed", "can", HALF, "videomae", own=False)
    assert f"These rows are {one}: can, video, frozen, transformer from videomae. In the other rows" in told("mixed")
    assert own in told("mixed")


def test_what_the_rows_are_names_start_and_records(folder: Path, tmp_path: Path) -> None:
    found = cells(text_of(folder), "## What the rows are")
    assert found[0][:3] == ["row", "start", "pre-training"]
    assert {line[0]: line[1:3] for line in found[1:]} == {
        "trx, video, frozen": ["scratch", MISSING],
        "trx, video, frozen, transformer from scratch": ["transformer from scratch", MISSING],
        "trx, video, frozen, transformer from scratch, trained longer": [
            "transformer from scratch, trained longer",
            MISSING,
        ],
        "trx, video, frozen, transformer from videomae": [
            "transformer from videomae",
            ", ".join(f"videomae-video-sensors-s{seed}" for seed in range(3)),
        ],
        **{
            f"trx, {seen}, frozen, transformer from mu_mae": [
                "transformer from mu_mae",
                ", ".join(f"mu_mae-video-sensors-s{seed}" for seed in range(3)),
            ]
            for seen in ("video", "both")
        },
        "trx, video, frozen, transformer from vit.pth": ["transformer from vit.pth", MISSING],
        "random, video": [MISSING, MISSING],
    }
    add_seeds(tmp_path / "plain", "trx", HALF)
    assert cells(text_of(tmp_path / "plain"), "## What the rows are")[0][:2] == ["row", "settings"]


def test_conditions_of_training_point_to_a_pre_training_in_one_line(tmp_path: Path) -> None:
    add_started(tmp_path, "trx", HALF, "plain")
    protocol = {"pretraining": {"network": {"depth": 4, "width": 8}, "seed": "the training's"}}
    add_started(tmp_path, "trx", HALF, "mu_mae", training_protocol=protocol)
    add_started(tmp_path, "trx", HALF, "file", training_protocol={"pretraining": {"file": "5" * 64}})
    found = {line[0]: line[1:] for line in cells(text_of(tmp_path), "## Conditions of training")}
    assert found["`pretraining`"] == [MISSING, "99999999, seed the training's", "file = 55555555"]
    assert not any(name.startswith("`pretraining.") for name in found)


def test_shared_encoders_of_different_starts_are_told_apart(tmp_path: Path) -> None:
    def encoder(state: str, seconds: float) -> dict[str, Any]:
        return {
            "encoders": {"video": {"state": state, "selection": [(5, 0.5)], "best_step": 5}},
            "volatile": {"encoders": {"video": {"seconds": seconds}}},
        }

    add_started(tmp_path, "mu_mae", HALF, "plain", pretrained="mu_mae", **encoder("1", 10.0))
    add_started(tmp_path, "trx", HALF, "mu_mae", **encoder("2", 20.0))
    add_started(tmp_path, "trx", HALF, "longer", **encoder("3", 30.0))
    report = read_report(tmp_path)
    spent = next(sentence for sentence in key(report) if sentence.startswith("Each shared encoder"))
    assert spent.endswith(
        "video 10 s, video (transformer from mu_mae) 20 s, video (transformer from scratch, trained longer) 30 s."
    )
    assert [line[0] for line in cells(markdown(report), "## Selection")[1:4]] == [
        "shared video (transformer from mu_mae) encoder",
        "shared video (transformer from scratch, trained longer) encoder",
        "shared video encoder",
    ]


def test_with_one_query_an_episode_a_transductive_row_is_ranked(tmp_path: Path) -> None:
    for queries in (1, 2):
        shares = [[1.0, 0.0, 1.0, 1.0]] * 3
        for seed, accuracies in enumerate(shares):
            add(tmp_path / str(queries), "joint", seed, answers(accuracies, queries), transductive=True)
            add(tmp_path / str(queries), "alone", seed, answers(accuracies, queries))
    ranks = {queries: {row.label: row.rank for row in table(tmp_path / queries).rows} for queries in "12"}
    assert ranks == {"1": {"alone": 1, "joint": 1}, "2": {"alone": 1, "joint": None}}
    (note,) = (note for row in table(tmp_path / "2").rows for note in row.notes)
    assert note.startswith("transductive")


def test_every_form_of_the_report_shows_starts(folder: Path, tmp_path: Path) -> None:
    for width in (70, 80, 120):
        stream = io.StringIO()
        print_report(folder, Console(file=stream, width=width))
        lines = stream.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        assert "mu_mae's pre-training" in " ".join(lines)
        assert "conditional on one" not in stream.getvalue()
        header = next(line for line in lines if line.startswith("#"))
        assert (" start " in header) == (width > 70), header
    first = [path.read_bytes() for path in write_report(folder, tmp_path / "first")]
    again = [path.read_bytes() for path in write_report(folder, tmp_path / "again")]
    assert first == again
    root = ElementTree.parse(tmp_path / "first" / "table.svg").getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "Video, transformer started from mu_mae's pre-training, shared encoders frozen" in texts
    lines = first[0].decode().splitlines()
    for before, rule in pairwise(lines):
        if rule.startswith("| ---"):
            assert before.replace("\\|", "").count("|") == rule.count("|")
