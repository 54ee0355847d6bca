"""The memory expected of a training step; whole steps are held to it in ``tests/training/test_stand_in.py``."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.benchmark.cost.memory import FRAMES, STATE, step_bytes
from mmact_oneshot.harness.runtime.device import Device
from tests.helpers.toys import CPU

BFLOAT16 = Device(torch.device("cpu"), "bfloat16")
SIDE = 16
CLIPS = Clips(torch.zeros(2, 1, 3, SIDE, SIDE), {}, {}, {"video": torch.ones(2, dtype=torch.bool)})
VIDEO = FRAMES * 4 * 3 * SIDE * SIDE


def expected(network: nn.Module, device: Device, count: int = 8, held: int | None = None) -> float:
    """Bytes without the clips and the state."""

    def loss(network: nn.Module, clips: Clips) -> Tensor:
        assert clips.video is not None
        out: Tensor = network(clips.video[:, 0])
        return out.float().sum()

    parameters = sum(parameter.numel() for parameter in network.parameters())
    return step_bytes(network, loss, CLIPS, count, device, held) - STATE * parameters - VIDEO * (held or count)


def convolutions(norm: bool) -> nn.Module:
    """Two convolutions, with a group norm between them or not."""
    between = nn.GroupNorm(2, 4) if norm else nn.Identity()
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), between, nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))


def test_convolutions_keep_half_in_bfloat16_and_the_weights_once_more() -> None:
    plain, half = (expected(convolutions(False), device) for device in (CPU, BFLOAT16))
    pixels = 8 * SIDE * SIDE
    two_clips = 4 * 2 * 3 * SIDE * SIDE
    assert plain == pytest.approx(4 * 4 * pixels, abs=two_clips)  # what ReLU leaves; the clips are there already
    weights = 2 * (9 * 3 * 4 + 9 * 4 * 4)
    assert half == pytest.approx(2 * (3 + 4) * pixels + weights)  # with the clips cast


def test_a_group_norm_goes_back_to_float32() -> None:
    plain, half = (expected(convolutions(True), device) for device in (CPU, BFLOAT16))
    assert half > plain, "its input and its result in float32, and the result once more for the convolution after it"


def test_all_clips_of_a_step_are_on_the_device_whatever_passes_at_a_time() -> None:
    some = expected(convolutions(False), CPU, 8, held=100)
    assert some == pytest.approx(expected(convolutions(False), CPU, 8))
