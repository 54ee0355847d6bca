"""The prepared store: written once, resumed after any interruption, and saying what could not be used."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mmact_oneshot.harness.data import prepare as module
from mmact_oneshot.harness.data.clips import ClipTable
from mmact_oneshot.harness.data.layouts import index
from mmact_oneshot.harness.data.prepare import is_prepared, prepare, write_shard
from mmact_oneshot.harness.data.store import INDEX, MANIFEST, SCHEMA, SHARDS, Store, open_store, raw_rows, store_folder
from mmact_oneshot.harness.data.video.reader import read_clip
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.conftest import STORE

ROOT = Path(__file__).parents[2]


class InProcess:
    """Stands in for the pool of processes: the same calls in this process, so that they can be made to fail."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def submit(self, function: object, *arguments: object) -> object:
        from concurrent.futures import Future

        future: Future[None] = Future()
        try:
            function(*arguments)  # type: ignore[operator]
            future.set_result(None)
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, **_: object) -> None: ...


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "decoding_pool", InProcess)
    return iter(())


def content(store: Store) -> dict[str, bytes]:
    """Every file of a store but those that carry a process number."""
    return {str(p.relative_to(store.folder)): p.read_bytes() for p in sorted(store.folder.rglob("*")) if p.is_file()}


def arrays(store: Store) -> dict[str, np.ndarray]:
    with np.load(store.folder / INDEX) as found:
        return {name: found[name] for name in found.files}


def assert_same(a: Store, b: Store) -> None:
    """Equal bytes everywhere; archives are compared by what they hold."""
    assert content(a).keys() == content(b).keys()
    for name, value in content(a).items():
        if not name.endswith(".npz"):
            assert value == content(b)[name], name
    for name, array in arrays(a).items():
        np.testing.assert_array_equal(array, arrays(b)[name], err_msg=name)


def test_the_store_holds_what_the_recordings_show(store: Store, table: ClipTable) -> None:
    assert len(store.clips) == len(table.frame) == 48
    assert set(store.clips["clip"]) == set(table.frame["clip"])
    assert store.clips["video"].all()
    assert store.manifest["problems"] == []
    assert store.manifest["generated"] == table.generated
    row = store.row[str(table.frame["clip"].iat[7])]
    frames, total = read_clip(table.root / str(table.frame["video"].iat[7]), STORE.frames, STORE.short_side)
    assert store.frame_shape(row) == (4, 24, 32) == frames.shape[:3]
    np.testing.assert_array_equal(store.frames(row, np.asarray([3, 0, 0])), frames[[3, 0, 0]])
    assert total in {5, 6}
    for name in store.sensors:
        assert store.sensors[name].shape == (48, 32, 3)
        assert store.measured[name].mean() > 0.8
    weight = np.median(np.linalg.norm(store.sensors["acc_phone"], axis=2))
    assert abs(float(weight) - 9.81) < 3, "gravity, in m/s^2"


def test_raw_rows_are_kept_at_their_own_rate(store: Store) -> None:
    rows = raw_rows(store, 11)
    assert set(rows) == set(store.sensors)
    seconds = rows["acc_phone"][:, 0]
    assert (np.diff(seconds) > 0).all()
    assert 80 < (len(seconds) - 1) / (seconds[-1] - seconds[0]) < 120


def test_a_second_run_does_nothing(store: Store, table: ClipTable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_prepared(table, STORE, store.folder.parent)
    before = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*")}
    monkeypatch.setattr(module, "decoding_pool", None)  # whoever starts a worker fails
    assert_same(prepare(table, STORE, store.folder.parent), store)
    assert {path: path.stat().st_mtime_ns for path in store.folder.rglob("*")} == before


def test_other_recordings_or_another_specification_have_a_store_of_their_own(table: ClipTable, tmp_path: Path) -> None:
    other = STORE.model_copy(update={"frames": 5})
    assert store_folder(tmp_path, table, STORE) != store_folder(tmp_path, table, other)
    copy = tmp_path / "recordings"
    shutil.copytree(table.root, copy)
    assert store_folder(tmp_path, index(copy), STORE) == store_folder(tmp_path, table, STORE), "wherever they lie"
    video = copy / str(table.frame["video"].iat[0])
    video.write_bytes(video.read_bytes() + b"0")
    assert store_folder(tmp_path, index(copy), STORE) != store_folder(tmp_path, table, STORE)


def test_lost_parts_are_written_again_and_the_rest_is_kept(
    store: Store, table: ClipTable, tmp_path: Path, in_process: None
) -> None:
    half = tmp_path / store.folder.name
    shutil.copytree(store.folder, half)
    for name in (MANIFEST, INDEX, f"{SHARDS}/00001.npz"):
        (half / name).unlink()
    kept = (half / SHARDS / "00000.npz").stat().st_mtime_ns
    reports: list[tuple[int, int]] = []
    again = prepare(table, STORE, tmp_path, progress=lambda done, total: reports.append((done, total)))
    assert_same(again, store)
    assert (half / SHARDS / "00000.npz").stat().st_mtime_ns == kept
    assert reports == [(3, 3)]


def test_a_worker_that_fails_midway_leaves_what_a_second_run_completes(
    store: Store, table: ClipTable, tmp_path: Path, in_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def fails(path: Path, frames: int, short_side: int) -> tuple[np.ndarray, int]:
        nonlocal calls
        calls += 1
        if calls == 30:
            raise MemoryError("out of memory")
        return read_clip(path, frames, short_side)

    monkeypatch.setattr(module, "read_clip", fails)
    with pytest.raises(MemoryError):
        prepare(table, STORE, tmp_path)
    assert not (tmp_path / store.folder.name / MANIFEST).exists()
    with pytest.raises(HarnessError, match="no complete store here"):
        open_store(tmp_path / store.folder.name)
    assert_same(prepare(table, STORE, tmp_path), store)


@pytest.mark.slow
def test_a_killed_run_leaves_a_store_that_a_second_run_completes(
    store: Store, table: ClipTable, tmp_path: Path
) -> None:
    """SIGKILL to the whole group while shards are being written, as the kernel does when memory runs out."""
    code = f"""
import sys
from pathlib import Path
from mmact_oneshot.harness.data.layouts import index
from mmact_oneshot.harness.data.prepare import prepare
from mmact_oneshot.harness.config.specs import StoreSpec
if __name__ == "__main__":
    prepare(index(Path({str(table.root)!r})), StoreSpec(**{STORE.model_dump()!r}), Path({str(tmp_path)!r}), workers=1)
"""
    script = tmp_path / "prepare_it.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen([sys.executable, str(script)], env=environment, start_new_session=True)
    shards = tmp_path / store.folder.name / SHARDS
    try:
        deadline = time.monotonic() + 60
        while not list(shards.glob("*.frames")) and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert running.returncode == -signal.SIGKILL, "killed before it was done"
    assert not (tmp_path / store.folder.name / MANIFEST).exists()
    again = prepare(table, STORE, tmp_path, workers=1)
    assert_same(again, store)


def test_a_dead_worker_is_one_clear_message(table: ClipTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures.process import BrokenProcessPool

    class Dies(InProcess):
        def submit(self, function: object, *arguments: object) -> object:
            def die(*_: object) -> None:
                raise BrokenProcessPool("a child process terminated abruptly")

            return super().submit(die)

    monkeypatch.setattr(module, "decoding_pool", Dies)
    with pytest.raises(HarnessError, match=r"worker process died.*0 of 3 parts.*same command continues"):
        prepare(table, STORE, tmp_path)


def test_too_little_room_is_refused_before_anything_is_decoded(
    table: ClipTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 10, 10))
    with pytest.raises(HarnessError, match=r"GB are needed and 0\.0 GB are free.*another folder"):
        prepare(table, STORE, tmp_path)


def test_a_disk_that_fills_up_is_one_clear_message_and_what_is_done_stays(
    store: Store, table: ClipTable, tmp_path: Path, in_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = module._save

    def full(path: Path, arrays: dict[str, np.ndarray]) -> None:
        if path.name == "00002.rows.npz":
            raise OSError(errno.ENOSPC, "No space left on device")
        save(path, arrays)

    monkeypatch.setattr(module, "_save", full)
    with pytest.raises(HarnessError, match=r"the disk is full; 2 of 3 parts are done and kept.*same command continues"):
        prepare(table, STORE, tmp_path)
    monkeypatch.setattr(module, "_save", save)
    assert_same(prepare(table, STORE, tmp_path), store)


def test_a_disk_that_fills_up_at_the_very_end_is_told_alike(
    store: Store, table: ClipTable, tmp_path: Path, in_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_finish", full)
    with pytest.raises(HarnessError, match="the disk is full; 3 of 3 parts"):
        prepare(table, STORE, tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(module, "decoding_pool", None)  # no part is decoded again
    with pytest.raises(TypeError):
        prepare(table, STORE.model_copy(update={"frames": 3}), tmp_path)


def test_other_errors_of_the_system_are_not_called_a_full_disk(
    table: ClipTable, tmp_path: Path, in_process: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module, "_save", broken)
    with pytest.raises(OSError, match="Input/output error"):
        prepare(table, STORE, tmp_path)


def test_nothing_temporary_stays(store: Store, table: ClipTable, tmp_path: Path, in_process: None) -> None:
    assert not list(store.folder.rglob("*.tmp"))
    left = tmp_path / store.folder.name / SHARDS / "00000.4711.tmp"  # of a run that was killed
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a shard")
    prepare(table, STORE, tmp_path)
    assert not left.exists()


@pytest.fixture
def spoilt(recordings: Path, tmp_path: Path) -> tuple[Path, str, str]:
    """A copy of the recordings with one video cut short and one missing."""
    copy = tmp_path / "spoilt"
    shutil.copytree(recordings, copy)
    cut, missing = sorted(copy.glob("subject1/cam1/**/*.mp4"))[:2]
    cut.write_bytes(cut.read_bytes()[:300])
    missing.unlink()
    return copy, str(cut.relative_to(copy)), str(missing.relative_to(copy))


def test_an_unreadable_video_is_listed_and_the_rest_is_prepared(
    spoilt: tuple[Path, str, str], tmp_path: Path, in_process: None
) -> None:
    root, cut, _ = spoilt
    done = prepare(index(root), STORE, tmp_path / "stores")
    assert done.manifest["clips_without_video"] == len(done.clips) - int(done.clips["video"].sum()) > 0
    listed = [problem for problem in done.manifest["problems"] if problem["kind"] == "video-unreadable"]
    assert [problem["path"] for problem in listed] == [cut]
    assert listed[0]["detail"]
    row = int(np.flatnonzero(~done.clips["video"])[0])
    assert done.frame_shape(row)[0] == 0
    assert done.measured["acc_watch"][done.performance[row]].any(), "its sensors are there all the same"


def test_jpeg_keeps_the_pictures_and_takes_less_room(
    store: Store, table: ClipTable, tmp_path: Path, in_process: None
) -> None:
    packed = prepare(table, STORE.model_copy(update={"encoding": "jpeg"}), tmp_path)
    picks = np.asarray([2, 0, 3])
    for row in (0, 20, 47):
        raw, jpeg = (each.frames(row, picks).astype(float) for each in (store, packed))
        assert raw.shape == jpeg.shape
        assert np.abs(raw - jpeg).mean() < 4
    sizes = [sum(path.stat().st_size for path in each.folder.rglob("*.frames")) for each in (store, packed)]
    assert sizes[1] < sizes[0] / 2


def test_a_store_of_another_version_is_refused(store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "store"
    shutil.copytree(store.folder, copy)
    manifest = copy / MANIFEST
    manifest.write_text(manifest.read_text().replace(f'"schema": {SCHEMA}', '"schema": 99'))
    with pytest.raises(HarnessError, match=f"schema 99, this version reads {SCHEMA}"):
        open_store(copy)


def test_a_shard_is_complete_or_not_there(store: Store, table: ClipTable, tmp_path: Path) -> None:
    """The file whose name means "complete" is renamed last."""
    (tmp_path / SHARDS).mkdir()
    write_shard(table, [0, 1], STORE, tmp_path, 0)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / SHARDS).iterdir()}
    assert set(times) == {"00000.frames", "00000.rows.npz", "00000.npz"}
    assert max(times, key=lambda name: times[name]) == "00000.npz"
