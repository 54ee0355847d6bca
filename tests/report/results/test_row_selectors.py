"""Rows named by the user: found by parts of their names, in the right folder, and refused with the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.report.results.row_selectors import Scope, Selected, Selector, matching, select, selector
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.small_runs import DATA, HALF, add, add_external, add_seeds, add_suite, answers, shares, three_seeds

EPISODES = 60
NAMES = [
    "protonet (global_loss 0.0), both",
    "protonet (global_loss 2.0), both",
    "protonet (frozen), both",
    "trx, video",
    "trx, both",
    "can, both",
    "canonical, both",
]


def chosen(folder: Path, first: str | None, second: str | None, **scope: object) -> Selected:
    return select(Selector(folder, first), Selector(folder, second), Scope(**scope))  # type: ignore[arg-type]


def names(found: Selected) -> list[tuple[str, str]]:
    return [(a.name, b.name) for a, b in found.pairs]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = tmp_path_factory.mktemp("run") / "records"
    for suite in ("test", "test-cross-subject"):
        add_suite(records, EPISODES, suite=suite)
        for place, name in enumerate(("good", "bad")):
            add_seeds(records, name, three_seeds(0.5 + 0.3 * place, 10 * place, EPISODES), suite=suite)
    add_seeds(records, "good", three_seeds(0.5, 30, EPISODES), study="frozen", conditions={"classes": "base"})
    add_seeds(records, "only", three_seeds(0.5, 40, EPISODES), study="frozen")
    add_external(records, "Ours", shares(0.5, 50, EPISODES))
    return records.parent


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("trx, both", ["trx, both"]),
        ("trx", ["trx, video", "trx, both"]),
        ("TRX , BOTH", ["trx, both"]),
        ("protonet (global_loss 2", ["protonet (global_loss 2.0), both"]),
        ("protonet, frozen", ["protonet (frozen), both"]),
        ("can, both", ["can, both"]),
        ("canon", ["canonical, both"]),
        ("both", []),
        ("trx, both, video", []),
        ("", []),
    ],
)
def test_rows_are_found_by_parts_of_their_names(query: str, wanted: list[str]) -> None:
    assert matching(query, NAMES) == wanted


def test_a_whole_name_is_never_ambiguous() -> None:
    found = ["protonet, both", "protonet (residual yes), both"]
    assert matching(found[0], found) == [found[0]]
    assert matching("protonet", found) == found
    assert matching("protonet, both", ["protonet (a), both", "protonet (b), both"]) == [
        "protonet (a), both",
        "protonet (b), both",
    ]


def test_rows_are_paired_on_every_suite(folder: Path) -> None:
    found = chosen(folder, "good", "bad")
    assert names(found) == [("good, video", "bad, video")] * 2
    assert [a.suite.name for a, _ in found.pairs] == ["test", "test-cross-subject"]
    assert {a.study for a, _ in found.pairs} == {"methods"}, "the first study that has the row"
    assert found.left_out == ()
    (pair,) = chosen(folder, "good", "bad", suites=("test",)).pairs
    assert pair[0].suite.name == "test"


def test_a_study_can_be_named(folder: Path) -> None:
    ((a, b),) = chosen(folder, "good", "only", study="frozen").pairs
    assert (a.study, b.study) == ("frozen", "frozen")
    with pytest.raises(HarnessError, match=r"no study 'frozn'.*Did you mean 'frozen'"):
        chosen(folder, "good", "only", study="frozn")


def test_a_suite_that_only_one_side_has_is_named(folder: Path) -> None:
    found = chosen(folder, "good", "only")
    assert [a.suite.name for a, _ in found.pairs] == ["test"]
    assert found.left_out == ("only A has suite test-cross-subject",)


def test_predictions_made_elsewhere_can_be_compared(folder: Path) -> None:
    ((a, b),) = chosen(folder, "ours", "good").pairs
    assert (a.name, a.study, b.name) == ("Ours, video", "", "good, video")


@pytest.mark.parametrize(
    ("first", "second", "scope", "message"),
    [
        ("god", "bad", {}, "no row 'god'.*Did you mean 'good'.*Rows: .*good, video"),
        ("good, vido", "bad", {}, "Did you mean 'good, video'"),
        ("good", "good", {}, "are the same"),
        ("good", "bad", {"suites": ("tset",)}, "no suite 'tset' was scored.*Did you mean 'test'"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest(
    folder: Path, first: str, second: str, scope: dict[str, object], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        chosen(folder, first, second, **scope)


def test_an_ambiguous_name_lists_what_it_fits(tmp_path: Path) -> None:
    for width in (8, 16):
        add_seeds(tmp_path, "half", HALF, method_settings={"width": width})
    add_seeds(tmp_path, "other", HALF)
    with pytest.raises(HarnessError, match=r"'half' fits 2 rows of study methods: half \(width 16\), video; half"):
        chosen(tmp_path, "half", "other")


def test_no_suite_in_common_is_refused(tmp_path: Path) -> None:
    for suite, name in (("test", "one"), ("val", "two")):
        add(tmp_path, name, 0, answers(HALF[0]), suite=suite)
    with pytest.raises(HarnessError, match="no suite that both were tested on: A on test, B on val"):
        chosen(tmp_path, "one", "two")


@pytest.mark.parametrize(
    ("data", "suite", "message"),
    [
        ({"digest": "1" * 64}, {}, r"the recordings \(dddddddd and 11111111\)\."),
        ({"split_digest": "2" * 64}, {}, r"the split of classes \(eeeeeeee and 22222222\)\."),
        ({}, {}, r"the episodes \(60 episodes, 2-way 1-shot, 2 queries, and as many others\)\."),
        ({}, {"queries": 4}, r"the episodes \(60 episodes, .* 2 queries, and 60 episodes, .* 4 queries\)\."),
    ],
)
def test_other_episodes_are_refused_by_what_differs(
    folder: Path, tmp_path: Path, data: dict[str, str], suite: dict[str, Any], message: str
) -> None:
    add_suite(tmp_path, EPISODES, evaluation_digest="9" * 64, **suite)
    for seed in range(3):
        predicted = answers([1.0] * EPISODES, suite.get("queries", 2))
        add(tmp_path, "good", seed, predicted, data=DATA | data)
    for first in ("good", None):
        with pytest.raises(HarnessError, match=f"not tested on the same episodes of suite test. Different: {message}"):
            select(Selector(folder, first), Selector(tmp_path, None), Scope())


def test_a_suite_with_other_episodes_is_left_out_where_another_is_the_same(folder: Path, tmp_path: Path) -> None:
    add_suite(tmp_path, EPISODES)
    add_suite(tmp_path, EPISODES, suite="test-cross-subject", evaluation_digest="9" * 64)
    for suite in ("test", "test-cross-subject"):
        add_seeds(tmp_path, "good", three_seeds(0.6, 5, EPISODES), suite=suite)
    found = select(Selector(folder, "good"), Selector(tmp_path, None), Scope())
    assert [a.suite.name for a, _ in found.pairs] == ["test"]
    assert found.left_out[0].startswith("suite test-cross-subject was left out: different the episodes")


def test_two_folders_pair_the_rows_that_both_have(folder: Path, tmp_path: Path) -> None:
    add_suite(tmp_path, EPISODES)
    for name in ("good", "new"):
        add_seeds(tmp_path, name, three_seeds(0.6, 5, EPISODES))
    found = select(Selector(folder, None), Selector(tmp_path, None), Scope(study="methods"))
    assert names(found) == [("good, video", "good, video")]
    assert "only A has bad, video (test)" in found.left_out
    assert "only B has new, video (test)" in found.left_out
    with pytest.raises(HarnessError, match="are the same"):
        select(Selector(folder, None), Selector(folder, None), Scope())


def test_selectors_name_a_folder_a_row_or_both(folder: Path, tmp_path: Path) -> None:
    def nowhere() -> Path:
        raise HarnessError("no run here.")

    assert selector(str(folder), None, nowhere) == Selector(folder, None)
    assert selector(f"{folder}: good, video", None, nowhere) == Selector(folder, "good, video")
    assert selector("good", folder, nowhere) == Selector(folder, "good")
    assert selector("good (weights a:b)", folder, nowhere) == Selector(folder, "good (weights a:b)")
    assert selector("good", None, lambda: tmp_path) == Selector(tmp_path, "good")
    with pytest.raises(HarnessError, match="no such folder"):
        selector(f"{tmp_path}/quik:good", None, nowhere)
    (tmp_path / "empty").mkdir()
    with pytest.raises(HarnessError, match="no records here"):
        selector(str(tmp_path / "empty"), folder, nowhere)
