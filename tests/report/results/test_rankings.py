"""Ranks, ties and pairs, and what keeps a row from being ranked."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.report.results.load import load
from mmact_oneshot.harness.report.results.rankings import Ranking
from mmact_oneshot.harness.report.statistics import compare, compare_all, holm, simultaneous_level
from tests.helpers.small_runs import (
    BETTER,
    BOTH,
    CONDITIONS,
    HALF,
    add,
    add_control,
    add_external,
    add_seeds,
    add_study,
    add_suite,
    answers,
    row_of,
    study_suite,
    three_seeds,
)

NAN = float("nan")


def ranking(folder: Path, modality: str = "video", study: str = "methods") -> Ranking:
    return study_suite(folder, study).rankings[modality]


def ranks(found: Ranking) -> dict[str, int | None]:
    return {row.label: row.rank for row in found.rows}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prototypes at 0.6, one row far above, one just as good as that, and one at random."""
    made = tmp_path_factory.mktemp("records")
    add_suite(made, 300)
    for place, (method, mean) in enumerate({"protonet": 0.6, "trx": 0.9, "can": 0.9}.items()):
        add_seeds(made, method, three_seeds(mean, 10 * place))
    add_control(made, three_seeds(0.5, 99)[0])
    return made


def test_rows_are_ranked_by_mean_and_controls_come_last(folder: Path) -> None:
    found = ranking(folder)
    means = [row.interval.mean for row in found.ranked]
    assert means == sorted(means, reverse=True)
    assert [row.rank for row in found.rows] == [1, 2, 3, None]
    assert found.rows[-1].label == "random"
    assert found.rows[-1].notes == ()
    assert found.best is found.rows[0]


def test_ties_and_ranks_that_remain(folder: Path) -> None:
    found = ranking(folder)
    assert [row.tied for row in found.ranked] == [True, True, False]
    assert [row.ranks for row in found.ranked] == [(1, 2), (1, 2), (3, 3)]
    assert found.ranked[2].label == "protonet"


def test_pairs_are_those_of_the_statistics(folder: Path) -> None:
    found = ranking(folder)
    (suite,) = load(folder).suites.values()
    rows = found.ranked
    correct = [row.measured.inference.correct for row in rows]
    everything = compare_all(correct, suite.identities)
    pairs = found.pairs()
    assert [(pair.first, pair.second) for pair in pairs] == list(combinations(rows, 2))
    raw = []
    for number, pair in enumerate(pairs):
        i, j = everything.pairs[number]
        alone = compare(correct[i], correct[j], suite.identities)
        assert pair.interval.mean == pytest.approx(pair.first.interval.mean - pair.second.interval.mean)
        assert (pair.interval.low, pair.interval.high) == pytest.approx(
            (alone.analysis.interval().low, alone.analysis.interval().high)
        )
        assert pair.p == pytest.approx(alone.analysis.p_value)
        wider = alone.analysis.interval(simultaneous_level(0.95, 3))
        assert (pair.simultaneous.low, pair.simultaneous.high) == pytest.approx((wider.low, wider.high))
        assert pair.simultaneous.low < pair.interval.low < pair.interval.high < pair.simultaneous.high
        assert pair.adjusted == pytest.approx(everything.adjusted[number])
        assert pair.significant == (pair.adjusted < 0.05)
        assert pair.signs.smallest == 2.0**-7
        raw.append(pair.p)
    assert [pair.adjusted for pair in pairs] == pytest.approx(holm(np.asarray(raw)).tolist())


def test_a_pair_the_other_way_about_has_other_signs(folder: Path) -> None:
    found = ranking(folder)
    first, _, third = found.ranked
    one, two = found.pair(first, third), found.pair(third, first)
    assert one is not None
    assert two is not None
    assert one.interval.mean == -two.interval.mean
    assert (one.interval.low, one.interval.high) == (-two.interval.high, -two.interval.low)
    assert (one.simultaneous.low, one.simultaneous.high) == (-two.simultaneous.high, -two.simultaneous.low)
    assert (one.p, one.adjusted) == (two.p, two.adjusted)
    assert found.pair(first, first) is None
    assert found.pair(first, found.rows[-1]) is None, "a control is not compared"


def test_equal_means_share_a_rank(tmp_path: Path) -> None:
    for name in ("b", "a"):
        add_seeds(tmp_path, name, HALF)
    assert [(row.label, row.rank, row.tied) for row in ranking(tmp_path).rows] == [("a", 1, True), ("b", 1, True)]


def test_one_row_alone_is_compared_with_nothing(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    found = ranking(tmp_path)
    assert (ranks(found), found.comparisons, found.pairs()) == ({"half": 1}, None, [])


def test_rows_on_other_modalities_are_ranked_apart(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "better", BETTER)
    add_seeds(tmp_path, "half", HALF, modalities=BOTH)
    assert ranks(ranking(tmp_path)) == {"better": 1, "half": 2}
    assert ranks(ranking(tmp_path, "both")) == {"half": 1}


def test_rows_of_other_seeds_than_their_rivals_are_not_ranked(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "better", BETTER)
    for seed in range(5):
        add(tmp_path, "five", seed, answers([1.0] * 4))
    found = ranking(tmp_path)
    assert [(row.label, row.rank) for row in found.rows] == [("better", 1), ("half", 2), ("five", None)]
    assert "other seeds than 0, 1, 2" in found.rows[-1].notes[0]


def test_rows_of_other_conditions_than_their_rivals_are_not_ranked(tmp_path: Path) -> None:
    """Unless the study varies them; the note names what differs."""
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "better", BETTER)
    add_seeds(tmp_path, "long", [[1.0] * 4] * 3, conditions=CONDITIONS | {"budget": {"steps": 9}})
    found = ranking(tmp_path)
    assert ranks(found) == {"better": 1, "half": 2, "long": None}
    assert found.rows[-1].notes == ("trained under other conditions than half: budget.steps",)
    add_study(tmp_path, varies=("method", "budget"))
    assert ranks(ranking(tmp_path)) == {"long": 1, "better": 2, "half": 3}


def test_what_follows_from_the_method_keeps_no_row_from_its_rank(tmp_path: Path) -> None:
    """A pre-training of the method's own, encoders of its own, a condition that others do not have."""
    add_seeds(tmp_path, "half", HALF, conditions=CONDITIONS | {"encoders": {"video": {"width": 8}}})
    own = {"pretraining": {"epochs": 3}, "encoders": "the method's own", "transformer": None}
    add_seeds(tmp_path, "mu_mae", BETTER, pretrained="mu_mae", conditions=CONDITIONS | own)
    assert ranks(ranking(tmp_path)) == {"mu_mae": 1, "half": 2}


def test_incomplete_transductive_and_few_seeds_are_shown_and_not_ranked(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "better", BETTER)
    add_seeds(tmp_path, "gaps", [[1.0, NAN, 1.0, 0.5]] * 3)
    add_seeds(tmp_path, "joint", [[1.0] * 4] * 3, transductive=True)
    add_seeds(tmp_path, "once", [[1.0] * 4])
    found = ranking(tmp_path)
    rows = {row.label: row for row in found.rows}
    assert ranks(found) == {"better": 1, "half": 2, "gaps": None, "joint": None, "once": None}
    assert rows["gaps"].notes == ("3 of 4 episodes scored: the others need clips that are absent",)
    assert rows["gaps"].interval.mean == pytest.approx(2.5 / 3)
    assert rows["joint"].notes[0].startswith("transductive")
    assert rows["once"].notes == ("seed 0 alone: a rank needs 3 seeds, and a comparison the same ones",)


def test_two_cheating_plugins_get_no_rank(tmp_path: Path) -> None:
    """One leaves out the episodes that it would fail, one reads its answers off the other queries; both have every
    answer right, and the honest row is the best one."""
    add_seeds(tmp_path, "honest", HALF)
    add_seeds(tmp_path, "picky", [[1.0, NAN, NAN, 1.0]] * 3)
    add_seeds(tmp_path, "reader", [[1.0] * 4] * 3, transductive=True)
    found = ranking(tmp_path)
    assert ranks(found) == {"honest": 1, "picky": None, "reader": None}
    assert found.best is not None
    assert found.best.label == "honest"
    assert all(row.notes for row in found.rows if row.label != "honest")
    assert found.comparisons is None, "nothing is compared with them"


def test_with_one_query_an_episode_a_transductive_row_is_ranked(tmp_path: Path) -> None:
    for queries in (1, 2):
        for seed in range(3):
            predicted = answers([1.0, 0.0, 1.0, 1.0], queries)
            add(tmp_path / str(queries), "joint", seed, predicted, transductive=True)
            add(tmp_path / str(queries), "alone", seed, predicted)
    assert ranks(ranking(tmp_path / "1")) == {"alone": 1, "joint": 1}
    assert ranks(ranking(tmp_path / "2")) == {"alone": 1, "joint": None}


def test_a_study_that_varies_the_recipe_ranks_nothing(tmp_path: Path) -> None:
    for name, accuracies, frames in (("slow", HALF, 8), ("quick", BETTER, 16)):
        conditions = CONDITIONS | {"input": {"frames": frames}}
        add_seeds(tmp_path, name, accuracies, study="published", conditions=conditions)
    found = ranking(tmp_path, study="published")
    assert [(row.label, row.rank) for row in found.rows] == [("quick", None), ("slow", None)]
    assert all(row.notes == ("trained by a recipe of its own",) for row in found.rows)
    assert found.best is not None
    assert found.best.label == "quick"
    assert found.comparisons is None


def test_predictions_made_elsewhere_are_shown_and_not_ranked(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    for seed in range(3):
        add_external(tmp_path, "Our method", [1.0] * 4, seed, modalities=BOTH)
    add_external(tmp_path, "Some of it", [1.0, NAN, NAN, 1.0])
    results = study_suite(tmp_path)
    assert [row.label for row in results.rows] == ["half"], "the study is as it was"
    ((_, external),) = read_report(tmp_path).external
    assert {row.label: row.rank for row in external.rows} == {"Our method": None, "Some of it": None}
    assert external.comparisons is None
    notes = {row.label: row.notes for row in external.rows}
    assert notes["Our method"] == ("external, as stated by arXiv 2601.00001; trained on Kinetics",)
    assert notes["Some of it"][1] == "2 of 4 episodes scored: no predictions for the others"
    ours = next(row for row in external.rows if row.label == "Our method")
    assert (ours.measured.seeds, ours.measured.modality, ours.interval.mean) == ((0, 1, 2), "both", 1.0)
    assert ours.measured.metrics.groups["subject"]


def test_only_complete_rows_share_a_family(folder: Path, tmp_path: Path) -> None:
    """No statistic is computed twice: rows of a suite are analysed once, together, and pairs come from there."""
    family = {id(row.measured.inference.family) for row in study_suite(folder).rows}
    assert len(family) == 1
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "gaps", [[1.0, NAN, 1.0, 0.5]] * 3)
    rows = study_suite(tmp_path)
    assert row_of(rows, "half").measured.inference.family is not None
    assert row_of(rows, "gaps").measured.inference.family is None
