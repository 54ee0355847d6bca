"""MMAct's four wearable sensors and the pieces of its names, shared by its two layouts."""

from __future__ import annotations

import math
import re
from pathlib import Path

from mmact_oneshot.harness.data.clips import SensorSpec
from mmact_oneshot.harness.data.sensors.csv_file import read_csv
from mmact_oneshot.harness.data.sensors.recording import SensorRecording

SENSORS = (
    SensorSpec("acc_phone", "m/s^2", 100.0, "right trouser pocket"),
    SensorSpec("acc_watch", "m/s^2", 100.0, "right wrist"),
    SensorSpec("gyro", "rad/s", 50.0, "right trouser pocket"),
    SensorSpec("orientation", "rad", 25.0, "right trouser pocket", angular=True),  # irregular, about 20 to 30 Hz
)
SENSOR_FOLDER = rf"({'|'.join(sensor.name for sensor in SENSORS)})_clip"
CLASS_NAME = re.compile(r"[a-z][a-z0-9_]*")


def read_mmact(path: Path, sensor: SensorSpec) -> SensorRecording:
    """Read a CSV file of MMAct; angles are in degrees there and in radians here."""
    return read_csv(path, sensor, scale=math.pi / 180 if sensor.angular else 1.0)
