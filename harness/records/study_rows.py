"""Rows of one study, from several runs of it."""

from __future__ import annotations

from collections.abc import Iterable

from mmact_oneshot.harness.records.schema import StudyRow
from mmact_oneshot.harness.runtime.digests import digest


def united(rows: Iterable[StudyRow]) -> tuple[StudyRow, ...]:
    """Each row once, where it first stood, with the trainings of all."""
    found: dict[str, StudyRow] = {}
    for row in rows:
        key = digest(row.model_dump(mode="json", exclude={"trainings"}))  # settings in any order are the same
        known = found[key].trainings if key in found else ()
        found[key] = row.model_copy(update={"trainings": tuple(dict.fromkeys((*known, *row.trainings)))})
    return tuple(found.values())
