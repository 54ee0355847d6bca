"""What a study consists of, as a record: with it a report knows which rows belong together."""

from __future__ import annotations

from mmact_oneshot.harness.benchmark.plan import Plan, PlannedStudy
from mmact_oneshot.harness.records import StudyRecord, StudyRow
from mmact_oneshot.harness.records.study_rows import united
from mmact_oneshot.harness.training.conditions import without_folders
from mmact_oneshot.harness.training.workspace import Workspace


def record_studies(workspace: Workspace, plan: Plan) -> None:
    """Write the record of every study; rows of earlier runs in the same folder stay in it."""
    for planned in plan.studies:
        records = workspace.records
        earlier = records.read(StudyRecord, planned.name).rows if records.has(StudyRecord, planned.name) else ()
        study = planned.study
        records.write(
            StudyRecord(
                id=planned.name,
                volatile={},
                question=study.question,
                varies=study.varies,
                reference=study.reference,
                preset=workspace.task.settings.preset,
                rows=united((*_rows(planned), *earlier)),
            )
        )


def _rows(planned: PlannedStudy) -> list[StudyRow]:
    return [
        StudyRow(
            method=jobs[0].label,
            source=jobs[0].method_source,
            modalities=row.modalities,
            training=jobs[0].training,
            encoder=row.encoder,
            initialisation=jobs[0].initialisation.name,
            settings=row.settings,
            changes=without_folders(row.changes),
            trainings=tuple(job.id for job in jobs),
        )
        for row, jobs in zip(planned.study.rows, planned.jobs, strict=True)
    ]
