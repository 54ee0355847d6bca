"""Counting what a computation does from shapes alone: on the meta device, where tensors hold no values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mmact_oneshot.harness.benchmark.cost.memory import kept_bytes


class Count(NamedTuple):
    """Of one computation.

    Attributes:
        forward, backward: FLOPs of matrix products and convolutions, a multiplication with its addition being two.
            All else counts as nothing: it costs memory traffic and hardly any arithmetic. Attention counts as its
            products, backward without those that a fused kernel does again.
        activations: bytes that backward needs of what forward computes, float32; attention as a fused kernel keeps it.
        float32: share of the forward FLOPs that autocast is left for.
    """

    forward: float = 0.0
    backward: float = 0.0
    activations: float = 0.0
    float32: float = 0.0


def count(run: Callable[[], Tensor], *networks: nn.Module, clips: int = 1) -> Count:
    """Count a computation and its backward pass.

    Args:
        run: computes a scalar on the meta device; it is called twice.
        networks: whose parameters are no activations.
        clips: among which the numbers are divided.
    """
    forward, backward, exact = FlopCounterMode(display=False), FlopCounterMode(display=False), 0.0

    @contextmanager
    def autocast(*_: object, enabled: bool = True, **__: object) -> Iterator[None]:
        nonlocal exact
        before = forward.get_total_flops()
        yield
        exact += 0 if enabled else forward.get_total_flops() - before

    with forward, patch.object(torch, "autocast", autocast):
        result = run()
    total = forward.get_total_flops()
    if result.requires_grad:
        with backward:
            result.backward()
    with without_autocast():
        kept = kept_bytes(run, *networks)
    return Count(total / clips, backward.get_total_flops() / clips, kept / clips, exact / total if total else 0.0)


def without_autocast() -> AbstractContextManager[object]:
    """For the meta device, which has no autocast, not even one to leave: entering one does nothing."""

    @contextmanager
    def nothing(*_: object, **__: object) -> Iterator[None]:
        yield

    return patch.object(torch, "autocast", nothing)
