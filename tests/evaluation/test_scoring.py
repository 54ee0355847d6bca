"""From features to figures: what is absent is not scored, and how episodes are batched changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from mmact_oneshot.baselines.protonet import ProtoNet
from mmact_oneshot.harness.api import Features, FewShotMethod, Needs, Setup
from mmact_oneshot.harness.data.episodes.sampling import Draws
from mmact_oneshot.harness.data.episodes.suites import Suite
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.encoders.build import build_encoder
from mmact_oneshot.harness.evaluation import features as features_module
from mmact_oneshot.harness.evaluation import scoring as scoring_module
from mmact_oneshot.harness.evaluation.features import FeatureTable, embed_clips, encode_clips
from mmact_oneshot.harness.evaluation.metrics import measure
from mmact_oneshot.harness.evaluation.scoring import answer_suite
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.toys import CPU, toy_task

SETUP = Setup(("sensors",), ("acc", "gyro"), 6, 5, 1)


class ByKind(FewShotMethod):
    """Features are class numbers; scores are minus their difference."""

    needs = Needs(outputs=())

    def score(self, support: Features, query: Features) -> Tensor:
        return -(query["kind"][:, :, None] - support["kind"].mean(dim=2)[:, None]).abs()


@pytest.fixture(scope="module")
def task() -> Task:
    return toy_task(episodes=600)


def kinds(task: Task, suite: Suite) -> tuple[FeatureTable, np.ndarray]:
    """The class of every clip of a suite, as its feature."""
    rows = task.rows(suite.clips)
    table = FeatureTable(rows, len(task.store.clips), torch.float32)
    kind = suite.clips["class_name"].map(list(suite.classes).index).to_numpy(np.float32)
    table.write(0, {"kind": torch.from_numpy(kind)})
    return table, rows


def test_a_perfect_scorer_gets_everything(task: Task) -> None:
    suite = task.suite("test")
    table, rows = kinds(task, suite)
    predicted = answer_suite(ByKind(SETUP), table, suite, rows, CPU).predicted
    np.testing.assert_array_equal(predicted, suite.draws.label)
    metrics = measure(predicted, suite.draws, len(suite.classes))
    assert (metrics.accuracy, metrics.scored) == (1, 600)
    assert (metrics.per_class == 1).all()


def test_episodes_that_touch_an_absent_clip_are_not_scored(task: Task) -> None:
    suite = task.suite("test")
    table, rows = kinds(task, suite)
    lacking = rows.copy()
    absent = [3, 40]
    lacking[absent] = -1
    predicted = answer_suite(ByKind(SETUP), table, suite, lacking, CPU).predicted
    touched = np.isin(suite.draws.support, absent).any(axis=(1, 2)) | np.isin(suite.draws.query, absent).any(axis=1)
    assert 0 < touched.sum() < 600
    assert (predicted[touched] == -1).all()
    np.testing.assert_array_equal(predicted[~touched], suite.draws.label[~touched])
    metrics = measure(predicted, suite.draws, len(suite.classes))
    assert (metrics.scored, metrics.accuracy) == (600 - int(touched.sum()), 1)
    assert metrics.confusion.sum() == 5 * metrics.scored


@pytest.mark.parametrize("free", [0, 1 << 30])
def test_an_accelerator_with_room_is_given_all_features_at_once(
    task: Task, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Accelerator(Device):
        accelerator = True

    monkeypatch.setattr(features_module, "free_bytes", lambda device: free)
    device = Accelerator(CPU.torch, CPU.precision)
    suite = task.suite("test")
    table, rows = kinds(task, suite)
    held = table.held_near(device)
    assert (held is table) == (not free)
    assert table.held_near(CPU) is table
    found = answer_suite(ByKind(SETUP), held, suite, rows, device)
    np.testing.assert_array_equal(found.predicted, suite.draws.label)


def test_a_suite_of_which_nothing_is_left_is_refused(task: Task) -> None:
    suite = task.suite("test")
    table, rows = kinds(task, suite)
    with pytest.raises(HarnessError, match=r"no episode of the suite 'test' can be scored.*data verify"):
        answer_suite(ByKind(SETUP), table, suite, np.full_like(rows, -1), CPU)


@pytest.mark.parametrize("at_once", [1, 7, 600])
def test_any_number_of_episodes_at_once_gives_the_same(
    task: Task, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = build_encoder("sensors", task.settings, ("acc", "gyro"), 0)
    method = ProtoNet(replace(SETUP, encoders={"sensors": encoder})).eval()
    suite = task.suite("test")
    rows = task.rows(suite.clips)
    source = ClipSource(task.store, task.settings.input, ("sensors",))
    table = embed_clips(method, encode_clips(method.encode, source, rows, CPU, 50), CPU)
    expected = answer_suite(method, table, suite, rows, CPU).predicted
    monkeypatch.setattr(scoring_module, "EPISODES_AT_ONCE", at_once)
    np.testing.assert_array_equal(answer_suite(method, table, suite, rows, CPU).predicted, expected)
    assert measure(expected, suite.draws, 5).accuracy > 0.4, "an untrained network keeps the patterns"


def test_random_is_at_chance_over_several_sets_of_features(task: Task) -> None:
    """Over a fixed set of clips any scorer may have a little luck; over many sets it may not."""
    method = load_method("random")(SETUP)
    suite = task.suite("test")
    rows = task.rows(suite.clips)
    accuracies = []
    for seed in range(20):
        table = FeatureTable(rows, len(task.store.clips))
        hashes = torch.randint(-(2**62), 2**62, (len(rows),), generator=torch.Generator().manual_seed(seed))
        table.write(0, {"hash": hashes})
        accuracies.append(measure(answer_suite(method, table, suite, rows, CPU).predicted, suite.draws, 5).accuracy)
    error = np.std(accuracies, ddof=1) / len(accuracies) ** 0.5
    assert error < 0.01
    assert abs(np.mean(accuracies) - 0.2) < 4 * error


def test_random_scores_do_not_depend_on_the_batch(task: Task) -> None:
    method = load_method("random")(SETUP)
    source = ClipSource(task.store, task.settings.input, ("sensors",))
    rows = task.role_rows("novel")
    tables = [encode_clips(method.encode, source, rows, CPU, batch) for batch in (1, 64)]
    for name, value in tables[0].gather(rows, CPU.torch).items():
        assert torch.equal(value, tables[1].gather(rows, CPU.torch)[name])
        assert len(value.unique()) == len({task.store.performance[row] for row in rows}), "cameras share their sensors"


def test_gradients_are_on_in_score_only_for_methods_that_ask(task: Task) -> None:
    class WithGradients(ByKind):
        grad_at_test = True

        def score(self, support: Features, query: Features) -> Tensor:
            weight = torch.ones((), requires_grad=True)
            loss = (query["kind"] * weight).square().sum()
            (slope,) = torch.autograd.grad(loss, weight)
            assert slope.isfinite()
            return super().score(support, query) * weight

    class WithoutGradients(ByKind):
        def score(self, support: Features, query: Features) -> Tensor:
            assert not torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()
            return super().score(support, query)

    suite = task.suite("test")
    table, rows = kinds(task, suite)
    for method in (WithGradients, WithoutGradients):
        np.testing.assert_array_equal(answer_suite(method(SETUP), table, suite, rows, CPU).predicted, suite.draws.label)


def test_measure_by_hand() -> None:
    draws = Draws(
        classes=np.asarray([[2, 0], [1, 2], [0, 1]]),
        support=np.zeros((3, 2, 1), int),
        query=np.zeros((3, 2), int),
        label=np.asarray([[0, 1], [1, 0], [1, 0]], np.int8),
    )
    predicted = np.asarray([[0, 0], [1, 1], [-1, -1]], np.int8)
    metrics = measure(predicted, draws, 4)
    assert metrics.scored == 2
    assert metrics.episode_accuracy.tolist() == [0.5, 0.5]
    # episode 0 asks for classes 2 and 0, answers 2 and 2; episode 1 asks for 2 and 1, answers 2 and 2
    assert metrics.confusion.tolist() == [[0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 2, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(metrics.per_class, [0, 0, 1, np.nan])
    assert np.isnan(measure(np.full((3, 2), -1, np.int8), draws, 4).accuracy)


def test_a_partly_scored_episode_does_not_count() -> None:
    draws = Draws(np.asarray([[0, 1]]), np.zeros((1, 2, 1), int), np.zeros((1, 2), int), np.asarray([[0, 1]], np.int8))
    assert measure(np.asarray([[0, -1]], np.int8), draws, 2).scored == 0


def test_features_come_back_by_store_row_in_any_shape() -> None:
    rows = np.asarray([7, 2, 9])
    table = FeatureTable(rows, 12)
    table.write(0, {"v": torch.tensor([[1.0], [2.0]]), "present": torch.tensor([True, False])})
    table.write(2, {"v": torch.tensor([[3.0]]), "present": torch.tensor([True])})
    found = table.gather(np.asarray([[9, 7], [2, 2]]), CPU.torch)
    assert found["v"].tolist() == [[[3.0], [1.0]], [[2.0], [2.0]]]
    assert (found["v"].dtype, found["present"].dtype) == (torch.float32, torch.bool)
    assert found["present"].tolist() == [[True, True], [False, False]]
    with pytest.raises(KeyError, match="not encoded"):
        table.gather(np.asarray([3]), CPU.torch)


def test_tables_of_two_modalities_are_joined() -> None:
    rows = np.asarray([1, 0])
    one, two = FeatureTable(rows, 2), FeatureTable(rows, 2)
    one.write(0, {"video.vector": torch.ones(2, 3)})
    two.write(0, {"sensors.vector": torch.zeros(2, 1)})
    assert set(one.joined(two).gather(rows, CPU.torch)) == {"video.vector", "sensors.vector"}


def test_large_features_lie_on_disk_and_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(50)
    values = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)).half()
    tables = []
    for limit in (1 << 30, 100):
        monkeypatch.setattr(features_module, "IN_MEMORY", limit)
        table = FeatureTable(rows, 50)
        for first in range(0, 50, 20):
            table.write(first, {"a/b": values[first : first + 20]})
        tables.append(table)
    assert tables[0]._folder is None
    assert tables[1]._folder is not None
    for table in tables:
        assert torch.equal(table.gather(rows, CPU.torch)["a/b"], values.float())
