"""Encode every clip once; keep the features in half precision, on disk where they are many."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod
from mmact_oneshot.harness.data.task.clip_source import ClipSource, LoadedClips
from mmact_oneshot.harness.data.task.transfer import batches_ahead
from mmact_oneshot.harness.runtime.device import Device, free_bytes
from mmact_oneshot.harness.runtime.memory import in_pieces
from mmact_oneshot.harness.runtime.progress import Watcher

IN_MEMORY = 2 << 30  # bytes of one leaf above which it is memory-mapped
HELD_ON_ACCELERATOR = 0.25  # of its free memory: all features of a table, copied there once


class FeatureTable:
    """Features of some of a store's clips; leaf -> (N, ...), addressed by the store's rows.

    Args:
        rows: (N,) the clips that are held.
        size: number of clips in the store.
        dtype: of floating-point leaves; others are kept as they are.

    Attributes:
        seconds: what it took to compute the features.
    """

    seconds = 0.0

    def __init__(self, rows: np.ndarray, size: int, dtype: torch.dtype = torch.float16) -> None:
        self.rows, self.size, self.dtype = rows, size, dtype
        self._place = np.full(size, -1, np.int64)
        self._place[rows] = np.arange(len(rows))
        self._leaves: dict[str, Tensor] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._parts: tuple[FeatureTable, ...] = ()  # keeps the folders of joined tables alive

    def write(self, first: int, features: Features) -> None:
        """Put the features of ``rows[first : first + B]``."""
        for name, value in features.items():
            kept = value.detach().to(self.dtype) if value.is_floating_point() else value.detach()
            if name not in self._leaves:
                self._leaves[name] = self._allocate((len(self.rows), *kept.shape[1:]), kept.dtype)
            self._leaves[name][first : first + len(kept)] = kept.cpu()

    def gather(self, rows: np.ndarray, device: torch.device) -> Features:
        """Features of the store's rows, in any shape: leaves (*rows.shape, ...), float32."""
        place = torch.from_numpy(self._place[rows])
        if bool((place < 0).any()):
            raise KeyError("a clip was asked for that was not encoded")
        places = {held: place.to(held) for held in {leaf.device for leaf in self._leaves.values()}}
        leaves = {name: leaf[places[leaf.device]].to(device) for name, leaf in self._leaves.items()}
        return {name: leaf.float() if leaf.is_floating_point() else leaf for name, leaf in leaves.items()}

    def held_near(self, device: Device) -> FeatureTable:
        """The same features in an accelerator's memory, where gathering them is fast, if there is room; else itself."""
        if not device.accelerator or self.bytes > HELD_ON_ACCELERATOR * (free_bytes(device) or 0):
            return self
        there = FeatureTable(self.rows, self.size, self.dtype)
        there._leaves = {name: leaf.to(device.torch) for name, leaf in self._leaves.items()}
        there.seconds = self.seconds
        return there

    def only(self, names: Collection[str]) -> FeatureTable:
        """The same clips with some of the leaves, shared, not copied."""
        some = FeatureTable(self.rows, self.size, self.dtype)
        some._leaves = {name: self._leaves[name] for name in names}
        some._parts, some.seconds = (self,), self.seconds
        return some

    @property
    def leaves(self) -> dict[str, Tensor]:
        """Leaf -> (N, ...), as they are held."""
        return self._leaves

    @property
    def bytes_per_clip(self) -> int:
        """Size of a clip's features as :meth:`gather` gives them."""
        return sum(4 * leaf[0].numel() for leaf in self._leaves.values()) or 1

    @property
    def bytes(self) -> int:
        """Size of all features as they are held."""
        return sum(leaf.nbytes for leaf in self._leaves.values())

    def joined(self, other: FeatureTable) -> FeatureTable:
        """The leaves of two tables of the same clips, shared, not copied."""
        assert np.array_equal(self.rows, other.rows)
        both = FeatureTable(self.rows, self.size, self.dtype)
        both._leaves = {**self._leaves, **other._leaves}
        both._parts = (self, other)
        both.seconds = self.seconds + other.seconds
        return both

    def _allocate(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        size = int(np.prod(shape)) * dtype.itemsize
        if size <= IN_MEMORY:
            return torch.empty(shape, dtype=dtype)
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="oneshot-features-")
        path = Path(self._folder.name) / str(len(self._leaves))
        with path.open("wb") as stream:
            _reserve(stream.fileno(), size)
        return torch.from_file(str(path), shared=True, size=int(np.prod(shape)), dtype=dtype).view(shape)


def _reserve(file: int, size: int) -> None:
    """Take the room now: a mapped file without any ends the process when the disk is full (SIGBUS).

    Raises:
        OSError: there is not as much.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:  # macOS
        os.truncate(file, size)


def batches(rows: np.ndarray, size: int) -> Iterator[tuple[int, np.ndarray]]:
    """Consecutive pieces of ``rows`` with the place where each begins."""
    for first in range(0, len(rows), size):
        yield first, rows[first : first + size]


@torch.no_grad()
def encode_clips(
    encode: Callable[[Clips], Features],
    source: ClipSource,
    rows: np.ndarray,
    device: Device,
    batch: int,
    progress: Callable[[int], None] | None = None,
    watcher: Watcher | None = None,
    at_once: int = 0,
) -> FeatureTable:
    """Features of clips under the fixed rule of evaluation; ``encode`` is in evaluation mode.

    Args:
        batch: clips that are read together.
        at_once: clips that are encoded together, by default a batch; half as many from when they run out of memory.
        watcher: is told of that.

    Raises:
        OutOfMemory: a single clip is too much.
    """
    table = FeatureTable(rows, len(source.store.clips))
    started = time.perf_counter()
    loaded = ((first, source.load(piece)) for first, piece in batches(rows, batch))
    at_once = at_once or batch
    for first, clips in batches_ahead(loaded, device):

        def encoded(part: slice, first: int = first, clips: LoadedClips = clips) -> None:
            with device.autocast():
                table.write(first + part.start, encode(clips[part].to(device.torch)))

        at_once = in_pieces(encoded, len(clips), at_once, "clips", watcher)
        if progress:
            progress(len(clips))
    table.seconds = time.perf_counter() - started
    return table


@torch.no_grad()
def embed_clips(
    method: FewShotMethod, encoded: FeatureTable, device: Device, rows: np.ndarray | None = None, batch: int = 1024
) -> FeatureTable:
    """The head's per-clip part over encoded clips: those of ``rows``, by default all.

    Args:
        batch: clips at a time; half as many from when they run out of memory.

    Raises:
        OutOfMemory: a single clip is too much.
    """
    method.eval()
    rows = encoded.rows if rows is None else rows
    table = FeatureTable(rows, encoded.size, torch.float32)
    started = time.perf_counter()

    def embedded(part: slice) -> None:
        with device.autocast():
            table.write(part.start, method.embed(encoded.gather(rows[part], device.torch)))

    in_pieces(embedded, len(rows), batch, "clips")
    table.seconds = time.perf_counter() - started
    return table
