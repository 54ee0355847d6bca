"""Rows that should begin from one warm-started encoder: under the same conditions and with the same seed, all do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mmact_oneshot.harness.config.studies import modality_label
from mmact_oneshot.harness.records import TrainingRecord


@dataclass(frozen=True)
class UnequalStart:
    """Trainings alike in conditions and seed, whose shared encoder is not the same one.

    Attributes:
        encoder: the modality of the encoder.
        rows: the modalities of the rows.
        groups: methods by the encoder that they began from, the largest group first.
    """

    encoder: str
    rows: str
    seed: int
    groups: tuple[tuple[str, ...], ...]


def unequal_starts(trainings: Iterable[TrainingRecord]) -> Iterator[UnequalStart]:
    """Among all trainings of a run.

    A warm start that is made again, because its weights are gone, need not have the same bits: on another processor,
    say. Heads that began from different encoders are then compared with the luck of encoder training.
    """
    found: dict[tuple[str, str, int, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in trainings:
        for encoder, notes in each.encoders.items():
            place = (encoder, modality_label(each.modalities), each.seed, each.conditions_digest)
            found[place][str(notes.get("state"))].append(each.method)
    for (encoder, rows, seed, _), states in found.items():
        if len(states) > 1:
            groups = sorted(
                (tuple(sorted(set(methods))) for methods in states.values()), key=lambda names: (-len(names), names)
            )
            yield UnequalStart(encoder, rows, seed, tuple(groups))
