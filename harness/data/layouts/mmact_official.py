"""MMAct as its authors give it out: the folders say who, where and which camera, the file name the action."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mmact_oneshot.harness.data.clips import SensorSpec
from mmact_oneshot.harness.data.defects import defect
from mmact_oneshot.harness.data.layouts.assemble import Found, SensorFile, Unused, VideoFile
from mmact_oneshot.harness.data.layouts.base import MARKER, VIDEO_SUFFIXES, Layout, split_suffix
from mmact_oneshot.harness.data.layouts.mmact_sensors import CLASS_NAME, SENSOR_FOLDER, SENSORS, read_mmact
from mmact_oneshot.harness.data.layouts.walk import Folder
from mmact_oneshot.harness.data.sensors.recording import SensorRecording

# The folders that people unpack the archives into may stand before either.
VIDEO_FOLDER = re.compile(r"(?:.*/)?(subject(\d+)/cam(\d+)/scene(\d+)/session(\d+))", re.IGNORECASE)
CSV_FOLDER = re.compile(rf"(?:.*/)?({SENSOR_FOLDER}/(?:[^/]+/)*?subject(\d+)/scene(\d+)/session(\d+))", re.IGNORECASE)


class MMActOfficial(Layout):
    """MMAct as its authors give it out: a folder for each subject, camera, scene and session."""

    name = "mmact"
    sensors = SENSORS
    looks_for = "subjectN/camN/sceneN/sessionN/<action>.mp4, <sensor>_clip/subjectN/sceneN/sessionN/<action>.csv"

    def scan(self, folder: Folder) -> Iterator[Found]:
        video = VIDEO_FOLDER.fullmatch(folder.path)
        sensor = None if video else CSV_FOLDER.fullmatch(folder.path)
        place = video or sensor
        if place and folder.files and not place[1].islower():
            yield defect("capitalised-name", folder.path, f"{place[1]} is not in lower case")
        numbers = [int(number) for number in place.groups()[-4 if video else -3 :]] if place else []
        for name in folder.files:
            stem, suffix = split_suffix(name)
            path = folder.child(name)
            if suffix != ".csv" and suffix not in VIDEO_SUFFIXES:
                if path != MARKER:
                    yield Unused(path)
                continue
            action = stem.lower()
            expected = VIDEO_SUFFIXES if video else {".csv"} if sensor else ()
            if suffix not in expected or not CLASS_NAME.fullmatch(action):
                yield defect("name-not-understood", path, f"not named as in {self.looks_for}")
                continue
            if action != stem:
                yield defect("capitalised-name", path, f"{stem} is read as {action}")
            if video:
                subject, camera, scene, session = numbers
                yield VideoFile(action, subject, camera, scene, session, path)
            elif sensor:
                subject, scene, session = numbers
                yield SensorFile(sensor[2].lower(), action, subject, scene, session, path)

    def read_sensor(self, path: Path, sensor: SensorSpec) -> SensorRecording:
        return read_mmact(path, sensor)
