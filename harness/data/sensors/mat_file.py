"""UTD-MHAD's inertial files: MATLAB arrays without time stamps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmact_oneshot.harness.data.clips import SensorSpec
from mmact_oneshot.harness.data.defects import defect
from mmact_oneshot.harness.data.mat import load_array
from mmact_oneshot.harness.data.sensors.recording import LARGEST, SensorRecording, nothing, shape_defects

VARIABLE = "d_iner"


def read_inertial_mat(path: Path, sensor: SensorSpec, columns: slice, scale: float = 1.0) -> SensorRecording:
    """Read three columns of ``d_iner`` (n, 6): acceleration x, y, z, then angular rate x, y, z.

    Row k was measured at k / nominal rate. Rows with a value that is not finite are left out and counted.

    Args:
        path: the file.
        sensor: what the columns hold.
        columns: which three.
        scale: multiplies the values to give SI units.
    """
    name = str(path)
    try:
        matrix = load_array(path, VARIABLE).astype(np.float64)
    except Exception as error:  # scipy raises many kinds for a damaged file
        return nothing(sensor, defect("sensor-file-unreadable", name, f"{type(error).__name__}: {error}"))
    if matrix.size == 0:
        return nothing(sensor, defect("sensor-file-empty", name, f"{VARIABLE} has no row"))
    if matrix.ndim != 2 or matrix.shape[1] != 6:
        detail = f"{VARIABLE} has the shape {matrix.shape}, not (rows, 6)"
        return nothing(sensor, defect("sensor-file-unreadable", name, detail))
    values = matrix[:, columns] * scale
    finite = (np.abs(values) < LARGEST).all(axis=1)  # False for NaN too
    defects = []
    if not finite.all():
        bad = np.flatnonzero(~finite) + 1
        defects.append(defect("row-unreadable", name, f"{len(bad)} of {len(values)} rows", int(bad[0])))
    if not finite.any():
        return nothing(sensor, *defects)
    rows = np.flatnonzero(finite)
    seconds = (rows - rows[0]) / sensor.rate_hz
    defects += shape_defects(name, sensor, seconds, values[rows], rows + 1)
    return SensorRecording(seconds, values[rows].astype(np.float32), None, sensor.rate_hz, tuple(defects))
