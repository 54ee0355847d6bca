"""The report as tidy CSV files: one line a row, a pair, a class; the figures of the tables.

Shares are 0..1 with six digits, more than any of them deserves: what comes after depends on the machine and its
threads, and the same records give the same files. Nothing stands where there is no figure. A row is
identified by ``study``, ``evaluation`` (the digest of what it was tested on) and ``row``. Texts that a spreadsheet
would take for a formula have an apostrophe before them.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator

from mmact_oneshot.harness.report.model.captions import coverage, decided_by
from mmact_oneshot.harness.report.results.rankings import Pair, Ranking, Row
from mmact_oneshot.harness.report.results.report import Report, StudyResults, StudySuite
from mmact_oneshot.harness.report.statistics import Analysis
from mmact_oneshot.harness.runtime.cells import cell_text

Value = str | float | int | bool | None
Line = dict[str, Value]
DIGITS = 6
METRICS = "metrics"  # stands for one column each
SMALLEST = 15  # decimals: anything smaller is rounding of a sum that is 0


def csv_files(report: Report) -> dict[str, str]:
    """File names and their content; the same for the same records, byte for byte."""
    files: dict[str, Callable[[StudyResults, StudySuite], Iterator[Line]]] = {
        "rows.csv": _rows,
        "pairs.csv": _pairs,
        "classes.csv": _classes,
        "groups.csv": _groups,
        "confusion.csv": _confusion,
        "calibration.csv": _calibration,
        "ablations.csv": _ablations,
    }
    found = {
        name: [line for study in report.studies for results in study.suites for line in lines(study, results)]
        for name, lines in files.items()
    }
    found["rows.csv"] += [_row("external", ranking, row) for _, ranking in report.external for row in ranking.rows]
    return {name: _text(columns(name, report), lines) for name, lines in found.items()}


def columns(file: str, report: Report) -> tuple[str, ...]:
    """The columns of a file: one for each metric among them."""
    metrics = [metric.name for metric in report.metrics]
    return tuple(name for each in COLUMNS[file] for name in (metrics if each == METRICS else [each]))


_KEY = ("study", "suite", "evaluation", "generated", "row")
_ERRORS = (
    "clips_se",
    "clips_df",
    "performance_se",
    "performance_df",
    "subject_se",
    "subject_df",
    "delete_one_se",
    "delete_one_df",
)
COLUMNS = {
    "rows.csv": (
        *_KEY, "label", "method", "source", "settings", "modalities", "training", "protocol", "encoder",
        "initialisation", "preset", "transductive", "external_data", "seeds", "episodes", "scored",
        "accuracy", "se", "low", "high", "df", "covers", "interval_from", *_ERRORS,
        "rank", "rank_low", "rank_high", "tied", "p_vs_best", METRICS,
        "lacking_episodes", "lacking_accuracy", "lacking_others",
        "parameters", "parameters_trained", "operations_clip", "operations_episode",
        "train_s", "pretrain_s", "test_s", "episodes_per_s", "memory_bytes", "notes", "conditions", "data", "split",
        "complete", "commit", "changed",
    ),
    "pairs.csv": (
        "study", "suite", "evaluation", "generated", "modalities", "a", "b", "seeds", "pairs",
        "difference", "se", "low", "high", "df", "simultaneous_low", "simultaneous_high", "p", "p_holm",
        "p_sign_flips", "p_sign_flips_smallest",
    ),
    "classes.csv": (*_KEY, "class", "accuracy", "queries", "right", "predicted"),
    "groups.csv": (*_KEY, "by", "name", "queries", "accuracy"),
    "confusion.csv": (*_KEY, "class", "predicted", "queries"),
    "calibration.csv": (*_KEY, "from", "to", "queries", "confidence", "right"),
    "ablations.csv": (*_KEY, "without", "episodes", "accuracy", "complete"),
}  # fmt: skip
"""The columns of each file, in order."""


def _rows(study: StudyResults, results: StudySuite) -> Iterator[Line]:
    for ranking in results.rankings.values():
        for row in ranking.rows:
            yield _row(study.name, ranking, row)


def _row(study: str, ranking: Ranking, row: Row) -> Line:
    measured, interval = row.measured, row.interval
    training, metrics, analysis = measured.training, measured.metrics, measured.inference.analysis
    least, most = row.ranks or (None, None)
    lacking, operations = metrics.lacking, metrics.operations
    return _key(study, row) | {
        "label": row.label,
        "method": training.method,
        "source": training.method_source,
        "settings": json.dumps(training.method_settings, sort_keys=True),
        "modalities": "+".join(training.modalities),
        "training": training.training,
        "protocol": training.protocol,
        "encoder": training.encoder if measured.trained else None,
        "initialisation": training.initialisation if measured.trained else None,
        "preset": training.preset,
        "transductive": training.transductive,
        "external_data": "; ".join(training.external_data),
        "seeds": " ".join(map(str, measured.seeds)),
        "episodes": len(measured.suite),
        "scored": measured.episodes,
        "accuracy": interval.mean,
        "se": interval.standard_error,
        "low": interval.low,
        "high": interval.high,
        "df": interval.degrees_of_freedom,
        "covers": coverage(analysis, len(measured.seeds)),
        "interval_from": decided_by(analysis),
        **_errors(analysis),
        "rank": row.rank,
        "rank_low": least,
        "rank_high": most,
        "tied": row.tied if ranking.comparisons is not None and row.rank is not None else None,
        "p_vs_best": _p_vs_best(ranking, row),
        **{metric.name: value for metric, value in metrics.values.items()},
        "lacking_episodes": lacking.episodes if lacking else None,
        "lacking_accuracy": lacking.accuracy if lacking else None,
        "lacking_others": lacking.others if lacking else None,
        "parameters": training.parameters.get("total"),
        "parameters_trained": training.parameters.get("trained"),
        "operations_clip": operations.clip if operations else None,
        "operations_episode": operations.episode if operations else None,
        "train_s": measured.train_seconds,
        "pretrain_s": measured.pretraining_seconds,
        "test_s": measured.test_seconds,
        "episodes_per_s": measured.episodes_per_second,
        "memory_bytes": measured.memory,
        "notes": "; ".join(row.notes),
        "conditions": training.conditions_digest,
        "data": training.data.get("digest"),
        "split": training.data.get("split"),
        "complete": bool(training.data.get("complete", True)),
        "commit": training.provenance.get("commit"),
        "changed": training.provenance.get("changed"),
    }


def _pairs(study: StudyResults, results: StudySuite) -> Iterator[Line]:
    for ranking in results.rankings.values():
        pairs = ranking.pairs()
        for pair in pairs:
            yield _pair(study.name, ranking, pair, len(pairs))


def _pair(study: str, ranking: Ranking, pair: Pair, pairs: int) -> Line:
    line = _key(study, pair.first)
    del line["row"]
    return line | {
        "modalities": ranking.modality,
        "a": pair.first.name,
        "b": pair.second.name,
        "seeds": " ".join(map(str, pair.first.measured.seeds)),
        "pairs": pairs,
        "difference": pair.interval.mean,
        "se": pair.interval.standard_error,
        "low": pair.interval.low,
        "high": pair.interval.high,
        "df": pair.interval.degrees_of_freedom,
        "simultaneous_low": pair.simultaneous.low,
        "simultaneous_high": pair.simultaneous.high,
        "p": pair.p,
        "p_holm": pair.adjusted,
        "p_sign_flips": pair.signs.p_value,
        "p_sign_flips_smallest": pair.signs.smallest,
    }


def _classes(study: StudyResults, results: StudySuite) -> Iterator[Line]:
    for row in results.rows:
        counts = row.measured.confusion
        asked, predicted, right = counts.sum(axis=1).tolist(), counts.sum(axis=0).tolist(), counts.diagonal().tolist()
        for place, name in enumerate(row.measured.classes):
            yield _key(study.name, row) | {
                "class": name,
                "accuracy": row.measured.per_class[place],
                "queries": asked[place],
                "right": right[place],
                "predicted": predicted[place],
            }


def _groups(study: StudyResults, results: StudySuite) -> Iterator[Line]:
    for row in results.rows:
        for by, groups in row.measured.metrics.groups.items():
            for group in groups:
                yield _key(study.name, row) | {
                    "by": by,
                    "name": group.name,
                    "queries": group.queries,
                    "accuracy": group.accuracy,
                }


def _confusion(study: StudyResults, results: StudySuite) -> Iterator[Line]:
    """Summed over seeds."""
    for row in results.rows:
        names = row.measured.classes
        for true, counts in zip(names, row.measured.confusion.tolist(), strict=True):
            for predicted, count in zip(names, counts, strict=True):
                yield _key(study.name, row) | {"class": true, "predicted": predicted, "queries": count}


def _calibration(study: StudyResults, results: StudySuite) -> Iterator[Line]:
    """The reliability curve, all seeds together: ``confidence`` is summed over the queries of a part."""
    for row in results.rows:
        found = row.measured.metrics.calibration
        if found is None:
            continue
        parts = zip(found.queries, found.confidence, found.correct, strict=True)
        for part, (queries, confidence, right) in enumerate(parts):
            ends = {"from": part / len(found.queries), "to": (part + 1) / len(found.queries)}
            yield _key(study.name, row) | ends | {"queries": queries, "confidence": confidence, "right": right}


def _ablations(study: StudyResults, results: StudySuite) -> Iterator[Line]:
    for row in results.rows:
        for each in row.measured.metrics.ablations:
            yield _key(study.name, row) | {
                "without": each.without,
                "episodes": each.episodes,
                "accuracy": each.accuracy,
                "complete": each.complete,
            }


def _key(study: str, row: Row) -> Line:
    suite = row.measured.suite.record
    return {
        "study": study,
        "suite": suite.suite,
        "evaluation": suite.evaluation_digest,
        "generated": bool(row.measured.training.data.get("generated")),
        "row": row.name,
    }


def _errors(analysis: Analysis | None) -> Line:
    """Standard errors and degrees of freedom under every estimand; all of them over seeds."""
    if analysis is None:
        return {}
    found = {
        "clips": analysis.clips,
        "performance": analysis.performances,
        "subject": analysis.subjects,
        "delete_one": analysis.deletion,
    }
    line: Line = {}
    for name, estimate in found.items():
        if estimate.available:
            line |= {f"{name}_se": estimate.standard_error, f"{name}_df": estimate.degrees_of_freedom}
    return line


def _p_vs_best(ranking: Ranking, row: Row) -> float | None:
    """Holm-adjusted, of no difference from the best; None for the best and where nothing is compared."""
    best = ranking.best
    pair = None if best is None else ranking.pair(best, row)
    return None if pair is None else pair.adjusted


def _text(columns: Iterable[str], lines: Iterable[Line]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in line.items()} for line in lines)
    return stream.getvalue()


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return cell_text(value)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{round(value, SMALLEST) + 0.0:.{DIGITS}g}" if isinstance(value, float) else str(value)
