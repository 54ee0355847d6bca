"""Where the transformers of rows begin, worked out without any training; what is impossible is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.api import NotApplicable
from mmact_oneshot.harness.benchmark.steps import PretrainingStep
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.training.initialisation import Pretrained, ReleasedWeights, Scratch, require_modality
from mmact_oneshot.harness.training.workspace import Workspace
from tests.helpers.toy_runs import planned, task_with, workspace
from tests.helpers.toys import toy_store

VIDEO, BOTH = ["video"], ["video", "sensors"]


def row(method: str, modalities: list[str], initialisation: str, **more: Any) -> dict[str, Any]:
    return {"method": method, "modalities": modalities, "initialisation": initialisation, **more}


def transformer(modalities: list[str], initialisation: str, method: str = "protonet") -> dict[str, Any]:
    return row(method, modalities, initialisation, encoder="transformer")


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def place(store: Store, out: Path, **changes: Any) -> Workspace:
    return workspace(out, task_with(changes.pop("rows"), store, **changes))


def test_each_seed_has_a_pretraining_of_its_own_or_all_have_one(store: Store, tmp_path: Path) -> None:
    def pretrained(**budget: Any) -> list[str]:
        changes = {"epochs": 2, "batch": 16, "checkpoints": 2, **budget}
        _, steps = planned(
            place(store, tmp_path, rows=[row("videomae", VIDEO, "videomae")], seeds=[0, 1], pretraining=changes)
        )
        return [step.id for step in steps if isinstance(step, PretrainingStep)]

    assert len(pretrained()) == 2
    assert len(pretrained(seed=0)) == 1
    assert pretrained(seed=0)[0] in pretrained(), "the same one"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (row("protonet", VIDEO, "mu_mae"), r'nothing in this row would begin from .mu_mae.*encoder = "transformer"'),
        (transformer(VIDEO, "mu_mea"), r"no initialisation 'mu_mea'.*mu_mae"),
        (transformer(VIDEO, "trx"), r"trx has no pre-training"),
        (row("mu_mae", VIDEO, "mu_mae", settings={"random_prior": True}), r"no pre-training with these settings"),
        (transformer(VIDEO, "nowhere.pth"), r"no such file"),
    ],
)
def test_an_impossible_initialisation_is_refused_before_anything_is_trained(
    store: Store, tmp_path: Path, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        planned(place(store, tmp_path, rows=[wrong]))


def test_a_method_without_a_state_for_its_modalities_is_not_applicable() -> None:
    require_modality(Scratch(), ("sensors",))
    weights = ReleasedWeights("videomae.pth", ("video",), {"file": "digest"}, Path("videomae.pth"))
    require_modality(weights, ("video", "sensors"))
    with pytest.raises(NotApplicable, match=r"videomae\.pth was pre-trained on video only"):
        require_modality(weights, ("sensors",))


@pytest.mark.parametrize("initialisation", ["scratch", "mu_mae"])
def test_the_size_of_a_transformer_is_part_of_every_row_that_has_one(
    store: Store, tmp_path: Path, initialisation: str
) -> None:
    rows = [
        row("mu_mae", VIDEO, initialisation, training="end_to_end"),
        row("mu_mae", VIDEO, initialisation, encoder="transformer", training="end_to_end"),
        row("videomae", VIDEO, initialisation, training="end_to_end"),
    ]
    spec = {"patch": 6, "tubelet": 1, "sensor_tokens": 4}
    plans = [planned(place(store, tmp_path, rows=rows, transformer=spec | {"size": s}))[0] for s in ("micro", "tiny")]
    assert len({job.id for plan in plans for job in plan.jobs}) == 6


def test_the_pretraining_of_a_method_is_its_own_where_a_row_names_none(store: Store, tmp_path: Path) -> None:
    rows = [{"method": "mu_mae", "modalities": BOTH}, {"method": "protonet", "modalities": BOTH}]
    first, second = (job.initialisation for job in planned(place(store, tmp_path, rows=rows))[0].jobs)
    assert isinstance(first, Pretrained)
    assert first.name == "mu_mae"
    assert second == Scratch()


def test_a_warm_start_is_prolonged_only_where_there_is_one(store: Store, tmp_path: Path) -> None:
    rows = [transformer(VIDEO, "prolonged") | {"training": "end_to_end"}]
    with pytest.raises(HarnessError, match="there is no warm start to prolong"):
        planned(place(store, tmp_path, rows=rows, warm_start={"objective": "none"}))
    with pytest.raises(HarnessError, match="no shared encoder whose warm start could be prolonged"):
        planned(place(store, tmp_path, rows=[row("videomae", VIDEO, "prolonged", training="end_to_end")]))
