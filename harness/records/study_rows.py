"""Rows of one study, from several runs of it."""

from __future__ import annotations

from collections.abc import Iterable

from mmact_oneshot.harness.records.schema import StudyRow


def united(rows: Iterable[StudyRow], others: Iterable[StudyRow]) -> tuple[StudyRow, ...]:
    """Rows in their order, then those that only the others have, with the trainings of both."""
    found: dict[str, StudyRow] = {}
    for row in (*rows, *others):
        key = row.model_dump_json(exclude={"trainings"})
        known = found[key].trainings if key in found else ()
        found[key] = row.model_copy(update={"trainings": tuple(dict.fromkeys((*known, *row.trainings)))})
    return tuple(found.values())
