"""Rows of a table: one method, its settings, modalities and regime, over all training seeds."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.records import PretrainingRecord, TrainingRecord
from harness.report import starts, words
from harness.report.inference import Inference
from harness.report.load import Scored, Tested
from harness.report.metrics import Metrics, metrics_of
from harness.report.statistics import Interval
from harness.runtime.errors import HarnessError

SEEDS_TO_RANK = 3


@dataclass(frozen=True)
class Row:
    """A method with its settings, modalities and regime on one suite, over all its seeds. Shares in 0..1.

    Attributes:
        label: the method; with the settings that tell it from another row of the section, where there is one.
        trainings: one record a seed, by seed.
        inference: over seeds and the episodes that every seed scored.
        metrics: figures beside the accuracy.
        confusion: (C, C) counts summed over seeds, rows the true class.
        train_seconds, test_seconds, episodes_per_second: means over seeds, None where not recorded.
        memory: peak bytes in training, largest over seeds; None where not recorded.
        rank: 1 = highest mean of its section; None where the row is not ranked.
        tied: cannot be told from the best row of its section (Holm-adjusted p of 0.05 or more); true for the best.
        ranks: lowest and highest rank that the simultaneous intervals of all differences leave.
        notes: why it is not ranked.
        pretrainings: what the seeds start from, each record once, by seed; none where they start without.
    """

    label: str
    trainings: tuple[TrainingRecord, ...]
    inference: Inference
    metrics: Metrics
    episodes: int
    classes: tuple[str, ...]
    per_class: tuple[float | None, ...]
    confusion: np.ndarray
    train_seconds: float | None
    test_seconds: float | None
    episodes_per_second: float | None
    memory: int | None
    notes: tuple[str, ...]
    rank: int | None = None
    tied: bool = False
    ranks: tuple[int, int] | None = None
    pretrainings: tuple[PretrainingRecord, ...] = ()

    @property
    def training(self) -> TrainingRecord:
        """The first seed's: all but what depends on the seed holds for the row."""
        return self.trainings[0]

    @property
    def interval(self) -> Interval:
        return self.inference.interval

    @property
    def scored(self) -> int:
        return self.inference.scored

    @property
    def trained(self) -> bool:
        return self.training.regime in ("frozen", "tuned")

    @property
    def external(self) -> bool:
        """Whether its predictions were made outside the harness, so that nothing of its training is known here."""
        return self.training.regime == "external"

    @property
    def published(self) -> bool:
        """Whether it was trained as its paper says, and not as the other rows."""
        return self.trained and self.training.recipe == "published"

    @property
    def decimals(self) -> int:
        return words.decimals(self.interval.standard_error)

    @property
    def class_decimals(self) -> int:
        """Digits, at most one, that the least certain class allows, its queries taken as independent."""
        errors = [
            (share * (1 - share) / asked) ** 0.5
            for share, asked in zip(self.per_class, self.confusion.sum(axis=1).tolist(), strict=True)
            if share is not None and asked
        ]
        return min(1, words.decimals(max(errors, default=0.0)))

    @property
    def name(self) -> str:
        """The row in a few words, unique in its suite unless only the training protocol differs."""
        parts = [self.label, words.modality_name(self.training.modalities)]
        if self.trained:
            parts += [self.training.regime, starts.name(self.training)]
        if self.external:
            parts.append("external")
        return ", ".join(filter(None, parts))

    @property
    def conditions(self) -> dict[str, str]:
        """What holds for its training but the method itself, by dotted names."""
        return starts.conditions(self.training, self.pretrainings[0] if self.pretrainings else None)

    @property
    def pretrained_anew(self) -> bool:
        """Whether every seed starts from a pre-training of its own, so that its interval covers pre-training again.

        Judged by what the trainings name: a record may have been made for one run and taken by another."""
        return len(self.pretrainings) == len(self.trainings) > 1

    def extreme_class(self, best: bool) -> tuple[str, float] | None:
        """The easiest or the hardest class and its accuracy."""
        known = [(share, name) for share, name in zip(self.per_class, self.classes, strict=True) if share is not None]
        if not known:
            return None
        share, name = max(known) if best else min(known)
        return name, share


def build_row(label: str, group: Sequence[Scored], inference: Inference, tested: Tested | None) -> Row:
    """A row from its seeds, in their order."""
    trainings = tuple(scored.training for scored in group)
    seeds = [training.seed for training in trainings]
    first = group[0].evaluation
    if len(set(seeds)) < len(seeds):
        raise HarnessError(
            f"two records of one row, seed and suite: {', '.join(scored.evaluation.id for scored in group)}.",
            remedy="Delete one of them.",
        )
    return Row(
        label=label,
        trainings=trainings,
        inference=inference,
        metrics=metrics_of(group, tested),
        episodes=first.episodes,
        classes=first.classes,
        per_class=tuple(
            mean(scored.evaluation.per_class[index] for scored in group) for index in range(len(first.classes))
        ),
        confusion=np.sum([scored.evaluation.confusion for scored in group], axis=0),
        train_seconds=mean(number(training.volatile.get("seconds")) for training in trainings),
        test_seconds=mean(_total(scored.evaluation.volatile.get("seconds")) for scored in group),
        episodes_per_second=mean(number(scored.evaluation.volatile.get("episodes_per_second")) for scored in group),
        memory=max(
            (int(found) for training in trainings if (found := number(training.volatile.get("peak_memory_bytes")))),
            default=None,
        ),
        notes=_notes(group[0].training, len(seeds), inference.scored, first.episodes, first.queries_per_episode),
        pretrainings=tuple({start.id: start for scored in group if (start := scored.pretraining)}.values()),
    )


def _notes(training: TrainingRecord, seeds: int, scored: int, episodes: int, queries: int) -> tuple[str, ...]:
    """Why a row is not ranked. With one query an episode there are no other queries that its scores could depend on."""
    notes = []
    external = training.regime == "external"
    if external:
        told = training.training_protocol
        note = "" if told.get("note") == "none" else f"; {told.get('note')}"
        notes.append(f"external, as told by {told.get('source')}{note}; not ranked")
    if scored < episodes:
        why = "no predictions for the others" if external else "the other episodes need clips that are absent"
        notes.append(f"incomplete {scored:,} of {episodes:,}: {why}; not ranked")
    if training.transductive and queries > 1:
        notes.append("transductive: the scores of a query may depend on the other queries; not ranked")
    if training.regime != "untrained" and training.recipe == "matched" and seeds < SEEDS_TO_RANK:
        only = "this trained model only; " if seeds == 1 else ""
        notes.append(f"{seeds} seed{'s' * (seeds > 1)}: {only}a rank needs {SEEDS_TO_RANK}")
    return tuple(notes)


def row_key(training: TrainingRecord) -> str:
    """What makes a row: all that is not the seed."""
    return json.dumps(
        [
            training.method,
            training.method_source,
            training.method_settings,
            training.modalities,
            training.regime,
            training.regimen,
            training.training_digest,
        ],
        sort_keys=True,
    )


def row_labels(rows: Mapping[str, Scored]) -> dict[str, str]:
    """Names of a section's rows: the method, and what tells it from rows of the same method and modalities (their
    protocols differ among controls and published recipes only)."""
    told = told_apart(
        {key: (method_name(scored.training), scored.training.modalities) for key, scored in rows.items()},
        {
            key: starts.conditions(scored.training, scored.pretraining) | method_settings(scored.training)
            for key, scored in rows.items()
        },
    )
    return {key: f"{method_name(rows[key].training)}{told[key]}" for key in rows}


def method_name(training: TrainingRecord) -> str:
    """A method, and whether it is as released: ``as_released`` is the setting by which a method has all the quirks of
    its authors' code (CONTRIBUTING.md)."""
    return f"{training.method} as released" if training.method_settings.get("as_released") is True else training.method


def method_settings(training: TrainingRecord) -> dict[str, str]:
    """The settings of a method and where it comes from, in words."""
    return words.flat(training.method_settings) | {"source": words.plain(training.method_source)}


def told_apart(kinds: Mapping[str, Hashable], settings: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """For each key the settings that tell it from others of its kind: `` (steps 5)``, nothing where it has no like."""
    alike: dict[Hashable, list[str]] = defaultdict(list)
    for key, kind in kinds.items():
        alike[kind].append(key)
    found = {}
    for keys in alike.values():
        names = words.differing(settings[key] for key in keys)
        for key in keys:
            told = ", ".join(f"{name} {settings[key].get(name, words.MISSING)}" for name in names)
            found[key] = f" ({told})" if told else ""
    return found


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _total(parts: object) -> float | None:
    if not isinstance(parts, dict):
        return None
    known = [value for value in map(number, parts.values()) if value is not None]
    return sum(known) if known else None
