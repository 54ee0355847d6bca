"""The report as tidy CSV files: one line a row, a pair, a class; the figures of the tables.

Shares are 0..1 with six digits, more than any of them deserves: what comes after depends on the machine and its
threads, and the same records give the same files. Nothing stands where there is no figure. A row is told by
``evaluation`` (the digest of what it was tested on) and ``row``.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator

from harness.report import starts
from harness.report.covering import covers, decided_by
from harness.report.further import calibration_error
from harness.report.rows import Row
from harness.report.statistics import Analysis, Estimate
from harness.report.tables import Report, Section, SuiteTable

Value = str | float | int | bool | None
Line = dict[str, Value]
DIGITS = 6
SMALLEST = 15  # decimals: what is less is rounding of a sum that is 0


def csv_files(report: Report) -> dict[str, str]:
    """File names and their content; the same for the same records, byte for byte."""
    files: dict[str, Callable[[SuiteTable], Iterator[Line]]] = {
        "rows.csv": _rows,
        "pairs.csv": _pairs,
        "classes.csv": _classes,
        "groups.csv": _groups,
        "confusion.csv": _confusion,
        "calibration.csv": _calibration,
        "removed.csv": _removed,
    }
    return {
        name: _text(COLUMNS[name], [line for table in report.suites for line in lines(table)])
        for name, lines in files.items()
    }


_KEY = ("suite", "evaluation", "generated", "row")
_ERRORS = (
    "closed_se",
    "closed_df",
    "performance_se",
    "performance_df",
    "subject_se",
    "subject_df",
    "delete_one_se",
    "delete_one_df",
)
COLUMNS = {
    "rows.csv": (
        *_KEY, "section", "label", "method", "source", "settings", "modalities", "regime", "regimen", "encoder",
        "start", "recipe", "preset", "transductive", "external_data", "seeds", "episodes", "scored",
        "accuracy", "se", "low", "high", "df", "covers", "interval_from", *_ERRORS,
        "rank", "rank_low", "rank_high", "tied", "p_vs_best", "macro_f1", "worst_decile", "calibration_error",
        "lacking_episodes", "lacking_accuracy", "lacking_others",
        "parameters", "parameters_trained", "flops_clip", "flops_episode",
        "train_s", "test_s", "episodes_per_s", "memory_bytes", "notes", "training", "data", "split", "complete",
        "commit", "changed",
    ),
    "pairs.csv": (
        "suite", "evaluation", "generated", "section", "a", "b", "seeds", "pairs",
        "difference", "se", "low", "high", "df", "covers", "interval_from", *_ERRORS,
        "simultaneous_low", "simultaneous_high", "p", "p_holm", "p_sign_flips", "p_sign_flips_smallest",
    ),
    "classes.csv": (*_KEY, "class", "accuracy", "queries", "right", "answered"),
    "groups.csv": (*_KEY, "by", "name", "queries", "accuracy"),
    "confusion.csv": (*_KEY, "class", "answer", "queries"),
    "calibration.csv": (*_KEY, "from", "to", "queries", "confidence", "right"),
    "removed.csv": (*_KEY, "removed", "episodes", "accuracy", "complete"),
}  # fmt: skip
"""The columns of each file, in order."""


def _rows(table: SuiteTable) -> Iterator[Line]:
    for section, row, name in _named(table):
        training, found, metrics = row.training, row.inference, row.metrics
        interval, cost, apart = row.interval, row.metrics.cost, row.metrics.apart
        least, most = row.ranks or (None, None)
        yield _key(table, name) | {
            "section": section.heading,
            "label": row.label,
            "method": training.method,
            "source": training.method_source,
            "settings": json.dumps(training.method_settings, sort_keys=True),
            "modalities": "+".join(training.modalities),
            "regime": training.regime,
            "regimen": training.regimen,
            "encoder": starts.encoders(training) if row.trained else None,
            "start": starts.word(training) if row.trained else None,
            "recipe": training.recipe,
            "preset": training.preset,
            "transductive": training.transductive,
            "external_data": "; ".join(training.external_data),
            "seeds": _seeds(row),
            "episodes": row.episodes,
            "scored": row.scored,
            "accuracy": interval.mean,
            "se": interval.standard_error,
            "low": interval.low,
            "high": interval.high,
            "df": interval.degrees_of_freedom,
            "covers": covers(found.analysis, len(row.trainings)),
            "interval_from": decided_by(found.analysis),
            **_errors(found.closed, found.analysis),
            "rank": row.rank,
            "rank_low": least,
            "rank_high": most,
            "tied": row.tied if section.comparisons is not None and row.rank is not None else None,
            "p_vs_best": _p_vs_best(section, row),
            "macro_f1": metrics.macro_f1,
            "worst_decile": metrics.worst_decile,
            "calibration_error": calibration_error(row),
            "lacking_episodes": apart.episodes if apart else None,
            "lacking_accuracy": apart.accuracy if apart else None,
            "lacking_others": apart.others if apart else None,
            "parameters": training.parameters.get("total"),
            "parameters_trained": training.parameters.get("trained"),
            "flops_clip": cost.clip if cost else None,
            "flops_episode": cost.episode if cost else None,
            "train_s": row.train_seconds,
            "test_s": row.test_seconds,
            "episodes_per_s": row.episodes_per_second,
            "memory_bytes": row.memory,
            "notes": "; ".join(row.notes),
            "training": training.training_digest,
            "data": training.data.get("digest"),
            "split": training.data.get("split"),
            "complete": bool(training.data.get("complete", True)),
            "commit": training.provenance.get("commit"),
            "changed": training.provenance.get("changed"),
        }


def _pairs(table: SuiteTable) -> Iterator[Line]:
    names = dict(zip(map(id, table.rows), table.names, strict=True))
    for section in table.sections:
        compared = section.comparisons
        if compared is None:
            continue
        ranked = section.ranked
        for number, (first, second) in enumerate(compared.pairs):
            analysis, signs = compared.paired[number].analysis, compared.paired[number].signs
            interval, together = analysis.interval(), compared.simultaneous[number]
            yield _suite(table) | {
                "section": section.heading,
                "a": names[id(ranked[first])],
                "b": names[id(ranked[second])],
                "seeds": _seeds(ranked[first]),
                "pairs": len(compared.pairs),
                "difference": interval.mean,
                "se": interval.standard_error,
                "low": interval.low,
                "high": interval.high,
                "df": interval.degrees_of_freedom,
                "covers": covers(analysis, analysis.seeds),
                "interval_from": decided_by(analysis),
                **_errors(analysis.closed, analysis),
                "simultaneous_low": together.low,
                "simultaneous_high": together.high,
                "p": analysis.p_value,
                "p_holm": float(compared.adjusted[number]),
                "p_sign_flips": signs.p_value,
                "p_sign_flips_smallest": signs.smallest,
            }


def _classes(table: SuiteTable) -> Iterator[Line]:
    for _, row, name in _named(table):
        counts = row.confusion
        asked, answered, right = counts.sum(axis=1).tolist(), counts.sum(axis=0).tolist(), counts.diagonal().tolist()
        for place, known in enumerate(table.classes):
            yield _key(table, name) | {
                "class": known,
                "accuracy": row.per_class[place],
                "queries": asked[place],
                "right": right[place],
                "answered": answered[place],
            }


def _groups(table: SuiteTable) -> Iterator[Line]:
    for _, row, name in _named(table):
        for by, groups in row.metrics.groups.items():
            for group in groups:
                yield _key(table, name) | {
                    "by": by,
                    "name": group.name,
                    "queries": group.queries,
                    "accuracy": group.accuracy,
                }


def _confusion(table: SuiteTable) -> Iterator[Line]:
    """What is taken for what, summed over seeds."""
    for _, row, name in _named(table):
        for true, counts in zip(table.classes, row.confusion.tolist(), strict=True):
            for answer, count in zip(table.classes, counts, strict=True):
                yield _key(table, name) | {"class": true, "answer": answer, "queries": count}


def _calibration(table: SuiteTable) -> Iterator[Line]:
    """The reliability curve, all seeds together: ``confidence`` is summed over the queries of a part."""
    for _, row, name in _named(table):
        found = row.metrics.calibration
        if found is None:
            continue
        parts = zip(found.queries, found.confidence, found.correct, strict=True)
        for part, (queries, confidence, right) in enumerate(parts):
            ends = {"from": part / len(found.queries), "to": (part + 1) / len(found.queries)}
            yield _key(table, name) | ends | {"queries": queries, "confidence": confidence, "right": right}


def _removed(table: SuiteTable) -> Iterator[Line]:
    for _, row, name in _named(table):
        for each in row.metrics.without:
            yield _key(table, name) | {
                "removed": each.modality,
                "episodes": each.episodes,
                "accuracy": each.accuracy,
                "complete": each.complete,
            }


def _named(table: SuiteTable) -> Iterator[tuple[Section, Row, str]]:
    names = iter(table.names)
    for section in table.sections:
        for row in section.rows:
            yield section, row, next(names)


def _suite(table: SuiteTable) -> Line:
    return {
        "suite": table.suite,
        "evaluation": table.evaluation_digest,
        "generated": bool(table.data.get("generated")),
    }


def _key(table: SuiteTable, name: str) -> Line:
    return _suite(table) | {"row": name}


def _seeds(row: Row) -> str:
    return " ".join(str(training.seed) for training in row.trainings)


def _errors(closed: Estimate | None, analysis: Analysis | None) -> Line:
    """Standard errors and degrees of freedom under every estimand; all of them over seeds."""
    found = {
        "closed": closed,
        "performance": None if analysis is None else analysis.performances,
        "subject": None if analysis is None else analysis.subjects,
        "delete_one": None if analysis is None else analysis.deletion,
    }
    line: Line = {}
    for name, estimate in found.items():
        if estimate is not None and estimate.available:
            line |= {f"{name}_se": estimate.standard_error, f"{name}_df": estimate.degrees_of_freedom}
    return line


def _p_vs_best(section: Section, row: Row) -> float | None:
    """Holm-adjusted, of no difference from the best of the section; None for the best and where nothing is compared."""
    compared = section.comparisons
    if compared is None or row.rank is None:
        return None
    place = next(number for number, each in enumerate(section.ranked) if each is row)
    pair = (min(place, compared.best), max(place, compared.best))
    return None if place == compared.best else float(compared.adjusted[compared.pairs.index(pair)])


def _text(columns: Iterable[str], lines: Iterable[Line]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in line.items()} for line in lines)
    return stream.getvalue()


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{round(value, SMALLEST) + 0.0:.{DIGITS}g}" if isinstance(value, float) else str(value)
