"""From what the names mean to the clip table; copies, missing cameras and missing sensors are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mmact_oneshot.harness.data.clips import (
    COLUMNS,
    IDENTITY,
    SCALE_OF_UNIT,
    ClipTable,
    Defect,
    SensorSpec,
    performance_id,
    with_ids,
)
from mmact_oneshot.harness.data.defects import defect
from mmact_oneshot.harness.runtime.errors import HarnessError

PERFORMANCE = ("class_name", "subject", "scene", "session")


class VideoFile(NamedTuple):
    """A video, or a folder of frames. Of several for a clip the one with the lowest ``rank`` is used."""

    class_name: str
    subject: int
    camera: int
    scene: int
    session: int
    path: str
    rank: int = 0


class SensorFile(NamedTuple):
    """The file of one sensor of one performance."""

    sensor: str
    class_name: str
    subject: int
    scene: int
    session: int
    path: str


class Unused(NamedTuple):
    """A file of another kind than the recordings of the layout."""

    path: str


Found = VideoFile | SensorFile | Unused | Defect


def assemble(root: Path, layout: str, sensors: tuple[SensorSpec, ...], found: Iterable[Found]) -> ClipTable:
    """Build the clip table from everything found under ``root``. Names of classes become lower case, as in splits.

    Raises:
        HarnessError: no video was found; a sensor has an unknown unit; two classes differ in capital letters alone.
    """
    for sensor in sensors:
        if sensor.unit not in SCALE_OF_UNIT:
            raise HarnessError(
                f"sensor {sensor.name!r} of layout {layout!r} is in {sensor.unit!r}, which is no known unit.",
                where=root,
                remedy=f"Convert its values to one of: {', '.join(SCALE_OF_UNIT)}; 1 for a quantity without a unit.",
            )
    videos: list[VideoFile] = []
    files: list[SensorFile] = []
    unused: list[str] = []
    defects: list[Defect] = []
    for item in found:
        if isinstance(item, VideoFile):
            videos.append(item)
        elif isinstance(item, SensorFile):
            files.append(item)
        elif isinstance(item, Unused):
            unused.append(item.path)
        else:
            defects.append(item)
    if not videos:
        raise HarnessError(
            f"There is no video of the layout {layout!r} "
            f"({len(files)} sensor files, {len(defects)} names not understood).",
            where=root,
            remedy="A clip is what a camera saw: put the videos under the same root as the sensor files.",
        )
    seen, worn = pd.DataFrame(videos, columns=VideoFile._fields), pd.DataFrame(files, columns=SensorFile._fields)
    clips, repeated = _unique(_lower_case(seen, root), list(IDENTITY), "duplicate-clip")
    recorded, copied = _unique(_lower_case(worn, root), ["sensor", *PERFORMANCE], "duplicate-sensor-file")
    names = [sensor.name for sensor in sensors]
    paths = recorded.set_index([*PERFORMANCE, "sensor"])["path"].unstack().reindex(columns=names)  # noqa: PD010
    table = clips.rename(columns={"path": "video"}).drop(columns="rank")
    table = table.merge(paths.reset_index(), on=list(PERFORMANCE), how="left", validate="many_to_one")
    table[names] = table[names].astype("str").where(table[names].notna(), "")
    table = with_ids(table.assign(frames=pd.array([pd.NA] * len(table), dtype="Int64")))
    table = table[[*COLUMNS, *names]]
    defects += [
        *repeated,
        *copied,
        *_cameras_missing(table),
        *_sensors_missing(table, names),
        *_without_video(table, recorded),
        *_not_used(unused),
    ]
    return ClipTable(root, layout, sensors, table, tuple(defects))


def _lower_case(files: pd.DataFrame, root: Path) -> pd.DataFrame:
    lower = files["class_name"].astype("str").str.lower()
    spellings = files["class_name"].groupby(lower).unique()
    for names in spellings[spellings.map(len) > 1]:
        raise HarnessError(
            f"classes that differ in capital letters alone: {', '.join(sorted(names))}.",
            where=root,
            remedy="Give them one name, or names that differ in more.",
        )
    return files.assign(class_name=lower)


def _unique(files: pd.DataFrame, key: list[str], kind: str) -> tuple[pd.DataFrame, list[Defect]]:
    """One file for each key: the lowest rank, then the first path. The others are defects."""
    ranked = "rank" in files
    files = files.sort_values([*key, *(["rank"] if ranked else []), "path"], ignore_index=True)
    kept = files.drop_duplicates(key)
    again = files[files.duplicated(key)].merge(kept, on=key, suffixes=("", "_kept"))
    lower = again["rank"] > again["rank_kept"] if ranked else pd.Series(False, index=again.index)
    defects = [
        defect(kind, str(path), f"the same recording as {other}")
        for path, other in zip(again["path"][~lower], again["path_kept"][~lower], strict=True)
    ]
    if lower.any():
        first, other = again.loc[lower, ["path", "path_kept"]].iloc[0]
        detail = f"{int(lower.sum())} recordings, such as {first}, because there is {other}"
        defects.append(defect("other-video-not-used", "", detail))
    return kept, defects


def _cameras_missing(table: pd.DataFrame) -> list[Defect]:
    """One defect for each performance that fewer cameras saw than the data set has."""
    cameras = set(table["camera"].tolist())
    performances = table.groupby("performance", sort=True).agg(cameras=("camera", list), video=("video", "first"))
    return [
        defect(
            "camera-missing",
            video,
            f"{performance}: no camera {', '.join(map(str, sorted(cameras.difference(has))))}",
        )
        for performance, has, video in zip(
            performances.index, performances["cameras"], performances["video"], strict=True
        )
        if len(has) < len(cameras)
    ]


def _sensors_missing(table: pd.DataFrame, names: list[str]) -> list[Defect]:
    """One defect for each sensor that a performance lacks; one in all for a sensor without any file."""
    performances = table.drop_duplicates("performance")
    defects = []
    for name in names:
        without = performances[performances[name] == ""]
        if len(without) == len(performances):
            defects.append(defect("sensor-missing-everywhere", "", f"no file of {name} for any clip"))
        else:
            defects += [
                defect("sensor-missing", str(video), f"{performance}: no {name}")
                for performance, video in zip(without["performance"], without["video"], strict=True)
            ]
    return defects


def _without_video(table: pd.DataFrame, recorded: pd.DataFrame) -> list[Defect]:
    """One defect for each performance that has sensor files and no clip."""
    key = list(PERFORMANCE)
    groups = recorded.groupby(key, sort=True).agg(path=("path", "first"), files=("path", "size"))
    known = set(table[key].itertuples(index=False, name=None))
    return [
        defect("performance-without-video", path, f"{performance_id(*key)}: {files} sensor files, no video")
        for key, path, files in zip(groups.index, groups["path"], groups["files"], strict=True)
        if key not in known
    ]


def _not_used(unused: list[str]) -> list[Defect]:
    """One defect for each kind of file that the layout has no use for."""
    suffixes = Counter(f".{path.rpartition('.')[2].lower()}" if "." in path else "(none)" for path in unused)
    return [
        defect("file-not-used", "", f"{count} with the suffix {suffix}") for suffix, count in sorted(suffixes.items())
    ]
