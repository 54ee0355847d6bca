"""The main job on generated recordings, from files on disk to records, in seconds."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

from harness.benchmark.run import Benchmark
from harness.data.splits import Split, clip_list, load_split
from harness.data.store import Store
from harness.data.task.task import Task
from harness.evaluation.metrics import measure
from harness.records import EvaluationRecord, RecordFolder, SkippedRecord, TrainingRecord
from harness.report.statistics import episode_interval
from harness.runtime.errors import HarnessError
from harness.runtime.progress import Silent
from tests.conftest import STORE
from tests.helpers.toys import CPU, toy_settings

ROWS = [
    {"method": "protonet", "modalities": ["video", "sensors"]},
    {"method": "protonet", "modalities": ["video", "sensors"], "regime": "tuned"},
    {"method": "sensor_nn", "modalities": ["sensors"]},
    {"method": "sensor_nn", "modalities": ["video"]},
    {"method": "random", "modalities": ["video", "sensors"]},
]
BARE = """
from harness.api import Features, FewShotMethod
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


def task_of(store: Store, **changes: Any) -> Task:
    settings = toy_settings(
        **{
            "store": STORE.model_dump(),
            "input": {"frames": 2, "size": 16, "sensor_length": 16},
            "suites": ["test", "test-cross-subject"],
            "rows": ROWS,
            **changes,
        }
    )
    split = split_of(store)
    return Task(store, split, clip_list(split, store.manifest["generated"], store.clips), settings)


class Stop(Silent):
    """Ctrl-C at a step of the training whose title begins so."""

    def __init__(self, title: str, step: int) -> None:
        self.title, self.step, self.current = title, step, ""

    def begin(self, title: str, total: int | None) -> None:
        self.current = title

    def advance(self, done: int, total: int | None = None, note: str = "") -> None:
        if self.current.startswith(self.title) and done >= self.step:
            raise KeyboardInterrupt


def lasting(out: Path) -> dict[str, Any]:
    """Everything of the records but what may differ from run to run, and the digests of the predictions."""
    found: dict[str, Any] = {}
    for path in sorted((out / "records").rglob("*.json")):
        content = json.loads(path.read_text())
        assert content.pop("volatile") is not None
        found[f"{path.parent.name}/{path.name}"] = content
    return found


@pytest.fixture(scope="module")
def done(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run."""
    out = tmp_path_factory.mktemp("run")
    Benchmark(task_of(store), out, CPU).run()
    return out


def test_every_row_is_recorded_or_skipped_with_its_reason(done: Path) -> None:
    folder = RecordFolder(done / "records")
    trained = {(record.method, record.regime) for record in folder.all(TrainingRecord)}
    assert trained == {
        ("protonet", "frozen"), ("protonet", "tuned"), ("sensor_nn", "untrained"), ("random", "untrained"),
    }  # fmt: skip
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
        interval = episode_interval(metrics.episode_accuracy)
        assert record.suite_digest == suite.digest
        assert (record.accuracy, record.standard_error) == (interval.mean, interval.standard_error)
        assert record.interval == (interval.low, interval.high)
        assert record.scored == record.episodes == 40
        assert np.asarray(record.confusion).sum() == 40 * 5
        assert record.training in {training.id for training in folder.all(TrainingRecord)}


def test_records_say_what_was_trained_on_what(done: Path, store: Store) -> None:
    records = {(r.method, r.regime): r for r in RecordFolder(done / "records").all(TrainingRecord)}
    frozen, tuned, control = (
        records[key] for key in (("protonet", "frozen"), ("protonet", "tuned"), ("random", "untrained"))
    )
    assert frozen.data["generated"] == store.manifest["generated"], "marked as generated in every record"
    assert frozen.data["complete"] is True
    assert frozen.training_digest != tuned.training_digest
    assert [step for step, _ in frozen.selection] == [2, 4, 6]
    assert frozen.best_step in {2, 4, 6}
    assert frozen.parameters["trained"] < frozen.parameters["total"] == tuned.parameters["trained"]
    assert control.parameters == {"total": 0, "trained": 0}
    assert control.selection == []
    for modality in ("video", "sensors"):
        note = frozen.encoders[modality]
        assert note == tuned.encoders[modality], "every row starts from the same encoders"
        assert note["initial_state"] != note["state"]


def test_checkpoints_hold_weights_alone(done: Path) -> None:
    files = sorted((done / "checkpoints").iterdir())
    assert [path.suffix for path in files] == [".safetensors"] * 2, "no state of a finished training is left"
    names = []
    for path in files:
        with safe_open(path, framework="pt") as file:
            names.append({name.split(".")[0] for name in file.keys()})  # noqa: SIM118
    assert names == [{"log_scale", "fusion"}, {"log_scale", "fusion", "encoders"}], "shared encoders are kept once"


def test_test_accesses_and_curves_are_logged(done: Path) -> None:
    lines = (done / "records" / "test_access.jsonl").read_text().splitlines()
    assert len(lines) == 4 * 2
    assert {json.loads(line)["suite"] for line in lines} == {"test", "test-cross-subject"}
    assert len(list((done / "tensorboard").iterdir())) == 2 + 2


def test_a_second_run_does_nothing(done: Path, store: Store) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*") if path.is_file()}
    again = Benchmark(task_of(store), done, CPU)
    assert [again.todo(job) for job in again.jobs] == [()] * 5
    again.run()
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("title", "step"), [("shared sensors encoder", 3), ("protonet, both, frozen", 5), ("protonet, both, tuned", 5)]
)
def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(
    done: Path, store: Store, tmp_path: Path, title: str, step: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        Benchmark(task_of(store), tmp_path, CPU, Stop(title, step)).run()
    assert len(lasting(tmp_path)) < len(lasting(done))
    Benchmark(task_of(store), tmp_path, CPU).run()
    assert lasting(tmp_path) == lasting(done)


def test_a_new_row_leaves_the_rest_alone(done: Path, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(done, out)
    before = lasting(out)
    plugin = tmp_path / "bare.py"
    plugin.write_text(BARE)
    task = task_of(store, rows=[*ROWS, {"method": str(plugin), "modalities": ["sensors"]}])
    Benchmark(task, out, CPU).run()
    after = lasting(out)
    assert {name: after[name] for name in before} == before
    new = {name for name in after if name not in before}
    assert {name.split("/")[0] for name in new} == {"training", "evaluation"}
    (training,) = (after[name] for name in new if name.startswith("training"))
    assert (training["method"], training["regime"]) == ("bare", "frozen")
    assert training["parameters"]["trained"] == 0, "a head without parameters on the shared encoders"
    assert training["method_source"] != "built-in"
    plugin.write_text(BARE + "\n# edited\n")
    edited = Benchmark(task, out, CPU)
    assert edited.todo(edited.jobs[-1]) == ("test", "test-cross-subject"), "an edited plugin is run again"


def test_untrained_rows_run_once_for_all_seeds(store: Store, tmp_path: Path) -> None:
    jobs = Benchmark(task_of(store, seeds=[4, 5]), tmp_path, CPU).jobs
    assert sorted((job.label, job.seed) for job in jobs if job.regime == "untrained") == [
        ("random", 0), ("sensor_nn", 0), ("sensor_nn", 0),
    ]  # fmt: skip
    assert sorted(job.seed for job in jobs if job.regime == "tuned") == [4, 5]
    assert len({job.id for job in jobs}) == len(jobs)


def test_incomplete_recordings_are_scored_where_they_can_be_and_say_so(store: Store, tmp_path: Path) -> None:
    lacking = replace(store, clips=store.clips.copy())
    gone = int(np.flatnonzero(lacking.clips["class_name"] == split_of(store).novel[0])[0])
    lacking.clips.loc[gone, "video"] = False
    task = task_of(lacking, rows=[ROWS[2]], suites=["test"])
    Benchmark(task, tmp_path, CPU).run()
    folder = RecordFolder(tmp_path / "records")
    (training,), (evaluation,) = folder.all(TrainingRecord), folder.all(EvaluationRecord)
    assert training.data["complete"] is False
    assert training.data["clips_usable"] == training.data["clips_listed"] - 1 == 47
    assert 2 < evaluation.scored < evaluation.episodes == 40
    suite = task.suite("test")
    assert suite.digest == task_of(store).suite("test").digest, "the episodes are those of the complete data"
    predicted, _ = folder.read_predictions(evaluation)
    assert ((predicted == -1).all(axis=1)).sum() == 40 - evaluation.scored


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"suites": ["tset"]}, "no suite 'tset'.*Did you mean 'test'"),
        ({"suites": ["test-cross-view"]}, "suite 'test-cross-view' is impossible"),
        ({"suites": ["val"]}, "suite 'val' is for selection"),
        ({"rows": [{"method": "protnet", "modalities": ["video"]}]}, "Did you mean 'protonet'"),
        ({"rows": [{**ROWS[0], "settings": {"projektion": 3}}]}, "no setting 'projektion'.*'projection'"),
    ],
)
def test_a_run_that_cannot_end_is_refused_before_anything_is_trained(
    store: Store, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        Benchmark(task_of(store, **changes), tmp_path, CPU).run()
    assert not (tmp_path / "encoders").exists()


def test_recordings_without_any_usable_clip_of_a_role_are_refused(store: Store, tmp_path: Path) -> None:
    lacking = replace(store, clips=store.clips.assign(video=~store.clips["class_name"].isin(split_of(store).novel)))
    with pytest.raises(HarnessError, match=r"no clip of the novel classes could be used.*data verify"):
        Benchmark(task_of(lacking), tmp_path, CPU).run()


def test_a_smoke_run_does_not_stand_in_for_the_whole(done: Path, store: Store) -> None:
    """Fewer episodes, another precision: other results, so nothing recorded counts as done."""
    fewer = Benchmark(task_of(store, episodes=20), done, CPU)
    assert all(fewer.todo(job) for job in fewer.jobs if job.label != "sensor_nn")
    assert not {job.id for job in fewer.jobs} & {job.id for job in Benchmark(task_of(store), done, CPU).jobs}
    half = Benchmark(task_of(store), done, replace(CPU, precision="bfloat16"))
    assert {job.id for job in half.jobs}.isdisjoint(job.id for job in Benchmark(task_of(store), done, CPU).jobs)


def test_a_diverged_row_is_recorded_so_and_the_others_go_on(store: Store, tmp_path: Path) -> None:
    plugin = tmp_path / "diverges.py"
    plugin.write_text(NAN)
    task = task_of(store, rows=[{"method": str(plugin), "modalities": ["sensors"]}, ROWS[-1]], suites=["test"])
    Benchmark(task, tmp_path / "run", CPU).run()
    folder = RecordFolder(tmp_path / "run" / "records")
    (skipped,) = folder.all(SkippedRecord)
    assert skipped.method == "diverges"
    assert "not finite" in skipped.reason
    assert [record.method for record in folder.all(TrainingRecord) if record.regime == "untrained"] != []


def test_a_modality_that_no_clip_has_is_a_reason_not_a_figure(store: Store, tmp_path: Path) -> None:
    deaf = replace(store, measured={name: np.zeros_like(values) for name, values in store.measured.items()})
    task = task_of(deaf, rows=[{"method": "protonet", "modalities": ["sensors"]}], suites=["test"])
    Benchmark(task, tmp_path, CPU).run()
    folder = RecordFolder(tmp_path / "records")
    assert folder.all(EvaluationRecord) == []
    assert [record.reason for record in folder.all(SkippedRecord)] == ["no clip of this data set has sensors"]


def test_force_trains_the_shared_encoders_again(done: Path, store: Store, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(done, out)
    before = {path.name: path.stat().st_mtime_ns for path in (out / "encoders").iterdir()}
    Benchmark(task_of(store), out, CPU, force=True).run()
    after = {path.name: path.stat().st_mtime_ns for path in (out / "encoders").iterdir()}
    assert before.keys() == after.keys()
    assert all(after[name] > before[name] for name in before)
    assert lasting(out) == lasting(done)
