"""The numbers of a small run of every method are the golden ones, and a change of them says where it began."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.golden.__main__ import found, golden, pinned, same_processor
from tests.golden.comparison import changes
from tests.golden.entry import STAGES, Entry, of_array


def test_the_golden_numbers_are_those_of_the_pinned_versions() -> None:
    assert golden()[0]["versions"] == pinned(), "constraints.txt changed: make golden"


@pytest.mark.slow
def test_a_run_of_every_method_gives_the_golden_numbers() -> None:
    made_with, entries = golden()
    told = changes(entries, found(), bits=same_processor(made_with))
    assert not told, told


def test_every_stage_has_golden_numbers() -> None:
    assert {each.stage for each in golden()[1]} == set(STAGES)


def changed(stage: str, by: float) -> list[Entry]:
    """The golden numbers with the first array of a stage, and all records, changed."""
    entries = golden()[1]
    place = next(i for i, each in enumerate(entries) if each.stage == stage and each.values)
    old = entries[place]
    entries[place] = replace(old, digest="0", values=(old.values[0] + by, *old.values[1:]))
    return [replace(each, digest="0") if each.stage == "records" else each for each in entries]


def test_a_change_names_the_first_stage_what_follows_and_how_to_accept_it() -> None:
    told = changes(golden()[1], changed("first losses", 1e-6))
    assert told.startswith("golden numbers: the first stage that changed is: first losses\n")
    assert "changed after it: records" in told
    assert "make golden" in told


def test_on_another_processor_rounding_passes_and_a_change_does_not() -> None:
    entries = golden()[1]
    assert not changes(entries, changed("first losses", 1e-6), bits=False)
    assert "first losses" in changes(entries, changed("first losses", 1.0), bits=False)
    assert "is missing" in changes(entries, [each for each in entries if each.stage != "episodes"], bits=False)


def test_one_bit_of_one_value_is_a_change_of_bits() -> None:
    before, now = of_array("scores", "x", [1.0] * 100), of_array("scores", "x", [1.0] * 98 + [1.0 + 2**-52, 1.0])
    assert "values other than" in changes([before], [now])
