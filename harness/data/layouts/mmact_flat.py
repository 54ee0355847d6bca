"""MMAct as the one-shot release (Mu-MAE) stores it: a folder for each action, all else in the file name.

The file name is the label; the folder that it stands in is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mmact_oneshot.harness.data.clips import SensorSpec
from mmact_oneshot.harness.data.defects import defect
from mmact_oneshot.harness.data.layouts.assemble import Found, SensorFile, Unused, VideoFile
from mmact_oneshot.harness.data.layouts.base import MARKER, VIDEO_SUFFIXES, Layout, split_suffix
from mmact_oneshot.harness.data.layouts.mmact_sensors import SENSOR_FOLDER, SENSORS, read_mmact
from mmact_oneshot.harness.data.layouts.walk import Folder
from mmact_oneshot.harness.data.sensors.recording import SensorRecording

VIDEO_NAME = re.compile(r"subject(\d+)_cam(\d+)_scene(\d+)_session(\d+)_([a-z][a-z0-9_]*)")
CSV_NAME = re.compile(r"subject(\d+)_scene(\d+)_session(\d+)_([a-z][a-z0-9_]*)")
CSV_FOLDER = re.compile(rf"(?:.*/)?{SENSOR_FOLDER}(?:/.*)?", re.IGNORECASE)


class MMActFlat(Layout):
    """MMAct as in the one-shot release: a folder for each action, videos or folders of frames."""

    name = "mmact-flat"
    sensors = SENSORS
    looks_for = (
        "<action>/subjectA_camB_sceneC_sessionD_<action>.mp4 (or a folder of frames of that name), "
        "<sensor>_clip/<action>/subjectA_sceneC_sessionD_<action>.csv"
    )

    def opaque(self, name: str) -> bool:
        return VIDEO_NAME.fullmatch(name.lower()) is not None

    def scan(self, folder: Folder) -> Iterator[Found]:
        sensor = CSV_FOLDER.fullmatch(folder.path)
        names = [(name, name, "") for name in folder.folders if self.opaque(name)]
        names += [(name, *split_suffix(name)) for name in folder.files]
        for name, stem, suffix in names:
            path = folder.child(name)
            is_csv = suffix == ".csv"
            is_video = suffix in VIDEO_SUFFIXES or (not suffix and self.opaque(name))
            if not is_csv and not is_video:
                if path != MARKER:
                    yield Unused(path)
                continue
            parts = (CSV_NAME if is_csv else VIDEO_NAME).fullmatch(stem.lower())
            if parts is None or (is_csv and sensor is None):
                yield defect("name-not-understood", path, f"not named as in {self.looks_for}")
                continue
            if stem != stem.lower():
                yield defect("capitalised-name", path, f"{stem} is read as {stem.lower()}")
            *numbers, action = parts.groups()
            if is_video:
                subject, camera, scene, session = map(int, numbers)
                yield VideoFile(action, subject, camera, scene, session, path)
            elif sensor:
                subject, scene, session = map(int, numbers)
                yield SensorFile(sensor[1].lower(), action, subject, scene, session, path)

    def read_sensor(self, path: Path, sensor: SensorSpec) -> SensorRecording:
        return read_mmact(path, sensor)
