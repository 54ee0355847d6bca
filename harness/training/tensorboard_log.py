"""TensorBoard curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def scalar_log(folder: Path) -> Callable[[int, dict[str, float]], None]:
    """A function that appends scalars of a step to the TensorBoard log in ``folder``, opened on first use."""
    writer = None

    def add(step: int, scalars: dict[str, float]) -> None:
        nonlocal writer
        if writer is None:
            from torch.utils.tensorboard import SummaryWriter

            writer = SummaryWriter(str(folder))
        for name, value in scalars.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return add
