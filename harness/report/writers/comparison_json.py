"""A paired comparison as JSON: the same as on the terminal, in numbers; shares in 0..1, null where there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mmact_oneshot.harness.report.formats import short
from mmact_oneshot.harness.report.model.captions import coverage, data_warnings, decided_by
from mmact_oneshot.harness.report.model.comparison import cautions, scope_sentence, seeds, sentence, training
from mmact_oneshot.harness.report.results.comparison import Comparison, Difference, Side
from mmact_oneshot.harness.report.statistics import Estimate, Interval
from mmact_oneshot.harness.report.statistics.interval import DIFFERENCE


def comparison_json(found: Comparison, comparisons: int = 1, adjusted: float | None = None) -> dict[str, Any]:
    """Plain values, finite numbers only.

    Args:
        comparisons: that were made together with this one.
        adjusted: Holm-adjusted p over these, where rows of two folders were compared one by one.
    """
    analysis, pair = found.analysis, found.pair
    content: dict[str, Any] = {
        "suite": found.suite.name,
        "evaluation": found.suite.record.evaluation_digest,
        "generated": bool(found.first.data.get("generated")),
        "a": _side(found.first, found.means[0]),
        "b": _side(found.second, found.means[1]),
        "conditions_differ": _named(found.conditions),
        "settings_differ": _named(found.settings),
        "same_conditions": found.same_conditions,
        "seeds": list(found.seeds),
        "episodes": found.episodes,
        "difference": {
            **_interval(found.interval),
            "p": found.p,
            "interval_for": coverage(analysis, len(found.seeds)),
            "decided_by": decided_by(analysis),
        },
        "estimates": {
            "these_clips": _estimate(analysis.clips),
            "new_performances": _estimate(analysis.performances),
            "new_subjects": _estimate(analysis.subjects),
            "new_subjects_delete_one": _estimate(analysis.deletion),
        },
        "sign_flips": {"p": found.signs.p_value, "smallest": found.signs.smallest},
        "ranking": None
        if pair is None or found.first.ranking.comparisons is None
        else {
            "pairs": len(found.first.ranking.comparisons.pairs),
            "p_holm": pair.adjusted,
            "simultaneous": _interval(pair.simultaneous),
        },
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
        "sentences": [
            *data_warnings(found.first.data),
            sentence(found),
            scope_sentence(found),
            training(found),
            *seeds(found),
            *cautions(found, comparisons),
        ],
    }
    finite: dict[str, Any] = _finite(content)
    return finite


def _side(side: Side, mean: float) -> dict[str, Any]:
    training = side.measured.training
    return {
        "folder": side.folder,
        "study": side.study,
        "row": side.name,
        "method": training.method,
        "settings": dict(training.method_settings),
        "modalities": list(training.modalities),
        "training": training.training,
        "conditions": short(training.conditions_digest),
        "commit": training.provenance.get("commit"),
        "mean": mean,
        "metrics": {metric.name: value for metric, value in side.measured.metrics.values.items()},
    }


def _named(differences: Sequence[Difference]) -> list[dict[str, str]]:
    return [dict(zip(("name", "a", "b"), each, strict=True)) for each in differences]


def _interval(found: Interval) -> dict[str, float]:
    return asdict(found)


def _estimate(found: Estimate) -> dict[str, Any]:
    return _interval(found.interval(bounds=DIFFERENCE)) | {"p": found.p_value, "note": found.note}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
