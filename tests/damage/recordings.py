"""Recordings: sensor files, videos and the folders that they lie in, verified and prepared as a user does it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from tests.damage import array_damage, folder_damage, media_damage, text_damage
from tests.damage.bytes_damage import Mutation, Random, checksum_of_zeros, deflated_zeros
from tests.damage.runner import Reading
from tests.damage.subject import Subject, digest_of, guarded, listed, oneshot

SENSORS = ("acc_phone", "acc_watch", "gyro", "orientation")
NAMES = ("subject1_{}scene1_session1_walking", "subject2_{}scene1_session1_walking")
ROWS = 120
SPLIT = 'base = ["walking"]\nvalidation = ["running"]\nnovel = ["carrying"]\n'  # which no list of clips goes with


def sensor_csv(seed: int) -> str:
    """A reading every 10 ms with a header, as MMAct's files are."""
    random = np.random.default_rng(seed)
    lines = ["time_stamp,x_axis,y_axis,z_axis"]
    for place, (x, y, z) in enumerate(np.round(np.cumsum(random.normal(0, 0.2, (ROWS, 3)), axis=0), 4).tolist()):
        micros = place * 10_000
        lines.append(f"20180709_12:30:{micros // 1_000_000:02d}.{micros % 1_000_000:06d},{x},{y},{z}")
    return "\n".join(lines) + "\n"


def make_mmact(folder: Path, kind: str = "mp4", codec: str = "libx264", pixels: str = "yuv420p") -> None:
    """Two performances before one camera."""
    for number, name in enumerate(NAMES):
        for place, sensor in enumerate(SENSORS):
            path = folder / f"data/{sensor}_clip/walking/{name.format('')}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(sensor_csv(10 * number + place))
        path = folder / f"data/walking/{name.format('cam1_')}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(media_damage.video(kind=kind, codec=codec, pixels=pixels))


def make_frames(folder: Path) -> None:
    from PIL import Image

    make_mmact(folder)
    video = folder / f"data/walking/{NAMES[0].format('cam1_')}.mp4"
    video.unlink()
    video.with_suffix("").mkdir()
    for number, frame in enumerate(media_damage.frames_of(8)):
        Image.fromarray(frame).save(video.with_suffix("") / f"frame{number}.{'png' if number % 2 else 'jpg'}")


def make_utd(folder: Path) -> None:
    from scipy.io import savemat

    random = np.random.default_rng(0)
    (folder / "data").mkdir()
    for subject in (1, 2):
        name = folder / f"data/a22_s{subject}_t1_"
        savemat(f"{name}inertial.mat", {"d_iner": random.normal(0, 40, (ROWS, 6))}, do_compression=True)
        depth = np.zeros((30, 40, 12), np.uint16)
        depth[5:25, 10:30] = random.integers(1800, 3200, (20, 20, 12))
        savemat(f"{name}depth.mat", {"d_depth": depth}, do_compression=True)


def make_generated(folder: Path) -> None:
    from mmact_oneshot.harness.data.synthetic import SyntheticSettings, synthesize

    settings = SyntheticSettings(
        classes=("walking", "running", "carrying"),
        subjects=1,
        cameras=1,
        sessions=((1, 1),),
        desk_sessions=((1, 1),),
        fps=10,
        width=48,
        height=36,
        seconds=(0.5, 0.6),
    )
    synthesize(folder / "data", settings)


def read_recordings(folder: Path) -> Reading:
    """`oneshot data verify`, and then what `oneshot data prepare` makes of the recordings."""
    root, defects, split = folder / "data", folder / "defects.csv", folder / "split.toml"
    split.write_text(SPLIT)
    oneshot("data", "verify", root, "--csv", defects, "--split", split, "--workers", 1)
    return guarded(partial(prepared, root, folder / "stores", listed(defects)))


def prepared(root: Path, stores: Path, notes: list[list[str]]) -> Reading:
    """All that a store holds of recordings; shards are written in this process, which is held to its limits."""
    from mmact_oneshot.harness.config.specs import StoreSpec
    from mmact_oneshot.harness.data.layouts import index
    from mmact_oneshot.harness.data.prepare import prepare

    spec = StoreSpec(frames=6, short_side=24, encoding="raw", sensor_grid=32)
    table = index(root)
    with in_this_process():
        store = prepare(table, spec, stores)
    problems = [[each["kind"], each["path"], each["detail"]] for each in store.manifest["problems"]]
    generated = [("generated", np.array(str(table.generated)))]
    return Reading(digest_of([*generated, *held(store)]), [*notes, *problems])


def in_this_process() -> AbstractContextManager[object]:
    """Stores are prepared without processes of their own."""
    return patch.multiple("mmact_oneshot.harness.data.prepare", decoding_pool=InProcess, as_completed=list)


def held(store: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Every array of a store by name: identities, frames, sensors and their raw rows."""
    from mmact_oneshot.harness.data.store import raw_rows

    for column in store.clips:
        yield column, np.asarray(store.clips[column].astype(str).tolist())
    yield "performance", store.performance
    for name in store.sensors:
        yield name, store.sensors[name]
        yield f"{name} measured", store.measured[name]
    for row in range(len(store.clips)):
        count = store.frame_shape(row)[0]
        if count:
            yield f"frames {row}", store.frames(row, np.arange(count))
        yield from raw_rows(store, row).items()


class InProcess:
    """In place of a pool of processes."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def submit(self, function: Any, *arguments: Any) -> Any:
        from concurrent.futures import Future

        future: Future[None] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, **_: object) -> None: ...


def _stamps(content: bytes, change: Any) -> bytes:
    head, *rows = content.decode().splitlines()
    return "\n".join([head, *(change(place, row) for place, row in enumerate(rows))]).encode() + b"\n"


def stamps_of_another_year(content: bytes, random: Random) -> bytes:
    place = int(random.integers(ROWS))
    return _stamps(content, lambda row, text: text.replace("2018", "9999", 1) if row == place else text)


def stamps_without_fractions(content: bytes, random: Random) -> bytes:
    return _stamps(content, lambda row, text: text.partition(".")[0] + "," + text.partition(",")[2])


def stamps_in_seconds(content: bytes, random: Random) -> bytes:
    """Since 1970, as other recorders write them."""
    return _stamps(content, lambda row, text: f"{1_531_139_400 + row / 100}," + text.partition(",")[2])


def a_gap(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join([*lines[:40], *lines[80:]])


def one_row(content: bytes, random: Random) -> bytes:
    return b"".join(content.splitlines(keepends=True)[:2])


CSV: tuple[Mutation, ...] = (stamps_of_another_year, stamps_without_fractions, stamps_in_seconds, a_gap, one_row)


def gz_that_swells(content: bytes, random: Random) -> bytes:
    """A gzip file of three gigabytes of zeros."""
    end = checksum_of_zeros(array_damage.SWOLLEN).to_bytes(4, "little") + (array_damage.SWOLLEN % (1 << 32)).to_bytes(
        4, "little"
    )
    return b"\x1f\x8b\x08" + bytes(7) + deflated_zeros(array_damage.SWOLLEN) + end


def real_images(content: bytes, random: Random) -> bytes:
    """Another frame of the same recording: nobody can know."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(media_damage.frames_of(3)[1]).save(stream, "PNG")
    return stream.getvalue()


VIDEO = f"data/walking/{NAMES[0].format('cam1_')}"
_video = partial(Subject, read=read_recordings, own=media_damage.VIDEO, raw=True)
SUBJECTS = (
    Subject(
        "sensor CSV",
        make_mmact,
        f"data/gyro_clip/walking/{NAMES[0].format('')}.csv",
        read_recordings,
        own=(*text_damage.TEXT, *text_damage.TABLE, *CSV, gz_that_swells),
        raw=True,
    ),
    _video("video, mp4", make_mmact, f"{VIDEO}.mp4"),
    _video("video, mkv", partial(make_mmact, kind="mkv"), f"{VIDEO}.mkv"),
    _video("video, avi", partial(make_mmact, kind="avi", codec="mpeg4"), f"{VIDEO}.avi"),
    _video("video, mov", partial(make_mmact, kind="mov"), f"{VIDEO}.mov", own=()),
    _video("video, webm", partial(make_mmact, kind="webm", codec="libvpx"), f"{VIDEO}.webm", own=()),
    Subject(
        "frame folder",
        make_frames,
        f"{VIDEO}/frame*",
        read_recordings,
        own=(*media_damage.IMAGE, real_images),
        folder=folder_damage.FOLDER,
        raw=True,
        names=(NAMES[0].format("cam1_"),),
    ),
    Subject(
        "UTD-MHAD inertial .mat",
        make_utd,
        "data/a22_s1_t1_inertial.mat",
        read_recordings,
        own=array_damage.MAT,
        raw=True,
    ),
    Subject(
        "UTD-MHAD depth .mat", make_utd, "data/a22_s1_t1_depth.mat", read_recordings, own=array_damage.MAT, raw=True
    ),
    Subject(
        "places of sensor files", make_mmact, f"data/gyro_clip/walking/{NAMES[0].format('')}.csv", read_recordings,
        any=(), folder=folder_damage.FOLDER, raw=True, names=("",),
    ),
    Subject(
        "places of videos", make_mmact, f"{VIDEO}.mp4", read_recordings, any=(), folder=folder_damage.FOLDER, raw=True,
        names=("",),
    ),
    Subject(
        "places of .mat files", make_utd, "data/a22_s1_t1_inertial.mat", read_recordings, any=(),
        folder=folder_damage.FOLDER, raw=True, names=("",),
    ),
    Subject(
        "synthetic.json",
        make_generated,
        "data/synthetic.json",
        read_recordings,
        own=(*text_damage.TEXT, *text_damage.JSON),
        raw=True,
    ),
)  # fmt: skip
