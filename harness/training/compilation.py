"""Compiling the network of a pre-training, which runs the same shapes thousands of times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.nn import Module

from mmact_oneshot.harness.runtime.device import Device


def compile_calls(network: Module, device: Device, backend: str | Callable[..., Any] = "inductor") -> None:
    """Compile what calling a network does, in place, where ``compute.compile_pretraining`` says so.

    The network stays the same object: its parameters, the names in its state, its other methods, and with them its
    checkpoints, are what they were. The first call of each shape takes the time that compiling takes.

    Args:
        backend: of ``torch.compile``.
    """
    if device.compute.compile_pretraining:
        network.compile(backend=backend)
