"""The columns of a suite table, and the words around it: the same for terminal, Markdown and picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

from harness.report import starts, words
from harness.report.rows import Row, mean, number
from harness.report.tables import Guard, Report, SuiteTable


@dataclass(frozen=True)
class Column:
    """A column; of those that do not fit, the one with the highest ``drop`` goes first, and 0 stays."""

    header: str
    cell: Callable[[Row], str]
    left: bool = False
    drop: int = 0


def extremes(row: Row) -> str:
    """``45 / 94``: accuracy in % on the hardest and the easiest class."""
    shares = [None if found is None else found[1] for found in (row.extreme_class(False), row.extreme_class(True))]
    return " / ".join(words.percent(share, 0) for share in shares)


def _parameters(row: Row) -> str:
    counts = row.training.parameters
    if row.external:
        return words.MISSING
    return " / ".join(words.compact(counts.get(name, 0)) for name in ("trained", "total"))


def _rate(row: Row) -> str:
    return words.MISSING if row.episodes_per_second is None else f"{row.episodes_per_second:,.0f}"


COLUMNS = (
    Column("method", lambda row: row.label, left=True),
    Column("sees", lambda row: words.modality_name(row.training.modalities), left=True),
    Column("encoders", lambda row: row.training.regime if row.trained else words.MISSING, left=True, drop=1),
    Column("accuracy, % [95 %]", lambda row: accuracy(row)),
    Column("ranks", lambda row: rank_interval(row), drop=4),
    Column("seeds", lambda row: str(len(row.trainings)) if row.trained or row.external else words.MISSING, drop=2),
    Column("worst / best", extremes, drop=3),
    Column("trained / all", _parameters, drop=6),
    Column("train s", lambda row: words.seconds(row.train_seconds) if row.trained else words.MISSING, drop=5),
    Column("test s", lambda row: words.seconds(row.test_seconds), drop=7),
    Column("episodes/s", _rate, drop=8),
)


def rank_interval(row: Row) -> str:
    """``1–3``; a dash where the row is not ranked or has no rival."""
    if row.ranks is None:
        return words.MISSING
    least, most = row.ranks
    return str(least) if least == most else f"{least}{words.MISSING}{most}"


def external_data(row: Row) -> str:
    """Names of the weight files that a row starts from."""
    return ", ".join(text.rpartition(" sha256:")[0] for text in row.training.external_data) or "none"


START = Column("start", lambda row: starts.word(row.training) if row.trained else words.MISSING, left=True, drop=2)
EXTERNAL = Column("external data", external_data, left=True, drop=1)


def columns_of(table: SuiteTable) -> tuple[Column, ...]:
    """The columns of a table: the start only where rows differ in it, external data only where they may."""
    several = len({row.training.initialisation for row in table.rows if row.trained}) > 1
    told = any(row.published or row.training.external_data for row in table.rows)
    return (*COLUMNS[:3], *([START] if several else []), *COLUMNS[3:], *([EXTERNAL] if told else []))


def accuracy(row: Row) -> str:
    """``70.7 [70.3, 71.1]``: percentages with the digits that the standard error allows."""
    if not row.scored:
        return "not scored"
    mean_, low, high = (
        words.percent(share, row.decimals) for share in (row.interval.mean, row.interval.low, row.interval.high)
    )
    return f"{mean_} [{low}, {high}]" if row.interval.standard_error else f"{mean_} [{words.MISSING}]"


def legend(table: SuiteTable) -> dict[str, str]:
    """Why rows are not ranked: reason -> letter, in order of appearance."""
    reasons = dict.fromkeys(note for row in table.rows for note in row.notes)
    letters = [*ascii_lowercase, *(first + second for first in ascii_lowercase for second in ascii_lowercase)]
    return dict(zip(reasons, letters, strict=False))


def marks(table: SuiteTable) -> list[str]:
    """For each of ``table.rows``: its rank, with ``=`` where it is tied with the best; the letters of its notes; or a
    dash where it has no rival."""
    letters = legend(table)
    found = []
    for section in table.sections:
        rivals = sum(row.rank is not None for row in section.rows)
        for row in section.rows:
            rank = "" if section.digest is None else str(row.rank) if rivals > 1 else words.MISSING
            rank += "=" * (row.tied and section.comparisons is not None and sum(each.tied for each in section.rows) > 1)
            found.append("".join(letters[note] for note in row.notes) or rank)
    return found


def title(table: SuiteTable) -> str:
    """``test (headline suite): 5-way 1-shot, 10,000 episodes``, and what marks the data."""
    what = words.SUITE_TITLES.get(table.suite)
    flags = [
        flag
        for flag, raised in (
            ("GENERATED DATA", is_generated(table.data)),
            ("INCOMPLETE DATA", not table.data.get("complete", True)),
        )
        if raised
    ]
    name = f"{table.suite} ({what})" if what else table.suite
    return " · ".join([f"{name}: {table.way}-way {table.shot}-shot, {table.episodes:,} episodes", *flags])


def data_warnings(data: Mapping[str, Any]) -> list[str]:
    """What a reader must know of the data before any figure."""
    found = [words.GENERATED] if is_generated(data) else []
    if not data.get("complete", True):
        listed, usable = data.get("clips_listed", 0), data.get("clips_usable", 0)
        parts = [f"{listed - usable:,} of {listed:,} clips are absent or unreadable"] if usable < listed else []
        without = data.get("performances_without_sensor", {})
        parts += [f"{count:,} performances have no {sensor}" for sensor, count in sorted(without.items()) if count]
        problems = data.get("problems", 0)
        parts += [f"{problems:,} problem{'s' * (problems != 1)} met while preparing"] if problems else []
        found.append(f"Incomplete data: {'; '.join(parts) or 'no details recorded'}.")
    return found


def is_generated(data: Mapping[str, Any]) -> bool:
    return bool(data.get("generated"))


def guard_sentence(guard: Guard) -> str:
    """The check of the random control in one sentence; loud where it fails."""
    tested = f"test of no difference: {words.p_value(guard.p)}"
    if guard.seeds:
        first, second = (", ".join(map(str, seeds)) for seeds in guard.seeds)
        told = f"{guard.row}: seeds {first} less seeds {second}: {words.points(guard.mean, guard.decimals)} points"
        if guard.failed:
            return f"CHECK FAILED: {told} ({tested}). It must not differ from itself: check code and records."
        return f"Check passed: {told} ({tested})."
    found, chance = words.percent(guard.mean, guard.decimals), words.percent(guard.chance, 1).removesuffix(".0")
    compared = f"the random control scores {found} %, chance is {chance} % ({tested})"
    if guard.failed:
        return f"CHECK FAILED: {compared}. Labels leak or the episodes are unbalanced: do not use this table."
    return f"Check passed: {compared}."


def caption(table: SuiteTable) -> list[str]:
    """What the figures of a table mean and what they do not."""
    clips = "1 labelled clip" if table.shot == 1 else f"{table.shot} labelled clips"
    queries = "1 further clip" if table.queries == 1 else f"{table.queries} further clips"
    chance = words.percent(table.chance, 1).removesuffix(".0")
    role = "validation classes" if table.suite == "val" else "classes that no training here saw"
    told = any(row.external or row.training.external_data for row in table.rows)
    elsewhere = " Weight files and external predictions may have seen them." if told else ""
    data = table.data
    looks = "not known: there is no log"
    if table.looks is not None:
        shown = sum(len(row.trainings) for row in table.rows)
        looks = f"{table.looks:,}, of {table.looked_at:,} trainings; {shown:,} are shown here"
    rule = words.SUITE_RULES.get(table.suite, "")
    return [
        f"Each of {table.episodes:,} fixed episodes shows a method {clips} of each of {table.way} {role} and asks for "
        f"the class of {queries}.{elsewhere} Guessing reaches {chance} % (chance). {rule}".rstrip(),
        covered(table),
        *pretraining_covered(table),
        *([words.NO_ERROR] if any(row.scored and not row.interval.standard_error for row in table.rows) else []),
        *([words.TIES] if any(section.comparisons for section in table.sections) else []),
        f"Data: layout {data.get('layout')}, split {data.get('split')}, {data.get('clips_usable', 0):,} of "
        f"{data.get('clips_listed', 0):,} clips usable. Looks at this suite, as logged: {looks}.",
        *(guard_sentence(guard) for guard in table.guards if not guard.failed),
    ]


def covered(table: SuiteTable) -> str:
    """What the intervals of a table speak for: it depends on how many subjects and performances were tested."""
    known = sorted(table.rows, key=lambda row: row.scored < row.episodes)  # complete rows first
    analyses = [row.inference.analysis for row in known if row.inference.analysis is not None]
    if not analyses:
        why = " (the episodes are not recorded: `oneshot run` adds them)" if table.tested is None else ""
        return words.CLOSED.format(why=why)
    performances, subjects = analyses[0].performances, analyses[0].subjects
    missing = "; ".join(
        f"{what}: {found.note}"
        for what, found in (("new performances", performances), ("new subjects", subjects))
        if not found.available
    )
    if performances.available and subjects.available:
        what = "new performances and new subjects (the wider of an interval for each)"
        return words.OPEN.format(covered=what, why="")
    if performances.available or subjects.available:
        what = "new performances" if performances.available else "new subjects"
        return words.OPEN.format(covered=what, why=f" {missing.capitalize()}.")
    return words.CLOSED.format(why=f" ({missing})")


def pretraining_covered(table: SuiteTable) -> list[str]:
    """Whether the intervals of rows that start from a pre-training speak for another one."""
    started = [(row, name) for row, name in zip(table.rows, table.names, strict=True) if row.pretrainings]
    conditional = [name for row, name in started if not row.pretrained_anew]
    if not started:
        return []
    if not conditional:
        return [f"Rows that start from a pre-training: {words.OWN_PRETRAINING}."]
    if len(conditional) == len(started):
        return [f"Rows that start from a pre-training are {words.ONE_PRETRAINING}."]
    return [
        f"These rows are {words.ONE_PRETRAINING}: {'; '.join(conditional)}. In the other rows that start from a "
        f"pre-training, {words.OWN_PRETRAINING}."
    ]


def key(report: Report) -> list[str]:
    """What the columns mean, and the time that they do not show because rows share it."""
    spent: dict[str, dict[str, float]] = {}
    once: dict[str, list[float]] = {}
    for record in report.pretrainings:
        value = number(record.volatile.get("seconds"))
        if value is not None:
            once.setdefault(record.method, []).append(value)
    for training in report.trainings:
        for modality, volatile in training.volatile.get("encoders", {}).items():
            value = number(volatile.get("seconds")) if isinstance(volatile, dict) else None
            state = training.encoders.get(modality, {}).get("state", training.seed)
            if value is not None:
                spent.setdefault(starts.shared_encoder(training, modality), {})[str(state)] = value
    costs = [f"{encoder} {words.seconds(mean(times.values()))} s" for encoder, times in sorted(spent.items())]
    shared = f"Each shared encoder was trained once for all rows, which 'train s' leaves out: {', '.join(costs)}."
    pretrained = ", ".join(f"{method} {words.seconds(sum(times))} s" for method, times in sorted(once.items()))
    shown = {column for table in report.suites for column in columns_of(table)}
    return [
        words.KEY,
        *([words.START] if START in shown else []),
        *([words.EXTERNAL_DATA] if EXTERNAL in shown else []),
        *([shared] if costs else []),
        *([f"Pre-training is not in 'train s' either: {pretrained}, over all its seeds."] if once else []),
    ]
