"""Bytes alive on the stand-in accelerator, now and at most."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmact_oneshot.harness.runtime.stand_in import NAME


class LiveBytes(TorchDispatchMode):
    """Adds up the storages of all tensors that are made on the device under it, until nothing holds them.

    What a kernel needs within one operation, and what an allocator rounds up, is not counted.

    Attributes:
        now: bytes alive.
        peak: the most so far; may be set back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._alive: dict[int, weakref.ref[UntypedStorage]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in (made,) if isinstance(made, Tensor) else tree_leaves(made):
            if isinstance(value, Tensor) and value.device.type == NAME:
                self._add(value.untyped_storage())
        return made

    def _add(self, storage: UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive:
            return

        def dead(_: object) -> None:
            del self._alive[key]
            self.now -= size

        self._alive[key] = weakref.ref(storage, dead)
        self.now += size
        self.peak = max(self.peak, self.now)
