"""Floating-point operations of networks whose operations can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, Needs, Setup
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.evaluation.features import embed_clips, encode_clips
from mmact_oneshot.harness.evaluation.operations import count_operations
from mmact_oneshot.harness.records import Operations
from tests.helpers.toys import CPU, toy_task

IN, ENCODED, OUT = 16 * 3, 10, 7  # a sensor of the toy: 16 instants, 3 axes


class Linear(FewShotMethod):
    """A linear layer in ``encode``, one in ``embed``, and a matrix product in ``score``."""

    needs = Needs(outputs=())

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.first, self.second = nn.Linear(IN, ENCODED), nn.Linear(ENCODED, OUT)

    def encode(self, clips: Clips) -> Features:
        assert not torch.is_grad_enabled()
        return {"encoded": self.first(clips.sensors["acc"].flatten(1))}

    def embed(self, encoded: Features) -> Features:
        return {"vector": self.second(encoded["encoded"])}

    def score(self, support: Features, query: Features) -> Tensor:
        return query["vector"] @ support["vector"].mean(dim=2).transpose(1, 2)


class AtTest(Linear):
    """Goes one step down a slope: the product forward, and two of its size backward."""

    grad_at_test = True

    def score(self, support: Features, query: Features) -> Tensor:
        weight = support["vector"].mean(dim=2).transpose(1, 2).detach().requires_grad_()
        scores = query["vector"].detach().requires_grad_() @ weight
        scores.square().sum().backward()
        return scores


@pytest.fixture(scope="module")
def task() -> Task:
    return toy_task(episodes=20)


def operations(task: Task, method: FewShotMethod, gone: tuple[int, ...] = ()) -> Operations:
    suite = task.suite("test")
    rows = task.rows(suite.clips)
    rows[list(gone)] = -1
    source = ClipSource(task.store, task.settings.input, ("sensors",))
    embedded = embed_clips(method, encode_clips(method.encode, source, rows[rows >= 0], CPU, 64), CPU)
    return count_operations(method, source, embedded, suite, rows, CPU)


SETUP = Setup(("sensors",), ("acc", "gyro"), 6, 5, 1)
PRODUCT = 2 * 5 * 5 * OUT  # five queries, five classes


def test_a_linear_layer_costs_two_operations_for_each_weight(task: Task) -> None:
    assert operations(task, Linear(SETUP)) == Operations(clip=2 * IN * ENCODED + 2 * ENCODED * OUT, episode=PRODUCT)


def test_what_score_does_backward_counts(task: Task) -> None:
    assert operations(task, AtTest(SETUP)).episode == 3 * PRODUCT


def test_it_does_not_depend_on_which_clips_are_there(task: Task) -> None:
    draws = task.suite("test").draws
    first = np.unique([draws.support[0].ravel(), draws.query[0].ravel()])
    assert operations(task, Linear(SETUP), (int(first[0]),)) == operations(task, Linear(SETUP))


def test_convolutions_count_and_the_state_of_the_method_does_not_change(task: Task) -> None:
    class Convolving(Linear):
        def __init__(self, setup: Setup) -> None:
            super().__init__(setup)
            self.convolution = nn.Conv1d(3, 4, kernel_size=5, padding=2)

        def encode(self, clips: Clips) -> Features:
            self.convolution(clips.sensors["acc"].transpose(1, 2))
            return super().encode(clips)

    method = Convolving(SETUP)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    assert operations(task, method).clip == operations(task, Linear(SETUP)).clip + 2 * 16 * 5 * 3 * 4
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())


def test_a_method_that_multiplies_nothing_costs_nothing(task: Task) -> None:
    class Free(FewShotMethod):
        needs = Needs(outputs=())

        def encode(self, clips: Clips) -> Features:
            return {"mean": clips.sensors["acc"].mean(dim=(1, 2))}

        def score(self, support: Features, query: Features) -> Tensor:
            return -(query["mean"][:, :, None] - support["mean"].mean(dim=2)[:, None]).abs()

    assert operations(task, Free(SETUP)) == Operations(clip=0, episode=0)
