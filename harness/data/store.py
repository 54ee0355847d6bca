"""The prepared store: every clip decoded once, memory-mapped, so that training never opens a video.

A folder ``<data digest>-<spec digest>`` holds ``manifest.json`` (written last: its presence means complete),
``index.npz`` (clips, frame offsets, sensor grids) and ``shards/`` (packed frames, and the sensors' raw rows).
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from mmact_oneshot.harness.config.specs import StoreSpec
from mmact_oneshot.harness.data.clips import IDENTITY, ClipTable
from mmact_oneshot.harness.runtime.digests import digest, file_sha256
from mmact_oneshot.harness.runtime.errors import HarnessError

SCHEMA = 2  # raised whenever the same recordings would give other content
MANIFEST, INDEX, SHARDS = "manifest.json", "index.npz", "shards"
_OPENING = Lock()


def store_folder(parent: Path, table: ClipTable, spec: StoreSpec) -> Path:
    """Where the store of these recordings, prepared to this specification, belongs."""
    return parent / f"{table.digest()[:16]}-{digest([SCHEMA, spec.model_dump()])[:8]}"


def expected_bytes(clips: int, spec: StoreSpec) -> int:
    """About the size of a store: 16:9 frames, JPEG at an eighth of raw, 20 kB of sensors a clip."""
    frame = spec.short_side**2 * 16 // 9 * 3 // (1 if spec.encoding == "raw" else 8)
    return clips * (spec.frames * frame + 20_000)


@dataclass(frozen=True)
class Store:
    """A complete store, open for reading.

    Attributes:
        clips: clip, identity columns, performance, and ``video``: whether frames are there.
        sensors: name -> (P, G, 3) float32, SI units, P performances on a grid of G instants.
        measured: name -> (P, G) bool.
        performance: (N,) row of ``sensors`` for every clip.
    """

    folder: Path
    manifest: dict[str, Any]
    clips: pd.DataFrame
    performance: np.ndarray
    sensors: dict[str, np.ndarray]
    measured: dict[str, np.ndarray]
    _frames: dict[str, np.ndarray] = field(repr=False)
    _maps: dict[int, np.memmap[Any, Any]] = field(default_factory=dict, repr=False)

    @property
    def spec(self) -> StoreSpec:
        return StoreSpec.model_validate(self.manifest["spec"])

    @property
    def data_digest(self) -> str:
        return str(self.manifest["data_digest"])

    @cached_property
    def row(self) -> dict[str, int]:
        """Clip name -> row."""
        return {clip: row for row, clip in enumerate(self.clips["clip"])}

    def frame_shape(self, row: int) -> tuple[int, int, int]:
        """Stored frames of a clip: (count, height, width); count 0 where the video is missing or unreadable."""
        count, height, width = (int(self._frames[name][row]) for name in ("count", "height", "width"))
        return count, height, width

    def frames(self, row: int, picks: np.ndarray) -> np.ndarray:
        """Frames ``picks`` of a clip, uint8 (len(picks), height, width, 3)."""
        count, height, width = self.frame_shape(row)
        packed = self._map(int(self._frames["shard"][row]))
        if self.manifest["spec"]["encoding"] == "raw":
            start = int(self._frames["start"][row])
            clip = packed[start : start + count * height * width * 3].reshape(count, height, width, 3)
            return np.asarray(clip[picks])
        ends = self._frames["ends"][int(self._frames["first"][row]) :][:count].astype(np.int64)
        starts = np.concatenate([[int(self._frames["start"][row])], ends[:-1]])
        images = {pick: _jpeg(packed[starts[pick] : ends[pick]].tobytes()) for pick in set(picks.tolist())}
        return np.stack([images[pick] for pick in picks.tolist()])

    def _map(self, shard: int) -> np.memmap[Any, Any]:
        if shard not in self._maps:
            with _OPENING:  # many threads decode: one of them reads the file to check it
                if shard not in self._maps:
                    path = require_intact(self.folder, self.manifest, f"{SHARDS}/{shard:05d}.frames")
                    self._maps[shard] = np.memmap(path, dtype=np.uint8, mode="r")
        return self._maps[shard]


def _jpeg(content: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content), formats=("JPEG",)).convert("RGB"))


def planned_store(parent: Path, table: ClipTable, spec: StoreSpec) -> Store:
    """What a store will list once it is prepared, for planning a run; it holds no recordings."""
    nothing = {sensor.name: np.zeros((0, spec.sensor_grid, 3), np.float32) for sensor in table.sensors}
    return Store(
        folder=store_folder(parent, table, spec),
        manifest=identity(table, spec) | {"performances_without": {}, "problems": []},
        clips=table.frame[["clip", *IDENTITY, "performance"]].assign(video=table.frame["video"] != ""),
        performance=np.zeros(0, np.int64),
        sensors=nothing,
        measured=nothing,
        _frames={},
    )


def identity(table: ClipTable, spec: StoreSpec) -> dict[str, Any]:
    """The part of the manifest that is known before anything is decoded."""
    return {
        "schema": SCHEMA,
        "data_digest": table.digest(),
        "layout": table.layout,
        "generated": table.generated,
        "spec": spec.model_dump(),
        "spec_digest": digest(spec.model_dump()),
        "sensors": [asdict(sensor) for sensor in table.sensors],
    }


def sealed(manifest: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A manifest with the digest of every file of the store, and of itself: damage is told when a file is opened."""
    names = (INDEX, *sorted(f"{SHARDS}/{path.name}" for path in (folder / SHARDS).iterdir() if _is_read(path)))
    content = manifest | {"files": {name: file_sha256(folder / name) for name in names}}
    return content | {"sha256": digest(content)}


def require_intact(folder: Path, manifest: dict[str, Any], name: str) -> Path:
    """The path of a file of a store, which is read once to be held against its digest; stores of older versions have
    none.

    Raises:
        HarnessError: the file is not that which was written.
    """
    path, expected = folder / name, manifest.get("files", {}).get(name)
    if expected is not None and file_sha256(path) != expected:
        raise _damaged(path)
    return path


def _is_read(path: Path) -> bool:
    return path.name.endswith((".frames", ".rows.npz"))


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(content, dict):
        raise _damaged(path)
    return content


def _damaged(path: Path) -> HarnessError:
    return HarnessError(
        "not the file that was written: it is damaged, or was changed.",
        where=path,
        remedy="Copy the store again, or delete its folder and run `oneshot data prepare` again.",
    )


def raw_rows(store: Store, row: int) -> dict[str, np.ndarray]:
    """The sensors' own samples of a clip's performance: name -> (n, 4) float64, seconds on the performance's clock
    and three axes in SI units; absent sensors are left out."""
    shard = int(store._frames["shard"][row])
    prefix = f"{store.clips['performance'].iat[row]}|"
    path = require_intact(store.folder, store.manifest, f"{SHARDS}/{shard:05d}.rows.npz")
    with np.load(path, allow_pickle=False) as rows:
        return {key.removeprefix(prefix): rows[key] for key in rows.files if key.startswith(prefix)}


def open_store(folder: Path) -> Store:
    """Open a complete store.

    Raises:
        HarnessError: not there, not complete, damaged, or written by another version.
    """
    manifest_path = folder / MANIFEST
    if not manifest_path.is_file():
        raise HarnessError("no complete store here.", where=folder, remedy="Run `oneshot data prepare` (again).")
    manifest = _read_manifest(manifest_path)
    if manifest.get("schema") != SCHEMA:
        raise HarnessError(
            f"store of schema {manifest.get('schema')}, this version reads {SCHEMA}.",
            where=manifest_path,
            remedy="Delete the folder and prepare again.",
        )
    stated = manifest.pop("sha256", None)
    if "files" in manifest and stated != digest(manifest):
        raise _damaged(manifest_path)
    with np.load(require_intact(folder, manifest, INDEX), allow_pickle=False) as arrays:
        index = {name: arrays[name] for name in arrays.files}
    part = {
        kind: {k.removeprefix(kind): v for k, v in index.items() if k.startswith(kind)}
        for kind in ("clips/", "sensors/", "measured/", "frames/")
    }
    return Store(
        folder=folder,
        manifest=manifest,
        clips=pd.DataFrame(part["clips/"]),
        performance=index["performance"],
        sensors=part["sensors/"],
        measured=part["measured/"],
        _frames=part["frames/"],
    )
