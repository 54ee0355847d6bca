"""The prepared store: what `oneshot data prepare` writes, whole and half done."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from tests.damage import array_damage, recordings, text_damage
from tests.damage.bytes_damage import Mutation, Random
from tests.damage.recordings import held, prepared
from tests.damage.runner import Reading
from tests.damage.subject import Subject, digest_of, guarded

MANIFEST = "manifest.json"


def make_store(folder: Path, encoding: Literal["raw", "jpeg"] = "jpeg") -> None:
    """A complete store of a few clips, without its recordings."""
    from mmact_oneshot.harness.config.specs import StoreSpec
    from mmact_oneshot.harness.data.layouts import index
    from mmact_oneshot.harness.data.prepare import prepare

    place = folder / "recordings"
    place.mkdir()
    recordings.make_mmact(place)
    spec = StoreSpec(frames=6, short_side=24, encoding=encoding, sensor_grid=32)
    with recordings.in_this_process():
        made = prepare(index(place / "data"), spec, folder / "stores")
    made.folder.rename(folder / "store")


def make_half_done(folder: Path) -> None:
    """A store whose last step is still to be done."""
    recordings.make_mmact(folder)
    prepared(folder / "data", folder / "stores", [])
    (store,) = (folder / "stores").iterdir()
    for name in (MANIFEST, "index.npz"):
        (store / name).unlink()


def read_store(folder: Path) -> Reading:
    """All clips of a store, as a run with `--data STORE` reads them."""
    return guarded(partial(_store, folder / "store"))


def _store(folder: Path) -> Reading:
    from mmact_oneshot.harness.data.store import open_store

    store = open_store(folder)
    return Reading(f"{digest_of(held(store))} {store.spec} {sorted(map(str, store.manifest.items()))}")


def read_half_done(folder: Path) -> Reading:
    """`oneshot data prepare` once more."""
    return guarded(partial(prepared, folder / "data", folder / "stores", []))


def a_clip_lost(content: bytes, random: Random) -> bytes:
    return content[: len(content) // 2]


_part = partial(Subject, make=make_store, read=read_store)
FRAMES: tuple[Mutation, ...] = (a_clip_lost,)
SUBJECTS = (
    _part("store, manifest", file=f"store/{MANIFEST}", own=(*text_damage.TEXT, *text_damage.JSON)),
    _part("store, index", file="store/index.npz", own=array_damage.NPZ),
    _part("store, sensor rows", file="store/shards/*.rows.npz", own=array_damage.NPZ),
    _part("store, JPEG frames", file="store/shards/*.frames", own=FRAMES),
    _part(
        "store, raw frames", file="store/shards/*.frames", own=FRAMES, make=partial(make_store, encoding="raw")
    ),
    Subject(
        "store half done", make_half_done, "stores/*/shards/?????.npz", read_half_done
    ),
)  # fmt: skip
