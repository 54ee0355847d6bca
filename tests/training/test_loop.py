"""The training loop: interrupted or not, the same result; the best state is kept; what is frozen stays frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_oneshot.baselines.protonet import ProtoNet
from mmact_oneshot.harness.api import Features, FewShotMethod, Setup
from mmact_oneshot.harness.config.budgets import Budget
from mmact_oneshot.harness.config.protocols import HEADLINE, PAPER, Protocol
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import build_encoder, state_digest
from mmact_oneshot.harness.evaluation.features import FeatureTable, encode_clips
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.progress import Silent, Watcher
from mmact_oneshot.harness.runtime.seeding import seeded
from mmact_oneshot.harness.training import loop as loop_module
from mmact_oneshot.harness.training.episodic import validation_accuracy
from mmact_oneshot.harness.training.loop import Source, Trained, TrainingEpisodes, train, validation_steps
from mmact_oneshot.harness.training.workspace import TrainingContext
from tests.helpers.pretrainings import Steps
from tests.helpers.toys import CPU, toy_store, toy_task

BUDGET = Budget(steps=6, validations=3, episodes_per_step=2, queries=1, learning_rate=0.01)


class Dropping(ProtoNet):
    """A prototype network with dropout, so that a resumed run needs the right random numbers."""

    def embed(self, encoded: Features) -> Features:
        vectors = super().embed(encoded)["vector"]
        return {"vector": torch.nn.functional.dropout(vectors, 0.3, self.training)}


@pytest.fixture(scope="module")
def task() -> Task:
    return toy_task()


def build(task: Task, modality: str = "sensors", end_to_end: bool = True) -> FewShotMethod:
    encoder = build_encoder(modality, task.settings, tuple(task.store.sensors), 0).requires_grad_(end_to_end)
    with seeded(0, "head"):
        return Dropping(Setup((modality,), tuple(task.store.sensors), 6, 5, 1, {modality: encoder}))


def run(
    task: Task,
    method: FewShotMethod,
    state: Path,
    *,
    watcher: Watcher | None = None,
    validate: Callable[[], float] | None = None,
    protocol: Protocol = HEADLINE,
    source: Source | None = None,
    budget: Budget = BUDGET,
) -> Trained:
    (modality,) = method.setup.modalities
    source = source or ClipSource(task.store, task.settings.input, (modality,))
    if validate is None and protocol.validates:
        validate = lambda: validation_accuracy(method, task, source, CPU)  # noqa: E731
    sampler, rows = task.training_sampler(0, budget.queries, protocol.classes)
    context = TrainingContext(CPU, 0, state, watcher=watcher or Silent())
    return train(method, budget, TrainingEpisodes(sampler, rows, source), context, validate)


def frozen_features(task: Task, method: FewShotMethod) -> FeatureTable:
    (modality,) = method.setup.modalities
    source = ClipSource(task.store, task.settings.input, (modality,))
    return encode_clips(method.encode, source, task.role_rows("base+validation"), CPU, 64)


@pytest.mark.parametrize("step", [1, 2, 5])
@pytest.mark.parametrize("training", ["end_to_end", "frozen"])
def test_a_run_that_was_cut_off_ends_bit_for_bit_as_if_it_had_not_been(
    task: Task, tmp_path: Path, step: int, training: str
) -> None:
    def once(state: Path, watcher: Watcher) -> tuple[Trained, FewShotMethod]:
        method = build(task, end_to_end=training == "end_to_end")
        source = frozen_features(task, method.eval()) if training == "frozen" else None
        return run(task, method, state, watcher=watcher, source=source), method

    whole, expected = once(tmp_path / "whole.state", Silent())
    with pytest.raises(KeyboardInterrupt):
        once(tmp_path / "cut.state", Steps(interrupted_after=step))
    assert (tmp_path / "cut.state").exists() == (step >= 2), "the state of the last validation that was completed"
    steps = Steps()
    again, method = once(tmp_path / "cut.state", steps)
    assert steps.done[0] == {1: 1, 2: 3, 5: 5}[step]
    assert state_digest(method) == state_digest(expected)
    assert (again.validations, again.losses, again.best_step) == (whole.validations, whole.losses, whole.best_step)
    assert (again.resumed, whole.resumed) == (int(step >= 2), 0)
    assert (tmp_path / "cut.state").exists(), "until the caller has kept the weights"


def test_a_run_that_was_cut_off_in_a_validation_goes_on_from_the_one_before(task: Task, tmp_path: Path) -> None:
    expected = build(task)
    whole = run(task, expected, tmp_path / "whole.state")
    answers = iter(accuracy for _, accuracy in whole.validations[:1])
    with pytest.raises(StopIteration):
        run(task, build(task), tmp_path / "cut.state", validate=lambda: next(answers))
    steps, method = Steps(), build(task)
    again = run(task, method, tmp_path / "cut.state", watcher=steps)
    assert (steps.done, again.resumed) == ([3, 4, 5, 6], 1)
    assert state_digest(method) == state_digest(expected)
    assert again.validations == whole.validations


@pytest.mark.parametrize(("seconds", "kept"), [(0.0, [2, 4]), (60.0, [2])])
def test_states_that_take_long_to_keep_are_kept_less_often(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, kept: list[int]
) -> None:
    found: list[int] = []
    clock = [0.0]

    def save(path: Path, step: int, *others: Any) -> None:
        found.append(step)
        clock[0] += seconds

    monkeypatch.setattr(loop_module, "_save", save)
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    run(task, build(task), tmp_path / "state")
    assert found == kept


def test_the_state_of_another_learning_rate_is_not_continued(task: Task, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(task, build(task), tmp_path / "cut.state", watcher=Steps(interrupted_after=5))
    assert run(task, build(task), tmp_path / "cut.state", budget=BUDGET.at(0.02)).resumed == 0


def test_the_costs_of_a_run_that_was_cut_off_are_added_up(task: Task, tmp_path: Path) -> None:
    method = build(task)
    with pytest.raises(KeyboardInterrupt):
        run(task, method, tmp_path / "cut.state", watcher=Steps(interrupted_after=5))
    kept = torch.load(tmp_path / "cut.state", weights_only=True)["trained"]
    assert kept["seconds"] > 0
    assert kept["clips"] == 4 * 2 * 10
    again = run(task, build(task), tmp_path / "cut.state")
    assert again.clips == 6 * 2 * 10
    assert again.seconds > kept["seconds"]


def test_a_damaged_state_is_named(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "cut.state"
    path.write_bytes(b"not a state")
    with pytest.raises(HarnessError, match=r"not a readable training state.*Delete it"):
        run(task, build(task), path)


def test_the_same_seed_gives_the_same_training_and_training_changes_the_method(task: Task, tmp_path: Path) -> None:
    methods = [build(task) for _ in range(2)]
    before = state_digest(methods[0])
    for method in methods:
        run(task, method, tmp_path / "x.state")
    assert state_digest(methods[0]) == state_digest(methods[1]) != before


def test_training_learns(tmp_path: Path) -> None:
    """Noisy patterns, and a sensor encoder that was never trained on the validation classes."""
    task = toy_task(toy_store(noise=0.8), episodes=200)
    method = build(task)
    trained = run(task, method, tmp_path / "x.state", budget=BUDGET.model_copy(update={"steps": 24, "validations": 2}))
    assert trained.losses[-1][1]["loss cross_entropy"] < trained.losses[0][1]["loss cross_entropy"]
    assert max(accuracy for _, accuracy in trained.validations) > 0.4


class Scripted:
    """A validation with scripted answers that notes the state it is asked about."""

    def __init__(self, method: FewShotMethod, answers: list[float]) -> None:
        self.method, self.answers, self.states = method, iter(answers), list[str]()

    def __call__(self) -> float:
        self.states.append(state_digest(self.method))
        return next(self.answers)


@pytest.mark.parametrize(
    ("answers", "best"), [([0.2, 0.5, 0.3], 1), ([0.5, 0.5, 0.5], 0), ([0.1, 0.2, 0.3], 2), ([0.0, 0.0, 0.0], 0)]
)
def test_the_best_validation_is_kept_and_ties_go_to_the_earliest(
    task: Task, tmp_path: Path, answers: list[float], best: int
) -> None:
    method = build(task)
    validate = Scripted(method, answers)
    trained = run(task, method, tmp_path / "x.state", validate=validate)
    assert trained.validations == [(2, answers[0]), (4, answers[1]), (6, answers[2])]
    assert trained.best_step == 2 * (best + 1)
    assert len(set(validate.states)) == 3
    assert state_digest(method) == validate.states[best]


def test_without_validation_the_last_state_is_kept(task: Task, tmp_path: Path) -> None:
    trained = run(task, build(task), tmp_path / "x.state", protocol=PAPER)
    assert (trained.best_step, trained.validations) == (6, [])
    assert [step for step, _ in trained.losses] == [2, 4, 6]


def test_frozen_encoders_get_no_gradient_and_do_not_move(task: Task, tmp_path: Path) -> None:
    method = build(task, end_to_end=False)
    before = state_digest(method.encoders)
    run(task, method, tmp_path / "x.state", source=frozen_features(task, method.eval()))
    assert state_digest(method.encoders) == before
    assert all(parameter.grad is None for parameter in method.encoders.parameters())
    other = build(task, end_to_end=False)
    run(task, other, tmp_path / "y.state")  # from clips: slower, the same rule
    assert state_digest(other.encoders) == before


def test_encoders_trained_end_to_end_move(task: Task, tmp_path: Path) -> None:
    method = build(task)
    before = state_digest(method.encoders)
    run(task, method, tmp_path / "x.state")
    assert state_digest(method.encoders) != before


@pytest.mark.parametrize(
    ("steps", "validations", "wanted"),
    [(75, 5, {15, 30, 45, 60, 75}), (7, 3, {3, 5, 7}), (2, 5, {1, 2})],
)
def test_validations_are_evenly_spaced_and_include_the_last_step(
    steps: int, validations: int, wanted: set[int]
) -> None:
    assert validation_steps(steps, validations) == wanted


def test_the_gradient_is_cut_to_the_norm_of_the_budget_or_not_at_all(task: Task, tmp_path: Path) -> None:
    def first_move(clip: float) -> float:
        method = build(task, end_to_end=False)
        before = {name: value.detach().clone() for name, value in method.named_parameters()}
        rate = {"optimiser": "sgd", "weight_decay": 0.0, "warmup": 0.0, "schedule": "constant", "learning_rate": 1.0}
        budget = BUDGET.model_copy(update={**rate, "steps": 1, "validations": 1, "clip": clip})
        run(task, method, tmp_path / "x.state", budget=budget)
        moves = [(value.detach() - before[name]).flatten() for name, value in method.named_parameters()]
        return float(torch.cat(moves).norm())

    whole = first_move(0)
    assert whole > 0.01
    assert first_move(0.01) == pytest.approx(0.01, rel=1e-3)
    assert first_move(whole * 2) == pytest.approx(whole)


def test_an_error_while_loading_reaches_the_caller(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Iterator[Tensor]:
        raise OSError("the disk is gone")

    monkeypatch.setattr(ClipSource, "load", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        run(task, build(task), tmp_path / "x.state")


def test_a_suite_of_which_nothing_can_be_scored_is_refused_with_a_remedy(tmp_path: Path) -> None:
    store = toy_store()
    gone = store.clips["class_name"].isin(["v0", "v1", "v2"]) & (
        store.clips["clip"] != "v0/subject1_cam1_scene1_session1"
    )
    store.clips.loc[gone, "video"] = False
    task = toy_task(store)
    with pytest.raises(HarnessError, match=r"no episode of the suite 'val' can be scored.*data verify"):
        run(task, build(task), tmp_path / "x.state")
    np.testing.assert_array_equal(task.usable, ~gone.to_numpy())
