"""Micro-batches give the gradients of the whole step, whatever the head does over it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, LossTerms, Setup, Targets
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import build_encoder
from mmact_oneshot.harness.encoders.fusion import Fusion
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training.batches import EpisodeBatch, episode_batch
from mmact_oneshot.harness.training.gradients import backward
from tests.helpers.toys import CPU, toy_task

BOTH = ("video", "sensors")


class NormalisedHead(FewShotMethod):
    """A head with BatchNorm over the whole step, a parameter in ``loss`` and a second loss term."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.fusion = Fusion(setup, "vector", normalise=False)
        self.linear = nn.Linear(self.fusion.width, 8)
        self.norm = nn.BatchNorm1d(8)
        self.classes = nn.Linear(8, setup.base_classes)

    def embed(self, encoded: Features) -> Features:
        return {"vector": self.norm(self.linear(self.fusion(encoded)))}

    def score(self, support: Features, query: Features) -> Tensor:
        return -torch.cdist(query["vector"], support["vector"].mean(dim=2)).square()

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        whole = self.classes(query["vector"]).flatten(0, 1)
        named = nn.functional.cross_entropy(whole, targets.query_class.flatten())
        return {**super().loss(support, query, targets), "global": named}


@pytest.fixture(scope="module")
def task() -> Task:
    return toy_task()


def step(task: Task, dtype: torch.dtype, dropout: float = 0.0) -> tuple[FewShotMethod, Clips, EpisodeBatch]:
    names = tuple(task.store.sensors)
    encoders = {m: build_encoder(m, task.settings, names, 0) for m in BOTH}
    with seeded(0, "head"):
        method = NormalisedHead(Setup(BOTH, names, 6, 5, 1, encoders)).to(dtype).train()
    if dropout:
        encoders["sensors"].blocks.append(nn.Dropout(dropout))  # type: ignore[operator, union-attr]
    sampler, rows = task.training_sampler(0, 2, "base")
    batch = episode_batch(sampler, rows, 0, 2, CPU.torch)
    clips = ClipSource(task.store, task.settings.input, BOTH).load(batch.rows, (0, 0)).to("cpu")
    assert clips.video is not None
    sensors = {name: value.to(dtype) for name, value in clips.sensors.items()}
    return method, Clips(clips.video.to(dtype), sensors, clips.sensor_mask, clips.present), batch


def gradients(method: FewShotMethod) -> dict[str, Tensor]:
    return {name: parameter.grad for name, parameter in method.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("micro_batch", [7, 16, 29])
def test_micro_batches_give_the_gradients_of_the_whole_step(task: Task, micro_batch: int) -> None:
    whole, clips, batch = step(task, torch.float64)
    expected_terms = backward(whole, clips, batch, CPU, 0, (0, 0))
    parts, clips, batch = step(task, torch.float64)
    terms = backward(parts, clips, batch, CPU, micro_batch, (0, 0))
    assert terms.keys() == expected_terms.keys() == {"cross_entropy", "global"}
    for name, term in terms.items():
        torch.testing.assert_close(term, expected_terms[name])
    expected, found = gradients(whole), gradients(parts)
    assert found.keys() == expected.keys() == dict(whole.named_parameters()).keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-8)
    assert any(
        float(gradient.abs().max()) > 1e-3 for name, gradient in found.items() if name.startswith("encoders.video")
    )


def test_batchnorm_of_the_head_covers_the_whole_step_once(task: Task) -> None:
    whole, clips, batch = step(task, torch.float64)
    backward(whole, clips, batch, CPU, 0, (0, 0))
    parts, clips, batch = step(task, torch.float64)
    backward(parts, clips, batch, CPU, 7, (0, 0))
    norms = [method.get_submodule("norm").state_dict() for method in (whole, parts)]
    for name, value in norms[0].items():
        torch.testing.assert_close(norms[1][name], value)
    assert int(norms[1]["num_batches_tracked"]) == 1


def test_a_micro_batch_drops_the_same_units_both_times(task: Task) -> None:
    """Numerically: the gradient is that of the loss that was reported."""
    method, clips, batch = step(task, torch.float64, dropout=0.5)
    weight = method.get_parameter("encoders.sensors.blocks.0.conv1.weight")
    backward(method, clips, batch, CPU, 16, (0, 0))
    assert weight.grad is not None
    place = tuple(int(i) for i in torch.unravel_index(weight.grad.abs().argmax(), weight.shape))

    def loss(shift: float) -> float:
        with torch.no_grad():
            weight[place] += shift
        terms = backward(method, clips, batch, CPU, 16, (0, 0))
        with torch.no_grad():
            weight[place] -= shift
        return float(sum(terms.values()))

    gradient = float(weight.grad[place])
    slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
    assert slope == pytest.approx(gradient, rel=1e-3)


def test_frozen_encoders_are_left_alone_in_micro_batches(task: Task) -> None:
    method, clips, batch = step(task, torch.float64)
    method.encoders.requires_grad_(False)
    backward(method, clips, batch, CPU, 7, (0, 0))
    assert all(parameter.grad is None for parameter in method.encoders.parameters())
    assert method.get_parameter("linear.weight").grad is not None
