"""What was computed is neither lost nor mixed: rows trained again, other numbers of episodes, a full disk."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest

from mmact_oneshot.harness.benchmark import row
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.records import EvaluationRecord, RecordFolder, TrainingRecord
from mmact_oneshot.harness.report import read_report
from mmact_oneshot.harness.runtime.progress import Watcher
from mmact_oneshot.harness.training import rate_search, warm_start
from mmact_oneshot.harness.training.checkpoint import load_weights, save_weights
from mmact_oneshot.harness.training.feature_cache import FeatureCache
from mmact_oneshot.harness.training.frozen_features import FrozenFeatures
from mmact_oneshot.harness.training.method_training import MethodTraining
from mmact_oneshot.harness.training.warm_start import warm_started_encoder
from mmact_oneshot.harness.training.workspace import Workspace
from tests.helpers.edited_records import edit
from tests.helpers.pretrainings import Steps
from tests.helpers.toy_runs import one, planned, run, task_with, workspace
from tests.helpers.toys import toy_settings, toy_store

ROWS = [{"method": "protonet", "modalities": ["sensors"], "training": "end_to_end"}]
BUDGET = toy_settings().end_to_end.model_dump() | {"steps": 6, "validations": 3}


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def place(store: Store, out: Path, watcher: Watcher | None = None, **changes: Any) -> Workspace:
    changes = {"suites": ["test"], "end_to_end": BUDGET, "rows": ROWS, **changes}
    return workspace(out, task_with(changes.pop("rows"), store, **changes), watcher)


@pytest.fixture(scope="module")
def done(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("once")
    run(place(store, out))
    return out


@pytest.fixture
def out(done: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_row_whose_weights_were_removed_comes_out_the_same_and_keeps_its_records(out: Path, store: Store) -> None:
    records = out / "records"
    before = contents(records / "training") | contents(records / "evaluation")
    shutil.rmtree(out / "checkpoints")
    run(place(store, out, suites=["test", "test-cross-subject"]))
    after = contents(records / "training") | contents(records / "evaluation")
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1
    assert list((out / "checkpoints").iterdir())
    assert not (out / "replaced").exists()


def test_a_row_that_comes_out_otherwise_keeps_no_answers_of_the_one_before(out: Path, store: Store) -> None:
    """As on another machine, where sums are taken in another order."""
    shutil.rmtree(out / "checkpoints")
    (path,) = (out / "records" / "training").iterdir()
    (scored,) = (out / "records" / "evaluation").iterdir()
    edit(path, best_step=1)
    run(place(store, out, suites=["test", "test-cross-subject"]))
    assert one(out, TrainingRecord).best_step != 1
    evaluations = RecordFolder(out / "records").all(EvaluationRecord)
    assert {each.suite for each in evaluations} == {"test", "test-cross-subject"}, "both are scored with these weights"
    assert {each.name for each in (out / "replaced" / "1").rglob("*.json")} == {path.name, scored.name}
    assert len(RecordFolder(out / "records").test_accesses.read() or ()) == 3
    assert len(read_report(out / "records").studies) == 1


def test_another_number_of_episodes_stands_beside_the_first(store: Store, tmp_path: Path) -> None:
    """The validation episodes are the same, and so is the training: nothing of it is done again, nothing replaced."""
    fixed: dict[str, Any] = {"validation_episodes": 20}
    run(place(store, tmp_path, episodes=30, **fixed))
    first = contents(tmp_path / "records" / "evaluation") | contents(tmp_path / "records" / "predictions")
    steps = Steps()
    run(place(store, tmp_path, steps, episodes=40, **fixed))
    assert not steps.done, "nothing is trained again"
    after = contents(tmp_path / "records" / "evaluation") | contents(tmp_path / "records" / "predictions")
    assert {name: after[name] for name in first} == first
    assert sorted(each.episodes for each in RecordFolder(tmp_path / "records").all(EvaluationRecord)) == [30, 40]
    assert planned(place(store, tmp_path, episodes=30, **fixed))[1] == []
    (study,) = read_report(tmp_path / "records").studies
    assert sorted(len(results.suite) for results in study.suites) == [30, 40]


class FullDisk:
    """Weights cannot be written, the first time."""

    def __init__(self) -> None:
        self.full = True

    def __call__(self, *arguments: Any) -> None:
        if self.full:
            self.full = False
            raise OSError(errno.ENOSPC, "No space left on device")
        save_weights(*arguments)


@pytest.mark.parametrize("module", [row, rate_search, warm_start])
def test_a_training_whose_weights_cannot_be_written_goes_on_from_its_last_state(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    budget = BUDGET | ({"search": [0.003, 0.02]} if module is rate_search else {})
    monkeypatch.setattr(module, "save_weights", FullDisk())
    with pytest.raises(OSError, match="No space left"):
        run(place(store, tmp_path, end_to_end=budget))
    assert list(tmp_path.rglob("*.state")), "of a training that is done and not kept"
    steps = Steps()
    run(place(store, tmp_path, steps, end_to_end=budget))
    assert steps.done[0] > 1, "not from the beginning"
    assert not list(tmp_path.rglob("*.state"))
    assert one(tmp_path, EvaluationRecord)


def test_features_of_an_encoder_that_was_trained_again_are_not_those_of_the_one_before(
    store: Store, tmp_path: Path
) -> None:
    """It has the same name: its settings are the same."""
    rows = [{"method": "protonet", "modalities": ["sensors"]}]
    cache = FeatureCache(tmp_path / "features", 1 << 24)

    def features() -> Any:
        here = place(store, tmp_path, rows=rows)
        plan, _ = planned(here)
        (job,) = plan.jobs
        training = MethodTraining(here, FrozenFeatures(here, plan.outputs(here.common), cache))
        method, _ = training.build(job)
        return training.encoded(job, method, "novel").leaves["sensors.vector"].clone()

    run(place(store, tmp_path, rows=rows))
    before = features()
    assert (features() == before).all(), "out of the cache"
    (path,) = (tmp_path / "encoders").glob("*.safetensors")
    here = place(store, tmp_path, rows=rows)
    ((key,),) = [job.encoder_keys(here.common).values() for job in planned(here)[0].jobs]
    encoder, _ = warm_started_encoder(here, key)
    notes = load_weights(path, encoder)
    state = {name: value * 1.5 if value.is_floating_point() else value for name, value in encoder.state_dict().items()}
    save_weights(path, state, notes | {"state": "another"})
    assert not (features() == before).all()
