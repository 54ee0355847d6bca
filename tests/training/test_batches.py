"""Training episodes as rows, shapes and targets; and the thread that prepares them in advance."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from mmact_oneshot.harness.runtime.prefetch import ahead
from mmact_oneshot.harness.training.batches import episode_batch
from tests.helpers.toys import CPU, SPLIT, toy_store, toy_task


def test_targets_name_the_classes_of_the_rows() -> None:
    store = toy_store()
    task = toy_task(store)
    sampler, rows = task.training_sampler(3, 2, "base")
    batch = episode_batch(sampler, rows, 5, 4, CPU.torch)
    assert (batch.support_shape, batch.query_shape) == ((4, 5, 1), (4, 10))
    names = store.clips["class_name"].to_numpy()[batch.rows]
    support, query = batch.split({"name": torch.arange(len(names))})
    base = np.asarray(SPLIT.role("base"))
    assert (names[support["name"].numpy()][..., 0] == base[batch.targets.support_class.numpy()]).all()
    assert (names[query["name"].numpy()] == base[batch.targets.query_class.numpy()]).all()
    assert torch.equal(batch.targets.support_class.gather(1, batch.targets.label), batch.targets.query_class)
    assert set(names) <= set(base), "no clip of a validation or novel class is trained on"


def test_a_step_is_the_same_whatever_was_drawn_before() -> None:
    sampler, rows = toy_task().training_sampler(0, 1, "base")
    first = [episode_batch(sampler, rows, step, 2, CPU.torch).rows for step in range(3)]
    np.testing.assert_array_equal(episode_batch(sampler, rows, 2, 2, CPU.torch).rows, first[2])
    assert (first[0] != first[1]).any()


def test_the_thread_ahead_keeps_the_order() -> None:
    assert list(ahead(iter(range(20)))) == list(range(20))
    assert list(ahead(iter(()))) == []


def test_an_error_in_the_thread_is_raised_where_the_items_are_used() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    running = ahead(items())
    assert next(running) == 1
    with pytest.raises(ValueError, match="broken"):
        next(running)


def test_leaving_early_stops_the_thread() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    running = ahead(endless())
    assert next(running) == 0
    running.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
