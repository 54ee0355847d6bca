"""Clips and features without a modality or a sensor: as if it had not been recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips, Features
from mmact_oneshot.harness.benchmark.plan import Plan
from mmact_oneshot.harness.benchmark.run import run_plan
from mmact_oneshot.harness.benchmark.steps import RowStep
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.evaluation.features import FeatureTable
from mmact_oneshot.harness.training.frozen_features import FrozenFeatures
from mmact_oneshot.harness.training.method_training import MethodTraining
from tests.helpers.toy_runs import planned, task_with, workspace
from tests.helpers.toys import CPU, toy_store, toy_task

BOTH = ("video", "sensors")
ROWS = [
    {"method": "protonet", "modalities": list(BOTH), "training": "frozen"},
    {"method": "protonet", "modalities": list(BOTH), "training": "end_to_end"},
    {"method": "mu_mae", "modalities": list(BOTH), "training": "end_to_end"},
    {"method": "mu_mae", "modalities": list(BOTH), "training": "frozen", "initialisation": "mu_mae"},
]


@pytest.fixture(scope="module")
def store() -> Store:
    """The toy store; the first clip's accelerometer was not recorded."""
    whole = toy_store()
    measured = {name: values.copy() for name, values in whole.measured.items()}
    measured["acc"][whole.performance[0]] = False
    return replace(whole, measured=measured)


def load(store: Store, without: str = "", modalities: tuple[str, ...] = BOTH) -> Clips:
    spec = toy_task(store).settings.input
    return ClipSource(store, spec, modalities, without=without).load(np.arange(6)).to("cpu")


def same(one: Tensor | None, other: Tensor | None) -> bool:
    assert one is not None
    assert other is not None
    return torch.equal(one, other)


def test_without_video_the_sensors_are_untouched(store: Store) -> None:
    whole, clips = load(store), load(store, "video")
    assert clips.video is not None
    assert whole.video is not None
    assert whole.video.any()
    assert clips.video.shape == whole.video.shape
    assert not clips.video.any()
    assert not clips.present["video"].any()
    for name in ("acc", "gyro"):
        assert same(clips.sensors[name], whole.sensors[name])
        assert same(clips.sensor_mask[name], whole.sensor_mask[name])
    assert all(same(clips.present[name], whole.present[name]) for name in ("acc", "gyro", "sensors"))


def test_without_sensors_the_video_is_untouched(store: Store) -> None:
    whole, clips = load(store), load(store, "sensors")
    assert same(clips.video, whole.video)
    assert clips.present["video"].all()
    for name in ("acc", "gyro"):
        assert not clips.sensors[name].any()
        assert not clips.sensor_mask[name].any()
        assert clips.sensors[name].dtype == whole.sensors[name].dtype
    assert not any(clips.present[name].any() for name in ("acc", "gyro", "sensors"))


def test_without_one_sensor_there_are_sensors_while_another_was_recorded(store: Store) -> None:
    whole, clips = load(store), load(store, "gyro")
    assert same(clips.sensors["acc"], whole.sensors["acc"])
    assert same(clips.sensor_mask["acc"], whole.sensor_mask["acc"])
    assert not clips.sensors["gyro"].any()
    assert not clips.sensor_mask["gyro"].any()
    assert whole.present["sensors"].all()
    recorded = torch.from_numpy(store.measured["acc"][store.performance[:6]].any(axis=1))
    assert not recorded[0]
    assert recorded.any()
    assert same(clips.present["sensors"], recorded)
    assert same(clips.present["acc"], recorded)
    assert not clips.present["gyro"].any()


def test_what_is_not_loaded_cannot_be_missed(store: Store) -> None:
    for without, modalities in (("video", ("sensors",)), ("sensors", ("video",)), ("gyro", ("video",))):
        whole, clips = load(store, "", modalities), load(store, without, modalities)
        assert clips.present.keys() == whole.present.keys()
        assert all(same(clips.present[name], whole.present[name]) for name in whole.present)
        assert (clips.video is None) == ("video" not in modalities)


@pytest.fixture(scope="module")
def training(store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[MethodTraining, Plan]:
    """All that the rows begin from is trained; none of the rows is."""
    pretraining = {"epochs": 1, "batch": 16, "checkpoints": 1, "picture": False}
    place = workspace(tmp_path_factory.mktemp("ablation"), task_with(ROWS, store, pretraining=pretraining))
    plan, steps = planned(place)
    run_plan(place, plan, [step for step in steps if not isinstance(step, RowStep)])
    return MethodTraining(place, FrozenFeatures(place, plan.outputs(place.common))), plan


def leaves(table: FeatureTable, rows: np.ndarray) -> Features:
    return table.gather(rows, CPU.torch)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(ROWS)))
@pytest.mark.parametrize("without", ["", "video", "sensors", "acc"])
def test_encoded_clips_are_those_of_the_method_on_altered_clips(
    training: tuple[MethodTraining, Plan], number: int, without: str
) -> None:
    trainer, plan = training
    job = plan.jobs[number]
    method, _ = trainer.build(job)
    rows = trainer.workspace.task.role_rows("novel")
    found = leaves(trainer.encoded(job, method, "novel", without), rows)
    with torch.no_grad():
        clips = trainer.clips(job, without).load(rows).to("cpu")
        expected = method.eval().encode(clips)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        kept = value.half().float() if value.is_floating_point() else value  # tables hold half precision
        torch.testing.assert_close(found[name], kept, rtol=2e-3, atol=2e-3)
    if without in BOTH and f"{without}.present" in found:
        assert not found[f"{without}.present"].any()


@pytest.mark.slow
def test_frozen_features_of_the_other_modality_are_the_cached_ones(
    training: tuple[MethodTraining, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, plan = training
    job = plan.jobs[0]
    assert job.training == "frozen"
    method, _ = trainer.build(job)
    whole = trainer.encoded(job, method, "novel")
    for without in (*BOTH, "gyro"):
        trainer.encoded(job, method, "novel", without)

    def again(*_: object, **__: object) -> FeatureTable:
        raise AssertionError("a clip was encoded again")

    monkeypatch.setattr("mmact_oneshot.harness.training.frozen_features.encode_clips", again)
    monkeypatch.setattr("mmact_oneshot.harness.training.method_training.encode_clips", again)
    for without, other in (("video", "sensors"), ("sensors", "video"), ("gyro", "video")):
        table = trainer.encoded(job, method, "novel", without)
        kept = [name for name in table._leaves if name.startswith(f"{other}.")]
        assert kept
        assert all(table._leaves[name].data_ptr() == whole._leaves[name].data_ptr() for name in kept), (
            "the very same memory"
        )
        gone = [name for name in table._leaves if not name.startswith(f"{other}.") and name.endswith(".vector")]
        assert gone
        assert not any(torch.equal(table._leaves[name], whole._leaves[name]) for name in gone)
