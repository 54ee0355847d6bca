"""Guards: the control that answers at random is at chance, and a row does not differ from itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.report.results.guards import Guard
from tests.helpers.small_runs import (
    BOTH,
    add_control,
    add_external,
    add_seeds,
    add_suite,
    row_of,
    shares,
    study_suite,
    three_seeds,
)


def guards(folder: Path) -> tuple[Guard, ...]:
    (found,) = read_report(folder).guards.values()
    return found


def test_the_random_control_is_held_against_chance(tmp_path: Path) -> None:
    add_control(tmp_path / "fair", [1.0, 0.0] * 40)
    add_control(tmp_path / "off", [1.0, 0.5] * 40)
    (passed,), (failed,) = guards(tmp_path / "fair"), guards(tmp_path / "off")
    assert (passed.row, passed.mean, passed.chance, passed.p, passed.failed) == ("random, video", 0.5, 0.5, 1.0, False)
    assert failed.failed
    assert failed.p < 0.001
    report = read_report(tmp_path / "off")
    assert [(suite.name, guard) for suite, guard in report.failed] == [("test", failed)]
    assert read_report(tmp_path / "fair").failed == []


def test_chance_is_tested_by_the_error_for_these_clips(tmp_path: Path) -> None:
    """Answers at random depend on no clip: the wider interval for subjects would hide a leak."""
    add_suite(tmp_path, 300)
    add_control(tmp_path, shares(0.55, 99))
    (guard,) = guards(tmp_path)
    row = row_of(study_suite(tmp_path), "random")
    analysis = row.measured.inference.analysis
    assert analysis is not None
    assert guard.p == replace(analysis.clips, mean=row.interval.mean - 0.5).p_value
    assert guard.p < replace(analysis.headline(), mean=row.interval.mean - 0.5).p_value


def test_other_controls_and_external_rows_of_that_name_are_not_held_against_chance(tmp_path: Path) -> None:
    add_control(tmp_path, [1.0, 0.5] * 40, "nearest")
    add_external(tmp_path, "random", [1.0, 0.5] * 40)
    assert guards(tmp_path) == ()


def test_six_seeds_are_held_against_each_other(tmp_path: Path) -> None:
    for name, second in (("fair", 0.6), ("off", 0.9)):
        add_suite(tmp_path / name, 300)
        accuracies = [*three_seeds(0.6), *three_seeds(second, 3)]
        add_seeds(tmp_path / name, "protonet", accuracies)
    (fair,), (off,) = guards(tmp_path / "fair"), guards(tmp_path / "off")
    assert fair.seeds == off.seeds == ((0, 1, 2), (3, 4, 5))
    assert not fair.failed
    assert off.failed
    expected = np.mean(three_seeds(0.6)) - np.mean(three_seeds(0.9, 3))
    assert abs(off.mean - expected) < 1e-12


def test_five_seeds_are_too_few_to_be_halved(tmp_path: Path) -> None:
    add_seeds(tmp_path, "protonet", [[1.0, 0.5, 0.0, 0.5]] * 5)
    assert guards(tmp_path) == ()


def test_every_row_is_checked_once_whatever_the_studies_that_have_it(tmp_path: Path) -> None:
    for study in ("methods", "frozen"):
        add_control(tmp_path, [1.0, 0.0] * 40, study=study)
    add_control(tmp_path, [1.0, 0.0] * 40, modalities=BOTH)
    assert [guard.row for guard in guards(tmp_path)] == ["random, video", "random, both"]
