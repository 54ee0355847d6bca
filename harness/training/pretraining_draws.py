"""What chance decides in a pre-training: the clips of a step and their masks. Both depend on (seed, step) alone.

As for episodes (``episodes.stream``), only the raw words of numpy's Philox generator are used: they are
the same on every platform and in every version.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.harness.data.episodes.stream import stream_key


def rows_of_step(rows: np.ndarray, batch: int, seed: int, step: int) -> np.ndarray:
    """The clips of a step, (batch,) of ``rows``: the next of an endless sequence in which every epoch has each once."""
    epochs, places = np.divmod(np.arange(step * batch, (step + 1) * batch), len(rows))
    orders = {epoch: _words("epoch", seed, epoch, len(rows)).argsort(kind="stable") for epoch in set(epochs.tolist())}
    return rows[[orders[epoch][place] for epoch, place in zip(epochs.tolist(), places, strict=True)]]


def mask_draws(shape: tuple[int, int], seed: int, step: int | str) -> Tensor:
    """Uniform numbers for the masks of a step's clips: float32 of ``shape`` in [0, 1), in the CPU's memory."""
    words = _words("masks", seed, step, shape[0] * shape[1])
    return torch.from_numpy((words >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)).view(shape)


def _words(what: str, seed: int, index: int | str, count: int) -> np.ndarray:
    """(count,) random 64-bit words of a stream of their own."""
    words: np.ndarray = np.random.Philox(key=stream_key(f"pretraining {what} {index}", seed)).random_raw(count)
    return words
