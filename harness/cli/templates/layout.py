"""A layout to start from: recordings named class-subject-take.mp4, with one CSV file of a sensor beside each.

See what it finds:   oneshot data index DATA --layout harness/cli/templates/layout.py
What is wrong:       oneshot data verify DATA --layout harness/cli/templates/layout.py
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mmact_oneshot.layouts import (
    Folder,
    Found,
    Layout,
    SensorFile,
    SensorRecording,
    SensorSpec,
    Unused,
    VideoFile,
    defect,
    nothing,
)

NAME = re.compile(r"([a-z_]+)-(\d+)-(\d+)\.(mp4|csv)")  # waving-3-1.mp4: class, subject, take


class NamedFiles(Layout):
    """Replace this by one sentence on the data set, with its paper."""

    name = "named-files"
    sensors = (SensorSpec("acc", "m/s^2", 50.0, "right wrist"),)  # name, unit after reading, rate in Hz, place
    looks_for = "class-subject-take.mp4 and .csv"  # for messages

    def scan(self, folder: Folder) -> Iterator[Found]:
        """What the names in one folder mean. Nothing is opened, and nothing is passed over in silence."""
        for name in folder.files:
            path, parts = folder.child(name), NAME.fullmatch(name)
            if parts is None:
                yield Unused(path)
                continue
            action, subject, take = parts[1], int(parts[2]), int(parts[3])
            camera = scene = 1  # where a data set has several, suites can keep support and query apart by them
            if parts[4] == "mp4":
                yield VideoFile(action, subject, camera, scene, take, path)
            else:
                yield SensorFile("acc", action, subject, scene, take, path)

    def read_sensor(self, path: Path, sensor: SensorSpec) -> SensorRecording:
        """Rows of seconds, x, y, z in m/s^2. Bad content becomes defects with a rule and a remedy."""
        if not path.read_bytes().strip():
            return nothing(sensor, defect("sensor-file-empty", str(path), "it has no row"))
        try:
            rows = np.loadtxt(path, delimiter=",", ndmin=2)
            seconds, values = rows[:, 0], rows[:, 1:4].astype(np.float32)
        except (ValueError, IndexError) as error:
            return nothing(sensor, defect("sensor-file-unreadable", str(path), str(error)))
        return SensorRecording(seconds - seconds[0], values, float(seconds[0]), sensor.rate_hz)
