"""Whether a row was still rising on validation when its training ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.report.model.captions import training_notes
from mmact_oneshot.harness.report.model.document import study_blocks
from mmact_oneshot.harness.report.results.levelling import rise, rise_of, still_rising
from tests.helpers.small_runs import add_control, add_seeds, add_suite, study_suite, three_seeds


def validations(*shares: float) -> list[tuple[int, float]]:
    return [(10 * (place + 1), share) for place, share in enumerate(shares)]


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((0.2, 0.4, 0.6, 0.6, 0.6, 0.6), 0.0),
        ((0.2, 0.3, 0.4, 0.5, 0.6, 0.7), 0.2),
        ((0.2, 0.9, 0.7, 0.7, 0.6, 0.6), -0.1),
        ((0.0, 0.2, 0.3, 0.4, 0.5, 0.5, 0.6), 0.1),  # seven: the first counts for no third
        ((0.2, 0.3, 0.4, 0.5, 0.9), None),
        ((), None),
    ],
)
def test_rise_is_the_last_third_minus_the_third_before(shares: tuple[float, ...], expected: float | None) -> None:
    assert rise_of(shares) == (None if expected is None else pytest.approx(expected))


def test_a_row_that_still_rises_is_named_beside_the_matrix(tmp_path: Path) -> None:
    add_suite(tmp_path, 300)
    add_seeds(tmp_path, "can", three_seeds(0.5), validations=validations(0.5, 0.6, 0.7, 0.7, 0.7, 0.7), best_step=60)
    add_seeds(tmp_path, "trx", three_seeds(0.7), validations=validations(0.5, 0.5, 0.6, 0.6, 0.7, 0.7), best_step=60)
    add_seeds(tmp_path, "protonet", three_seeds(0.6), validations=validations(0.5, 0.8), best_step=20)
    results = study_suite(tmp_path)
    by_label = {row.label: row.measured.trainings for row in results.rows}
    assert [still_rising(by_label[name]) for name in ("can", "trx", "protonet")] == [False, True, False]
    assert rise(by_label["trx"]) == pytest.approx(0.1)
    (rising,) = training_notes(results)
    assert rising.endswith("the third before: trx, video.")
    assert rising in study_blocks(read_report(tmp_path).studies[0]).notes.items


def test_a_row_that_learnt_nothing_is_named_whatever_it_scored(tmp_path: Path) -> None:
    add_suite(tmp_path, 300)  # of two classes: chance is 50 %
    near, above = [0.52, 0.55, 0.5, 0.48, 0.5, 0.51], [0.5, 0.5, 0.6, 0.7, 0.7, 0.7]
    add_seeds(tmp_path, "stuck", three_seeds(0.5), validations=validations(*near), best_step=20)
    add_seeds(tmp_path, "learnt", three_seeds(0.5), validations=validations(*above), best_step=40)
    add_control(tmp_path, three_seeds(0.5)[0])
    failed, rising = training_notes(study_suite(tmp_path))
    assert "within 10 points of chance: stuck, video (validation 55 %, test 50 %)." in failed
    assert "learnt, video" in rising


def test_methods_with_networks_of_their_own_are_named(tmp_path: Path) -> None:
    """Rows of a study share the encoders; these do not."""
    both = ("video", "sensors")
    add_seeds(tmp_path, "trx", three_seeds(0.7), modalities=both)
    assert training_notes(study_suite(tmp_path)) == ()
    add_seeds(tmp_path, "own", three_seeds(0.5), modalities=both, encoders={"video": {"state": "e" * 64}})
    add_control(tmp_path, three_seeds(0.5)[0], modalities=both)
    (note,) = training_notes(study_suite(tmp_path))
    assert note == "Networks of their own in place of the shared encoders: own for sensors."
    shared = {"sensor_vectors": "shared"}
    add_seeds(tmp_path, "own", three_seeds(0.5), modalities=both, method_settings=shared)
    (note,) = training_notes(study_suite(tmp_path))
    assert note.endswith("own for sensors in 1 of its rows.")


def test_further_suites_are_named_beside_the_matrix(tmp_path: Path) -> None:
    for suite in ("test", "test-cross-subject"):
        add_seeds(tmp_path, "trx", three_seeds(0.7), suite=suite)
    (study,) = read_report(tmp_path).studies
    assert study_blocks(study).notes.items == ()
    add_seeds(tmp_path, "trx", three_seeds(0.7), suite="test-cross-scene")
    (study,) = read_report(tmp_path).studies
    (note,) = study_blocks(study).notes.items
    assert note.startswith("Further suites, in report.html and rows.csv: test-cross-scene (")
