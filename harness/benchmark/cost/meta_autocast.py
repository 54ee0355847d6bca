"""Autocast for the meta device, where torch has none: for counting the memory that a step needs in bfloat16."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from mmact_oneshot.harness.runtime.stand_in_autocast import FLOAT32, FLOAT32_RESULT, LOWER_PRECISION


def _names(overloads: tuple[str, ...]) -> set[str]:
    return {name.partition(".")[0] for name in overloads}


TO_BFLOAT16 = _names(LOWER_PRECISION) | {"__matmul__", "__rmatmul__"}
TO_FLOAT32 = _names((*FLOAT32, *FLOAT32_RESULT)) | {"__pow__", "__rpow__"}


@contextmanager
def meta_autocast(precision: str) -> Iterator[None]:
    """CUDA's casts on the meta device, by the names of functions: those that a network calls, not what they call.

    ``torch.autocast``, which knows no meta device, does what it says about ``enabled``.

    Args:
        precision: "bfloat16", or "float32" for no casts.
    """
    casts = _Casts()

    def autocast(*_: object, enabled: bool = True, **__: object) -> AbstractContextManager[object]:
        return nullcontext() if enabled else patch.object(casts, "enabled", False)

    with patch.object(torch, "autocast", autocast), casts if precision == "bfloat16" else nullcontext():
        yield


class _Casts(TorchFunctionMode):
    enabled = True

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        kind = torch.bfloat16 if name in TO_BFLOAT16 else torch.float32 if name in TO_FLOAT32 else None
        if kind is None or not self.enabled:
            return func(*args, **kwargs)

        def cast(value: Any) -> Any:
            return value.to(kind) if isinstance(value, Tensor) and value.is_floating_point() else value

        return func(*tree_map(cast, args), **tree_map(cast, kwargs))
