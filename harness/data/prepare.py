"""Recordings to the prepared store: parallel, resumable after a kill, atomic, and idempotent.

The clips are cut into shards of whole performances. A shard is written by one worker under a temporary name and
renamed when complete, so whatever carries its final name is complete; a later run continues with the rest.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmact_oneshot.harness.config.specs import StoreSpec
from mmact_oneshot.harness.data.clips import IDENTITY, ClipTable
from mmact_oneshot.harness.data.decoding_pool import decoding_pool
from mmact_oneshot.harness.data.layouts import layout_of
from mmact_oneshot.harness.data.sensors.reader import read_performance, to_grid
from mmact_oneshot.harness.data.store import (
    INDEX,
    MANIFEST,
    SHARDS,
    Store,
    expected_bytes,
    identity,
    open_store,
    sealed,
    store_folder,
)
from mmact_oneshot.harness.data.video.container import decoder
from mmact_oneshot.harness.data.video.reader import read_clip
from mmact_oneshot.harness.runtime.atomic import written
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.lease import lease
from mmact_oneshot.harness.runtime.progress import Watcher
from mmact_oneshot.harness.runtime.signals import children_ended, interrupts_kept_from_children

PERFORMANCES_PER_SHARD = 16
Progress = Callable[[int, int], None]  # shards done, shards in all


@dataclass(frozen=True)
class Problem:
    """A recording that could not be used, as the store's manifest and every record list it."""

    path: str
    kind: str
    detail: str


def is_prepared(table: ClipTable, spec: StoreSpec, parent: Path) -> bool:
    """Whether ``prepare`` would find nothing to do."""
    return (store_folder(parent, table, spec) / MANIFEST).is_file()


def prepare(
    table: ClipTable,
    spec: StoreSpec,
    parent: Path,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    watcher: Watcher | None = None,
) -> Store:
    """Decode every clip once into ``parent/<digest>`` and open the result; does nothing where it is complete.

    Args:
        table: the clips.
        spec: what to keep of each.
        parent: folder of all stores.
        workers: processes; default one per core.
        progress: called after every shard.
        watcher: is told if another process is preparing the same store, which is waited for.

    Raises:
        HarnessError: no room on the disk, or a worker that died. What is done stays, and the same command continues.
    """
    folder = store_folder(parent, table, spec)
    if is_prepared(table, spec, parent):
        return open_store(folder)
    (folder / SHARDS).mkdir(parents=True, exist_ok=True)
    with lease(folder / "prepare.lock", "the store", watcher):
        if not is_prepared(table, spec, parent):  # by another process meanwhile
            _prepare(table, spec, folder, workers, progress)
    return open_store(folder)


def _prepare(table: ClipTable, spec: StoreSpec, folder: Path, workers: int | None, progress: Progress | None) -> None:
    for left in (*folder.glob("*.tmp"), *(folder / SHARDS).glob("*.tmp")):  # by runs that were killed
        left.unlink(missing_ok=True)
    shards = _shards(table)
    todo = [number for number in range(len(shards)) if not _shard_file(folder, number).is_file()]
    _refuse_without_room(folder, sum(len(shards[number]) for number in todo), spec)
    try:
        _write_shards(table, shards, todo, spec, folder, workers, progress)
        _finish(table, spec, folder, len(shards))
    except (OSError, BrokenProcessPool) as error:
        if isinstance(error, OSError) and error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        full = isinstance(error, OSError)
        kept = sum(_shard_file(folder, number).is_file() for number in range(len(shards)))
        raise HarnessError(
            f"{'the disk is full' if full else 'a worker process died (out of memory?)'}; "
            f"{kept} of {len(shards)} parts are done and kept.",
            where=folder,
            remedy=f"{'Free some space, or name another folder with --store' if full else 'Use fewer --workers'}; "
            "the same command continues.",
        ) from error


def _write_shards(
    table: ClipTable,
    shards: list[list[int]],
    todo: list[int],
    spec: StoreSpec,
    folder: Path,
    workers: int | None,
    progress: Progress | None,
) -> None:
    """Write the shards ``todo`` in parallel; the first error is raised once the running shards have ended."""
    light, done = _light(table), len(shards) - len(todo)
    pool = decoding_pool(workers or os.cpu_count() or 1)
    try:
        with children_ended():
            with interrupts_kept_from_children():
                waiting = [pool.submit(write_shard, light, shards[number], spec, folder, number) for number in todo]
            for future in as_completed(waiting):
                future.result()
                done += 1
                if progress:
                    progress(done, len(shards))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def write_shard(table: ClipTable, rows: list[int], spec: StoreSpec, folder: Path, number: int) -> None:
    """Decode some clips and their sensors into one shard (frames, raw rows, and last the index, atomically)."""
    layout = layout_of(table)
    frame = table.frame
    problems: list[Problem] = []
    frames: dict[str, list[int]] = {name: [] for name in ("count", "height", "width", "total", "start", "first")}
    ends: list[int] = []
    with written(_frames_file(folder, number)) as temporary, temporary.open("wb") as packed:
        for clip in rows:
            images, total = _decode(table, clip, spec, problems)
            count, height, width = images.shape[:3]
            for name, value in zip(frames, (count, height, width, total, packed.tell(), len(ends)), strict=True):
                frames[name].append(value)
            for image in images:
                packed.write(_pack(image, spec))
                ends.append(packed.tell())

    grids, raw = {}, {}
    performances = frame.iloc[rows].drop_duplicates("performance").to_dict("records")
    for place, row in enumerate(performances):
        recording = read_performance(table, layout, row)
        problems += [Problem(d.path, d.kind, d.detail) for d in recording.defects]
        for sensor in table.sensors:
            found = recording.recordings[sensor.name]
            if found is None:
                continue
            grids[f"{place}/{sensor.name}"] = to_grid(
                found, recording.start, recording.end, spec.sensor_grid, spec.max_gap, sensor.angular
            )
            raw[f"{row['performance']}|{sensor.name}"] = np.column_stack([found.seconds, found.values])
    _save(folder / SHARDS / f"{number:05d}.rows.npz", raw)
    index: dict[str, np.ndarray] = {f"frames/{k}": np.asarray(v, np.int64) for k, v in frames.items()}
    index["frames/ends"] = np.asarray(ends, np.int64)
    for sensor in table.sensors:
        empty = np.zeros((spec.sensor_grid, 3), np.float32), np.zeros(spec.sensor_grid, bool)
        both = [grids.get(f"{place}/{sensor.name}", empty) for place in range(len(performances))]
        index[f"sensors/{sensor.name}"] = np.stack([values for values, _ in both])
        index[f"measured/{sensor.name}"] = np.stack([measured for _, measured in both])
    index["problems"] = np.asarray(json.dumps([asdict(problem) for problem in problems]))
    _save(_shard_file(folder, number), index)


def _decode(table: ClipTable, row: int, spec: StoreSpec, problems: list[Problem]) -> tuple[np.ndarray, int]:
    """Frames of one clip, or none with the problem noted."""
    none = np.zeros((0, 0, 0, 3), np.uint8), 0
    path = str(table.frame["video"].iat[row])
    if not path:
        return none
    try:
        return read_clip(table.root / path, spec.frames, spec.short_side)
    except HarnessError as error:
        problems.append(Problem(path, "video-unreadable", error.problem))
        return none


def _pack(image: np.ndarray, spec: StoreSpec) -> bytes:
    if spec.encoding == "raw":
        return np.ascontiguousarray(image).tobytes()
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=spec.jpeg_quality)
    return stream.getvalue()


def _finish(table: ClipTable, spec: StoreSpec, folder: Path, shards: int) -> None:
    """Merge the shards' indices and write the manifest, last."""
    parts = [_read_shard(_shard_file(folder, number)) for number in range(shards)]
    merged = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name != "problems"}
    sizes = [len(part["frames/count"]) for part in parts]
    merged["frames/shard"] = np.repeat(np.arange(shards), sizes)
    merged["frames/first"] = merged["frames/first"] + np.repeat(
        np.cumsum([0] + [len(part["frames/ends"]) for part in parts[:-1]]), sizes
    )
    order = [row for rows in _shards(table) for row in rows]
    clips = table.frame.iloc[order].reset_index(drop=True)
    merged["performance"] = pd.factorize(clips["performance"])[0]
    for column in ("clip", *IDENTITY, "performance"):
        values = clips[column]
        merged[f"clips/{column}"] = values.to_numpy(np.int64 if column in IDENTITY[1:] else np.str_)
    merged["clips/video"] = merged["frames/count"] > 0
    _save(folder / INDEX, merged)
    problems = [problem for part in parts for problem in json.loads(str(part["problems"]))]
    manifest: dict[str, Any] = identity(table, spec) | {
        "decoder": decoder(),
        "streams": sorted({layout_of(table).stream(path) for path in table.frame["video"] if path} - {""}),
        "clips": len(clips),
        "performances": int(merged["performance"].max()) + 1,
        "clips_without_video": int((~merged["clips/video"]).sum()),
        "performances_without": {
            sensor.name: int((~merged[f"measured/{sensor.name}"].any(axis=1)).sum()) for sensor in table.sensors
        },
        "problems": problems + [asdict(Problem(d.path, d.kind, d.detail)) for d in table.defects],
    }
    with written(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(sealed(manifest, folder), indent=1, sort_keys=True), "utf-8")


def _read_shard(path: Path) -> dict[str, np.ndarray]:
    """The index of a shard; one that is damaged is removed, so that the same command writes it again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        if not {"problems", "frames/count", "frames/ends"} <= found.keys():
            raise ValueError("it is no index of a part")
        return found
    except (OSError, TypeError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        path.unlink()
        raise HarnessError(
            "a part of the store that was done earlier is damaged, and was removed.",
            where=path,
            remedy="Start the same command again: it decodes this part anew.",
        ) from error


def _shards(table: ClipTable) -> list[list[int]]:
    """Rows of the clip table, cut into shards of whole performances in the order of their names."""
    codes = pd.factorize(table.frame["performance"], sort=True)[0]
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order] // PERFORMANCES_PER_SHARD)) + 1
    return [part.tolist() for part in np.split(order, cuts)]


def _light(table: ClipTable) -> ClipTable:
    """The table as workers need it: defects of other clips stay at home."""
    return replace(table, defects=(), generated=None)


def _refuse_without_room(folder: Path, clips: int, spec: StoreSpec) -> None:
    """Refuse early what cannot fit."""
    needed = expected_bytes(clips, spec)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise HarnessError(
            f"about {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free.",
            where=folder,
            remedy="Free some space, name another folder with --store, or keep less (--set store.encoding=jpeg).",
        )


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with written(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def _frames_file(folder: Path, number: int) -> Path:
    return folder / SHARDS / f"{number:05d}.frames"


def _shard_file(folder: Path, number: int) -> Path:
    return folder / SHARDS / f"{number:05d}.npz"
