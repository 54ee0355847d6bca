"""How the rows of a study stand to its reference, in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmact_oneshot.harness.report.formats import points
from mmact_oneshot.harness.report.model.findings import reference_sentences
from tests.helpers.small_runs import BOTH, add_seeds, add_study, add_suite, study_suite, three_seeds


def fill(folder: Path, study: str, reference: dict[str, Any], rows: dict[str, tuple[float, dict[str, Any]]]) -> None:
    add_suite(folder, 300)
    add_study(folder, study, reference=reference)
    for place, (name, (mean, changes)) in enumerate(rows.items()):
        add_seeds(folder, name.split()[0], three_seeds(mean, 10 * place), study=study, **changes)


def test_a_method_is_the_subject(tmp_path: Path) -> None:
    rows: dict[str, tuple[float, dict[str, Any]]] = {
        "mu_mae": (0.6, {}),
        "trx": (0.9, {}),
        "can": (0.3, {}),
        "protonet": (0.6, {}),
    }
    fill(tmp_path, "methods", {"method": "mu_mae"}, rows)
    assert reference_sentences(study_suite(tmp_path)) == {
        "video": "Video: mu_mae: significantly better than can; significantly worse than trx; no significant "
        "difference from protonet."
    }


def test_what_only_the_number_of_comparisons_leaves_undecided_is_told_with_its_size(tmp_path: Path) -> None:
    means = {"mu_mae": 0.6, "trx": 0.65, "can": 0.7, "otam": 0.72, "strm": 0.6}
    fill(tmp_path, "methods", {"method": "mu_mae"}, {name: (mean, {}) for name, mean in means.items()})
    found = study_suite(tmp_path)
    pairs = found.against("video")
    undecided = [pair for pair in pairs if not pair.significant and pair.p < 0.05]
    largest = max(undecided, key=lambda pair: abs(pair.interval.mean))
    told = reference_sentences(found)["video"]
    size = points(largest.interval.mean, 0)
    assert size[1:].isdigit()
    assert f"(before correction mu_mae minus {largest.second.label} is {size} [" in told


def test_each_modality_has_its_own_and_rows_are_counted_after_so_many(tmp_path: Path) -> None:
    rows: dict[str, tuple[float, dict[str, Any]]] = {"mu_mae": (0.9, {}), "can": (0.3, {})}
    fill(tmp_path, "methods", {"method": "mu_mae"}, rows)
    for place, (name, mean) in enumerate({"mu_mae": 0.2, "can": 0.8, "trx": 0.9, "otam": 0.7}.items()):
        add_seeds(tmp_path, name, three_seeds(mean, 100 * place), modalities=BOTH)
    found = reference_sentences(study_suite(tmp_path), most=1)
    assert found == {
        "video": "Video: mu_mae: significantly better than can.",
        "both": "Both: mu_mae: significantly worse than trx and 2 others.",
    }
    assert reference_sentences(study_suite(tmp_path))["both"].endswith("worse than trx, can and otam.")


def test_rows_are_the_subjects_where_each_has_a_reference_of_its_own(tmp_path: Path) -> None:
    rows = {
        f"{method} {begins}": (mean, {"initialisation": begins})
        for method, begins, mean in (
            ("trx", "scratch", 0.5), ("trx", "mu_mae", 0.9), ("can", "scratch", 0.6), ("can", "mu_mae", 0.3),
        )
    }  # fmt: skip
    fill(tmp_path, "initialisation", {"initialisation": "scratch"}, rows)
    assert list(reference_sentences(study_suite(tmp_path, "initialisation")).values()) == [
        "Video, compared with initialisation scratch: significantly worse: can (from mu_mae); significantly better: "
        "trx (from mu_mae)."
    ]


def test_nothing_is_said_of_a_single_row_or_without_a_reference(tmp_path: Path) -> None:
    fill(tmp_path / "one", "methods", {"method": "trx"}, {"trx": (0.5, {})})
    assert reference_sentences(study_suite(tmp_path / "one")) == {}
    fill(tmp_path / "none", "methods", {}, {"trx": (0.5, {}), "can": (0.9, {})})
    assert reference_sentences(study_suite(tmp_path / "none")) == {}
