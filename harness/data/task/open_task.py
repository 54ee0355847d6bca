"""From a folder to a task: index, prepare where needed, split, clip list."""

from __future__ import annotations

import time
from pathlib import Path

from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.data.layouts import index
from mmact_oneshot.harness.data.prepare import is_prepared, prepare
from mmact_oneshot.harness.data.splits import Split, clip_list, default_split, load_split
from mmact_oneshot.harness.data.store import MANIFEST, Store, open_store, planned_store
from mmact_oneshot.harness.data.task.task import Task
from mmact_oneshot.harness.runtime.errors import HarnessError
from mmact_oneshot.harness.runtime.progress import Watcher


def open_task(
    data: Path,
    settings: Settings,
    *,
    stores: Path,
    watcher: Watcher,
    layout: str | None = None,
    split: str | None = None,
    workers: int | None = None,
    plan_only: bool = False,
) -> Task:
    """Everything a run needs of a data set.

    Args:
        data: folder of recordings, or a prepared store that travelled without them.
        stores: folder in which stores are kept.
        layout, split: by name, where they are not to be recognised.
        plan_only: decode nothing; the task can be planned but not run unless its store exists.

    Raises:
        HarnessError: whatever is wrong with the folder, the split or the disk.
    """
    if (data / MANIFEST).is_file():
        store = open_store(data)
        if store.spec != settings.store:
            raise HarnessError(
                f"the store was prepared as {store.spec!r}, the settings want {settings.store!r}.",
                where=data,
                remedy="Use the preset that it was prepared with, or prepare the recordings again.",
            )
    else:
        store = _prepared(data, settings, stores, watcher, layout, workers, plan_only)
    layout_name, generated = str(store.manifest["layout"]), store.manifest["generated"]
    chosen = load_split(split or default_split(layout_name, generated) or "")
    return Task(
        store,
        chosen,
        clip_list(chosen, generated, store.clips, layout_name),
        _facing(settings, chosen, watcher),
    )


def _facing(settings: Settings, split: Split, watcher: Watcher) -> Settings:
    """The settings, without mirror images where a class of the split depends on direction."""
    if not (settings.input.flip and split.directional):
        return settings
    watcher.note(f"input.flip is off for split {split.name}: {split.directional}")
    return settings.model_copy(update={"input": settings.input.model_copy(update={"flip": False})})


def _prepared(
    data: Path,
    settings: Settings,
    stores: Path,
    watcher: Watcher,
    layout: str | None,
    workers: int | None,
    plan_only: bool,
) -> Store:
    table = index(data, layout)
    if is_prepared(table, settings.store, stores):
        return prepare(table, settings.store, stores)
    if plan_only:
        return planned_store(stores, table, settings.store)
    started = time.perf_counter()
    watcher.begin(f"decoding {len(table.frame):,} clips", None)
    try:
        store = prepare(table, settings.store, stores, workers=workers, progress=watcher.advance, watcher=watcher)
    finally:
        watcher.end()
    watcher.note(f"prepared {len(table.frame):,} clips in {time.perf_counter() - started:.0f} s: {store.folder}")
    return store
