"""Figures as a reader meets them: digits follow the error, signs are signs, nothing that is not 0 is printed as 0."""

from __future__ import annotations

import pytest

from mmact_oneshot.harness.data.episodes.suites import SUITES
from mmact_oneshot.harness.report import formats, suite_names
from mmact_oneshot.harness.report.formats import MINUS, MISSING
from mmact_oneshot.harness.report.statistics import Interval

NAN = float("nan")


def signed(text: str) -> str:
    return text.replace("-", MINUS)


@pytest.mark.parametrize(
    ("error", "share", "text"),
    [
        (0.0019, 0.70666, "70.7"),
        (0.0004, 0.70666, "70.67"),
        (0.015, 0.70666, "71"),
        (0.01, 0.7, "70"),
        (NAN, 0.5, "50.0"),
        (0.0, 0.5, "50.0"),
        (0.01, NAN, MISSING),
    ],
)
def test_digits_follow_the_standard_error(error: float, share: float, text: str) -> None:
    assert formats.percent(share, formats.decimals(error)) == text


def test_counts_are_short() -> None:
    assert [formats.compact(n) for n in (0, 999, 1500, 83329, 986285, 25_600_000, 4 * 10**12)] == [
        "0", "999", "1.5k", "83k", "986k", "26M", "4.0T",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("share", "places", "text"),
    [(0.0123, 1, "+1.2"), (-0.0123, 1, f"{MINUS}1.2"), (0.0001, 1, "0.0"), (-0.0001, 0, "0"), (NAN, 1, MISSING)],
)
def test_points_have_a_sign_but_for_none(share: float, places: int, text: str) -> None:
    assert formats.points(share, places) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0001, "p < 0.001"), (0.02, "p = 0.020"), (0.0496, "p = 0.0496"), (0.05, "p = 0.050"), (0.5, "p = 0.50")],
)
def test_p_is_never_rounded_over_the_threshold(p: float, text: str) -> None:
    """0.0496 is below 0.05, and must not be printed as 0.050."""
    assert formats.p_value(p) == text
    assert formats.bare_p(p) == text.removeprefix("p ").removeprefix("= ")


def test_a_missing_p_is_a_dash() -> None:
    assert formats.bare_p(NAN) == MISSING


def test_accuracy_and_its_interval() -> None:
    assert formats.accuracy_text(Interval(0.76, 0.02, 0.7, 0.81, 9), 0) == "76 [70, 81]"
    assert formats.accuracy_text(Interval(1.0, 0.0, 1.0, 1.0, 9), 1) == f"100.0 [{MISSING}]"
    assert formats.accuracy_text(Interval(0.5, NAN, NAN, NAN, 0), 1) == f"50.0 [{MISSING}]"
    assert formats.accuracy_text(Interval(NAN, NAN, NAN, NAN, 0), 1) == "not scored"


def test_a_bound_that_is_not_0_is_not_printed_as_0() -> None:
    """Its sign is what a reader wants; two decimals at most."""
    assert formats.difference(Interval(0.03, 0.01, 0.002, 0.05, 9), 0) == "+3.0 [+0.2, +5.0]"
    assert formats.difference(Interval(0.1, 0.02, 0.06, 0.14, 9), 0) == "+10 [+6, +14]"
    assert formats.bounds(Interval(-0.2, 0.02, -0.24, -0.16, 9), 0) == signed("[-24, -16]")
    assert formats.bounds(Interval(0.0, 0.02, 0.0, 1e-9, 9), 0) == "[0.00, 0.00]"


def test_settings_are_flat_and_plain() -> None:
    tree = {"b": {"x": 1, "y": {"z": [1, 2]}}, "a": True, "c": {}, "d": "f" * 64, "e": None, "g": []}
    assert formats.flat(tree) == {
        "a": "yes", "b.x": "1", "b.y.z": "1, 2", "c": MISSING, "d": "ffffffff", "e": "none", "g": "none",
    }  # fmt: skip
    assert formats.differing([{"a": "1", "b": "2"}, {"a": "1", "b": "3"}, {"a": "1"}]) == ["b"]
    assert formats.assignments({"width": 64, "steps": 5}) == "steps = 5, width = 64"
    assert formats.short("some name") == "some name"


def test_seconds_say_no_more_than_a_clock_can() -> None:
    assert [formats.seconds(value) for value in (None, 0.04, 9.94, 9.96, 12_345.6)] == [
        MISSING, "0.0", "9.9", "10", "12,346",
    ]  # fmt: skip


def test_every_suite_has_a_title_and_its_rule() -> None:
    assert set(suite_names.SUITES) == set(SUITES)
    assert all(found.title and found.rule.endswith(".") for found in suite_names.SUITES.values())
    assert suite_names.suite_title("test") == "test (headline suite)"
    assert suite_names.suite_title("another") == "another"
