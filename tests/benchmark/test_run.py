"""A whole run on generated recordings, from files on disk to records, in seconds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from mmact_oneshot.harness.benchmark.plan import make_plan
from mmact_oneshot.harness.benchmark.steps import unscored_suites
from mmact_oneshot.harness.data.splits import Split, clip_list, load_split
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.evaluation import evaluate
from mmact_oneshot.harness.evaluation.metrics import measure
from mmact_oneshot.harness.records import EvaluationRecord, RecordFolder, SkippedRecord, TrainingRecord
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.progress import Silent
from mmact_oneshot.harness.training.workspace import Workspace
from tests.conftest import STORE
from tests.helpers.toy_runs import Interrupt, lasting, one, planned, run, study, workspace
from tests.helpers.toys import CPU, toy_settings

ROWS = [
    {"method": "protonet", "modalities": ["video", "sensors"]},
    {"method": "protonet", "modalities": ["video", "sensors"], "training": "end_to_end"},
    {"method": "sensor_nn", "modalities": ["sensors"]},
    {"method": "sensor_nn", "modalities": ["video"]},
    {"method": "random", "modalities": ["video", "sensors"]},
]
BARE = """
from mmact_oneshot.harness.api import Features, FewShotMethod
from torch import Tensor

class Bare(FewShotMethod):
    def score(self, support: Features, query: Features) -> Tensor:
        return query["sensors.vector"] @ support["sensors.vector"].mean(dim=2).transpose(1, 2)
"""
NAN = BARE.replace(".transpose(1, 2)", ".transpose(1, 2) * float('nan')")


def split_of(store: Store) -> Split:
    """MMAct's split, cut down to the classes that were generated."""
    whole, found = load_split("mmact"), set(store.clips["class_name"])
    base, validation, novel = (
        tuple(n for n in names if n in found) for names in (whole.base, whole.validation, whole.novel)
    )
    return Split("mmact, cut down", "generated", base, validation, novel)


def task_of(store: Store, rows: Sequence[dict[str, Any]] = ROWS, **changes: Any) -> Task:
    settings = toy_settings(
        **{
            "store": STORE.model_dump(),
            "input": {"frames": 2, "size": 16, "sensor_length": 16},
            "suites": ["test", "test-cross-subject"],
            "studies": study(list(rows)),
            **changes,
        }
    )
    split = split_of(store)
    return Task(store, split, clip_list(split, store.manifest["generated"], store.clips), settings)


def place(store: Store, out: Path, rows: Sequence[dict[str, Any]] = ROWS, **changes: Any) -> Workspace:
    return workspace(out, task_of(store, rows, **changes))


@pytest.fixture(scope="module")
def done(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run."""
    out = tmp_path_factory.mktemp("run")
    run(place(store, out))
    return out


def test_every_row_is_recorded_or_skipped_with_its_reason(done: Path) -> None:
    folder = RecordFolder(done / "records")
    trained = {(record.method, record.training) for record in folder.all(TrainingRecord)}
    assert trained == {("protonet", "frozen"), ("protonet", "end_to_end"), ("sensor_nn", "none"), ("random", "none")}
    (skipped,) = folder.all(SkippedRecord)
    assert (skipped.method, skipped.modalities, skipped.reason) == ("sensor_nn", ("video",), "does not use video")
    assert len(folder.all(EvaluationRecord)) == 4 * 2


def test_the_figures_of_a_record_are_those_of_its_predictions(done: Path, store: Store) -> None:
    task, folder = task_of(store), RecordFolder(done / "records")
    for record in folder.all(EvaluationRecord):
        suite = task.suite(record.suite)
        predicted, label = folder.read_predictions(record)
        np.testing.assert_array_equal(label, suite.draws.label)
        metrics = measure(predicted, suite.draws, len(suite.classes))
        assert record.suite_digest == suite.digest
        assert record.accuracy == metrics.accuracy == pytest.approx((predicted == label).mean())
        assert record.scored == record.episodes == 40
        np.testing.assert_array_equal(record.confusion, metrics.confusion)
        assert np.asarray(record.confusion).sum() == 40 * 5
        assert record.training in {training.id for training in folder.all(TrainingRecord)}


def test_records_say_what_was_trained_on_what(done: Path, store: Store) -> None:
    records = {(r.method, r.training): r for r in RecordFolder(done / "records").all(TrainingRecord)}
    frozen, end_to_end, control = (
        records[key] for key in (("protonet", "frozen"), ("protonet", "end_to_end"), ("random", "none"))
    )
    assert frozen.data["generated"] == store.manifest["generated"], "marked as generated in every record"
    assert frozen.data["complete"] is True
    assert frozen.conditions_digest != end_to_end.conditions_digest
    assert [step for step, _ in frozen.validations] == [2, 4, 6]
    assert frozen.best_step in {2, 4, 6}
    assert frozen.parameters["trained"] < frozen.parameters["total"] == end_to_end.parameters["trained"]
    assert control.parameters == {"total": 0, "trained": 0}
    assert control.validations == []
    for modality in ("video", "sensors"):
        note = frozen.encoders[modality]
        assert note == end_to_end.encoders[modality], "every row begins from the same encoders"
        assert note["initial_state"] != note["state"]


def test_checkpoints_hold_weights_alone(done: Path) -> None:
    files = {path.stem: path for path in (done / "checkpoints").iterdir()}
    assert {path.suffix for path in files.values()} == {".safetensors"}, "no state of a finished training is left"
    names = {}
    for identity, path in files.items():
        with safe_open(path, framework="pt") as file:
            names[identity.split("-")[2]] = {name.split(".")[0] for name in file.keys()}  # noqa: SIM118
    assert names == {"frozen": {"log_scale", "fusion"}, "end_to_end": {"log_scale", "fusion", "encoders"}}, (
        "frozen encoders are kept once, for all heads"
    )


def test_test_accesses_and_curves_are_logged(done: Path) -> None:
    lines = (done / "records" / "test_access.jsonl").read_text().splitlines()
    assert len(lines) == 4 * 2
    assert {json.loads(line)["suite"] for line in lines} == {"test", "test-cross-subject"}
    assert len(list((done / "tensorboard").iterdir())) == 2 + 2


def test_the_last_check_does_not_count_as_scoring(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    def check(*given: Any) -> None:
        clock[0] += 60.0

    monkeypatch.setattr(evaluate, "require_alone", check)
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    run(place(store, tmp_path, [{"method": "random", "modalities": ["sensors"]}], suites=["test"]))
    assert clock == [60.0]
    assert one(tmp_path, EvaluationRecord).volatile["seconds"]["score"] == 0.0


def test_a_second_run_does_nothing(done: Path, store: Store) -> None:
    def written() -> dict[Path, int]:
        studies = done / "records" / "study"  # written by every run, with the same content
        return {p: p.stat().st_mtime_ns for p in done.rglob("*") if p.is_file() and p.parent != studies}

    before, content = written(), lasting(done)
    plan, steps = planned(place(store, done))
    assert len(plan.jobs) == 5
    assert steps == []
    run(place(store, done))
    assert written() == before
    assert lasting(done) == content


@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "step"),
    [
        ("warm start of the sensors encoder", 3),
        ("protonet, both, frozen", 5),
        ("protonet, both, end_to_end", 5),
    ],
)
def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(
    done: Path, store: Store, tmp_path: Path, title: str, step: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(workspace(tmp_path, task_of(store), Interrupt(title, step)))
    assert len(lasting(tmp_path)) < len(lasting(done))
    run(place(store, tmp_path))
    assert lasting(tmp_path) == lasting(done)


def test_a_new_row_leaves_the_rest_alone(done: Path, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(done, out)
    before = lasting(out, studies=False)
    plugin = tmp_path / "bare.py"
    plugin.write_text(BARE)
    added = place(store, out, [*ROWS, {"method": str(plugin), "modalities": ["sensors"]}])
    run(added)
    after = lasting(out, studies=False)
    assert {name: after[name] for name in before} == before
    new = {name for name in after if name not in before}
    assert {name.split("/")[0] for name in new} == {"training", "evaluation"}
    (training,) = (after[name] for name in new if name.startswith("training"))
    assert (training["method"], training["training"]) == ("bare", "frozen")
    assert training["parameters"]["trained"] == 0, "a head without parameters on the shared encoders"
    assert training["method_source"] != "built-in"
    plugin.write_text(BARE + "\n# edited\n")
    edited = planned(added)[0].jobs[-1]
    assert unscored_suites(added, edited) == ("test", "test-cross-subject"), "an edited plugin is run again"


def test_incomplete_recordings_are_scored_where_they_can_be_and_say_so(store: Store, tmp_path: Path) -> None:
    lacking = replace(store, clips=store.clips.copy())
    gone = int(np.flatnonzero(lacking.clips["class_name"] == split_of(store).novel[0])[0])
    lacking.clips.loc[gone, "video"] = False
    here = place(lacking, tmp_path, [ROWS[2]], suites=["test"])
    run(here)
    training, evaluation = one(tmp_path, TrainingRecord), one(tmp_path, EvaluationRecord)
    assert training.data["complete"] is False
    assert training.data["clips_usable"] == training.data["clips_listed"] - 1 == 47
    assert 2 < evaluation.scored < evaluation.episodes == 40
    suite = here.task.suite("test")
    assert suite.digest == task_of(store).suite("test").digest, "the episodes are those of the complete data"
    predicted, _ = here.records.read_predictions(evaluation)
    assert ((predicted == -1).all(axis=1)).sum() == 40 - evaluation.scored


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (ROWS, {"suites": ["tset"]}, "no suite 'tset'.*Did you mean 'test'"),
        (ROWS, {"suites": ["test-cross-view"]}, "suite 'test-cross-view' is impossible"),
        (ROWS, {"suites": ["val"]}, "suite 'val' is for selection"),
        ([{"method": "protnet", "modalities": ["video"]}], {}, "Did you mean 'protonet'"),
        ([{**ROWS[0], "settings": {"projektion": 3}}], {}, "no setting 'projektion'.*'projection'"),
    ],
)
def test_a_run_that_cannot_end_is_refused_before_anything_is_trained(
    store: Store, tmp_path: Path, rows: list[dict[str, Any]], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        run(place(store, tmp_path, rows, **changes))
    assert not (tmp_path / "encoders").exists()


def test_recordings_without_any_usable_clip_of_a_role_are_refused(store: Store, tmp_path: Path) -> None:
    lacking = replace(store, clips=store.clips.assign(video=~store.clips["class_name"].isin(split_of(store).novel)))
    with pytest.raises(HarnessError, match=r"no clip of the novel classes could be used.*data verify"):
        run(place(lacking, tmp_path))


def test_fewer_episodes_or_another_precision_do_not_stand_in_for_the_whole(done: Path, store: Store) -> None:
    whole = {job.id for job in make_plan(place(store, done), ["toy"]).jobs}
    fewer = place(store, done, episodes=20)
    jobs = make_plan(fewer, ["toy"]).jobs
    assert all(unscored_suites(fewer, job) for job in jobs if job.label != "sensor_nn")
    assert not {job.id for job in jobs} & whole, "there are fewer validation episodes too"
    half = Workspace(task_of(store), done, replace(CPU, precision="bfloat16"), Silent())
    assert whole.isdisjoint(job.id for job in make_plan(half, ["toy"]).jobs)


def test_a_diverged_row_is_recorded_so_and_the_others_go_on(store: Store, tmp_path: Path) -> None:
    plugin = tmp_path / "diverges.py"
    plugin.write_text(NAN)
    out = tmp_path / "run"
    run(place(store, out, [{"method": str(plugin), "modalities": ["sensors"]}, ROWS[-1]], suites=["test"]))
    skipped = one(out, SkippedRecord)
    assert skipped.method == "diverges"
    assert "not finite" in skipped.reason
    records = RecordFolder(out / "records").all(TrainingRecord)
    assert [record.method for record in records if record.training == "none"] == ["random"]


def test_a_modality_that_no_clip_has_is_a_reason_not_a_figure(store: Store, tmp_path: Path) -> None:
    deaf = replace(store, measured={name: np.zeros_like(values) for name, values in store.measured.items()})
    run(place(deaf, tmp_path, [{"method": "protonet", "modalities": ["sensors"]}], suites=["test"]))
    folder = RecordFolder(tmp_path / "records")
    assert folder.all(EvaluationRecord) == []
    assert [record.reason for record in folder.all(SkippedRecord)] == ["no clip of this data set has sensors"]


def test_missing_predictions_are_made_again(done: Path, store: Store, tmp_path: Path) -> None:
    out = Path(shutil.copytree(done, tmp_path / "run"))
    (path,) = (out / "records" / "predictions").glob("sensor_nn*.test-????????.npz")
    path.unlink()
    run(place(store, out))
    assert lasting(out) == lasting(done)
    assert path.is_file()
