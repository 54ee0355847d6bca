"""What is recorded of a plan is set aside: all of it, nothing else, never the log, and the run does it again."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.benchmark.set_aside import FOLDER, set_aside
from mmact_oneshot.harness.benchmark.step_lease import step_lease
from mmact_oneshot.harness.benchmark.steps import all_steps
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.records import (
    EvaluationRecord,
    PretrainingRecord,
    RecordFolder,
    SkippedRecord,
    TrainingRecord,
)
from mmact_oneshot.harness.report import write_report
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.progress import Watcher
from mmact_oneshot.harness.training.workspace import Workspace
from tests.helpers.toy_runs import Interrupt, Titles, lasting, planned, run, task_with, workspace
from tests.helpers.toys import toy_settings, toy_store

pytestmark = pytest.mark.slow  # a dozen runs

ROWS = [
    {"method": "protonet", "modalities": ["sensors"]},
    {"method": "sensor_nn", "modalities": ["video"]},
    {"method": "random", "modalities": ["video"]},
    {"method": "videomae", "modalities": ["video"], "training": "end_to_end"},
]
SUITES = ["test", "test-cross-subject"]
BUDGET = toy_settings().frozen.model_dump() | {"search": [0.003, 0.02]}


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def place(store: Store, out: Path, watcher: Watcher | None = None, **changes: Any) -> Workspace:
    rows = changes.pop("rows", ROWS)
    return workspace(out, task_with(rows, store, **{"suites": SUITES, "frozen": BUDGET, **changes}), watcher)


@pytest.fixture(scope="module")
def done(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("again")
    run(place(store, out))
    return out


@pytest.fixture
def out(done: Path, tmp_path: Path) -> Path:
    """A copy of the complete run."""
    return Path(shutil.copytree(done, tmp_path / "run"))


def accesses(out: Path) -> list[dict[str, Any]]:
    return RecordFolder(out / "records").test_accesses.read() or []


def files(out: Path) -> dict[str, bytes]:
    """All files of a run but those that were set aside, and learning curves."""
    paths = (path for path in out.rglob("*") if path.is_file())
    names = {str(path.relative_to(out)): path for path in paths}
    return {
        name: path.read_bytes() for name, path in names.items() if name.split("/")[0] not in (FOLDER, "tensorboard")
    }


def test_all_of_a_plan_is_moved_and_done_again_with_the_same_results(done: Path, out: Path, store: Store) -> None:
    before, log = files(out), accesses(out)
    here = place(store, out)
    plan, steps = planned(here)
    assert steps == []
    target, moved = set_aside(here, plan)
    assert target == out / "replaced" / "1"
    assert {str(name): (target / name).read_bytes() for name in moved} == {
        name: content for name, content in before.items() if name not in files(out)
    }, "what was moved is all there, under the same names"
    left = files(out)
    assert {name.split("/")[1].split("-")[0] for name in left} == {"test_access.jsonl", "suite", "study"}
    kinds = {str(name.parent) for name in moved}
    assert kinds == {
        "checkpoints", "encoders", "pretraining", "records/evaluation", "records/predictions", "records/pretraining",
        "records/search", "records/skipped", "records/training",
    }  # fmt: skip
    titles = Titles()
    run(workspace(out, here.task, titles))
    assert len(titles.trials) == 2
    assert len(titles.pretrainings) == 1
    assert lasting(out) == lasting(done)
    assert files(out).keys() == before.keys()
    assert accesses(out)[: len(log)] == log, "the log is kept"
    assert len(accesses(out)) == 2 * len(log)


def test_a_part_is_moved_and_the_rest_stays(done: Path, out: Path, store: Store) -> None:
    """On all suites: weights that are made anew have no answers of the old ones beside theirs."""
    part, before = place(store, out, rows=ROWS[2:3], suites=["test"]), files(out)
    plan, _ = planned(part)
    (job,) = plan.jobs
    _, moved = set_aside(part, plan)
    kinds = {"training": [".json"], "evaluation": [".test-*.json"] * 2, "predictions": [".test-*.npz"] * 2}
    assert sorted(str(name.parent) for name in moved) == sorted(
        f"records/{kind}" for kind in kinds for _ in kinds[kind]
    )
    assert all(fnmatch(name.name, f"{job.id}{kinds[name.parent.name][0]}") for name in moved)
    assert {name: before[name] for name in files(out)} == files(out)
    run(part)
    (again,) = (out / "records" / "evaluation").glob(f"{job.id}.*.json")
    assert RecordFolder(out / "records").read(EvaluationRecord, again.stem).suite == "test"
    run(place(store, out))
    assert lasting(out) == lasting(done)


def test_each_time_has_a_folder_of_its_own(out: Path, store: Store) -> None:
    part = place(store, out, rows=ROWS[2:3])
    for number in (1, 2):
        target, moved = set_aside(part, planned(part)[0])
        assert (target.name, bool(moved)) == (str(number), True)
        run(part)
    target, moved = set_aside(place(store, out / "nothing"), planned(part)[0])
    assert moved == []
    assert not target.exists()


@pytest.mark.parametrize("title", ["protonet, sensors, frozen", "videomae pre-training"])
def test_a_repetition_that_is_cut_off_has_nothing_of_before_in_place_of_what_it_was_doing(
    done: Path, out: Path, store: Store, title: str
) -> None:
    here = place(store, out, Interrupt(title, 5))
    set_aside(here, planned(here)[0])
    with pytest.raises(KeyboardInterrupt):
        run(here)
    records, method = RecordFolder(out / "records"), title.split(",")[0].split(" ")[0]
    assert not [record for record in records.all(EvaluationRecord) if record.training.startswith(method)]
    if records.all(EvaluationRecord):
        write_report(out)
    before = len(accesses(out))
    titles = Titles()
    run(place(store, out, titles))
    assert any(title in each for each in titles.titles), "it goes on although nothing is set aside now"
    assert len(accesses(out)) == 2 * len(accesses(done))
    assert len(accesses(out)) > before
    assert lasting(out) == lasting(done)


def test_a_reason_that_holds_no_more_is_moved_too(out: Path, store: Store) -> None:
    """Such as a method that diverged where its library was an older one."""
    records = RecordFolder(out / "records")
    (record,) = [record for record in records.all(TrainingRecord) if record.method == "random"]
    common = {"volatile": {}, "method": "random", "modalities": ("video",), "training": "none"}
    records.write(SkippedRecord.model_validate({"id": record.id, "reason": "diverged", **common}))
    part = place(store, out, rows=ROWS[2:3])
    set_aside(part, planned(part)[0])
    run(part)
    assert not records.has(SkippedRecord, record.id)
    assert records.has(TrainingRecord, record.id)
    assert len(records.all(PretrainingRecord)) == 1


def test_a_broken_record_stops_a_run_before_it_begins(out: Path, store: Store) -> None:
    path = sorted(out.glob("records/evaluation/*.json"))[0]
    path.write_text("{}")
    titles = Titles()
    with pytest.raises(HarnessError) as refusal:
        run(place(store, out, titles))
    assert str(path) in str(refusal.value)
    assert not titles.titles


def test_a_step_that_another_process_is_doing_is_waited_for(store: Store, out: Path) -> None:
    """Its files are moved once it is done, and not from under it."""
    watcher = Titles()
    place_of_it = place(store, out, watcher)
    plan, _ = planned(place_of_it)
    step = next(iter(all_steps(place_of_it, plan).values()))
    with ThreadPoolExecutor(1) as elsewhere:
        with step_lease(place_of_it, step):
            moved = elsewhere.submit(set_aside, place_of_it, plan)
            with pytest.raises(TimeoutError):
                moved.result(timeout=1.0)
            assert not (out / FOLDER).exists()
        target, files = moved.result(timeout=60.0)
    assert target == out / FOLDER / "1"
    assert files
