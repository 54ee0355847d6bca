"""What is wrong with a data set, by which rule it is handled, and what was found beside what was expected."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from mmact_oneshot.harness.data.clips import IDENTITY, ClipTable, Defect
from mmact_oneshot.harness.data.defects import RULES, defect
from mmact_oneshot.harness.data.layouts import layout_of
from mmact_oneshot.harness.data.sensors.reader import read_performance
from mmact_oneshot.harness.data.video.reader import check
from mmact_oneshot.harness.runtime.errors import HarnessError

CHUNK = 8  # performances that a worker opens at a time
DEFECT_COLUMNS = ["kind", "path", "row", "detail", "rule", "remedy"]


@dataclass(frozen=True)
class VerifyReport:
    """All findings about a data set.

    Attributes:
        defects: a row for each defect: kind, path, row, detail, rule, remedy.
        kinds: a row for each kind met: kind, count, unusable, example, rule, remedy; the unusable first.
        counts: a row for each thing counted: what, found, expected (NA without a list of expected clips).
        deep: whether the recordings were opened or only their names read.
    """

    defects: pd.DataFrame
    kinds: pd.DataFrame
    counts: pd.DataFrame
    deep: bool

    @property
    def usable(self) -> bool:
        """Whether every recording there is can be used; known defects that are handled do not count."""
        return not bool(self.kinds["unusable"].any())


def verify(
    table: ClipTable,
    *,
    expected: pd.DataFrame | None,
    known_classes: set[str] | frozenset[str] | None,
    deep: bool,
    workers: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> VerifyReport:
    """Collect every defect of a data set.

    Args:
        table: the clip table; its defects are included.
        expected: the clips that should be there, with the identity columns, such as a split's published list.
        known_classes: the classes of the split; others are counted.
        deep: open every sensor file and every video too.
        workers: processes for that.
        progress: called with the performances opened and their number.

    Raises:
        HarnessError: a worker was killed, by a decoder or for want of memory.
    """
    defects = [*table.defects, *_against(table, expected, known_classes)]
    if deep:
        defects += _open_all(table, workers, progress)
    listed = pd.DataFrame([asdict(each) for each in defects], columns=DEFECT_COLUMNS)
    listed["row"] = listed["row"].astype("Int64")
    listed = listed.sort_values(["kind", "path", "row", "detail"], ignore_index=True)
    return VerifyReport(listed, _by_kind(listed), _counts(table, expected), deep)


def _against(
    table: ClipTable, expected: pd.DataFrame | None, known_classes: set[str] | frozenset[str] | None
) -> list[Defect]:
    """The table held against the clips and the classes of a split."""
    clips = table.frame
    defects: list[Defect] = []
    if known_classes is not None:
        known = clips["class_name"].isin(known_classes)
        for name, count in clips.loc[~known, "class_name"].value_counts().sort_index().items():
            defects.append(defect("class-in-no-split", "", f"{name}: {count} clips"))
        clips = clips[known]
    if expected is not None:
        key = list(IDENTITY)
        both = clips[[*key, "clip", "video"]].merge(
            expected[key].drop_duplicates(), on=key, how="outer", indicator=True
        )
        absent = both[both["_merge"] == "right_only"]
        for name, subject, camera, scene, session in absent[key].itertuples(index=False, name=None):
            detail = f"{name}/subject{subject}_cam{camera}_scene{scene}_session{session}"
            defects.append(defect("clip-not-on-disk", "", detail))
        extra = both[both["_merge"] == "left_only"]
        for clip, video in zip(extra["clip"], extra["video"], strict=True):
            defects.append(defect("clip-not-expected", video, clip))
    return defects


def _open_all(table: ClipTable, workers: int, progress: Callable[[int, int], None]) -> Iterator[Defect]:
    """The defects of every sensor file and video."""
    rows = table.frame[["performance", "video", *table.sensor_names]]
    performances = [group.to_dict("records") for _, group in rows.groupby("performance", sort=True)]
    chunks = [performances[first : first + CHUNK] for first in range(0, len(performances), CHUNK)]
    bare = replace(table, frame=table.frame.iloc[:0], defects=())  # all that a worker needs
    done = 0
    if workers <= 1:
        for chunk in chunks:
            yield from _open_chunk(bare, chunk)
            progress(done := done + len(chunk), len(performances))
        return
    context = multiprocessing.get_context("spawn")  # decoders have threads, which do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting = {pool.submit(_open_chunk, bare, chunk): len(chunk) for chunk in chunks}
        try:
            for future in as_completed(waiting):
                yield from future.result()
                progress(done := done + waiting[future], len(performances))
        except BrokenProcessPool as error:
            raise HarnessError(
                "A process that opened the recordings was killed.",
                where=table.root,
                remedy="Try again with --workers 1, which shows the message of the decoder.",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _open_chunk(table: ClipTable, performances: Sequence[Sequence[dict[Any, Any]]]) -> list[Defect]:
    """The defects of the recordings of some performances, each given as the rows of its clips."""
    layout, defects = layout_of(table), list[Defect]()
    for clips in performances:
        for clip in clips:
            try:
                check(table.root / clip["video"])
            except HarnessError as error:
                defects.append(defect("video-unreadable", clip["video"], error.problem))
        defects += read_performance(table, layout, clips[0]).defects
    return defects


def _by_kind(defects: pd.DataFrame) -> pd.DataFrame:
    """One row for each kind that was met."""
    kinds = defects.groupby("kind", sort=True).agg(
        count=("kind", "size"), path=("path", "first"), detail=("detail", "first")
    )
    table = pd.DataFrame(
        {
            "kind": kinds.index,
            "count": kinds["count"].to_numpy(),
            "unusable": [RULES[kind].unusable for kind in kinds.index],
            "example": [": ".join(filter(None, each)) for each in zip(kinds["path"], kinds["detail"], strict=True)],
            "rule": [RULES[kind].rule for kind in kinds.index],
            "remedy": [RULES[kind].remedy for kind in kinds.index],
        }
    ).astype({"unusable": bool})
    return table.sort_values(["unusable", "count"], ascending=False, kind="stable", ignore_index=True)


def _counts(table: ClipTable, expected: pd.DataFrame | None) -> pd.DataFrame:
    """What was found beside what was expected; a sensor is expected once for each performance."""
    found = _sizes(table.frame)
    wanted = _sizes(expected) if expected is not None else {}
    performances = table.frame.drop_duplicates("performance")
    for sensor in table.sensor_names:
        found[f"{sensor} files"] = int((performances[sensor] != "").sum())
        if wanted:
            wanted[f"{sensor} files"] = wanted["performances"]
    return pd.DataFrame(
        {
            "what": list(found),
            "found": list(found.values()),
            "expected": pd.array([wanted.get(what, pd.NA) for what in found], dtype="Int64"),
        }
    )


def _sizes(clips: pd.DataFrame) -> dict[str, int]:
    names = {"class_name": "classes"} | {name: f"{name}s" for name in IDENTITY[1:]}
    sizes = {plural: int(clips[name].nunique()) for name, plural in names.items()}
    performance = [name for name in IDENTITY if name != "camera"]
    return sizes | {"performances": len(clips[performance].drop_duplicates()), "clips": len(clips)}
