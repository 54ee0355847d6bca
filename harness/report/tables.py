"""From records to the tables of a report: grouping, ranking, intervals. Plain data, no formatting."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from harness.records import PretrainingRecord, SkippedRecord, TrainingRecord
from harness.report import starts, words
from harness.report.inference import Inference, compare_rows, infer
from harness.report.load import Loaded, Scored, Tested
from harness.report.rows import SEEDS_TO_RANK, Row, build_row, row_key, row_labels
from harness.report.statistics import Comparisons, compare

CHANCE_CONTROL = "random"  # the control whose accuracy must be chance
GUARD_FAILS_BELOW = 0.001
SUITE_ORDER = list(words.SUITE_RULES)
MODALITY_ORDER = (("video",), ("sensors",), ("video", "sensors"))
CONTROLS, PUBLISHED, EXTERNAL = "controls", "published", "external"  # sections that are not told by a training digest


@dataclass(frozen=True)
class Section:
    """Rows that were trained under equal conditions, and so are ranked; or rows that are not.

    Attributes:
        digest: of the training; None for the controls, of which nothing is trained, and for published recipes, each of
            which trains in its own way.
        comparisons: of ``ranked``, all pairs; None with fewer than two, or where the episodes are not recorded.
    """

    heading: str
    digest: str | None
    rows: tuple[Row, ...]
    comparisons: Comparisons | None = None

    @property
    def ranked(self) -> list[Row]:
        return [row for row in self.rows if row.rank is not None]

    @property
    def published(self) -> bool:
        return self.rows[0].published


@dataclass(frozen=True)
class Guard:
    """A difference that must be none: the control that answers at random against chance, or one row's first seeds
    against its further ones.

    Attributes:
        mean: of the control; or the difference of the seeds.
        seeds: the two groups; empty for the control.
    """

    row: str
    mean: float
    decimals: int
    chance: float
    p: float
    seeds: tuple[tuple[int, ...], ...] = ()

    @property
    def failed(self) -> bool:
        return self.p < GUARD_FAILS_BELOW


@dataclass(frozen=True)
class SuiteTable:
    """All rows that were tested on the same episodes of the same data.

    Attributes:
        tested: the episodes with the identities of their clips; None where they are not recorded.
        data: the ``data`` part of the training records: layout, split, completeness, generated.
        looks: test accesses logged for this suite, None without a log.
        looked_at: different trainings that they were of.
    """

    suite: str
    evaluation_digest: str
    tested: Tested | None
    data: dict[str, Any]
    way: int
    shot: int
    episodes: int
    queries: int
    classes: tuple[str, ...]
    sections: tuple[Section, ...]
    looks: int | None
    looked_at: int
    guards: tuple[Guard, ...]

    @property
    def chance(self) -> float:
        return 1 / self.way

    @property
    def rows(self) -> list[Row]:
        return [row for section in self.sections for row in section.rows]

    @property
    def names(self) -> list[str]:
        """A different name for each of ``rows``: with the training digest where nothing else tells two apart."""
        names = [row.name for row in self.rows]
        return [
            name if names.count(name) == 1 else f"{name} ({words.short(row.training.training_digest)})"
            for name, row in zip(names, self.rows, strict=True)
        ]

    @property
    def best(self) -> Row | None:
        """The ranked row with the highest mean; without one the trained row with the highest; None without any."""
        trained = [row for row in self.rows if row.trained and row.scored]
        ranked = [row for row in trained if row.rank is not None]
        return max(ranked or trained, key=lambda row: row.interval.mean, default=None)


@dataclass(frozen=True)
class Report:
    suites: tuple[SuiteTable, ...]
    skipped: tuple[SkippedRecord, ...]
    trainings: tuple[TrainingRecord, ...]
    unscored: tuple[str, ...]
    pretrainings: tuple[PretrainingRecord, ...]

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Every row once, as the first suite that has it names it; with the training digest where two share a name."""
        found: dict[str, tuple[str, Row]] = {}
        for table in self.suites:
            for row, name in zip(table.rows, table.names, strict=True):
                found.setdefault(row_key(row.training), (name, row))
        named: dict[str, Row] = {}
        for name, row in found.values():
            named[name if name not in named else f"{name} ({words.short(row.training.training_digest)})"] = row
        return named

    @property
    def data(self) -> list[dict[str, Any]]:
        """The data sets that the records speak of, each once."""
        return list({json.dumps(t.data, sort_keys=True): t.data for t in self.trainings}.values())


def build(loaded: Loaded) -> Report:
    """All tables of a report. Rows share a suite table where the evaluation digest agrees, a ranked section where the
    training digest does too. Published recipes share one section without ranks.

    Raises:
        HarnessError: two records of the same row, seed and suite.
    """
    groups: dict[tuple[int, str, str], list[Scored]] = defaultdict(list)
    for scored in loaded.scored:
        suite = scored.evaluation.suite
        order = SUITE_ORDER.index(suite) if suite in SUITE_ORDER else len(SUITE_ORDER)
        groups[order, suite, scored.evaluation.evaluation_digest].append(scored)
    suites = tuple(_suite(groups[key], loaded) for key in sorted(groups))
    known = {scored.training.id for scored in loaded.scored}
    unscored = tuple(training.id for training in loaded.trainings if training.id not in known)
    pretrainings = sorted(loaded.pretrainings, key=lambda each: (each.method, each.modalities, each.seed, each.id))
    return Report(suites, _each_once(loaded.skipped), loaded.trainings, unscored, tuple(pretrainings))


def _suite(group: Sequence[Scored], loaded: Loaded) -> SuiteTable:
    first = group[0].evaluation
    tested = loaded.tested.get(first.evaluation_digest)
    rows: dict[str, list[Scored]] = defaultdict(list)
    for scored in sorted(group, key=lambda scored: scored.training.seed):
        rows[row_key(scored.training)].append(scored)
    inferences = infer(rows, tested)
    sections: dict[str, dict[str, list[Scored]]] = defaultdict(dict)
    for key, members in rows.items():
        sections[_section_of(members[0].training)][key] = members
    built = [_section(name, members, inferences, tested) for name, members in sections.items()]
    ordered = _told_apart(sorted(built, key=_section_order))
    chance = 1 / first.way
    return SuiteTable(
        suite=first.suite,
        evaluation_digest=first.evaluation_digest,
        tested=tested,
        data=group[0].training.data,
        way=first.way,
        shot=first.shot,
        episodes=first.episodes,
        queries=first.queries_per_episode,
        classes=first.classes,
        sections=ordered,
        looks=None if loaded.looks is None else loaded.looks.count[first.suite_digest],
        looked_at=0 if loaded.looks is None else loaded.looks.trainings[first.suite_digest],
        guards=tuple(_guards([row for section in ordered for row in section.rows], tested, chance)),
    )


def _guards(rows: Iterable[Row], tested: Tested | None, chance: float) -> Iterator[Guard]:
    for row in rows:
        if row.training.method == CHANCE_CONTROL and not row.external and row.scored > 1:
            p = chance_p(row.inference, chance)
            yield Guard(row.name, row.interval.mean, row.decimals, chance, p)
        half = len(row.trainings) // 2
        if half >= SEEDS_TO_RANK and tested is not None and row.scored:
            identities = tested.identities.only(row.inference.common)
            seeds = [training.seed for training in row.trainings]
            correct = row.inference.correct
            found = compare(correct[:half], correct[half : 2 * half], identities).analysis.closed
            groups = (tuple(seeds[:half]), tuple(seeds[half : 2 * half]))
            yield Guard(row.name, found.mean, words.decimals(found.standard_error), chance, found.p_value, groups)


def _section_of(training: TrainingRecord) -> str:
    if training.regime == "untrained":
        return CONTROLS
    if training.regime == "external":
        return EXTERNAL
    return PUBLISHED if training.recipe == "published" else training.training_digest


def _section(
    section: str, groups: dict[str, list[Scored]], inferences: dict[str, Inference], tested: Tested | None
) -> Section:
    labels = row_labels({key: group[0] for key, group in groups.items()})
    rows = [build_row(labels[key], group, inferences[key], tested) for key, group in groups.items()]
    if section == PUBLISHED:  # in an order that ranks nothing
        rows.sort(key=lambda row: (row.name, row_key(row.training)))
        return Section(words.PUBLISHED_RECIPES, None, tuple(rows))
    rows = _of_equal_seeds(rows)
    rows.sort(
        key=lambda row: (bool(row.notes), -row.interval.mean if row.scored else 0.0, row.name, row_key(row.training))
    )
    if section == CONTROLS:
        return Section("Controls: nothing is trained, not ranked", None, tuple(rows))
    if section == EXTERNAL:
        heading = "External: scored from predictions made outside the harness; not ranked"
        return Section(heading, None, tuple(rows))
    training = rows[0].training
    own, start = starts.has_own_encoders(training), starts.heading(training)
    heading = words.section_name(training.modalities, training.regime, training.regimen, start, own)
    return _compared(Section(heading, section, tuple(_ranked(rows))))


def _compared(section: Section) -> Section:
    """The ranked rows with their ties and rank intervals."""
    ranked = section.ranked
    comparisons = compare_rows([row.inference for row in ranked])
    if comparisons is None:
        return section
    told = {
        id(row): replace(row, tied=bool(tied), ranks=(int(least), int(most)))
        for row, tied, (least, most) in zip(ranked, comparisons.tied, comparisons.ranks, strict=True)
    }
    return replace(section, rows=tuple(told.get(id(row), row) for row in section.rows), comparisons=comparisons)


def _of_equal_seeds(rows: list[Row]) -> list[Row]:
    """Rows are ranked over equal seeds: one trained with other seeds than most of its rivals says so instead."""
    seeds = {row.label: tuple(sorted(training.seed for training in row.trainings)) for row in rows}
    sets = Counter(seeds[row.label] for row in rows if row.trained and not row.notes)
    if len(sets) < 2:
        return rows
    usual = max(sets, key=lambda each: (sets[each], each))
    note = f"trained with other seeds than {', '.join(map(str, usual))} of the ranked rows; not ranked"
    return [row if row.notes or seeds[row.label] == usual else replace(row, notes=(note,)) for row in rows]


def _ranked(rows: Sequence[Row]) -> list[Row]:
    """Ranks by mean; equal means share a rank."""
    means = [row.interval.mean for row in rows if not row.notes]
    return [
        row if row.notes else replace(row, rank=1 + sum(other > row.interval.mean for other in means)) for row in rows
    ]


def _section_order(section: Section) -> tuple[bool, bool, int, tuple[bool, int, str], bool, str, str]:
    training = section.rows[0].training
    known = training.modalities in MODALITY_ORDER
    return (
        section.digest is None,
        not section.published,
        MODALITY_ORDER.index(training.modalities) if known else len(MODALITY_ORDER),
        starts.order(training) if section.digest else (False, 0, ""),
        training.regime == "tuned",
        section.heading,
        section.digest or "",
    )


def _told_apart(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Sections of the same heading name the settings in which their training differs."""
    told = []
    for section in sections:
        twins = [other for other in sections if other.heading == section.heading]
        protocols = [words.flat(twin.rows[0].training.training_protocol) for twin in twins]
        own = words.flat(section.rows[0].training.training_protocol)
        names = words.differing(protocols) if section.digest else []
        heading = "; ".join([section.heading, *_differences(own, protocols, names)])
        told.append(replace(section, heading=heading))
    return tuple(told)


def _differences(own: dict[str, str], protocols: Sequence[dict[str, str]], names: Iterable[str]) -> list[str]:
    """What a protocol has of its own, in few words: a part that some lack altogether is named as a whole."""
    told: dict[str, None] = {}
    for name in names:
        part = name.split(".")[0]
        if all(any(each.split(".")[0] == part for each in protocol) for protocol in protocols):
            told[f"{name} {own.get(name, words.MISSING)}"] = None
        else:
            told[f"{'with a' if any(each.split('.')[0] == part for each in own) else 'no'} {part} of its own"] = None
    return list(told)


def _each_once(skipped: Iterable[SkippedRecord]) -> tuple[SkippedRecord, ...]:
    """A row that does not apply is recorded for every seed, and for the same reason."""
    return tuple({(each.method, each.modalities, each.regime, each.reason): each for each in skipped}.values())


def chance_p(inference: Inference, chance: float) -> float:
    """Two-sided p of a mean against chance, by its closed error: answers at random depend on no clip."""
    assert inference.closed is not None
    return replace(inference.closed, mean=inference.closed.mean - chance).p_value
