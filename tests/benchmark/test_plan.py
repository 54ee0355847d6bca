"""The plan: one job for each row, seed and protocol; the same training in two studies is one job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.benchmark.plan import Plan, make_plan
from mmact_oneshot.harness.config.protocols import HEADLINE, PAPER
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.toy_runs import planned, study, task_with, workspace
from tests.helpers.toys import toy_settings, toy_store, toy_task

PROTONET = {"method": "protonet", "modalities": ["sensors"]}


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def plan_of(store: Store, out: Path, rows: list[dict[str, Any]], **changes: Any) -> Plan:
    return planned(workspace(out, task_with(rows, store, **changes)))[0]


def test_a_job_for_each_row_seed_and_protocol_seed_by_seed(store: Store, tmp_path: Path) -> None:
    rows = [PROTONET, {"method": "linear_probe", "modalities": ["sensors"]}]
    plan = plan_of(store, tmp_path, rows, seeds=[4, 5], suites=["test", "test-paper", "test-5shot"])
    assert [(job.seed, job.label, job.protocol, job.suites) for job in plan.jobs] == [
        (seed, label, protocol, suites)
        for seed in (4, 5)
        for label in ("protonet", "linear_probe")
        for protocol, suites in ((HEADLINE, ("test", "test-5shot")), (PAPER, ("test-paper",)))
    ]
    assert len({job.id for job in plan.jobs}) == 8
    assert len({job.row_id for job in plan.jobs}) == 4, "a search is shared by the seeds of a row"


def test_untrained_rows_run_once_for_all_seeds(store: Store, tmp_path: Path) -> None:
    rows = [
        PROTONET,
        {"method": "sensor_nn", "modalities": ["sensors"]},
        {"method": "sensor_nn", "modalities": ["video"]},
        {"method": "random", "modalities": ["video", "sensors"], "training": "end_to_end"},
    ]
    plan = plan_of(store, tmp_path, rows, seeds=[4, 5])
    assert sorted((job.label, job.seed, job.training) for job in plan.jobs if job.training == "none") == [
        ("random", 0, "none"), ("sensor_nn", 0, "none"), ("sensor_nn", 0, "none"),
    ]  # fmt: skip
    assert sorted(job.seed for job in plan.jobs if job.training == "frozen") == [4, 5]


def test_a_training_of_two_studies_is_one_job_with_the_suites_of_both(store: Store, tmp_path: Path) -> None:
    rows = [PROTONET, {**PROTONET, "training": "end_to_end"}]
    studies = study(rows[:1], "one", suites=["test"]) | study(rows, "two", suites=["test-5shot", "test"])
    plan = make_plan(workspace(tmp_path, toy_task(store, studies=studies)), ["one", "two"])
    assert [(job.training, job.suites) for job in plan.jobs] == [
        ("frozen", ("test", "test-5shot")), ("end_to_end", ("test-5shot", "test")),
    ]  # fmt: skip
    assert [[job.id for jobs in each.jobs for job in jobs] for each in plan.studies] == [
        [plan.jobs[0].id], [plan.jobs[0].id, plan.jobs[1].id],
    ]  # fmt: skip
    only_one = make_plan(workspace(tmp_path, toy_task(store, studies=studies)), ["one"])
    assert [job.suites for job in only_one.jobs] == [("test",)]


def test_a_study_may_have_seeds_of_its_own(store: Store, tmp_path: Path) -> None:
    studies = study([PROTONET], "one", seeds=[8]) | study([PROTONET], "two")
    plan = make_plan(workspace(tmp_path, toy_task(store, studies=studies, seeds=[1])), ["one", "two"])
    assert [job.seed for job in plan.jobs] == [8, 1]


def test_the_search_belongs_to_the_first_seed_and_the_headline(store: Store, tmp_path: Path) -> None:
    budget = toy_settings().frozen.model_dump() | {"search": [0.01, 0.1]}
    plan = plan_of(store, tmp_path, [PROTONET], seeds=[0, 3], suites=["test", "test-paper"], frozen=budget)
    searches = {job.search.id if job.search else "" for job in plan.jobs}
    (first,) = [job for job in plan.jobs if job.seed == 0 and job.protocol == HEADLINE]
    assert searches == {first.id}


def test_a_head_without_parameters_on_frozen_encoders_has_no_budget(store: Store, tmp_path: Path) -> None:
    plugin = tmp_path / "bare.py"
    plugin.write_text("from mmact_oneshot.harness.api import FewShotMethod\nclass Bare(FewShotMethod):\n    pass\n")
    rows = [{"method": str(plugin), "modalities": ["video"], "training": each} for each in ("frozen", "end_to_end")]
    frozen, end_to_end = plan_of(store, tmp_path, [*rows]).jobs
    assert frozen.budget is None
    assert end_to_end.budget == toy_settings().end_to_end


def test_features_of_a_frozen_encoder_are_taken_once_for_all_heads(store: Store, tmp_path: Path) -> None:
    rows = [
        PROTONET,
        {"method": "trx", "modalities": ["sensors"]},
        {"method": "can", "modalities": ["sensors"], "training": "end_to_end"},
    ]
    here = workspace(tmp_path, task_with(rows, store))
    (outputs,) = planned(here)[0].outputs(here.common).values()
    assert outputs == {"vector", "sequence"}, "of CAN, which trains its encoder, nothing"


@pytest.mark.parametrize(
    ("row", "changes", "message"),
    [
        (PROTONET, {"warm_start": {"objective": "none"}}, r"study toy, row protonet: the sensors encoder would be "
         r"frozen in its random initial state.*warm_start\.objective"),
        ({"method": "videomae", "modalities": ["video"], "initialisation": "scratch"}, {},
         r"study toy, row videomae: the method's own encoder would be frozen .* initialisation = .videomae."),
    ],
)  # fmt: skip
def test_an_encoder_is_not_frozen_in_a_random_state(
    store: Store, tmp_path: Path, row: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        plan_of(store, tmp_path, [row], **changes)
    assert plan_of(store, tmp_path, [{**row, "training": "end_to_end"}], **changes).jobs
    assert plan_of(store, tmp_path, [{"method": "random", "modalities": ["video"]}], **changes).jobs


@pytest.mark.parametrize("training", ["frozen", "end_to_end"])
def test_a_method_with_encoders_neither_shared_nor_pretrained_is_trained_end_to_end(
    store: Store, tmp_path: Path, training: str
) -> None:
    plugin = tmp_path / "own.py"
    plugin.write_text(
        "import torch\nfrom mmact_oneshot.harness.api import FewShotMethod, Needs\n"
        "class Own(FewShotMethod):\n    needs = Needs(outputs=())\n"
        "    def __init__(self, setup):\n        super().__init__(setup)\n        self.layer = torch.nn.Linear(2, 2)\n"
    )
    (job,) = plan_of(store, tmp_path, [{"method": str(plugin), "modalities": ["video"], "training": training}]).jobs
    assert job.training == "end_to_end"
