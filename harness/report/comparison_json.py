"""A paired comparison as JSON: the same as on the terminal, in numbers; shares in 0..1, null where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from harness.report import verdict, words
from harness.report.columns import data_warnings
from harness.report.comparison import Comparison, Side
from harness.report.covering import covers, decided_by
from harness.report.rows import method_settings
from harness.report.statistics import Estimate, Interval
from harness.report.statistics.interval import DIFFERENCE


def as_json(found: Comparison, comparisons: int = 1, adjusted: float | None = None) -> dict[str, Any]:
    """Plain values, finite numbers only.

    Args:
        comparisons: that were made together with this one.
        adjusted: Holm-adjusted p over these, where rows of two folders were compared one by one.
    """
    analysis, signs, family = found.analysis, found.signs, found.family
    content: dict[str, Any] = {
        "suite": found.table.suite,
        "evaluation": found.table.evaluation_digest,
        "generated": bool(found.table.data.get("generated")),
        "a": _side(found.first, found.means[0]),
        "b": _side(found.second, found.means[1]),
        "training_differs": [dict(zip(("name", "a", "b"), each, strict=True)) for each in found.conditions],
        "settings_differ": [dict(zip(("name", "a", "b"), each, strict=True)) for each in found.settings],
        "same_training": found.first.row.training.training_digest == found.second.row.training.training_digest,
        "seeds": list(found.seeds),
        "episodes": found.episodes,
        "difference": _interval(found.interval)
        | {"p": found.p, "covers": covers(analysis, len(found.seeds)), "from": decided_by(analysis)},
        "estimates": {"closed": _estimate(found.closed)}
        | (
            {}
            if analysis is None
            else {
                "performances": _estimate(analysis.performances),
                "subjects": _estimate(analysis.subjects),
                "subjects_delete_one": _estimate(analysis.deletion),
            }
        ),
        "sign_flips": None if signs is None else {"p": signs.p_value, "smallest": signs.smallest},
        "section": None
        if family is None
        else {"pairs": family.pairs, "p_holm": family.adjusted, "simultaneous": _interval(family.simultaneous)},
        "comparisons": comparisons,
        "p_holm": adjusted,
        "answers": {
            name.replace("first", "a").replace("second", "b"): count for name, count in asdict(found.answers).items()
        },
        "classes": [
            {
                "class": each.name,
                "queries": each.queries,
                "a": each.first,
                "b": each.second,
                "difference": each.difference,
            }
            for each in found.classes
        ],
        "words": [
            *data_warnings(found.table.data),
            verdict.sentence(found),
            verdict.coverage(found),
            verdict.training(found),
            *verdict.seeds(found),
            *verdict.cautions(found, comparisons),
        ],
    }
    finite: dict[str, Any] = _finite(content)
    return finite


def _side(side: Side, mean: float) -> dict[str, Any]:
    training = side.row.training
    return {
        "folder": side.folder,
        "row": side.name,
        "method": training.method,
        "settings": method_settings(training),
        "modalities": list(training.modalities),
        "regime": training.regime,
        "training": words.short(training.training_digest),
        "commit": training.provenance.get("commit"),
        "mean": mean,
    }


def _interval(found: Interval) -> dict[str, float]:
    return {
        "mean": found.mean,
        "standard_error": found.standard_error,
        "low": found.low,
        "high": found.high,
        "degrees_of_freedom": found.degrees_of_freedom,
    }


def _estimate(found: Estimate) -> dict[str, Any]:
    return _interval(found.interval(bounds=DIFFERENCE)) | {"p": found.p_value, "note": found.note}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
