"""Pre-training as a step of a run: which clips it reads, which rows begin from it, and that it is done once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmact_oneshot.harness.benchmark.set_aside import set_aside
from mmact_oneshot.harness.benchmark.steps import PretrainingStep
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.records import PretrainingRecord, RecordFolder, SkippedRecord, TrainingRecord
from mmact_oneshot.harness.runtime.progress import Watcher
from mmact_oneshot.harness.training.job import TrainingJob
from mmact_oneshot.harness.training.pretraining import run_pretraining
from mmact_oneshot.harness.training.workspace import Workspace
from tests.helpers.toy_runs import Interrupt, Titles, lasting, one, planned, run, task_with, workspace
from tests.helpers.toys import toy_store

pytestmark = pytest.mark.slow  # twelve rows are trained
VIDEO, SENSORS, BOTH = ["video"], ["sensors"], ["video", "sensors"]


def row(method: str, modalities: list[str], initialisation: str, **more: Any) -> dict[str, Any]:
    return {"method": method, "modalities": modalities, "initialisation": initialisation, **more}


def transformer(modalities: list[str], initialisation: str, method: str = "protonet") -> dict[str, Any]:
    return row(method, modalities, initialisation, encoder="transformer")


ROWS = [
    {"method": "protonet", "modalities": VIDEO},
    transformer(VIDEO, "scratch"),
    transformer(VIDEO, "prolonged"),
    transformer(VIDEO, "videomae"),
    transformer(VIDEO, "mu_mae"),
    transformer(SENSORS, "mu_mae"),
    transformer(SENSORS, "videomae"),
    transformer(BOTH, "mu_mae", "mu_mae"),
    row("mu_mae", BOTH, "mu_mae"),
    row("mu_mae", BOTH, "scratch", settings={"as_released": True}, training="end_to_end"),
    row("videomae", VIDEO, "videomae"),
    row("videomae", VIDEO, "videomae", training="end_to_end"),
]


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def place(store: Store, out: Path, watcher: Watcher | None = None, **changes: Any) -> Workspace:
    rows = changes.pop("rows", ROWS)
    return workspace(out, task_with(rows, store, **changes), watcher)


@pytest.fixture(scope="module")
def titles() -> Titles:
    return Titles()


@pytest.fixture(scope="module")
def done(store: Store, titles: Titles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pretraining")
    run(place(store, out, titles))
    return out


def trainings(out: Path) -> list[TrainingRecord]:
    return RecordFolder(out / "records").all(TrainingRecord)


def pretrainings(out: Path) -> list[PretrainingRecord]:
    return RecordFolder(out / "records").all(PretrainingRecord)


def test_each_pretraining_is_done_once_for_all_rows_that_begin_from_it(done: Path, titles: Titles) -> None:
    assert titles.pretrainings == [
        "videomae pre-training on video, seed 0",
        "mu_mae pre-training on video and sensors, seed 0",
    ]
    assert [record.method for record in pretrainings(done)] == ["mu_mae", "videomae"]


def test_a_record_names_the_shared_encoders_that_its_row_uses(done: Path) -> None:
    """Mu-MAE has a network of its own for each sensor, and deletes the shared one."""
    found = [record for record in trainings(done) if record.method == "mu_mae"]
    assert [set(record.encoders) for record in found] == [{"video"}] * len(found) != []
    assert all(record.volatile["encoders"].keys() == record.encoders.keys() for record in trainings(done))


def test_probes_are_recorded_and_change_nothing(done: Path, store: Store, tmp_path: Path) -> None:
    rows = [row("mu_mae", BOTH, "mu_mae")]
    probed = {"epochs": 2, "batch": 16, "checkpoints": 2, "probes": 2}
    plain = {**probed, "probes": 0}
    found = []
    for name, budget in {"probed": probed, "plain": plain}.items():
        here = place(store, tmp_path / name, rows=rows, pretraining=budget)
        (step,) = (step for step in planned(here)[1] if isinstance(step, PretrainingStep))
        run_pretraining(here, step.pretraining, step.seed)
        found += pretrainings(tmp_path / name)
    with_probes, without = found
    assert with_probes.id == without.id
    assert with_probes.state == without.state
    assert without.probes == []
    assert with_probes.steps == 9
    assert [step for step, _ in with_probes.probes] == [0, 5, 9]
    assert all(set(shares) == {"video", "sensors"} for _, shares in with_probes.probes)
    assert all(0 < share <= 1 for _, shares in with_probes.probes for share in shares.values())


def test_records_say_what_they_begin_from(done: Path) -> None:
    ids = {record.method: record.id for record in pretrainings(done)}
    for record in trainings(done):
        assert record.pretraining == ids.get(record.initialisation)
        assert (record.conditions["pretraining"] is not None) == (record.pretraining is not None)
    assert {record.initialisation for record in trainings(done)} == {"scratch", "prolonged", "videomae", "mu_mae"}


def test_rows_that_begin_differently_have_different_conditions(done: Path) -> None:
    found = {(r.conditions_digest, r.initialisation, r.encoder, r.modalities, r.training) for r in trainings(done)}
    assert len({digest for digest, *_ in found}) == len(found)


def test_scratch_prolonged_and_pretrained_encoders_differ_in_their_initial_state_alone(done: Path) -> None:
    notes = {
        record.initialisation: record.encoders["video"]
        for record in trainings(done)
        if record.encoder == "transformer" and record.modalities == ("video",)
    }
    assert notes["scratch"]["initial_state"] == notes["prolonged"]["initial_state"]
    assert len({note["initial_state"] for note in notes.values()}) == 3
    assert len({note["state"] for note in notes.values()}) == 4


def test_prolonged_gives_the_clip_passes_of_the_pretraining(done: Path, store: Store) -> None:
    plan, _ = planned(place(store, done))
    jobs = {job.initialisation.name: job for job in plan.jobs if job.settings.encoder == "transformer"}
    (mu_mae,) = [record for record in pretrainings(done) if record.method == "mu_mae"]

    def clips(job: TrainingJob) -> int:
        budget = job.settings.warm_start
        return budget.steps * budget.episodes_per_step * 5 * (1 + budget.queries)

    extra = clips(jobs["prolonged"]) - clips(jobs["scratch"])
    assert mu_mae.clips_seen <= extra < mu_mae.clips_seen + clips(jobs["scratch"]) / 6


def test_only_clips_of_the_base_classes_are_ever_read(store: Store, tmp_path: Path) -> None:
    task = task_with([transformer(VIDEO, "mu_mae")], store)
    base = set(task.role_rows("base").tolist())
    read: set[int] = set()

    class Watched(Store):
        def frames(self, row: int, picks: np.ndarray) -> np.ndarray:
            read.add(row)
            return super().frames(row, picks)

    watched = Watched(**{name: getattr(store, name) for name in store.__dataclass_fields__})
    # a sensor value of any other class would spoil the losses
    spoiled = {
        name: np.where(_of(task, "base")[:, None, None], values, np.nan) for name, values in store.sensors.items()
    }
    watched = replace(watched, sensors=spoiled)
    here = workspace(tmp_path, replace(task, store=watched))
    _, steps = planned(here)
    (step,) = (step for step in steps if isinstance(step, PretrainingStep))
    run_pretraining(here, step.pretraining, step.seed)
    assert read == base, "all of them, and nothing else"
    record = one(tmp_path, PretrainingRecord)
    assert all(np.isfinite(list(terms.values())).all() for _, terms in record.losses)
    assert record.classes == task.split.base


def _of(task: Task, role: str) -> np.ndarray:
    """(P,) bool: performances of a role."""
    found = np.zeros(len(next(iter(task.store.sensors.values()))), bool)
    found[task.store.performance[task.role_rows(role)]] = True
    return found


def test_what_is_done_is_not_done_again_and_once_where_it_is_set_aside(
    done: Path, store: Store, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(done, tmp_path / "run"))
    before, nothing = lasting(out), Titles()
    run(place(store, out, nothing))
    assert not nothing.titles
    assert lasting(out) == before
    again = Titles()
    part = place(store, out, again, rows=ROWS[4:6])
    set_aside(part, planned(part)[0])
    run(part)
    assert len(again.pretrainings) == 1
    assert lasting(out, studies=False) == lasting(done, studies=False)


def test_cut_off_in_a_pretraining_it_goes_on_to_the_same_records(done: Path, store: Store, tmp_path: Path) -> None:
    rows = [ROWS[4]]
    with pytest.raises(KeyboardInterrupt):
        run(place(store, tmp_path, Interrupt("mu_mae pre-training", 6), rows=rows))
    run(place(store, tmp_path, rows=rows))
    assert one(tmp_path, PretrainingRecord).volatile["resumed"] == 1
    assert lasting(tmp_path, studies=False).items() <= lasting(done).items()


def test_a_pretraining_without_the_modality_is_the_reason_why_a_row_has_no_figures(done: Path) -> None:
    skipped = RecordFolder(done / "records").all(SkippedRecord)
    assert [(record.method, record.reason) for record in skipped] == [
        ("protonet", "videomae was pre-trained on video only")
    ]
