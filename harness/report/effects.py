"""What a start changes: the same head on the same encoders, started otherwise, less the one from scratch."""

from __future__ import annotations

from dataclasses import dataclass

from harness.report import starts
from harness.report.inference import compare_pair
from harness.report.rows import Row, method_settings
from harness.report.statistics import Paired
from harness.report.tables import SuiteTable

CONDITIONS = ("training", "input", "store", "way", "shot", "classes", "selection")  # `longer` changes encoder_training


@dataclass(frozen=True)
class Effect:
    """A row less its like from scratch, on the same episodes with the same seeds."""

    row: Row
    scratch: Row
    paired: Paired


def effects(table: SuiteTable) -> list[Effect]:
    """Of every row that has a like from scratch. Their training differs in the start and what follows from it, so that
    they are compared and not ranked; nothing is adjusted for their number."""
    complete = [
        row for row in table.rows if row.trained and not row.published and row.scored and row.scored == row.episodes
    ]
    scratch = {_like(row): row for row in complete if row.training.initialisation == starts.SCRATCH}
    found = []
    for row in complete:
        base = scratch.get(_like(row))
        if base is None or row is base or _seeds(row) != _seeds(base):
            continue
        paired = compare_pair(row.inference, base.inference)
        if paired is not None:
            found.append(Effect(row, base, paired))
    return found


def _like(row: Row) -> tuple[str, ...]:
    training = row.training
    return (
        training.method,
        repr(method_settings(training)),
        training.regime,
        training.regimen,
        starts.encoders(training),
        repr(training.modalities),
        *(repr(training.training_protocol.get(part)) for part in CONDITIONS),
    )


def _seeds(row: Row) -> list[int]:
    return [training.seed for training in row.trainings]
