"""The results of a run: studies, their rankings on every suite, and what stands beside them. Plain data."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mmact_oneshot.harness.config.studies import MAIN, modality_label
from mmact_oneshot.harness.records import PretrainingRecord, StudyRecord, TrainingRecord
from mmact_oneshot.harness.report.results.guards import Guard, guards_of
from mmact_oneshot.harness.report.results.inference import infer
from mmact_oneshot.harness.report.results.labels import UNCHECKED, Entry, row_labels, unique
from mmact_oneshot.harness.report.results.load import Loaded, Scored, Suite, TestAccesses
from mmact_oneshot.harness.report.results.measured import Measured, require_one_a_seed, row_key
from mmact_oneshot.harness.report.results.metric import Metric
from mmact_oneshot.harness.report.results.rankings import Pair, Ranking, Row, rank
from mmact_oneshot.harness.report.results.starts import UnequalStart, unequal_starts
from mmact_oneshot.harness.report.suite_names import SUITES

MODALITIES = ("video", "sensors", "both")


@dataclass(frozen=True, eq=False)
class StudySuite:
    """A study on one suite.

    Attributes:
        rankings: by modality, in the order video, sensors, both.
        gaps: (label, modality) -> why there is no row: the method cannot fill it, or it is still to come.
    """

    study: StudyRecord
    suite: Suite
    rankings: dict[str, Ranking]
    gaps: dict[tuple[str, str], str]

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for ranking in self.rankings.values() for row in ranking.rows)

    @property
    def labels(self) -> list[str]:
        """Labels of the rows: ranked ones by accuracy on both modalities, then on one of them, then the others."""
        rankings = [self.rankings[name] for name in reversed(MODALITIES) if name in self.rankings]
        ranked = [row.label for ranking in rankings for row in ranking.ranked]
        trained = [row.label for row in self.rows if row.measured.trained]
        others = [row.label for row in self.rows]
        gaps = [label for label, _ in self.gaps]
        return unique((*ranked, *trained, *(gap for gap in gaps if gap not in others), *others, *gaps))

    def row(self, label: str, modality: str) -> Row | None:
        """The row of a cell; None where there is a gap, or nothing at all."""
        ranking = self.rankings.get(modality)
        return next((row for row in ranking.rows if row.label == label), None) if ranking is not None else None

    @property
    def best(self) -> Row | None:
        """The best row on both modalities, or on one of them where there is none."""
        bests = (self.rankings[name].best for name in reversed(MODALITIES) if name in self.rankings)
        return next((row for row in bests if row is not None), None)

    def references(self) -> dict[str, Row]:
        """Modality -> the row that the others are compared with; the best where the study names none that is ranked."""
        found: dict[str, Row] = {}
        for modality, ranking in self.rankings.items():
            named = [row for row in ranking.ranked if self.study.reference and _matches(row, self.study.reference)]
            chosen = named[0] if named else ranking.best
            if chosen is not None and ranking.comparisons is not None:
                found[modality] = chosen
        return found

    def against(self, modality: str) -> list[Pair]:
        """The reference minus every other ranked row; where the reference names one like each row, minus that one."""
        ranking, reference = self.rankings[modality], self.references().get(modality)
        if reference is None:
            return []
        fields = self.study.reference
        rivals = [row for row in ranking.ranked if not fields or not _matches(row, fields)]
        pairs = (ranking.pair(_own_reference(ranking, row, fields) or reference, row) for row in rivals)
        return [pair for pair in pairs if pair is not None]


@dataclass(frozen=True, eq=False)
class StudyResults:
    """A study on all of its suites, the headline suite first.

    Attributes:
        skipped: (label, modality) -> why the row cannot be scored, where that is recorded; each reason of its seeds.
    """

    record: StudyRecord
    suites: tuple[StudySuite, ...]
    skipped: dict[tuple[str, str], str]

    @property
    def name(self) -> str:
        return self.record.id


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that is reported of a run.

    Attributes:
        external: suites, several of which may have one name, with predictions made elsewhere.
        guards: evaluation digest -> checks on its rows.
        unscored: trainings that were scored on no suite yet.
        metrics: figures that are wanted beside the accuracy.
    """

    studies: tuple[StudyResults, ...]
    suites: tuple[Suite, ...]
    external: tuple[tuple[Suite, Ranking], ...]
    guards: dict[str, tuple[Guard, ...]]
    trainings: tuple[TrainingRecord, ...]
    pretrainings: tuple[PretrainingRecord, ...]
    unscored: tuple[str, ...]
    accesses: TestAccesses | None
    metrics: tuple[Metric, ...]

    @property
    def main(self) -> StudyResults | None:
        """The study that opens the report."""
        return self.studies[0] if self.studies else None

    @cached_property
    def data(self) -> list[dict[str, Any]]:
        """The data sets that the records speak of, each once."""
        return list({json.dumps(t.data, sort_keys=True): t.data for t in self.trainings}.values())

    @property
    def presets(self) -> list[str]:
        """Presets of what was trained here."""
        return unique(t.preset for t in self.trainings if t.training != "external")

    @property
    def date(self) -> str:
        """Of the newest record, such as 2026-11-23; empty where none has one."""
        dates = [str(t.volatile.get("date", "")) for t in self.trainings]
        return max(dates, default="")[:10]

    def name_of(self, suite: Suite) -> str:
        """The name of a suite, or the id of its record where several have that name."""
        return suite.name if [each.name for each in self.suites].count(suite.name) == 1 else suite.record.id

    @property
    def failed(self) -> list[tuple[Suite, Guard]]:
        """Checks of suites that failed."""
        by_digest = {suite.record.evaluation_digest: suite for suite in self.suites}
        return [(by_digest[digest], guard) for digest, found in self.guards.items() for guard in found if guard.failed]

    @cached_property
    def unequal_starts(self) -> tuple[UnequalStart, ...]:
        """Rows that did not begin from the encoder of the others."""
        return tuple(unequal_starts(self.trainings))


def build(loaded: Loaded, metrics: tuple[Metric, ...]) -> Report:
    """All results of the records.

    Args:
        metrics: figures that are wanted beside the accuracy.

    Raises:
        HarnessError: two records of the same row, seed and suite.
    """
    suites = sorted(loaded.suites.values(), key=_suite_order)
    plans = [_PlannedStudy.of(study, loaded) for study in sorted(loaded.studies, key=_study_order)]
    measured = {suite.record.evaluation_digest: _measure(suite, plans, loaded, metrics) for suite in suites}
    studies = [plan.results(suites, measured, loaded) for plan in plans]
    known = {scored.training.id for scored in loaded.scored.values()}
    return Report(
        studies=tuple(studies),
        suites=tuple(suite for suite in suites if measured[suite.record.evaluation_digest]),
        external=tuple((suite, found) for suite in suites if (found := _external(suite, measured)) is not None),
        guards={digest: tuple(guards_of(found.values())) for digest, found in measured.items()},
        trainings=tuple(loaded.trainings.values()),
        pretrainings=tuple(
            sorted(loaded.pretrainings.values(), key=lambda each: (each.method, each.modalities, each.seed, each.id))
        ),
        unscored=tuple(identity for identity in loaded.trainings if identity not in known),
        accesses=loaded.accesses,
        metrics=metrics,
    )


Key = tuple[str, ...]
"""Ids of the trainings of a row, which are also those of what was measured of it on a suite."""


@dataclass(frozen=True)
class _PlannedStudy:
    """A study's rows, divided where they were trained under several conditions, with their labels."""

    record: StudyRecord
    entries: tuple[Entry, ...]
    labels: tuple[str, ...]
    keys: tuple[Key, ...]
    skipped: dict[tuple[str, str], str]

    @classmethod
    def of(cls, study: StudyRecord, loaded: Loaded) -> _PlannedStudy:
        entries: list[Entry] = []
        keys: list[Key] = []
        for place, row in enumerate(study.rows):
            for conditions, identities in _by_conditions(row.trainings, loaded).items():
                entries.append(Entry(place, row, conditions.rpartition(" ")[2]))
                keys.append(tuple(identities))
        labels = row_labels(entries)
        skipped = {
            (label, modality_label(entry.row.modalities)): "; ".join(reason.removesuffix(".") for reason in reasons)
            for entry, label, key in zip(entries, labels, keys, strict=True)
            if (reasons := unique(loaded.skipped[each].reason for each in key if each in loaded.skipped))
        }
        return cls(study, tuple(entries), tuple(labels), tuple(keys), skipped)

    def results(
        self, suites: Sequence[Suite], measured: Mapping[str, Mapping[Key, Measured]], loaded: Loaded
    ) -> StudyResults:
        """On every suite that any of its rows was scored on."""
        found = []
        for suite in suites:
            known = measured[suite.record.evaluation_digest]
            if any(self._scored(key, suite, loaded) in known for key in self.keys):
                found.append(self._on(suite, known, loaded))
        return StudyResults(self.record, tuple(found), self.skipped)

    def _on(self, suite: Suite, known: Mapping[Key, Measured], loaded: Loaded) -> StudySuite:
        rows: dict[str, list[Row]] = defaultdict(list)
        gaps: dict[tuple[str, str], str] = {}
        for entry, label, key in zip(self.entries, self.labels, self.keys, strict=True):
            modality = modality_label(entry.row.modalities)
            found = known.get(self._scored(key, suite, loaded))
            if found is not None:
                rows[modality].append(Row(label, entry, found))
            else:
                gaps[label, modality] = self.skipped.get((label, modality), "not scored yet")
        filled = {(row.label, modality) for modality, each in rows.items() for row in each}
        return StudySuite(
            self.record,
            suite,
            {name: rank(name, rows[name], self.record) for name in MODALITIES if name in rows},
            {place: reason for place, reason in gaps.items() if place not in filled},
        )

    @staticmethod
    def _scored(key: Key, suite: Suite, loaded: Loaded) -> Key:
        """The trainings of a key that were scored on a suite."""
        return tuple(identity for identity in key if (identity, suite.record.evaluation_digest) in loaded.scored)


def _by_conditions(identities: Sequence[str], loaded: Loaded) -> dict[str, list[str]]:
    """Protocol and conditions -> trainings, those apart whose method was not held to its contract.

    One that is still to come, or was skipped, belongs to the first conditions under which its seed has no training;
    where there are none it stands apart, under "".
    """
    found: dict[str, list[str]] = defaultdict(list)
    for identity in sorted(identities, key=lambda each: each not in loaded.trainings):  # those that are there first
        seed = _seed(identity)
        if identity in loaded.trainings:
            training = loaded.trainings[identity]
            checked = UNCHECKED if training.unchecked else ""
            conditions = f"{training.protocol} {checked}{training.conditions_digest}"
        else:
            free = (each for each, known in found.items() if each and seed and seed not in map(_seed, known))
            conditions = next(free, "")
        found[conditions].append(identity)
    return found


def _seed(identity: str) -> str:
    """The seed in the id of a training; empty where there is none."""
    match = re.search(r"-s(\d+)-[0-9a-f]+$", identity)
    return match[1] if match else ""


def _measure(
    suite: Suite, plans: Sequence[_PlannedStudy], loaded: Loaded, metrics: tuple[Metric, ...]
) -> dict[Key, Measured]:
    """Every row of every study once, and predictions made elsewhere, by their trainings."""
    digest = suite.record.evaluation_digest
    groups: dict[Key, list[Scored]] = {}
    for plan in plans:
        for key in plan.keys:
            scored = plan._scored(key, suite, loaded)
            if scored:
                groups[scored] = [loaded.scored[identity, digest] for identity in scored]
    elsewhere: dict[str, list[Scored]] = defaultdict(list)
    for (_, tested), each in loaded.scored.items():
        if tested == digest and each.training.training == "external":
            elsewhere[row_key(each.training)].append(each)
    groups |= {tuple(each.training.id for each in group): group for group in elsewhere.values()}
    ordered = {key: sorted(group, key=lambda each: each.training.seed) for key, group in groups.items()}
    for group in ordered.values():
        require_one_a_seed(group)
    inferences = infer({json.dumps(key): group for key, group in ordered.items()}, suite)
    return {key: Measured(suite, tuple(group), inferences[json.dumps(key)], metrics) for key, group in ordered.items()}


def _external(suite: Suite, measured: Mapping[str, Mapping[Key, Measured]]) -> Ranking | None:
    found = [each for each in measured[suite.record.evaluation_digest].values() if each.external]
    rows = [Row(each.training.method, None, each) for each in found]
    return rank("", rows, None) if rows else None


def _matches(row: Row, fields: Mapping[str, Any]) -> bool:
    """Whether a row has all of some fields."""
    if row.entry is None:
        return False
    return all(getattr(row.entry.row, name, None) == value for name, value in fields.items())


def _own_reference(ranking: Ranking, row: Row, fields: Mapping[str, Any]) -> Row | None:
    """The row that differs from this one in the reference's fields alone."""
    if row.entry is None or not fields:
        return None
    wanted = row.entry.row.model_copy(update=dict(fields))
    same = ("method", "settings", "training", "encoder", "initialisation", "changes")
    return next(
        (
            other
            for other in ranking.ranked
            if other.entry and all(getattr(other.entry.row, name) == getattr(wanted, name) for name in same)
        ),
        None,
    )


def _suite_order(suite: Suite) -> tuple[int, str]:
    names = list(SUITES)
    return (names.index(suite.name) if suite.name in names else len(names)), suite.record.id


def _study_order(study: StudyRecord) -> tuple[bool, str]:
    return study.id != MAIN, study.id
