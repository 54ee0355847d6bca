"""MMAct's sensor files: CSV rows of time, x, y, z, with every irregularity that the real files have."""

from __future__ import annotations

import calendar
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmact_oneshot.harness.data.clips import Defect, SensorSpec
from mmact_oneshot.harness.data.defects import defect
from mmact_oneshot.harness.data.sensors.recording import LARGEST, SensorRecording, nothing, shape_defects
from mmact_oneshot.harness.runtime.errors import HarnessError

FAR_OFF = 600  # seconds from the median time of a file; the longest file of MMAct lasts one minute


@dataclass
class _Rows:
    """Rows in the order of the file: line numbers, whole seconds, fractions (NaN where missing), values."""

    lines: NDArray[np.int64]
    whole: NDArray[np.int64]
    fraction: NDArray[np.float64]
    values: NDArray[np.float64]


def read_csv(path: Path, sensor: SensorSpec, scale: float = 1.0) -> SensorRecording:
    """Read a sensor file of four columns: time as ``%Y%m%d_%H:%M:%S.%f``, then x, y, z.

    Commas, semicolons, tabs or spaces part the columns; a header, blank lines, a byte order mark and any line
    ends are accepted. Nothing in the content raises: defects are handled by the rules of ``defects.RULES``.

    Args:
        path: the file.
        sensor: what it holds.
        scale: multiplies the values to give SI units.

    Raises:
        HarnessError: the file cannot be opened.
    """
    name = str(path)
    rows, bad, length = _parse(_text(path))
    defects: list[Defect] = []
    if not length:
        return nothing(sensor, defect("sensor-file-empty", name, "the file has no row"))
    if not len(rows.lines):
        return nothing(sensor, defect("sensor-file-not-csv", name, f"none of its {length} rows is a reading", bad[0]))
    if bad:
        defects.append(defect("row-unreadable", name, f"{len(bad)} of {length} rows: {_listed(bad)}", bad[0]))

    middle = np.sort(rows.whole)[(len(rows.whole) - 1) // 2]  # a time that the file has: so that a row is left
    far = np.abs(rows.whole - middle) > FAR_OFF
    if far.any():
        lines = rows.lines[far].tolist()
        defects.append(defect("time-far-off", name, f"{len(lines)} rows: {_listed(lines)}", lines[0]))
        rows = _Rows(rows.lines[~far], rows.whole[~far], rows.fraction[~far], rows.values[~far])

    missing = np.isnan(rows.fraction)
    if missing.any():
        detail = f"{int(missing.sum())} of {len(missing)} stamps"
        defects.append(defect("time-fraction-missing", name, detail, int(rows.lines[missing][0])))
    epoch = int(rows.whole.min())
    # Whole microseconds, the resolution of the files, so that equal stamps are equal.
    micros = np.rint(_fill_fractions(rows.whole - epoch, rows.fraction, sensor.rate_hz) * 1e6).astype(np.int64)

    back = np.flatnonzero(np.diff(micros) < 0) + 1
    lines_sorted, values = rows.lines, rows.values
    if len(back):
        defects.append(defect("time-unordered", name, f"{len(back)} rows step back in time", int(rows.lines[back[0]])))
        order = np.argsort(micros, kind="stable")
        micros, values, lines_sorted = micros[order], values[order], rows.lines[order]

    values = values * scale
    first = np.flatnonzero(np.r_[True, np.diff(micros) > 0])
    if len(first) < len(micros):
        again = np.setdiff1d(np.arange(len(micros)), first)
        detail = f"{len(again)} rows repeat a time"
        defects.append(defect("time-duplicated", name, detail, int(lines_sorted[again].min())))
        values = _means(values, first, sensor.angular)
        micros, lines_sorted = micros[first], lines_sorted[first]

    seconds = (micros - micros[0]) / 1e6
    defects += shape_defects(name, sensor, seconds, values, lines_sorted)
    start = epoch + int(micros[0]) / 1e6
    return SensorRecording(seconds, values.astype(np.float32), start, sensor.rate_hz, tuple(defects))


def _text(path: Path) -> str:
    """The file as text; bytes that are no text become replacement characters, which are in no number."""
    if path.exists() and not path.is_file():  # a pipe would be waited for, a device has no end
        raise HarnessError("The sensor file is no file.", where=path, remedy="Check that it is there.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError(
            f"The sensor file cannot be opened ({error.strerror}).",
            where=path,
            remedy="Check that it is there.",
        ) from error
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return content.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")


def _parse(text: str) -> tuple[_Rows, list[int], int]:
    """The readings, the lines that are none, and the number of rows (no header, no blank lines)."""
    lines: list[int] = []
    whole: list[int] = []
    fraction: list[float] = []
    values: list[tuple[float, float, float]] = []
    bad: list[int] = []
    length = 0
    blank_so_far = True
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        fields = _fields(line)
        if not fields:
            continue
        if blank_so_far:
            blank_so_far = False
            if "time" in fields[0].lower():
                continue
        length += 1
        try:
            stamp, x, y, z = fields
            second, fractional = _stamp(stamp)
            reading = (float(x), float(y), float(z))
        except ValueError:
            bad.append(number)
            continue
        if all(-LARGEST < value < LARGEST for value in reading):  # False for NaN too
            lines.append(number)
            whole.append(second)
            fraction.append(fractional)
            values.append(reading)
        else:
            bad.append(number)
    rows = _Rows(
        np.array(lines, np.int64),
        np.array(whole, np.int64),
        np.array(fraction, np.float64),
        np.array(values, np.float64).reshape(-1, 3),
    )
    return rows, bad, length


def _fields(line: str) -> list[str]:
    """The columns of a line; empty ones at its end do not count."""
    line = line.replace('"', "").strip()
    if ";" in line:  # then a comma is a decimal mark
        fields = line.replace(",", ".").rstrip("; \t").split(";")
    elif "," in line:
        fields = line.rstrip(", \t").split(",")
    else:
        return line.split()
    return [field.strip() for field in fields]


def _stamp(stamp: str) -> tuple[int, float]:
    """A time stamp as whole seconds since 1970 and the fraction, NaN where it has none."""
    whole, _, digits = stamp.partition(".")
    if digits and not (digits.isascii() and digits.isdigit()):
        raise ValueError(stamp)
    return _second(whole), float(f"0.{digits}") if digits else np.nan


@lru_cache(maxsize=4096)
def _second(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y%m%d_%H:%M:%S"))


def _fill_fractions(whole: NDArray[np.int64], fraction: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Seconds (n,) in the order of the file, with the fractions that are missing filled in."""
    seconds = whole.astype(np.float64) + np.nan_to_num(fraction)
    missing = np.isnan(fraction)
    if missing.all():
        for second in np.unique(whole):
            rows = np.flatnonzero(whole == second)
            seconds[rows] = second + np.arange(len(rows)) / len(rows)
        return seconds
    known = np.flatnonzero(~missing)
    holes = np.flatnonzero(missing)
    after = np.searchsorted(known, holes)
    for row, position in zip(holes.tolist(), after.tolist(), strict=True):
        first = int(known[position - 1]) if position else -1
        last = int(known[position]) if position < len(known) else len(whole)
        # Before the first and after the last row the nominal rate stands in for a neighbour.
        before = seconds[first] if first >= 0 else seconds[last] - (last - first) / rate_hz
        beyond = seconds[last] if last < len(whole) else seconds[first] + (last - first) / rate_hz
        lone = last - first == 2
        if lone and before <= whole[row] <= beyond:
            continue  # the full second
        between = before + (beyond - before) * (row - first) / (last - first)
        seconds[row] = np.clip(between, whole[row], whole[row] + 0.999999)
    return seconds


def _means(values: NDArray[np.float64], first: NDArray[np.intp], angular: bool) -> NDArray[np.float64]:
    """The mean (m, 3) of each run of rows that begins at ``first`` (m,); of angles the mean direction."""
    counts = np.diff(np.r_[first, len(values)])[:, None]
    if not angular:
        return np.asarray(np.add.reduceat(values, first) / counts)
    direction = np.angle(np.add.reduceat(np.exp(1j * values), first))
    return np.where(counts > 1, direction, values[first])


def _listed(lines: list[int], most: int = 5) -> str:
    return f"lines {', '.join(map(str, lines[:most]))}{' and more' if len(lines) > most else ''}"
