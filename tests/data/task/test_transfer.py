"""Batches come in order and whole, whether or not they are copied to the device in advance."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.data.task.clip_source import ClipSource, LoadedClips
from mmact_oneshot.harness.data.task.transfer import batches_ahead, each_tensor
from mmact_oneshot.harness.runtime.compute import ComputeSpec
from mmact_oneshot.harness.runtime.device import choose_device
from mmact_oneshot.harness.training.batches import episode_batch
from tests.helpers.toys import CPU, toy_store, toy_task


def loaded(step: int) -> LoadedClips:
    task = toy_task(toy_store())
    return ClipSource(task.store, task.settings.input, ("video", "sensors")).load(np.arange(4), (0, step))


def test_every_tensor_of_a_batch_is_found_and_nothing_else_is_changed() -> None:
    sampler, rows = toy_task().training_sampler(0, 1, "base")
    item = (3, episode_batch(sampler, rows, 0, 2, CPU.torch), loaded(0), None, "text")
    seen: list[torch.Tensor] = []

    def note(value: torch.Tensor) -> torch.Tensor:
        seen.append(value)
        return value + 1 if value.dtype == torch.uint8 else value

    step, batch, clips, nothing, text = each_tensor(item, note)
    assert (step, nothing, text) == (3, None, "text")
    assert item[2].squares is not None
    assert clips.squares is not None
    assert torch.equal(clips.squares, item[2].squares + 1)
    np.testing.assert_array_equal(clips.views.share, item[2].views.share)
    np.testing.assert_array_equal(batch.rows, item[1].rows)
    # three targets; squares; values, mask and presence of two sensors; presence of video and of sensors
    assert len(seen) == 3 + 1 + 2 * 3 + 2


def test_on_a_cpu_they_come_as_they_are_from_a_thread() -> None:
    threads: list[str] = []

    def batches() -> Iterator[LoadedClips]:
        for step in range(3):
            threads.append(threading.current_thread().name)
            yield items[step]

    items = [loaded(step) for step in range(3)]
    found = list(batches_ahead(batches(), CPU))
    assert all(one is other for one, other in zip(found, items, strict=True))
    assert set(threads) == {"prefetch"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("pinned", [True, False])
def test_on_cuda_the_clips_are_those_that_are_loaded(pinned: bool) -> None:
    device = choose_device("cuda", "float32", ComputeSpec(pinned=pinned))
    items = [loaded(step) for step in range(5)]
    for one, other in zip(batches_ahead(iter(items), device), items, strict=True):
        assert one.squares is not None
        assert one.squares.is_cuda == pinned
        assert_equal(one.to(device.torch).to("cpu"), other.to(device.torch).to("cpu"))


def assert_equal(one: Clips, other: Clips) -> None:
    assert one.video is not None
    assert other.video is not None
    torch.testing.assert_close(one.video, other.video, rtol=0, atol=0)
    for name, value in other.sensors.items():
        assert torch.equal(one.sensors[name], value)
