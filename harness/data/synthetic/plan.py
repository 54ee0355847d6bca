"""Which clips a generated data set has, known without generating any."""

from __future__ import annotations

import pandas as pd

from mmact_oneshot.harness.data.clips import IDENTITY, with_ids
from mmact_oneshot.harness.data.synthetic.actions import OUTSIDE_SPLIT
from mmact_oneshot.harness.data.synthetic.performance import Key
from mmact_oneshot.harness.data.synthetic.settings import SyntheticSettings

SENSORS = ("acc_phone", "acc_watch", "gyro", "orientation")


def performances(settings: SyntheticSettings) -> list[Key]:
    """Every performance of the named classes, in the order in which it is written."""
    return [
        Key(name, subject, scene, session)
        for name in settings.classes
        for subject in range(1, settings.subjects + 1)
        for scene, session in settings.scene_sessions(name)
    ]


def outside_split(settings: SyntheticSettings) -> list[Key]:
    """The performances that ``defects`` adds: classes which the real data have and the public split has not."""
    if not settings.defects:
        return []
    scene, session = settings.sessions[0]
    extra = [name for name in OUTSIDE_SPLIT if name not in settings.classes]
    return [Key(name, subject, scene, session) for name in extra for subject in range(1, min(settings.subjects, 2) + 1)]


def plan(settings: SyntheticSettings) -> pd.DataFrame:
    """The clips, as the clip table would list them if nothing were wrong with the files.

    Columns clip, class_name, subject, camera, scene, session, performance; sorted by clip. Classes outside the split,
    which ``defects`` adds, are not in it.
    """
    rows = [
        (key.class_name, key.subject, camera, key.scene, key.session)
        for key in performances(settings)
        for camera in range(1, settings.cameras + 1)
    ]
    return with_ids(pd.DataFrame(rows, columns=list(IDENTITY)))


def video_path(key: Key, camera: int) -> str:
    """Relative to the root of the data."""
    return f"subject{key.subject}/cam{camera}/scene{key.scene}/session{key.session}/{key.class_name}.mp4"


def sensor_path(key: Key, sensor: str) -> str:
    """Relative to the root of the data."""
    return f"{sensor}_clip/subject{key.subject}/scene{key.scene}/session{key.session}/{key.class_name}.csv"


def files(settings: SyntheticSettings, key: Key) -> list[str]:
    """Every file of a performance, relative to the root of the data."""
    videos = [video_path(key, camera) for camera in range(1, settings.cameras + 1)]
    return videos + [sensor_path(key, sensor) for sensor in SENSORS]
