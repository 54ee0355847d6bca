"""A contact sheet: frames of some clips and, on the same time axis under them, what the sensors measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmact_oneshot.harness.data.clips import ClipTable, SensorSpec
from mmact_oneshot.harness.data.layouts import Layout
from mmact_oneshot.harness.data.sensors.reader import PerformanceSensors, read_performance
from mmact_oneshot.harness.data.sensors.recording import SensorRecording
from mmact_oneshot.harness.data.video.reader import Frames, probe, read_clip
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest

_INK, _PALE, _AXES = "#222222", "#888888", ("#c0392b", "#2471a3", "#7f8c2d")  # text; missing; x, y, z
_BLOCK_INCHES, _TRACE_INCHES, _MARGIN_INCHES, _COLUMNS = 6.4, 0.5, 1.05, 2
_MOST = 6  # clips where no class is named


@dataclass(frozen=True)
class _Shown:
    clip: str
    frames: Frames
    seconds: float
    sensors: PerformanceSensors


def preview(
    table: ClipTable, layout: Layout, out: Path, classes: Sequence[str] = (), frames: int = 7, short_side: int = 168
) -> list[str]:
    """Draw a contact sheet: one clip of each class, frames spread evenly over it, every sensor under them.

    Args:
        table: the clip table.
        layout: the layout that it was read in.
        out: the picture to write; its suffix names the format (.png, .pdf, .svg).
        classes: which classes, in this order; if none is named, six spread over all.
        frames: frames of each clip.
        short_side: pixels at which the videos are read.

    Returns:
        The names of the clips shown. Clips with every modality are preferred, different ones for different classes.

    Raises:
        HarnessError: a class is unknown or has no video, a recording cannot be read, or ``out`` not be written.
    """
    known = sorted(set(table.frame["class_name"]))
    for name in classes:
        if name not in known:
            raise HarnessError(f"There is no class {name!r} in {table.root}.", remedy=nearest(name, known))
    spread = [known[k * len(known) // _MOST] for k in range(_MOST)] if len(known) > _MOST else known
    chosen = list(classes) or spread
    rows = [_pick(table, name, place) for place, name in enumerate(chosen)]
    blocks = [_read(table, layout, row, frames, short_side) for row in rows]
    _draw(blocks, table, out)
    return [block.clip for block in blocks]


def _pick(table: ClipTable, class_name: str, place: int) -> pd.Series:
    """A clip of a class; the lower on the sheet, the later in the list of its clips."""
    clips = table.frame[(table.frame["class_name"] == class_name) & (table.frame["video"] != "")]
    if clips.empty:
        raise HarnessError(f"The class {class_name!r} has no video.", where=table.root, remedy="Name another class.")
    whole = clips[(clips[list(table.sensor_names)] != "").all(axis=1)]
    clips = clips if whole.empty else whole
    return clips.iloc[(place * 7) % len(clips)]


def _read(table: ClipTable, layout: Layout, row: pd.Series, frames: int, short_side: int) -> _Shown:
    path = table.root / str(row["video"])
    sensors = read_performance(table, layout, row)
    info = probe(path)
    # Frames are placed by their share of the clip: nominal rates of video and sensors do not always agree.
    seconds = sensors.end - sensors.start
    if seconds <= 0:
        seconds = info.frames / info.fps if info.fps else float(info.frames)
    return _Shown(str(row["clip"]), read_clip(path, frames, short_side)[0], seconds, sensors)


def _draw(blocks: list[_Shown], table: ClipTable, out: Path) -> None:
    from matplotlib.figure import Figure

    across = min(_COLUMNS, len(blocks))
    down = -(-len(blocks) // across)
    strip = [_BLOCK_INCHES * block.frames.shape[1] / (len(block.frames) * block.frames.shape[2]) for block in blocks]
    heights: list[float] = []
    for line in range(down):
        heights += [max(strip[line * across : (line + 1) * across])] + [_TRACE_INCHES] * len(table.sensors) + [0.42]
    total, width = sum(heights) + 0.75, across * (_BLOCK_INCHES + _MARGIN_INCHES) + 0.1
    figure = Figure(figsize=(width, total), dpi=110)
    grid = figure.add_gridspec(
        len(heights), across, height_ratios=heights, hspace=0.0, wspace=_MARGIN_INCHES / _BLOCK_INCHES,
        left=_MARGIN_INCHES / width, right=1 - 0.1 / width, top=1 - 0.62 / total, bottom=0.13 / total,
    )  # fmt: skip
    for place, block in enumerate(blocks):
        line, column = divmod(place, across)
        first = line * (len(table.sensors) + 2)
        _draw_frames(figure.add_subplot(grid[first, column]), block)
        for k, sensor in enumerate(table.sensors):
            axes = figure.add_subplot(grid[first + 1 + k, column])
            _draw_trace(axes, block, sensor, last=k == len(table.sensors) - 1)
    origin = "generated data" if table.generated is not None else "recordings"
    names = ", ".join(sensor.name for sensor in table.sensors)
    figure.text(
        0.005, 1 - 0.2 / total, f"{table.layout}, {origin}: frames over {names}", size=9, color=_INK, va="center"
    )
    for k, axis in enumerate("xyz"):
        figure.text(0.97 + 0.01 * k, 1 - 0.2 / total, axis, size=9, color=_AXES[k], va="center", weight="bold")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out)
    except (OSError, ValueError) as error:
        raise HarnessError(
            f"The contact sheet cannot be written: {error}.", where=out, remedy="Name another file, such as sheet.png."
        ) from error


def _draw_frames(axes: Any, block: _Shown) -> None:
    width = block.seconds / len(block.frames)
    for k, frame in enumerate(block.frames):
        axes.imshow(frame, extent=(k * width, (k + 1) * width, 0.0, 1.0), aspect="auto", interpolation="bilinear")
        axes.axvline(k * width, color="white", linewidth=1.2)
    axes.set(xlim=(0.0, block.seconds), ylim=(0.0, 1.0), xticks=[], yticks=[])
    axes.set_title(block.clip, size=8, loc="left", pad=3, color=_INK)


def _draw_trace(axes: Any, block: _Shown, sensor: SensorSpec, last: bool) -> None:
    recording = block.sensors.recordings[sensor.name]
    if recording is None:
        axes.text(0.5, 0.5, "missing", transform=axes.transAxes, size=7, color=_PALE, ha="center", va="center")
    else:
        for k, line in enumerate(_lines(recording, sensor)):
            axes.plot(recording.seconds - block.sensors.start, line, color=_AXES[k], linewidth=0.8)
    axes.set(xlim=(0.0, block.seconds))
    axes.margins(y=0.12)
    axes.tick_params(labelsize=6, length=2, pad=1.5, colors=_INK, labelbottom=last)
    axes.locator_params(axis="y", nbins=3)
    axes.set_ylabel(
        f"{sensor.name}\n{sensor.unit}", size=6, color=_INK, rotation=0, ha="right", va="center", labelpad=16
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if last:
        axes.set_xlabel("seconds", size=6, color=_INK, labelpad=1)


def _lines(recording: SensorRecording, sensor: SensorSpec) -> np.ndarray[Any, Any]:
    """The three axes (3, n); angles run on instead of jumping by a turn."""
    values = recording.values.T
    return np.unwrap(values, axis=1) if sensor.angular else values
