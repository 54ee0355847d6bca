"""TensorBoard curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class ScalarLog:
    """Appends scalars of a step to the TensorBoard log in a folder: a file, and a thread that writes, from the first
    call until it is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def __call__(self, step: int, scalars: dict[str, float]) -> None:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder))
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Let go of file and thread."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
