"""Features of frozen encoders on disk, shared by the processes of a run: least recently used first out."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from mmact_oneshot.harness.evaluation.features import FeatureTable
from mmact_oneshot.harness.runtime.atomic import written
from mmact_oneshot.harness.runtime.digests import digest
from mmact_oneshot.harness.runtime.lease import lease
from mmact_oneshot.harness.runtime.progress import Watcher
from mmact_oneshot.harness.training.checkpoint import tensors_sha256

NAME = 24  # hexadecimal digits of a table's file name


@dataclass(frozen=True)
class FeatureCache:
    """A folder of feature tables.

    Attributes:
        limit: bytes of all tables; beyond it those that were used least recently go.
    """

    folder: Path
    limit: int

    def get(self, key: object) -> FeatureTable | None:
        """The table that was kept under a key; None where there is none, or none that can be read."""
        path = self._path(key)
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {})["about"])
                leaves = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if about.pop("sha256") != tensors_sha256(leaves, json.dumps(about)):
                raise ValueError("damaged")
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError, ValueError):
            path.unlink(missing_ok=True)  # for a whole one to take its place
            return None
        table = FeatureTable(leaves.pop("rows").numpy(), about["size"], getattr(torch, about["dtype"]))
        table.write(0, leaves)
        table.seconds = about["seconds"]
        return table

    def alone(self, key: object, watcher: Watcher) -> AbstractContextManager[None]:
        """No other process computes the table of a key meanwhile; one that does is waited for."""
        return lease(self._path(key).with_suffix(".lock"), "encoding the same clips", watcher)

    def put(self, key: object, table: FeatureTable) -> None:
        """Keep a table, and make room for it. One that alone is larger than the limit is not kept."""
        if table.bytes > self.limit:
            return
        path = self._path(key)
        with lease(self.folder / "cache.lock", "the cache of features"):
            if path.is_file():
                return
            about = {"size": table.size, "seconds": table.seconds, "dtype": str(table.dtype).removeprefix("torch.")}
            tensors = {"rows": torch.from_numpy(table.rows.astype(np.int64)), **table.leaves}
            text = json.dumps(about)
            whole = {name: value.contiguous() for name, value in tensors.items()}
            with written(path) as temporary:
                temporary.write_bytes(
                    save(whole, {"about": json.dumps(about | {"sha256": tensors_sha256(whole, text)})})
                )
            self._evict()

    def _evict(self) -> None:
        ours = "[0-9a-f]" * NAME  # and nothing that somebody else keeps there
        kept = sorted(self.folder.glob(f"{ours}.safetensors"), key=lambda each: each.stat().st_mtime)
        total = sum(path.stat().st_size for path in kept)
        for path in kept[:-1]:
            if total <= self.limit:
                return
            total -= path.stat().st_size
            with suppress(OSError):
                path.unlink()

    def _path(self, key: object) -> Path:
        return self.folder / f"{digest(key)[:NAME]}.safetensors"
