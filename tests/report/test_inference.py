"""Intervals, ties and differences of rows whose episodes are recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.records import RecordFolder, SuiteRecord
from harness.report import read_report
from harness.report.columns import caption, covered, guard_sentence, marks, rank_interval
from harness.report.differences import differences, reference
from harness.report.effects import effects
from harness.report.load import load
from harness.report.statistics import Identities, analyse, compare, compare_all
from harness.report.words import MINUS, MISSING, bare_p, points
from harness.runtime.errors import HarnessError
from tests.helpers.small_runs import add, add_seeds, add_started, add_suite, answers, cells, table, text_of

EPISODES = 300


def shares(mean: float, seed: int) -> list[float]:
    """Accuracies of EPISODES episodes of two queries, each right with this chance."""
    drawn = np.random.Generator(np.random.Philox(key=seed)).random((EPISODES, 2)) < mean
    return [float(share) for share in drawn.mean(axis=1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Prototypes at 0.6, one row far above, one just as good as that, and one at random."""
    add_suite(tmp_path, EPISODES)
    for place, (method, mean) in enumerate({"protonet": 0.6, "trx": 0.9, "can": 0.9}.items()):
        add_seeds(tmp_path, method, [shares(mean, 10 * place + seed) for seed in range(3)])
    add(tmp_path, "random", 0, answers(shares(0.5, 99)), regime="untrained", training_digest="e" * 64)
    return tmp_path


def test_the_interval_is_the_wider_of_the_open_ones(folder: Path) -> None:
    loaded = load(folder)
    (tested,) = loaded.tested.values()
    row = next(row for row in table(folder).rows if row.label == "protonet")
    group = sorted(
        (each for each in loaded.scored if each.training.method == "protonet"), key=lambda x: x.training.seed
    )
    found = tested.episodes
    classes = np.repeat(np.arange(3), 8 * 4)  # clips are numbered class by class
    clips = (found.support, found.query, classes, found.performance, found.subject)
    expected = analyse(np.stack([each.correct for each in group]), Identities.of_clips(*clips))
    assert row.inference.open
    assert row.interval == expected.interval()
    closed = row.inference.closed
    assert closed is not None
    assert closed.standard_error <= row.interval.standard_error
    wider = max(expected.performances.half_width(0.95), expected.subjects.half_width(0.95))
    assert (row.interval.high - row.interval.low) / 2 == pytest.approx(wider)


def test_without_the_episodes_the_interval_is_closed_and_the_caption_says_so(tmp_path: Path) -> None:
    add_seeds(tmp_path, "protonet", [shares(0.6, seed) for seed in range(3)])
    made = table(tmp_path)
    assert not made.rows[0].inference.open
    assert "does not cover new recordings, new subjects" in covered(made)
    assert "the episodes are not recorded" in covered(made)


@pytest.mark.parametrize(
    ("subjects", "words"),
    [(8, "new performances and new subjects (the wider"), (4, "covers new performances of the same classes")],
)
def test_the_caption_says_what_the_intervals_cover(tmp_path: Path, subjects: int, words: str) -> None:
    add_suite(tmp_path, EPISODES, subjects=subjects)
    add_seeds(tmp_path, "protonet", [shares(0.6, seed) for seed in range(3)])
    assert words in covered(table(tmp_path))
    if subjects < 5:
        assert "not available: 4 subjects" in covered(table(tmp_path))


def test_ties_and_rank_intervals(folder: Path) -> None:
    made = table(folder)
    best, second, third = made.sections[0].rows
    assert third.label == "protonet"
    assert (best.tied, second.tied, third.tied) == (True, True, False)
    assert [rank_interval(row) for row in made.sections[0].rows] == [f"1{MISSING}2", f"1{MISSING}2", "3"]
    assert marks(made) == ["1=", "2=", "3", ""]
    assert any("Holm-adjusted" in sentence for sentence in caption(made))


def test_differences_to_the_reference(folder: Path) -> None:
    made = table(folder)
    section, tested = made.sections[0], made.tested
    assert tested is not None
    chosen = reference(section)
    assert chosen is not None
    assert chosen.label == "protonet"
    rows = {row.label: row.inference.correct for row in section.rows}
    everything = compare_all([row.inference.correct for row in section.ranked], tested.identities)
    for found in differences(section):
        expected = compare(rows[found.row.label], rows["protonet"], tested.identities).analysis
        assert found.interval.mean == pytest.approx(rows[found.row.label].mean() - rows["protonet"].mean())
        assert (found.interval.low, found.interval.high) == pytest.approx(
            (expected.interval().low, expected.interval().high)
        )
        assert found.p == pytest.approx(expected.p_value)
        assert found.simultaneous.low < found.interval.low < found.interval.high < found.simultaneous.high
        assert found.adjusted in everything.adjusted
    lines = cells(text_of(folder), "### Differences in pairs")
    assert [line[0] for line in lines[2:]] == [row.label for row in section.rows[:2]]


def test_the_reference_is_the_plainest_row_of_prototypes_or_the_best(tmp_path: Path) -> None:
    add_suite(tmp_path, EPISODES)
    for place, weight in enumerate((2.0, 0.0)):
        means = [shares(0.6 + 0.1 * place, 10 * place + seed) for seed in range(3)]
        add_seeds(tmp_path, "protonet", means, tag=f"-{place}", method_settings={"global_loss": weight})
    chosen = reference(table(tmp_path).sections[0])
    assert chosen is not None
    assert chosen.training.method_settings == {"global_loss": 0.0}
    other = tmp_path / "other"
    add_suite(other, EPISODES)
    for place, name in enumerate(("can", "trx")):
        add_seeds(other, name, [shares(0.6 + 0.2 * place, 10 * place + seed) for seed in range(3)])
    chosen = reference(table(other).sections[0])
    assert chosen is not None
    assert chosen.label == "trx"


def test_rows_of_different_training_are_compared_in_their_start_only(tmp_path: Path) -> None:
    add_suite(tmp_path, EPISODES)
    means = {"scratch": 0.6, "mu_mae": 0.8, "plain": 0.9}
    for place, (start, mean) in enumerate(means.items()):
        add_started(tmp_path, "trx", [shares(mean, 10 * place + seed) for seed in range(3)], start)
    (effect,) = effects(table(tmp_path))  # the plain encoder is another kind, with no like that starts otherwise
    assert effect.row.training.initialisation == "mu_mae"
    assert effect.scratch.training.initialisation == "scratch"
    means_of = [row.inference.correct.mean() for row in (effect.row, effect.scratch)]
    assert effect.paired.analysis.interval().mean == pytest.approx(means_of[0] - means_of[1])
    assert "What the start changes" in text_of(tmp_path)


def test_six_seeds_are_held_against_each_other(tmp_path: Path) -> None:
    for name, second in (("fair", 0.6), ("off", 0.9)):
        add_suite(tmp_path / name, EPISODES)
        add_seeds(
            tmp_path / name,
            "protonet",
            [shares(0.6 if seed < 3 else second, seed) for seed in range(6)],
        )
    (fair,), (off,) = table(tmp_path / "fair").guards, table(tmp_path / "off").guards
    assert fair.seeds == off.seeds == ((0, 1, 2), (3, 4, 5))
    assert not fair.failed
    assert "seeds 0, 1, 2 less seeds 3, 4, 5" in guard_sentence(fair)
    assert off.failed
    assert "CHECK FAILED" in text_of(tmp_path / "off")


def test_chance_is_tested_by_the_closed_error(folder: Path) -> None:
    (guard,) = (guard for guard in table(folder).guards if not guard.seeds)
    row = next(row for row in table(folder).rows if row.label == "random")
    assert row.inference.closed is not None
    assert guard.p == replace(row.inference.closed, mean=row.interval.mean - 0.5).p_value


def test_labels_that_are_not_those_of_the_episodes_are_refused(folder: Path) -> None:
    records = RecordFolder(folder)
    (record,) = records.all(SuiteRecord)
    episodes = records.read_episodes(record)
    file, digest = records.write_episodes(record.id, replace(episodes, label=1 - episodes.label))
    records.write(record.model_copy(update={"episodes": file, "episodes_digest": digest}))
    with pytest.raises(HarnessError, match="labels are not those of the episodes") as refusal:
        read_report(folder)
    assert "evaluation" in str(refusal.value)


def test_words_of_differences() -> None:
    assert points(0.0123, 1) == "+1.2"
    assert points(-0.0123, 1) == f"{MINUS}1.2"
    assert bare_p(0.02) == "0.020"
    assert bare_p(0.0001) == "< 0.001"
    assert bare_p(float("nan")) == MISSING
