"""Labels of rows: the method, and what distinguishes it from other rows of the same method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.small_runs import BETTER, BOTH, CONDITIONS, HALF, add_control, add_seeds, study_suite


def names(folder: Path, study: str = "methods") -> list[str]:
    return [row.name for row in study_suite(folder, study).rows]


def test_a_row_that_is_the_only_one_of_its_method_is_named_by_it(tmp_path: Path) -> None:
    for modalities in (("video",), ("sensors",), BOTH):
        add_seeds(tmp_path, "half", HALF, modalities=modalities)
    assert names(tmp_path) == ["half, video", "half, sensors", "half, both"]
    assert study_suite(tmp_path).labels == ["half"], "one line of the matrix"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (
            {"method_settings": {"projection": 8}},
            {"method_settings": {"projection": 16}},
            ["half (projection 16), video", "half (projection 8), video"],
        ),
        (
            {"method_settings": {"as_released": True, "width": 3}},
            {"method_settings": {"width": 3}},
            ["half as released, video", "half, video"],
        ),
        (
            {"changes": {"input": {"frames": 4}}},
            {"changes": {"input": {"frames": 8}}},
            ["half (input.frames 4), video", "half (input.frames 8), video"],
        ),
        (
            {"initialisation": "scratch"},
            {"initialisation": "prolonged"},
            ["half (from scratch), video", "half (prolonged), video"],
        ),
        (
            {"initialisation": "mu_mae"},
            {"initialisation": "vit.pth"},
            ["half (from mu_mae), video", "half (from vit.pth), video"],
        ),
        (
            {"encoder": "default"},
            {"encoder": "transformer"},
            ["half (default encoder), video", "half (transformer encoder), video"],
        ),
        (
            {"training": "end_to_end"},
            {"training": "frozen"},
            ["half (end-to-end), video", "half (frozen), video"],
        ),
        (
            {"method_source": "1" * 64},
            {"method_source": "2" * 64},
            ["half (source 11111111), video", "half (source 22222222), video"],
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_rows_of_one_method_are_distinguished_by_what_differs(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any], expected: list[str]
) -> None:
    for changes in (one, other):
        add_seeds(tmp_path, "half", HALF, study="initialisation", **changes)
    assert sorted(names(tmp_path, "initialisation")) == expected


def test_only_the_conditions_may_distinguish_two_rows(tmp_path: Path) -> None:
    """A folder that was run twice with other settings has two rows of one name; their digests distinguish them."""
    for steps in (5, 9):
        add_seeds(tmp_path, "trx", HALF, conditions=CONDITIONS | {"budget": {"steps": steps}})
    found = study_suite(tmp_path)
    labels = {row.label for row in found.rows}
    assert labels == {f"trx [{row.measured.training.conditions_digest[:8]}]" for row in found.rows}
    assert len(labels) == 2


def test_controls_with_other_input_are_distinguished(tmp_path: Path) -> None:
    for frames in (4, 8):
        add_control(tmp_path, [1.0, 0.5], "nearest", conditions={"input": {"frames": frames}})
    assert len(set(names(tmp_path))) == 2


def test_labels_are_unique_in_a_study_and_suite(tmp_path: Path) -> None:
    for place, initialisation in enumerate(("scratch", "prolonged", "mu_mae", "videomae")):
        for modalities in (("video",), BOTH):
            add_seeds(
                tmp_path,
                "trx",
                BETTER if place else HALF,
                study="initialisation",
                initialisation=initialisation,
                encoder="transformer",
                modalities=modalities,
            )
    found = names(tmp_path, "initialisation")
    assert len(set(found)) == len(found) == 8
    assert "trx (from mu_mae), both" in found
    assert "transformer" not in " ".join(found), "what is the same in all rows is not in their names"


def test_a_row_that_ran_unchecked_stands_beside_the_one_that_was_checked(tmp_path: Path) -> None:
    """It is another training of the same method, with the same seeds."""
    add_seeds(tmp_path, "half", HALF)
    assert names(tmp_path) == ["half, video"]
    add_seeds(tmp_path, "half", HALF, unchecked=True, tag="u")
    checked, unchecked = sorted(names(tmp_path), key=lambda name: "unchecked" in name)
    assert "unchecked" not in checked
    assert unchecked.startswith("half [unchecked ")
    rows = {row.name: row for row in study_suite(tmp_path).rows}
    assert [len(rows[name].measured.scored_by) for name in (checked, unchecked)] == [3, 3]
