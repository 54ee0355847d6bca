"""The switches of how torch computes: what each sets, and that it changes no result beyond rounding."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch.profiler import profile

from mmact_oneshot.harness.runtime.compute import ComputeSpec
from mmact_oneshot.harness.runtime.device import Device, choose_device, cores

CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """TF32 and the kernels of attention hold for the process."""
    flags = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = flags
    choose_device("cpu", "float32")


@pytest.mark.parametrize("on", [True, False])
def test_tf32_is_set_for_products_and_convolutions_on_cuda(monkeypatch: pytest.MonkeyPatch, on: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    device = choose_device("cuda", "float32", ComputeSpec(tf32=on))
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (on, on)
    assert device.tf32 == on


def test_a_cpu_has_no_tf32() -> None:
    assert not choose_device("cpu", "float32", ComputeSpec(tf32=True)).tf32


def kernels_of_attention() -> set[str]:
    query = torch.rand(2, 3, 16, 8, generator=torch.Generator().manual_seed(0))
    with profile() as trace:
        F.scaled_dot_product_attention(query, query, query)
    return {event.key for event in trace.key_averages() if "scaled_dot_product_" in event.key} - {
        "aten::scaled_dot_product_attention"
    }


def test_attention_math_forbids_the_fused_kernel_until_a_device_is_chosen_again() -> None:
    choose_device("cpu", "float32")
    assert kernels_of_attention() == {"aten::_scaled_dot_product_flash_attention_for_cpu"}
    query = torch.rand(2, 3, 16, 8)
    fused = F.scaled_dot_product_attention(query, query, query)
    choose_device("cpu", "float32", ComputeSpec(attention="math"))
    assert kernels_of_attention() == {"aten::_scaled_dot_product_attention_math"}
    torch.testing.assert_close(F.scaled_dot_product_attention(query, query, query), fused)
    choose_device("cpu", "float32")
    assert kernels_of_attention() == {"aten::_scaled_dot_product_flash_attention_for_cpu"}


def test_what_is_for_accelerators_is_off_on_a_cpu_and_can_be_switched_off() -> None:
    assert choose_device("cpu", "float32").fused_optimiser is None
    assert not choose_device("cpu", "float32").copies_ahead
    on, off = Device(CUDA, "float32"), Device(CUDA, "float32", ComputeSpec(fused_optimiser=False, pinned=False))
    assert on.fused_optimiser is True
    assert off.fused_optimiser is None
    assert (on.copies_ahead, off.copies_ahead) == (True, False)


def test_cores_are_those_that_the_process_may_use() -> None:
    assert cores() >= 1
