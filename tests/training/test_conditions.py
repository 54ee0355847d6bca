"""Conditions: what changes a training is in them; methods, their settings, seeds and suites are not."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.config.protocols import HEADLINE, PAPER, Protocol
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import Row
from mmact_oneshot.harness.data.store import Store
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.runtime.compute import ComputeSpec
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.digests import digest
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.training.conditions import Conditions, common_conditions, training_conditions, weights_of
from mmact_oneshot.harness.training.job import TrainingJob
from tests.helpers.toy_runs import planned, task_with, workspace
from tests.helpers.toys import SPLIT, toy_store, toy_task

VIDEO = Row(method="protonet", modalities=("video",), training="frozen")
SENSORS = VIDEO.model_copy(update={"modalities": ("sensors",)})
PROTONET: dict[str, Any] = {"method": "protonet", "modalities": ["video"]}
FRAMES = 1 + load_settings("quick").input.frames


@pytest.fixture(scope="module")
def store() -> Store:
    return toy_store()


def conditions_of(settings: Settings, row: Row = VIDEO, protocol: Protocol = HEADLINE) -> Conditions:
    return training_conditions(
        settings, row, protocol, shared=True, transformer=False, initialisation="scratch", pretraining=None
    )


def jobs_of(store: Store, out: Path, *rows: dict[str, Any], **changes: Any) -> tuple[TrainingJob, ...]:
    """As a run plans them."""
    return planned(workspace(out, task_with([*rows], store, **changes)))[0].jobs


@pytest.mark.parametrize(
    "override",
    [
        "frozen.steps=7",
        "frozen.learning_rate=0.1",
        "frozen.search=[0.1, 0.01]",
        "frozen.clip=0",
        "warm_start.steps=7",
        f"input.frames={FRAMES}",
        "store.frames=20",
        "video_encoder.segments=2",
        "way=4",
        "shot=2",
    ],
)
def test_what_changes_a_training_changes_its_conditions(override: str) -> None:
    assert digest(conditions_of(load_settings("quick", [override]))) != digest(conditions_of(load_settings("quick")))


@pytest.mark.parametrize("override", ["seeds=[9]", 'suites=["test"]', "sensor_encoder.width=32", "end_to_end.steps=7"])
def test_seeds_suites_and_what_the_row_does_not_use_leave_them_alone(override: str) -> None:
    assert conditions_of(load_settings("quick", [override])) == conditions_of(load_settings("quick"))


def test_a_row_on_sensors_depends_on_the_sensor_encoder_alone() -> None:
    base = conditions_of(load_settings("quick"), SENSORS)
    assert conditions_of(load_settings("quick", ["sensor_encoder.width=32"]), SENSORS) != base
    assert conditions_of(load_settings("quick", ["video_encoder.segments=2"]), SENSORS) == base


def test_rows_of_other_seeds_and_suites_are_trained_alike(store: Store, tmp_path: Path) -> None:
    first, second = jobs_of(store, tmp_path, PROTONET, seeds=[0, 1])
    (elsewhere,) = jobs_of(store, tmp_path, PROTONET, seeds=[2], suites=["test-5shot"])
    assert first.conditions == second.conditions == elsewhere.conditions
    assert len({first.id, second.id, elsewhere.id}) == 3


@pytest.mark.parametrize(
    "other",
    [{"method": "trx"}, {"method": "can"}, {"settings": {"projection": 4}}, {"settings": {"global_loss": 2.0}}],
    ids=str,
)
def test_another_method_or_other_settings_of_it_are_trained_alike(
    store: Store, tmp_path: Path, other: dict[str, Any]
) -> None:
    first, second = jobs_of(store, tmp_path, PROTONET, PROTONET | other)
    assert first.conditions == second.conditions
    assert first.id != second.id


@pytest.mark.parametrize("other", [{"training": "end_to_end"}, {"modalities": ["sensors"]}], ids=str)
def test_another_training_or_other_modalities_are_other_conditions(
    store: Store, tmp_path: Path, other: dict[str, Any]
) -> None:
    first, second = jobs_of(store, tmp_path, PROTONET, PROTONET | other)
    assert first.conditions != second.conditions


def test_data_split_precision_and_validation_suite_each_count(store: Store) -> None:
    task = toy_task(store)
    elsewhere = replace(store, manifest=store.manifest | {"data_digest": "other"})
    other = replace(SPLIT, base=SPLIT.base[1:])
    found = [
        common_conditions(task, "float32"),
        common_conditions(replace(task, store=elsewhere), "float32"),
        common_conditions(Task(store, other, task.clips, task.settings), "float32"),
        common_conditions(task, "bfloat16"),
        common_conditions(task, "float32", tf32=True),
        common_conditions(toy_task(store, validation_episodes=9), "float32"),
    ]
    assert len({digest(each) for each in found}) == len(found)
    assert found[0] == common_conditions(toy_task(store), "float32")
    assert "tf32" not in common_conditions(task, "float32", tf32=False), "as before there was a choice"


@pytest.mark.parametrize("override", ["channels_last=false", "attention=math", "compile_pretraining=true"])
def test_how_torch_computes_is_no_condition(store: Store, tmp_path: Path, override: str) -> None:
    name, _, value = override.partition("=")
    compute = {name: value if value == "math" else value == "true"}
    assert jobs_of(store, tmp_path, PROTONET, compute=compute)[0].id == jobs_of(store, tmp_path, PROTONET)[0].id


def test_tf32_is_a_condition_on_cuda_alone(store: Store, tmp_path: Path) -> None:
    here = workspace(tmp_path, toy_task(store))
    for kind, found in (("cuda", True), ("cpu", None)):
        device = Device(torch.device(kind), "float32", ComputeSpec(tf32=True))
        assert replace(here, device=device).common.get("tf32") is found


def test_data_and_split_are_in_the_conditions_of_a_row(store: Store, tmp_path: Path) -> None:
    (job,) = jobs_of(store, tmp_path, PROTONET)
    assert job.conditions.items() >= common_conditions(toy_task(store), "float32").items()


def test_the_paper_suite_is_trained_for_apart(store: Store, tmp_path: Path) -> None:
    settings = load_settings("quick")
    assert conditions_of(settings, protocol=HEADLINE) != conditions_of(settings, protocol=PAPER)
    headline, paper = jobs_of(store, tmp_path, PROTONET, suites=["test", "test-paper"])
    assert headline.conditions != paper.conditions


def with_weights(path: Path) -> Settings:
    return load_settings("quick", [f'video_encoder.weights="{path}"'])


def test_weights_count_by_their_content_and_not_by_their_path(tmp_path: Path) -> None:
    def conditions(name: str, content: bytes, second: int = 1) -> Conditions:
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (second, second))  # a clock may not tell two quick writes apart
        return conditions_of(with_weights(tmp_path / name))

    one = conditions("one", b"1")
    assert conditions("copy", b"1") == one
    assert conditions("two", b"2") != one
    assert conditions("one", b"changed", second=2) != one


def test_weights_are_named_with_the_digest_of_their_content(tmp_path: Path) -> None:
    (tmp_path / "released.pth").write_bytes(b"1")
    settings = with_weights(tmp_path / "released.pth")
    assert weights_of(settings, "video") == {"name": "released.pth", "sha256": hashlib.sha256(b"1").hexdigest()}
    assert weights_of(settings, "sensors") == {}
    assert weights_of(settings.model_copy(update={"encoder": "transformer"}), "video") == {}
    assert weights_of(load_settings("quick"), "video") == {}


def test_weights_that_are_not_there_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"gone\.pth.*cannot be read"):
        conditions_of(with_weights(tmp_path / "gone.pth"))
