"""Batches made ready while the one before is in use: read by a thread, and on CUDA copied to the device as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor

from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.prefetch import ahead

T = TypeVar("T")


def batches_ahead(batches: Iterator[T], device: Device) -> Iterator[T]:
    """The same batches in the same order, the next ones prepared meanwhile (``runtime.prefetch.ahead``).

    With ``compute.pinned`` on CUDA their tensors, wherever :func:`each_tensor` finds them, come on the device: a batch
    is copied from pinned memory by a stream of its own while the kernels of the batch before it run. Otherwise they
    come as they are, and whoever uses them moves them.
    """
    if not device.copies_ahead:
        yield from ahead(batches)
        return
    stream = _copying(device.torch)
    for batch, copied in ahead(_copied(batches, device.torch, stream)):
        using = torch.cuda.current_stream(device.torch)
        using.wait_event(copied)

        def keep(value: Tensor, using: torch.cuda.Stream = using) -> Tensor:
            if value.is_cuda:
                value.record_stream(using)  # its memory is not given away before what uses it is done
            return value

        yield each_tensor(batch, keep)


@cache
def _copying(device: torch.device) -> torch.cuda.Stream:
    """One stream for all copies of the process: torch keeps the memory of each stream apart."""
    return torch.cuda.Stream(device)


def _copied(
    batches: Iterator[T], device: torch.device, stream: torch.cuda.Stream
) -> Iterator[tuple[T, torch.cuda.Event]]:
    """Each batch on its way to the device, with the event of its arrival. For the thread that prepares batches."""

    def copy(value: Tensor) -> Tensor:
        return value if value.is_cuda else value.pin_memory().to(device, non_blocking=True)

    while True:
        with torch.cuda.stream(stream):  # also for what a batch puts on the device itself
            batch = next(batches, None)
            if batch is None:
                return
            moved = each_tensor(batch, copy)
        yield moved, stream.record_event()


def each_tensor(value: T, change: Callable[[Tensor], Tensor]) -> T:
    """A value with every tensor in it changed, in tuples, dictionaries and data classes."""
    made: Any = value
    if isinstance(value, Tensor):
        made = change(value)
    elif isinstance(value, tuple):
        parts = [each_tensor(each, change) for each in value]
        made = type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    elif isinstance(value, dict):
        made = {name: each_tensor(each, change) for name, each in value.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        made = replace(value, **{each.name: each_tensor(getattr(value, each.name), change) for each in fields(value)})
    return made  # type: ignore[no-any-return]
