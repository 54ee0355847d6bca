"""The clip table: one row per clip, whatever layout the recordings came in.

A *performance* is one execution of an action (subject, scene, session, class); a *clip* is a performance filmed by
one camera. All cameras of a performance share its sensor files.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR

import pandas as pd

GRAVITY = 9.80665  # m/s^2
SCALE_OF_UNIT = {
    "m/s^2": 1 / GRAVITY,
    "rad/s": 1 / 3.0,
    "rad": 1 / math.pi,
    "T": 1 / 5e-5,  # of the Earth's magnetic field
    "1": 1.0,
}
"""Units of sensors, and the factors by which typical human motion comes out near 1."""
IDENTITY = ("class_name", "subject", "camera", "scene", "session")
COLUMNS = ("clip", *IDENTITY, "performance", "video", "frames")


@dataclass(frozen=True)
class SensorSpec:
    """A wearable sensor with three axes: name, the unit after conversion (of ``SCALE_OF_UNIT``), nominal rate in Hz,
    place on body."""

    name: str
    unit: str
    rate_hz: float
    placement: str
    angular: bool = False  # values wrap at 2 pi


@dataclass(frozen=True)
class Defect:
    """Something wrong with the recordings, the rule by which it was handled, and the remedy."""

    kind: str  # short and stable: one word for each rule, such as "sensor-file-empty"
    path: str  # relative to the data root
    detail: str
    rule: str
    remedy: str
    row: int | None = None  # 1-based line of a text file


@dataclass(frozen=True)
class ClipTable:
    """All clips under one root.

    ``frame`` has the columns ``COLUMNS`` and one column per sensor. ``clip`` is unique and the rows are sorted by
    it; paths are relative to ``root``, POSIX style, empty where the recording is missing; ``frames`` is Int64 and
    NA where unknown before decoding.
    """

    root: Path
    layout: str
    sensors: tuple[SensorSpec, ...]
    frame: pd.DataFrame
    defects: tuple[Defect, ...] = field(default=())
    layout_source: str = ""  # what the layout is loaded by: its name, or a Python file
    layout_sha256: str = ""  # of its source; empty for a layout of ours
    generated: dict[str, object] | None = None  # the generator's settings, for data made by `oneshot data synthesize`

    @property
    def sensor_names(self) -> tuple[str, ...]:
        return tuple(sensor.name for sensor in self.sensors)

    def digest(self) -> str:
        """SHA-256 over every clip and the sizes of its files, wherever these lie: the same recordings, the same digest.
        A layout of somebody else is part of it.

        Sizes stand in for contents, because hashing terabytes of video would take longer than preparing them.
        """
        sha = hashlib.sha256(self.layout_sha256.encode())
        columns = [self.frame[name].tolist() for name in ("clip", "video", *self.sensor_names)]
        # Cameras share their sensor files: each file is looked up once.
        paths = set().union(*columns[1:])
        sizes = {path: _size(self.root / path) if path else -1 for path in paths}
        for values in zip(*columns, strict=True):
            row = [values[0], *(str(sizes[path]) for path in values[1:])]
            sha.update(("\0".join(row) + "\n").encode())
        return sha.hexdigest()


def clip_id(class_name: str, subject: int, camera: int, scene: int, session: int) -> str:
    """The name of a clip, the same in every layout."""
    return f"{class_name}/subject{subject}_cam{camera}_scene{scene}_session{session}"


def performance_id(class_name: str, subject: int, scene: int, session: int) -> str:
    """The name of a performance, shared by its cameras."""
    return f"{class_name}/subject{subject}_scene{scene}_session{session}"


def with_ids(identities: pd.DataFrame) -> pd.DataFrame:
    """Add ``clip`` and ``performance`` to a table that has the columns ``IDENTITY``; sorted by ``clip``."""
    rows = list(identities[list(IDENTITY)].itertuples(index=False, name=None))
    table = identities.assign(
        clip=[clip_id(*row) for row in rows],
        performance=[performance_id(name, subject, scene, session) for name, subject, _, scene, session in rows],
    )
    return table.sort_values("clip", kind="stable", ignore_index=True)


def _size(path: Path) -> int:
    """Bytes of a file, or the summed sizes of a folder of frames; -1 where there is nothing."""
    try:
        status = path.stat()
    except OSError:
        return -1
    if S_ISDIR(status.st_mode):
        return sum(child.stat().st_size for child in path.iterdir() if child.is_file())
    return status.st_size
