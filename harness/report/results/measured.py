"""What was measured: one method with its settings, modalities and conditions on one suite, over all its seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmact_oneshot.harness.config.studies import modality_label
from mmact_oneshot.harness.records import PretrainingRecord, TrainingRecord
from mmact_oneshot.harness.report.formats import decimals
from mmact_oneshot.harness.report.results.inference import Inference
from mmact_oneshot.harness.report.results.load import Scored, Suite
from mmact_oneshot.harness.report.results.metric import Metric
from mmact_oneshot.harness.report.results.metrics import Metrics, metrics_of
from mmact_oneshot.harness.report.statistics import Interval
from mmact_oneshot.harness.runtime.errors import HarnessError


@dataclass(frozen=True, eq=False)
class Measured:
    """Figures over seeds; shares in 0..1.

    Attributes:
        scored_by: one for each seed, in the order of the seeds.
        inference: over seeds and the episodes that every seed scored.
        asked: figures that are wanted beside the accuracy.
    """

    suite: Suite
    scored_by: tuple[Scored, ...]
    inference: Inference
    asked: tuple[Metric, ...]

    @property
    def trainings(self) -> tuple[TrainingRecord, ...]:
        """One record a seed, by seed."""
        return tuple(each.training for each in self.scored_by)

    @property
    def training(self) -> TrainingRecord:
        """The first seed's: all but what depends on the seed holds for the row."""
        return self.scored_by[0].training

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(training.seed for training in self.trainings)

    @property
    def modality(self) -> str:
        return modality_label(self.training.modalities)

    @property
    def trained(self) -> bool:
        return self.training.training in ("end_to_end", "frozen")

    @property
    def external(self) -> bool:
        """Whether its predictions were made outside the harness, so that nothing of its training is known here."""
        return self.training.training == "external"

    @property
    def interval(self) -> Interval:
        return self.inference.interval

    @property
    def episodes(self) -> int:
        """Episodes that every seed scored."""
        return self.inference.scored

    @property
    def complete(self) -> bool:
        return self.episodes == len(self.suite)

    @property
    def decimals(self) -> int:
        return decimals(self.interval.standard_error)

    @cached_property
    def metrics(self) -> Metrics:
        return metrics_of(self.scored_by, self.suite, self.asked)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.suite.record.classes

    @cached_property
    def per_class(self) -> tuple[float | None, ...]:
        """Accuracy on the queries of every class; None for one that was never asked for."""
        return tuple(
            mean(each.evaluation.per_class[index] for each in self.scored_by) for index in range(len(self.classes))
        )

    @cached_property
    def confusion(self) -> np.ndarray:
        """(C, C) counts summed over seeds, rows the true class."""
        found: np.ndarray = np.sum([each.evaluation.confusion for each in self.scored_by], axis=0)
        return found

    @property
    def class_decimals(self) -> int:
        """Digits, at most one, that the least certain class allows, its queries taken as independent."""
        errors = [
            (share * (1 - share) / asked) ** 0.5
            for share, asked in zip(self.per_class, self.confusion.sum(axis=1).tolist(), strict=True)
            if share is not None and asked
        ]
        return min(1, decimals(max(errors, default=0.0)))

    def extreme_class(self, best: bool) -> tuple[str, float] | None:
        """The easiest or the hardest class and its accuracy."""
        known = [(share, name) for share, name in zip(self.per_class, self.classes, strict=True) if share is not None]
        if not known:
            return None
        share, name = max(known) if best else min(known)
        return name, share

    @property
    def pretrainings(self) -> tuple[PretrainingRecord, ...]:
        """What the seeds begin from, each record once."""
        return tuple({each.pretraining.id: each.pretraining for each in self.scored_by if each.pretraining}.values())

    @property
    def pretrained_anew(self) -> bool:
        """Whether every seed begins from a pre-training of its own, so that its interval covers pre-training again."""
        return len(self.pretrainings) == len(self.trainings) > 1

    @property
    def train_seconds(self) -> float | None:
        """Mean over seeds; None where not recorded."""
        return mean(number(training.volatile.get("seconds")) for training in self.trainings)

    @property
    def pretraining_seconds(self) -> float | None:
        """Of the pre-trainings that the seeds begin from, together."""
        return total(number(record.volatile.get("seconds")) for record in self.pretrainings)

    @property
    def test_seconds(self) -> float | None:
        """To encode, embed and score; mean over seeds."""
        return mean(_sum_of(each.evaluation.volatile.get("seconds")) for each in self.scored_by)

    @property
    def episodes_per_second(self) -> float | None:
        return mean(number(each.evaluation.volatile.get("episodes_per_second")) for each in self.scored_by)

    @property
    def memory(self) -> int | None:
        """Peak bytes in training, largest over seeds."""
        known = [number(training.volatile.get("peak_memory_bytes")) for training in self.trainings]
        return max((int(value) for value in known if value), default=None)


def row_key(training: TrainingRecord) -> str:
    """What makes a row: all that is not the seed and not the protocol's name."""
    return json.dumps(
        [
            training.method,
            training.method_source,
            training.method_settings,
            training.modalities,
            training.training,
            training.conditions_digest,
            training.unchecked,
        ],
        sort_keys=True,
    )


def require_one_a_seed(group: Sequence[Scored]) -> None:
    """Raises HarnessError where a seed of a row was scored twice."""
    seeds = [each.training.seed for each in group]
    if len(set(seeds)) < len(seeds):
        raise HarnessError(
            f"two records of one row, seed and suite: {', '.join(each.evaluation.id for each in group)}.",
            remedy="Delete one of them.",
        )


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def total(values: Iterable[float | None]) -> float | None:
    """Sum of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _sum_of(parts: object) -> float | None:
    return total(map(number, parts.values())) if isinstance(parts, dict) else None
