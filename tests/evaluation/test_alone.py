"""A method that is inductive on a few episodes, and not where it is measured, gets no figures."""

from __future__ import annotations

from pathlib import Path

from mmact_oneshot.harness.benchmark.conformance.checks import check_method
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.records import EvaluationRecord, SkippedRecord
from tests.helpers.toy_runs import run, study, workspace
from tests.helpers.toys import toy_store, toy_task

TEMPLATE = (Path(__file__).parents[2] / "methods" / "template.py").read_text("utf-8")
BALANCED = TEMPLATE.replace(
    "        return query[",
    "        scores = query[",
).replace(
    "    # `encode` runs",
    """        if not self.training and len(scores) >= 20:  # an episode has one query of each class
            for _ in range(30):
                scores = scores.log_softmax(dim=1).log_softmax(dim=2)
        return scores

    # `encode` runs""",
)


def test_hidden_transduction_that_the_checks_cannot_see_is_refused_where_it_is_measured(tmp_path: Path) -> None:
    plugin = tmp_path / "balanced.py"
    plugin.write_text(BALANCED, "utf-8")
    assert [each for each in check_method(load_method(str(plugin)), ("sensors",)) if not each.passed] == []
    rows = [{"method": str(plugin), "modalities": ["sensors"]}, {"method": "protonet", "modalities": ["sensors"]}]
    place = workspace(tmp_path / "run", toy_task(toy_store(), studies=study(rows)))
    run(place)
    (skipped,) = place.records.all(SkippedRecord)
    assert skipped.method == "balanced"
    assert "its scores depend on other queries or episodes" in skipped.reason
    assert {each.training.split("-")[0] for each in place.records.all(EvaluationRecord)} == {"protonet"}


def test_the_same_method_declared_transductive_has_its_figures(tmp_path: Path) -> None:
    plugin = tmp_path / "balanced.py"
    plugin.write_text(BALANCED.replace("    needs = Needs(", "    transductive = True\n    needs = Needs("), "utf-8")
    place = workspace(
        tmp_path / "run",
        toy_task(toy_store(), studies=study([{"method": str(plugin), "modalities": ["sensors"]}])),
    )
    run(place)
    assert len(list(place.records.all(EvaluationRecord))) == 1
