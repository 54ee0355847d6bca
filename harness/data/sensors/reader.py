"""The wearable sensors of a performance, on one clock."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from statistics import median_low
from typing import TYPE_CHECKING, Any

import pandas as pd

from mmact_oneshot.harness.data.clips import ClipTable, Defect
from mmact_oneshot.harness.data.defects import defect
from mmact_oneshot.harness.data.sensors.csv_file import read_csv
from mmact_oneshot.harness.data.sensors.grid import to_grid
from mmact_oneshot.harness.data.sensors.mat_file import read_inertial_mat
from mmact_oneshot.harness.data.sensors.recording import SensorRecording, nothing
from mmact_oneshot.harness.runtime.errors import HarnessError

if TYPE_CHECKING:
    from mmact_oneshot.harness.data.layouts.base import Layout

SAME_CLOCK = 60.0  # seconds between the starts of sensors that were worn together


@dataclass(frozen=True)
class PerformanceSensors:
    """All sensors of a performance.

    Attributes:
        recordings: name -> recording, None where absent; seconds count from the earliest first row of all.
        start, end: the earliest first and the latest last row, in those seconds; ``start`` is 0.
        defects: those of every file and of their clocks; paths are relative to the root.
    """

    recordings: dict[str, SensorRecording | None]
    start: float
    end: float
    defects: tuple[Defect, ...]


def read_performance(table: ClipTable, layout: Layout, row: pd.Series | Mapping[Hashable, Any]) -> PerformanceSensors:
    """Read the sensor files of the performance of a clip.

    Args:
        table: the clip table.
        layout: the layout that it was read in.
        row: a row of ``table.frame``, any clip of the performance.
    """
    read: dict[str, SensorRecording] = {}
    defects: list[Defect] = []
    for sensor in table.sensors:
        path = str(row[sensor.name])
        if path:
            try:
                recording = layout.read_sensor(table.root / path, sensor)
            except HarnessError as error:
                recording = nothing(sensor, defect("sensor-file-unreadable", path, error.problem))
            stated = [replace(each, path=path) for each in recording.defects]
            defects += [each for each in stated if each not in defects]  # two sensors may share a file
            if recording.present:
                read[sensor.name] = recording
    shifts, apart = _shifts({name: recording.start for name, recording in read.items()})
    for name, seconds in apart.items():
        detail = f"{row['performance']}: {name} starts {seconds:+.0f} s from the other sensors"
        defects.append(defect("clock-apart", str(row[name]), detail))
    recordings = {
        name: replace(recording, seconds=recording.seconds + shifts[name]) for name, recording in read.items()
    }
    return PerformanceSensors(
        recordings={name: recordings.get(name) for name in table.sensor_names},
        start=0.0,
        end=max((float(recording.seconds[-1]) for recording in recordings.values()), default=0.0),
        defects=tuple(defects),
    )


def _shifts(starts: dict[str, float | None]) -> tuple[dict[str, float], dict[str, float]]:
    """What to add to the seconds of each sensor; and how far off the clocks are that were not used."""
    clocks = {name: start for name, start in starts.items() if start is not None}
    if not clocks:
        return dict.fromkeys(starts, 0.0), {}
    usual = median_low(clocks.values())
    apart = {name: start - usual for name, start in clocks.items() if abs(start - usual) > SAME_CLOCK}
    first = min(start for name, start in clocks.items() if name not in apart)
    return {name: clocks[name] - first if name in clocks and name not in apart else 0.0 for name in starts}, apart


__all__ = [
    "PerformanceSensors",
    "SensorRecording",
    "read_csv",
    "read_inertial_mat",
    "read_performance",
    "to_grid",
]
