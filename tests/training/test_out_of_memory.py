"""A step that runs out of memory is done again with half the micro-batch, to the result of that micro-batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import nn

from mmact_oneshot.baselines.protonet import ProtoNet
from mmact_oneshot.harness.api import Clips, Encoder, Features, FewShotMethod, Setup
from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import build_encoder, state_digest
from mmact_oneshot.harness.evaluation.features import encode_clips
from mmact_oneshot.harness.runtime import ranks
from mmact_oneshot.harness.runtime.errors import OutOfMemory
from mmact_oneshot.harness.runtime.memory import in_pieces
from mmact_oneshot.harness.runtime.progress import Silent
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training.loop import Trained, TrainingEpisodes, train
from mmact_oneshot.harness.training.micro_batch import MicroBatch
from mmact_oneshot.harness.training.workspace import TrainingContext
from tests.helpers.toys import CPU, toy_task

BUDGET = Budget(steps=4, validations=2, episodes_per_step=2, queries=1, learning_rate=0.01)  # 20 clips a step


class Normalised(ProtoNet):
    """A head whose BatchNorm keeps statistics, and that drops units."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.norm = nn.BatchNorm1d(setup.width("vector"))

    def embed(self, encoded: Features) -> Features:
        vectors = self.norm(encoded["sensors.vector"])
        return {"vector": nn.functional.dropout(vectors, 0.3, self.training)}

    def score(self, support: Features, query: Features) -> torch.Tensor:
        return -torch.cdist(query["vector"], support["vector"].mean(dim=2)).square()


class Notes(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text.strip())


@pytest.fixture(scope="module")
def task() -> Task:
    return toy_task()


def built(task: Task) -> FewShotMethod:
    encoder = build_encoder("sensors", task.settings, tuple(task.store.sensors), 0)
    encoder.blocks.append(nn.Dropout(0.2))  # type: ignore[operator, union-attr]
    with seeded(0, "head"):
        return Normalised(Setup(("sensors",), tuple(task.store.sensors), 6, 5, 1, {"sensors": encoder}))


@contextmanager
def memory_for(
    clips: int, error: type[RuntimeError] = torch.OutOfMemoryError, *, after: bool = False
) -> Iterator[None]:
    """Encoders of sensors that run out of memory on more clips: when they begin, or when their gradient is taken.

    Args:
        after: in the backward pass, when BatchNorm has seen the step.
    """

    def before_forward(module: nn.Module, inputs: tuple[Clips, object]) -> None:
        if isinstance(module, Encoder) and len(inputs[0]) > clips and not after:
            raise error("out of memory. Tried to allocate 20 GiB. (can't allocate memory)")

    def after_forward(module: nn.Module, inputs: tuple[Clips, object], found: dict[str, torch.Tensor]) -> None:
        if isinstance(module, Encoder) and len(inputs[0]) > clips and after and found["vector"].requires_grad:

            def refuse(gradient: torch.Tensor) -> None:
                raise error("out of memory. Tried to allocate 20 GiB. (can't allocate memory)")

            found["vector"].register_hook(refuse)

    hooks = (
        nn.modules.module.register_module_forward_pre_hook(before_forward),
        nn.modules.module.register_module_forward_hook(after_forward),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def trained(
    task: Task, method: FewShotMethod, state: Path, micro_batch: int = 0, notes: Silent | None = None
) -> Trained:
    sampler, rows = task.training_sampler(0, BUDGET.queries, "base")
    source = ClipSource(task.store, task.settings.input, ("sensors",))
    budget = BUDGET.model_copy(update={"micro_batch": micro_batch})
    context = TrainingContext(CPU, 0, state, watcher=notes or Silent(), budget="end_to_end")
    return train(method, budget, TrainingEpisodes(sampler, rows, source), context, None)


@pytest.mark.parametrize(("error", "after"), [(torch.OutOfMemoryError, True), (RuntimeError, False)])  # CUDA's, a CPU's
def test_a_training_that_runs_out_of_memory_is_that_of_the_micro_batch_that_fits(
    task: Task, tmp_path: Path, error: type[RuntimeError], after: bool
) -> None:
    expected, method, notes = built(task), built(task), Notes()
    whole = trained(task, expected, tmp_path / "a.state", micro_batch=5)
    with memory_for(6, error, after=after):
        done = trained(task, method, tmp_path / "b.state", notes=notes)
    assert done.halvings == [(0, 10), (0, 5)]
    assert state_digest(method) == state_digest(expected), "with the statistics of BatchNorm and what was dropped"
    assert done.losses == whole.losses
    assert whole.halvings == []
    assert notes.lines[0] == "out of memory with 20 clips at a time: 10 from now on"


def test_a_clip_that_does_not_fit_alone_is_one_error_with_what_to_lower(task: Task, tmp_path: Path) -> None:
    method = built(task)
    with memory_for(0), pytest.raises(OutOfMemory, match=r"one clip encoded.*Lower end_to_end.episodes_per_step"):
        trained(task, method, tmp_path / "a.state")


def test_processes_that_share_a_step_are_told_the_setting(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(micro_batch: int) -> None:
        raise torch.OutOfMemoryError("out of memory")

    method = built(task)
    monkeypatch.setattr(ranks, "count", lambda: 2)
    with pytest.raises(OutOfMemory, match=r"--set end_to_end.micro_batch=10 for all"):
        MicroBatch(0).fitted(work, method, 0, 20)


def test_features_are_computed_in_pieces_that_fit_and_stay_the_same(task: Task) -> None:
    method, rows, notes = built(task).eval(), task.role_rows("base"), Notes()
    source = ClipSource(task.store, task.settings.input, ("sensors",))
    expected = encode_clips(method.encode, source, rows, CPU, 32)
    with memory_for(9):
        found = encode_clips(method.encode, source, rows, CPU, 32, watcher=notes)
    for name, leaf in expected.leaves.items():
        torch.testing.assert_close(found.leaves[name], leaf)
    assert notes.lines == [
        "out of memory with 32 clips at a time: 16 from now on",
        "out of memory with 16 clips at a time: 8 from now on",
    ]


def test_another_error_is_not_tried_again() -> None:
    tried = []

    def work(part: slice) -> None:
        tried.append(part)
        raise RuntimeError("shapes do not agree")

    with pytest.raises(RuntimeError, match="shapes"):
        in_pieces(work, 8, 8, "clips")
    assert len(tried) == 1
