"""What may be concluded from a comparison, and what keeps it from being a finding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.report.formats import MINUS
from mmact_oneshot.harness.report.model.blocks import Block, Items, Paragraph, Table
from mmact_oneshot.harness.report.model.comparison import (
    cautions,
    comparison_blocks,
    folder_blocks,
    scope_sentence,
    seeds,
    sentence,
    training,
    versions,
)
from mmact_oneshot.harness.report.results.compare_all import adjusted_p
from mmact_oneshot.harness.report.results.comparison import Comparison, compare_sides
from mmact_oneshot.harness.report.results.row_selectors import Scope, Selector, select
from mmact_oneshot.harness.report.writers.comparison_json import comparison_json
from tests.helpers.small_runs import (
    CONDITIONS,
    GENERATED,
    add,
    add_control,
    add_external,
    add_seeds,
    add_study,
    add_suite,
    answers,
    shares,
    three_seeds,
)

EPISODES = 60
MEANS = {"good": 0.9, "fair": 0.85, "bad": 0.3}


def compared(folder: Path, first: str, second: str) -> Comparison:
    ((a, b),) = select(Selector(folder, first), Selector(folder, second), Scope()).pairs
    return compare_sides(a, b)


def text_of(blocks: Sequence[Block]) -> str:
    parts: list[str] = []
    for block in blocks:
        parts += [block.text] if isinstance(block, Paragraph) else block.items if isinstance(block, Items) else []
    return " ".join(parts)


def fill(folder: Path) -> Path:
    add_suite(folder, EPISODES)
    for place, (name, mean) in enumerate(MEANS.items()):
        add_seeds(folder, name, three_seeds(mean, 10 * place, EPISODES))
    add_control(folder, shares(0.5, 99, EPISODES))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only read."""
    return fill(tmp_path_factory.mktemp("run") / "records")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """To be added to."""
    return fill(tmp_path / "own")


def test_who_is_better_by_how_much_and_how_surely(folder: Path) -> None:
    one, two = sentence(compared(folder, "good", "bad")), sentence(compared(folder, "bad", "good"))
    assert one.startswith("A is significantly better than B, by 61 points [")
    assert one.endswith("; p < 0.001.")
    assert two == one.replace("A is significantly better than B", "B is significantly better than A")


def test_no_significant_difference_is_not_called_equality(folder: Path) -> None:
    found = compared(folder, "good", "fair")
    text = sentence(found)
    assert text.startswith("A and B do not differ significantly: A minus B is +6 [")
    most = max(abs(found.interval.low), abs(found.interval.high))
    assert text.endswith(f"That does not make them equal: up to {most * 100:.0f} points are not ruled out.")


def test_the_very_same_answers_are_no_difference(own: Path) -> None:
    add_seeds(own, "twin", three_seeds(0.9, 0, EPISODES))
    text = sentence(compared(own, "good", "twin"))
    assert text == "A and B are right and wrong on the very same queries: there is no difference here."


@pytest.mark.parametrize(
    ("subjects", "count", "text"),
    [
        (8, 3, "The interval is for new performances, new subjects and training again of the same classes."),
        (4, 3, "The interval is for new performances and training again of the same classes."),
        (8, 1, "new performances and new subjects of the same classes. It holds for these trained models alone"),
    ],
)
def test_what_the_interval_speaks_for(tmp_path: Path, subjects: int, count: int, text: str) -> None:
    add_suite(tmp_path, EPISODES, subjects=subjects)
    for name, mean in (("one", 0.8), ("two", 0.5)):
        add_seeds(tmp_path, name, three_seeds(mean, 0, EPISODES)[:count])
    assert text in scope_sentence(compared(tmp_path, "one", "two"))


def test_a_difference_in_training_is_loud_unless_the_study_varies_it(own: Path) -> None:
    add_seeds(own, "long", [[1.0] * EPISODES] * 3, conditions=CONDITIONS | {"budget": {"steps": 50}})
    found = compared(own, "long", "good")
    assert training(found).startswith("TRAINING DIFFERS")
    blocks = comparison_blocks([found])
    assert Paragraph(training(found), "warning") in blocks
    (table,) = [block for block in blocks if isinstance(block, Table) and block.title == "Conditions of training"]
    assert [[cell.text for cell in line] for line in table.lines] == [["budget.steps", "50", "5"]]
    assert training(compared(own, "good", "fair")).startswith("Trained under the same conditions")
    add_study(own, varies=("method", "budget"))
    assert training(compared(own, "long", "good")).endswith("but for what their study varies.")


def test_what_was_not_trained_here_is_said(own: Path) -> None:
    assert "B is a control, and nothing in it is trained" in training(compared(own, "good", "random"))
    add_external(own, "Ours", shares(0.7, 50, EPISODES))
    text = training(compared(own, "ours", "good"))
    assert "A was made outside the harness (arXiv 2601.00001)" in text


def test_seeds_that_were_used_and_those_that_were_not(own: Path) -> None:
    for seed in (1, 2, 7):
        add(own, "late", seed, answers(shares(0.5, 70 + seed, EPISODES)))
    text = " ".join(seeds(compared(own, "good", "late")))
    assert text.startswith("Seeds: 1, 2.")
    assert "seeds 0 of A" in text
    assert "seeds 7 of B" in text
    text = " ".join(seeds(compared(own, "good", "random")))
    assert "B is one set of answers, compared with every seed of the other." in text


def test_one_of_many_pairs_is_adjusted(folder: Path) -> None:
    found = compared(folder, "good", "fair")
    assert found.pair is not None
    (text,) = cautions(found)
    assert text.startswith("One of 3 pairs of its ranking. Together with all of them: ")
    assert "the difference is undecided" not in text
    (text,) = cautions(compared(folder, "good", "random"), comparisons=4)
    assert text.startswith("One of 4 comparisons made here")
    assert cautions(compared(folder, "good", "random")) == []


def test_a_difference_that_its_family_takes_back_is_undecided(tmp_path: Path) -> None:
    """Below 0.05 alone, and not after Holm over the three pairs of its ranking."""
    add_suite(tmp_path, EPISODES)
    for place, (name, mean) in enumerate({"one": 0.83, "two": 0.6, "three": 0.68}.items()):
        add_seeds(tmp_path, name, three_seeds(mean, 10 * place, EPISODES))
    found = compared(tmp_path, "one", "two")
    assert found.pair is not None
    assert found.p < 0.05 <= found.pair.adjusted
    assert sentence(found).startswith("A is significantly better than B")
    (text,) = cautions(found)
    assert text.endswith(": unless this pair was chosen before any result was known, the difference is undecided.")


def test_incomplete_transductive_and_conditional_comparisons_say_so(tmp_path: Path) -> None:
    nan = float("nan")
    add(tmp_path, "gaps", 0, answers([1.0, nan, 0.5, 1.0, 0.0]))
    add(tmp_path, "joint", 0, answers([1.0, 0.0, 0.5, 0.5, 1.0]), transductive=True)
    add(tmp_path, "mu_mae", 0, answers([1.0, 0.0, 0.5, 0.5, 1.0]), pretrained="mu_mae")
    text = " ".join(cautions(compared(tmp_path, "gaps", "joint")))
    assert "Only 4 of 5 episodes were scored by both." in text
    assert "(transductive)" in text
    assert "B has one pre-training for all seeds" in " ".join(cautions(compared(tmp_path, "gaps", "mu_mae")))


def test_code_is_named_where_it_differs(own: Path) -> None:
    assert versions(compared(own, "good", "fair")) == ""
    made = {"version": "0.1.0", "commit": "a" * 40, "changed": True}
    add_seeds(own, "new", three_seeds(0.5, 60, EPISODES), provenance=made)
    assert versions(compared(own, "new", "good")) == f"Code: A {'a' * 12} with uncommitted changes, B {'c' * 12}."


def test_generated_data_is_said_first(tmp_path: Path) -> None:
    add_suite(tmp_path, EPISODES)
    for place, name in enumerate(("one", "two")):
        add_seeds(tmp_path, name, three_seeds(0.5, 10 * place, EPISODES), data=GENERATED)
    found = compared(tmp_path, "one", "two")
    for blocks in (comparison_blocks([found]), folder_blocks([found], adjusted_p([found]))):
        first = blocks[0]
        assert isinstance(first, Paragraph)
        assert first.text.startswith("Generated data")
        assert first.tone == "warning"


def test_every_estimate_and_count_is_shown(folder: Path) -> None:
    found = compared(folder, "good", "bad")
    blocks = comparison_blocks([found])
    (table,) = [block for block in blocks if isinstance(block, Table)]
    names = [line[0].text.split(" (")[0] for line in table.lines]
    assert names == ["these clips", "new performances", "new subjects", "new subjects, delete-one"]
    assert table.lines[1][2].text == f"{found.analysis.performances.standard_error * 100:.2f}"
    text = text_of(blocks)
    assert "Sign flips by subject: p = 0.008" in text
    counts = found.answers
    assert f"only A right {counts.only_first}, only B right {counts.only_second}, both {counts.both}" in text


def test_classes_are_named_with_both_accuracies(tmp_path: Path) -> None:
    episodes = add_suite(tmp_path, EPISODES)
    right = answers([1.0] * EPISODES)
    wrong = np.where(episodes.drawn == 1, 1 - right, right)  # where the second class is asked for
    for name, predicted in (("right", right), ("wrong", wrong)):
        add(tmp_path, name, 0, predicted)
    found, turned = compared(tmp_path, "right", "wrong"), compared(tmp_path, "wrong", "right")
    assert [(each.name, each.difference) for each in found.classes] == [("alpha", 0), ("beta", 1), ("gamma", 0)]
    assert found.answers.only_first == (episodes.drawn == 1).sum()
    text = text_of(comparison_blocks([found]))
    assert "Classes in which A gains most: beta +100 (100 against 0 %)." in text
    assert "Classes in which B gains most" not in text
    text = text_of(comparison_blocks([turned]))
    assert f"Classes in which B gains most: beta {MINUS}100 (0 against 100 %)." in text
    assert "Classes in which A gains most" not in text


def test_two_folders_row_by_row(folder: Path, tmp_path: Path) -> None:
    add_suite(tmp_path, EPISODES)
    for place, (name, mean) in enumerate({"good": 0.9, "fair": 0.85, "bad": 0.6}.items()):
        add_seeds(tmp_path, name, three_seeds(mean, 10 * place, EPISODES))
    selected = select(Selector(folder, None), Selector(tmp_path, None), Scope())
    found = [compare_sides(a, b) for a, b in selected.pairs if a.name != "random, video"]
    blocks = folder_blocks(found, adjusted_p(found))
    text = text_of(blocks)
    assert "2 of 3 rows are right and wrong on the very same queries in A and B: good, video; fair, video." in text
    (table,) = [block for block in blocks if isinstance(block, Table)]
    ((line),) = table.lines
    assert line[0].text == "bad, video"
    assert f"`oneshot compare {folder}:ROW {tmp_path}:ROW` says more of one." in text
    same = [each for each in found if each.answers.same]
    assert "All rows are right and wrong on the very same queries" in text_of(folder_blocks(same, adjusted_p(same)))


def test_json_holds_the_same_numbers(folder: Path) -> None:
    found = compared(folder, "good", "bad")
    content = json.loads(json.dumps(comparison_json(found), allow_nan=False))
    difference = content["difference"]
    assert (difference["mean"], difference["low"], difference["p"]) == (
        found.interval.mean,
        found.interval.low,
        found.p,
    )
    assert content["a"]["mean"] - content["b"]["mean"] == pytest.approx(difference["mean"])
    assert content["estimates"]["these_clips"]["standard_error"] == found.analysis.clips.standard_error
    assert content["estimates"]["new_subjects_delete_one"]["standard_error"] is None, "null where there is none"
    assert content["sign_flips"]["smallest"] == 2.0**-7
    assert found.pair is not None
    assert (content["ranking"]["pairs"], content["ranking"]["p_holm"]) == (3, found.pair.adjusted)
    assert content["answers"]["only_a"] == found.answers.only_first
    assert sentence(found) in content["sentences"]
    assert [each["class"] for each in content["classes"]] == ["alpha", "beta", "gamma"]
    alone = comparison_json(compared(folder, "good", "random"), 5, 0.5)
    assert (alone["ranking"], alone["comparisons"], alone["p_holm"]) == (None, 5, 0.5)
