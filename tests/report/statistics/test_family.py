"""A family of methods says of each, and of each pair, what is said of the arrays themselves."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mmact_oneshot.harness.report.statistics import Analysis, Family, Identities, analyse, compare, compare_all
from mmact_oneshot.harness.report.statistics.interval import DIFFERENCE
from mmact_oneshot.harness.report.statistics.simulation.worlds import WORLDS, replicate

KINDS = ("clips", "performances", "subjects", "deletion")


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, Identities]:
    return replicate(WORLDS["UTD C, unequal"], 0, 0)


@pytest.fixture(scope="module")
def family(drawn: tuple[np.ndarray, Identities]) -> Family:
    """Methods that share most answers, one of them without training, two of them not inductive."""
    correct, identities = drawn
    random = np.random.default_rng(0)
    methods = [correct ^ (random.random((seeds, *correct.shape)) < 0.04 * seeds) for seeds in (3, 3, 1, 3, 3)]
    return Family(methods, identities, [True, True, True, False, False])


def agree(found: Analysis, expected: Analysis) -> None:
    for kind in KINDS:
        one, other = getattr(found, kind), getattr(expected, kind)
        assert one.note == other.note
        assert one.mean == pytest.approx(other.mean, abs=1e-15)
        assert one.standard_error == pytest.approx(other.standard_error, abs=1e-12)
        assert one.degrees_of_freedom == pytest.approx(other.degrees_of_freedom, rel=1e-8)
    assert found.seeds == expected.seeds


def test_each_method_as_if_alone(family: Family) -> None:
    for method, inductive, found in zip(family.methods, (True, True, True, False, False), family.analyses, strict=True):
        agree(found, analyse(method, family.identities, inductive))


def test_each_pair_as_the_analysis_of_its_differences(family: Family) -> None:
    """Differences of answers, query by query and seed by seed; inductive where both are."""
    pairs = family.compare()
    for (first, second), paired in zip(pairs.pairs, pairs.paired, strict=True):
        difference = family.methods[first].astype(float) - family.methods[second]
        agree(paired.analysis, analyse(difference, family.identities, second < 3))
        assert paired.analysis.bounds == DIFFERENCE
        alone = compare(family.methods[first], family.methods[second], family.identities, second < 3)
        assert paired.signs == alone.signs


def test_some_of_the_methods(family: Family) -> None:
    chosen = [4, 0, 3]
    found = family.compare(chosen, level=0.9)
    expected = compare_all([family.methods[row] for row in chosen], family.identities, 0.9, [False, True, False])
    assert found.pairs == expected.pairs == ((0, 1), (0, 2), (1, 2))
    for one, other in zip(found.paired, expected.paired, strict=True):
        agree(one.analysis, other.analysis)
    np.testing.assert_allclose(found.adjusted, expected.adjusted, atol=1e-10)
    assert (found.best, found.tied.tolist()) == (expected.best, expected.tied.tolist())


def test_against_one_of_them(family: Family) -> None:
    found = family.against(1)
    assert [each.analysis.clips.mean for each in found] == [
        family.paired(row, 1).analysis.clips.mean for row in range(5)
    ]
    assert (found[1].analysis.headline().standard_error, found[1].analysis.p_value, found[1].signs.p_value) == (0, 1, 1)


@pytest.mark.parametrize("count", [2, 3, 5, 8, 13])
@pytest.mark.parametrize("inductive", [False, True])
def test_equal_methods_differ_by_nothing(count: int, inductive: bool, drawn: tuple[np.ndarray, Identities]) -> None:
    """Wherever they stand in the family: no rounding is taken for a difference."""
    correct, identities = drawn
    random = np.random.default_rng(count)
    methods = [correct ^ (random.random((3, *correct.shape)) < 0.2) for _ in range(count)]
    methods[-1] = methods[0].copy()
    found = Family(methods, identities, inductive).paired(0, count - 1)
    for kind in KINDS:
        estimate = getattr(found.analysis, kind)
        assert (estimate.mean, estimate.standard_error, estimate.p_value) == (0, 0, 1)
        assert kind == "clips" or estimate.note.startswith("no ")
    assert found.signs.p_value == 1


def test_as_many_right_in_every_episode_is_no_difference_on_these_clips(drawn: tuple[np.ndarray, Identities]) -> None:
    """Other queries, other seeds, another number of seeds: the accuracies of all episodes are the same."""
    correct, identities = drawn
    for other in ([1, 0, 2, 3, 4], [4, 3, 2, 1, 0], [2, 3, 4, 0, 1]):
        found = compare(
            np.stack([correct, ~correct, correct]), np.stack([correct, correct, ~correct])[..., other], identities
        )
        assert (found.analysis.clips.mean, found.analysis.performances.note) == (0, "no performance effect detectable")
    fixed = compare(np.repeat(correct[None], 3, axis=0), correct[None, :, ::-1], identities).analysis
    assert (fixed.clips.mean, fixed.clips.standard_error, fixed.clips.p_value) == (0, 0, 1)


@pytest.mark.parametrize("seeds", [1, 3, 7])
def test_one_answer_of_all(seeds: int, drawn: tuple[np.ndarray, Identities]) -> None:
    """The variances of the two methods agree to six digits and more; that of their difference keeps as many."""
    correct, identities = drawn
    first = correct ^ (np.random.default_rng(seeds).random((seeds, *correct.shape)) < 0.2)
    second = first.copy()
    second[0, 5_000, 2] ^= True
    for inductive in (False, True):
        found = compare(first, second, identities, inductive).analysis
        expected = analyse(first.astype(float) - second, identities, inductive)
        for kind in KINDS:
            error = getattr(found, kind).standard_error
            assert error == pytest.approx(getattr(expected, kind).standard_error, rel=1e-8)
            assert error > 0
        assert found.p_value > 0.1


def test_seeds_must_match(drawn: tuple[np.ndarray, Identities]) -> None:
    correct, identities = drawn
    methods = [np.repeat(correct[None], seeds, axis=0) for seeds in (3, 2, 1)]
    family = Family(methods, identities)
    assert [found.seeds for found in family.analyses] == [3, 2, 1]
    with pytest.raises(ValueError, match="broadcast"):
        family.paired(0, 1)
    assert [family.paired(*pair).analysis.seeds for pair in combinations((0, 2), 2)] == [3]
