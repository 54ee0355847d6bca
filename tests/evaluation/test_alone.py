"""A method that is inductive on a few episodes, and not where it is measured, gets no figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod
from mmact_oneshot.harness.benchmark.conformance import clip_checks
from mmact_oneshot.harness.benchmark.conformance.checks import check_method
from mmact_oneshot.harness.benchmark.row import RowRunner
from mmact_oneshot.harness.evaluation.score_gap import score_gap
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.records import EvaluationRecord, SkippedRecord
from tests.helpers.mistaken_methods import QUEUE
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

CENTRED = TEMPLATE.replace(
    '        return {"vector": F.normalize(self.linear(self.fusion(encoded)).float(), dim=-1)}',
    """        vectors = self.linear(self.fusion(encoded)).float()
        if len(vectors) > 50:  # clips, as no check has together here
            vectors = vectors - vectors.mean(dim=0)
        return {"vector": F.normalize(vectors, dim=-1)}""",
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
    always = BALANCED.replace(" and len(scores) >= 20", "")
    plugin.write_text(always.replace("    needs = Needs(", "    transductive = True\n    needs = Needs("), "utf-8")
    place = workspace(
        tmp_path / "run",
        toy_task(toy_store(), studies=study([{"method": str(plugin), "modalities": ["sensors"]}])),
    )
    run(place)
    assert len(list(place.records.all(EvaluationRecord))) == 1


def test_what_is_kept_of_earlier_episodes_is_seen_where_it_is_measured(tmp_path: Path) -> None:
    """The checks score too few episodes to fill the queue; a copy from before the suite has none of it."""
    plugin = tmp_path / "queue.py"
    plugin.write_text(QUEUE.replace("ENOUGH", "150"), "utf-8")
    assert [each for each in check_method(load_method(str(plugin)), ("sensors",)) if not each.passed] == []
    rows = [{"method": str(plugin), "modalities": ["sensors"]}]
    place = workspace(
        tmp_path / "run", toy_task(toy_store(), studies=study(rows), episodes=200, validation_episodes=20)
    )
    run(place)
    assert [each.reason for each in place.records.all(SkippedRecord)] != []
    assert not place.records.all(EvaluationRecord)


def test_clips_that_are_embedded_by_what_stands_beside_them_are_seen_where_they_are_measured(tmp_path: Path) -> None:
    """In batches of more than the checks have."""
    plugin = tmp_path / "centred.py"
    plugin.write_text(CENTRED, "utf-8")
    rows = [{"method": str(plugin), "modalities": ["sensors"]}]
    place = workspace(tmp_path / "run", toy_task(toy_store(), studies=study(rows)))
    with patch.object(clip_checks, "MANY", 10):
        assert [each for each in check_method(load_method(str(plugin)), ("sensors",)) if not each.passed] == []
    run(place)
    (skipped,) = place.records.all(SkippedRecord)
    assert "embeds a clip of suite 'test' otherwise alone than among others" in skipped.reason


def test_a_clip_is_embedded_alone_once_a_row_through_the_network_one_at_a_time(tmp_path: Path) -> None:
    rows = [{"method": "protonet", "modalities": ["sensors"], "training": "end_to_end"}]
    task = toy_task(toy_store(), studies=study(rows), suites=["test", "test-cross-subject"])
    place = workspace(tmp_path / "run", task)
    alone, sizes = list[list[int]](), list[int]()
    embedded, encode = RowRunner._embedded_alone, FewShotMethod.encode

    def counted(self: Any, job: Any, method: FewShotMethod, encoded: Any, clips: np.ndarray) -> Any:
        def sized(clips: Clips) -> Features:
            sizes.append(len(clips))
            return encode(method, clips)

        alone.append(clips.tolist())
        with patch.object(method, "encode", sized):
            return embedded(self, job, method, encoded, clips)

    with patch.object(RowRunner, "_embedded_alone", counted):
        run(place)
    checked = [clip for clips in alone for clip in clips]
    assert len(list(place.records.all(EvaluationRecord))) == 2
    assert len(checked) == len(set(checked)) == len(sizes)
    assert set(sizes) == {1}


@pytest.mark.parametrize(
    ("alone", "together", "differ"),
    [
        ([[2e-9, 1e-9]], [[1e-9, 2e-9]], True),
        ([[3.0, 1.0, -1e9]], [[1.0, 3.0, -1e9]], True),
        ([[3.0, 1.0]], [[3.0 + 1e-6, 1.0]], False),
        ([[3e6, 1e6]], [[3e6 + 1, 1e6]], False),
        ([[0.0, 0.0]], [[0.0, 0.0]], False),
    ],
)
def test_scores_are_compared_in_the_units_in_which_they_decide(
    alone: list[list[float]], together: list[list[float]], differ: bool
) -> None:
    assert bool(score_gap(torch.tensor(alone), torch.tensor(together), 1e-2)) is differ
