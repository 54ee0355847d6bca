"""Merging runs: one folder of records from several, whose rows or seeds were run apart."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmact_oneshot.harness.records.folder import RecordFolder
from mmact_oneshot.harness.records.schema import (
    AnyRecord,
    EvaluationRecord,
    PretrainingRecord,
    SearchRecord,
    SkippedRecord,
    StudyRecord,
    SuiteRecord,
    TrainingRecord,
)
from mmact_oneshot.harness.records.study_rows import united
from mmact_oneshot.harness.runtime.atomic import written
from mmact_oneshot.harness.runtime.errors import HarnessError

KINDS: tuple[type[Any], ...] = (
    EvaluationRecord, TrainingRecord, PretrainingRecord, SearchRecord, SuiteRecord, SkippedRecord,
)  # fmt: skip
"""What a record refers to comes after it: a run that is under way writes it before."""
MADE = frozenset({"volatile", "provenance"})  # when, where, by which commit: that of the first run is kept
Fields = frozenset[str]
NONE: Fields = frozenset()
Taken = dict[Path, tuple[Path, AnyRecord]]  # by file of the merged folder: which file it is, and what it says
LEAVE_OUT = "Leave one of the two runs out; or delete, in one of them, this record and those that were made from it."


def merge(runs: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Write every record of several runs into one folder, byte for byte, and each once.

    Rows of a study are united. The log of test accesses holds the lines of all logs in order of their dates; a line
    that several have, because one folder was begun as a copy of another, is one access.

    Args:
        runs: folders of records.
        out: a folder of records without any yet.

    Returns:
        File of a merged record -> the run's file that it is a copy of.

    Raises:
        HarnessError: a broken record, or two of one name that say different things; the run's file and the field are
            named.
    """
    merged, taken = RecordFolder(out), Taken()
    lines: Counter[str] = Counter()
    for records in map(RecordFolder, runs):
        for study in records.all(StudyRecord):
            _unite(records, study, merged, taken)
        for kind in KINDS:
            for record in records.all(kind):
                _take(records, record, merged, taken)
        # Last for the same reason: an access is logged before its evaluation is there.
        lines |= Counter(json.dumps(entry, sort_keys=True) for entry in records.test_accesses.read() or ())
    if lines:
        in_order = sorted(lines.elements(), key=lambda line: (json.loads(line)["date"], line))
        with written(merged.test_accesses.path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in in_order))
    return {copy: source for copy, (source, _) in taken.items()}


def require_all_again(old: Path, new: Path) -> None:
    """Nothing of a folder of records may be lost with a new one in its place.

    Raises:
        HarnessError: the old one has a record, or an access of a test suite, that the new one has not.
    """
    remedy = "Name that run too, or another folder with --out."
    for path in sorted(old.rglob("*.json")):
        if not (new / path.relative_to(old)).is_file():
            raise HarnessError("a record that none of the runs has, and that would be lost.", where=path, remedy=remedy)
    log, accesses = RecordFolder(old).test_accesses, RecordFolder(new).test_accesses.read() or []
    if any(entry not in accesses for entry in log.read() or ()):
        raise HarnessError("a test access that none of the runs has.", where=log.path, remedy=remedy)


def _unite(records: RecordFolder, study: StudyRecord, merged: RecordFolder, taken: Taken) -> None:
    source, target = (folder.path(StudyRecord, study.id) for folder in (records, merged))
    rows = study.rows
    if target in taken:
        earlier, known = taken[target]
        _require_same(known, study, source, earlier, frozenset({"rows"}))
        rows = (*merged.read(StudyRecord, study.id).rows, *rows)
    taken.setdefault(target, (source, study))
    merged.write(study.model_copy(update={"rows": united(rows)}))


def _take(records: RecordFolder, record: AnyRecord, merged: RecordFolder, taken: Taken) -> None:
    """Copy a record and what lies beside it, unless an equal one is there."""
    source, target = (folder.path(type(record), record.id) for folder in (records, merged))
    if target in taken:
        earlier, known = taken[target]
        if not _goes_on(known, record):
            if not _goes_on(record, known):
                _require_same(known, record, source, earlier)
            return
    taken[target] = source, record
    copies = {source: target}
    for path in _beside(records, record):
        copies[path] = merged.folder / path.relative_to(records.folder)
    for path, copy in copies.items():
        if path.is_file():  # a picture may be missing
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _beside(records: RecordFolder, record: AnyRecord) -> list[Path]:
    """The files that a record names, once they are known to be those that it was written with."""
    folder = records.path(type(record), record.id).parent
    if isinstance(record, EvaluationRecord):
        records.read_predictions(record)
        return [records.predictions / record.predictions]
    if isinstance(record, SuiteRecord):
        records.read_episodes(record)
        return [folder / record.episodes]
    return [folder / record.picture] if isinstance(record, PretrainingRecord) and record.picture else []


def _goes_on(one: AnyRecord, other: AnyRecord) -> bool:
    """Whether a search was cut off, and the other is the same search with more trials."""
    if not isinstance(one, SearchRecord) or not isinstance(other, SearchRecord):
        return False
    return other.trials[: len(one.trials)] == one.trials and not _differing(one, other, frozenset({"trials"}))


def _require_same(known: AnyRecord, record: AnyRecord, source: Path, earlier: Path, apart: Fields = NONE) -> None:
    for field in _differing(known, record, apart):
        raise HarnessError(f"{field}: not what {earlier} says.", where=source, remedy=LEAVE_OUT)


def _differing(one: AnyRecord, other: AnyRecord, apart: Fields = NONE) -> list[str]:
    """Fields in which two records differ, but for when and where they were made."""
    first, second = (_measured(record.model_dump(mode="json", exclude=set(apart))) for record in (one, other))
    return [name for name in first if first[name] != second[name]]


def _measured(value: Any) -> Any:
    """Without what says when, where and by which commit, at any depth: shared encoders were made before."""
    if isinstance(value, dict):
        return {name: _measured(each) for name, each in value.items() if name not in MADE}
    return [_measured(each) for each in value] if isinstance(value, list) else value
