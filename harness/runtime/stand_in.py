"""A stand-in accelerator: a device without memory or arithmetic, for machines that have no GPU.

Tensors on it have shapes and types alone; those on the CPU are computed as ever. What fails on a real accelerator
fails here: an operation on tensors of two devices, or of two types where it wants one. So does what stalls it: reading
a value back (``.item()``, a boolean mask). Copies to main memory (``.cpu()``) are counted. Backward works, and
attention keeps for it what a fused kernel keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, library, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
    unset_fake_temporarily,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from mmact_oneshot.harness.runtime.stand_in_autocast import register_autocast
from mmact_oneshot.harness.runtime.stand_in_types import require_one_type

NAME = "stand_in"
READS_BACK = (DataDependentOutputException, DynamicOutputShapeException)
"""What reading a value back from the device raises."""


@cache
def stand_in() -> torch.device:
    """The device; registered with torch at the first call, for the life of the process."""
    module = ModuleType(NAME)
    state: dict[str, Any] = {
        "get_rng_state": lambda device=None: torch.zeros(16, dtype=torch.uint8),
        "set_rng_state": lambda state, device=None: None,
        "manual_seed": lambda seed: None,
        "manual_seed_all": lambda seed: None,
        "current_device": lambda: 0,
        "device_count": lambda: 1,
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "_is_in_bad_fork": lambda: False,
        "get_amp_supported_dtype": lambda: [torch.bfloat16, torch.float16],
        "registrations": (*register_autocast(NAME), _register_attention()),
    }
    for name, value in state.items():
        setattr(module, name, value)
    _setup_privateuseone_for_python_backend(NAME, backend_module=module)
    return torch.device(NAME, 0)


def _register_attention() -> library.Library:
    kernels = library.Library("aten", "IMPL")
    kernels.impl("scaled_dot_product_attention", _attention, "AutogradPrivateUse1")
    return kernels


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """With four axes as CUDA's fused kernels, which keep no matrix of weights; with others, as there, by products."""
    fused = torch.ops.aten._scaled_dot_product_fused_attention_overrideable
    plain = torch.ops.aten._scaled_dot_product_attention_math
    attended: Tensor = (fused if query.ndim == 4 else plain)(query, key, value, mask, dropout, causal, scale=scale)[0]
    return attended


@cache
def _mode() -> FakeTensorMode:
    """One for the process, so that what a method keeps for a device can be used in it again."""
    stand_in()
    return FakeTensorMode(allow_non_fake_inputs=False)


class Border(TorchDispatchMode):
    """Between main memory and the device: what touches the device has no content, and all else is computed.

    Attributes:
        copied: shape of every tensor that was copied to main memory, in order; there it is all ones.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.copied: list[tuple[int, ...]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        target = kwargs.get("device")
        there = [isinstance(value, FakeTensor) for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        if not any(there):
            if target is None or torch.device(target).type != NAME:
                with unset_fake_temporarily():
                    return func(*args, **kwargs)
        elif func is torch.ops.aten._to_copy.default and target is not None and torch.device(target).type == "cpu":
            return self._copied(args[0], kwargs.get("dtype"))
        elif func is torch.ops.aten.copy_.default and args[0].device.type == "cpu":
            with unset_fake_temporarily():
                return args[0].copy_(self._copied(args[1], args[1].dtype))
        if not all(there):
            args, kwargs = tree_map(self._adopted, (args, kwargs))
        require_one_type(func, args)
        return func(*args, **kwargs)

    def _copied(self, value: Tensor, kind: torch.dtype | None) -> Tensor:
        self.copied.append(tuple(value.shape))
        with unset_fake_temporarily():
            return torch.ones(value.shape, dtype=kind or value.dtype)

    @staticmethod
    def _adopted(value: Any) -> Any:
        """A CPU tensor as one without content, to meet those of the device."""
        return _mode().from_tensor(value) if isinstance(value, Tensor) and not isinstance(value, FakeTensor) else value


@contextmanager
def shapes_alone() -> Iterator[Border]:
    """Where the device can be used; under it, tensors on the device can be made and worked with."""
    border, before = Border(), torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # ``torch.tensor`` makes its values in main memory and then copies them
    try:
        with _mode(), border:
            yield border
    finally:
        torch._C._set_only_lift_cpu_tensors(before)


def like(value: Tensor) -> Tensor:
    """An empty tensor on the device, as another one is."""
    return torch.empty(value.shape, dtype=value.dtype, device=stand_in())


def move(module: nn.Module) -> None:
    """Put a module's parameters and buffers on the device, in place; under :func:`shapes_alone`."""
    for each in module.modules():
        for name, parameter in each._parameters.items():
            if parameter is not None:
                each._parameters[name] = nn.Parameter(like(parameter), parameter.requires_grad)
        for name, buffer in each._buffers.items():
            if buffer is not None:
                each._buffers[name] = like(buffer)
