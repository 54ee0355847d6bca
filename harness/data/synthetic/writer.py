"""The files of a generated data set: H.264 films and sensor tables in MMAct's official layout."""

from __future__ import annotations

import io
import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmact_oneshot.harness.data.synthetic.body import Array
from mmact_oneshot.harness.data.synthetic.defects import Planted, choose, plant, planted_in
from mmact_oneshot.harness.data.synthetic.performance import Key, perform, sense
from mmact_oneshot.harness.data.synthetic.plan import files, outside_split, performances, sensor_path, video_path
from mmact_oneshot.harness.data.synthetic.render import film
from mmact_oneshot.harness.data.synthetic.settings import SyntheticSettings
from mmact_oneshot.harness.runtime.errors import HarnessError

MARKER = "synthetic.json"
_FIRST_DAY = np.datetime64("2018-09-03T09:00:00.000")  # local time of Tokyo, as in MMAct's files
Progress = Callable[[int, int], None]  # performances written, performances in all


@dataclass(frozen=True)
class Written:
    """What a call did: performances written now, performances in all, defects planted."""

    performances: int
    total: int
    planted: tuple[Planted, ...]


def synthesize(root: Path, settings: SyntheticSettings, workers: int = 1, progress: Progress | None = None) -> Written:
    """Write a generated data set; a second call writes only what is missing, the same bytes with any ``workers``.

    Args:
        root: an empty or new folder, or one begun with the same settings.
        workers: processes; 1 works in this one.
        progress: called after each performance.

    Raises:
        HarnessError: the folder holds something else, or data of other settings.
    """
    everything = performances(settings) + outside_split(settings)
    touched = {key for victim in choose(settings) for key in victim.keys} if settings.defects else set()
    _claim(root, settings)
    planted = planted_in(root) if settings.defects else None
    # Planting changes and removes files. If it was cut off its victims are written afresh; if it was not, what is
    # missing among them is missing on purpose.
    missing = [
        key for key in everything
        if (planted is None if key in touched else not _complete(root, settings, key))
    ]  # fmt: skip
    try:
        for count, _ in enumerate(_each(partial(_write_performance, root, settings), missing, workers), start=1):
            if progress is not None:
                progress(count, len(missing))
        if settings.defects and planted is None:
            planted = plant(root, settings)
    except OSError as error:
        raise _unwritable(root, error) from error
    return Written(len(missing), len(everything), tuple(planted or ()))


def _claim(root: Path, settings: SyntheticSettings) -> None:
    """Make the folder ours, or refuse it."""
    if root.exists() and not root.is_dir():
        raise HarnessError("This is a file.", where=root, remedy="Name a new or empty folder.")
    marker = root / MARKER
    wanted = settings.as_json()
    if marker.exists():
        try:
            found = json.loads(marker.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != wanted:
            raise HarnessError(
                "The folder holds generated data of other settings.",
                where=marker,
                remedy="Name another folder, or remove this one.",
            )
        return
    if root.exists() and any(root.iterdir()):
        raise HarnessError(
            "The folder is not empty, and nothing in it says that its content was generated.",
            where=root,
            remedy="Name a new or empty folder.",
        )
    try:
        _replace(marker, (json.dumps(wanted, indent=2) + "\n").encode())
    except OSError as error:
        raise _unwritable(root, error) from error


def _complete(root: Path, settings: SyntheticSettings, key: Key) -> bool:
    return all((root / path).exists() for path in files(settings, key))


def _each(task: Callable[[Key], None], keys: list[Key], workers: int) -> Iterator[None]:
    if workers <= 1 or len(keys) < 2:
        yield from map(task, keys)
        return
    # A spawned process inherits neither threads nor locks, and behaves alike on every platform.
    with ProcessPoolExecutor(min(workers, len(keys)), multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(task, keys, chunksize=4)


def _write_performance(root: Path, settings: SyntheticSettings, key: Key) -> None:
    shown = perform(settings, key)
    for number in range(1, settings.cameras + 1):
        _replace(root / video_path(key, number), encode(film(settings, shown, number), settings.fps))
    start = _start(settings, key)
    for sensor, (seconds, values) in sense(settings, shown).items():
        _replace(root / sensor_path(key, sensor), table(start, seconds, values))


def _start(settings: SyntheticSettings, key: Key) -> np.datetime64:
    """When a performance begins: a day for each subject and scene, a minute for each performance."""
    order = settings.classes.index(key.class_name) if key.class_name in settings.classes else len(settings.classes)
    day = np.timedelta64(4 * (key.subject - 1) + key.scene - 1, "D")
    within = np.timedelta64(
        60_000 * (60 * (key.session - 1) + order) + (7919 * order + 31 * key.subject) % 50_000, "ms"
    )
    return _FIRST_DAY + day + within


def table(start: np.datetime64, seconds: Array, values: Array) -> bytes:
    """A sensor file: no header; local time, x, y, z in each line."""
    stamps = np.datetime_as_string(start + np.round(1000 * seconds).astype("timedelta64[ms]"), unit="ms").tolist()
    lines = [
        f"{at[:4]}{at[5:7]}{at[8:10]}_{at[11:]},{x:.5f},{y:.5f},{z:.5f}\n"
        for at, (x, y, z) in zip(stamps, values.tolist(), strict=True)
    ]
    return "".join(lines).encode()


def encode(frames: NDArray[np.uint8], fps: int) -> bytes:
    """An mp4 file (H.264, 4:2:0, no sound), the same bytes every time: one thread, no dates."""
    import av

    stored = io.BytesIO()
    with av.open(stored, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        options = {
            "preset": "veryfast",
            "crf": "22",
            "threads": "1",
            "x264-params": "rc-lookahead=0:bframes=0",
        }
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return stored.getvalue()


def _replace(path: Path, content: bytes) -> None:
    """Write at once or not at all: a file that exists is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def _unwritable(root: Path, error: OSError) -> HarnessError:
    return HarnessError(
        f"The data could not be written: {error.strerror or error}.",
        where=error.filename or root,
        remedy="Make room or name another folder, then repeat the command: it goes on where it stopped.",
    )
