"""A stand-in accelerator: a device without memory or arithmetic, for machines that have no GPU.

Under ``FakeTensorMode`` tensors on it have shapes and types alone. What fails on a real accelerator, or stalls it,
fails here: an operation on tensors of two devices, and reading a value back (``.item()``, a boolean mask). Backward
works.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

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
    }
    for name, function in state.items():
        setattr(module, name, function)
    _setup_privateuseone_for_python_backend(NAME, backend_module=module)
    return torch.device(NAME, 0)


@cache
def _mode() -> FakeTensorMode:
    """One for the process, so that what a method keeps for a device can be used in it again."""
    stand_in()
    return FakeTensorMode(allow_non_fake_inputs=False)


class _Adopting(TorchDispatchMode):
    """Takes tensors that were made outside, such as constants that a module keeps, for CPU tensors without content."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return func(*tree_map(self._adopted, args), **tree_map(self._adopted, kwargs or {}))

    @staticmethod
    def _adopted(value: Any) -> Any:
        return _mode().from_tensor(value) if type(value) is Tensor else value


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Tensors that are made here have no content; those that were made before stay on the CPU, without theirs."""
    with _mode(), _Adopting():  # type: ignore[no-untyped-call]
        yield


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
