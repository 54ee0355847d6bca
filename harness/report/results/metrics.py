"""Figures beside the accuracy, from predictions and the identities of clips: pure functions, shares in 0..1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmact_oneshot.harness.records import Ablation, Calibration, Episodes, Operations
from mmact_oneshot.harness.report.results.load import Scored, Suite
from mmact_oneshot.harness.report.results.metric import Answers, Metric


@dataclass(frozen=True)
class Group:
    """Accuracy on the queries of one subject, scene or camera, mean over seeds."""

    name: str
    queries: int
    accuracy: float


@dataclass(frozen=True)
class Ablated:
    """Accuracy without a modality or sensor, and with everything, on the same episodes; means over seeds."""

    without: str
    episodes: int
    accuracy: float
    complete: float


@dataclass(frozen=True)
class Lacking:
    """Accuracy on episodes in which some clip lacks video or a sensor that the row uses, and on the others."""

    episodes: int
    accuracy: float
    others: float


@dataclass(frozen=True)
class Metrics:
    """Of one row on one suite, over its seeds, each on the episodes that it scored (groups: that all of them scored).
    None and nothing: not recorded, or there is nothing to say.

    Attributes:
        values: of every metric that is asked for; mean over seeds, None where it says nothing.
        calibration: queries by confidence, summed over seeds.
        groups: "subject", "scene", "camera" -> by name; those with a single value left out.
    """

    values: dict[Metric, float | None]
    calibration: Calibration | None
    groups: dict[str, tuple[Group, ...]]
    lacking: Lacking | None
    ablations: tuple[Ablated, ...]
    operations: Operations | None

    def value(self, name: str) -> float | None:
        """Of the metric of a name; None where it says nothing or was not asked for."""
        return next((value for metric, value in self.values.items() if metric.name == name), None)


def metrics_of(group: Sequence[Scored], suite: Suite, asked: Sequence[Metric]) -> Metrics:
    """Metrics of one row.

    Args:
        group: one for each seed.
        asked: metrics.
    """
    first, answers = group[0], [_answers(each, suite) for each in group]
    return Metrics(
        values={metric: metric.over_seeds(answers) for metric in asked},
        calibration=_summed([each.evaluation.calibration for each in group]),
        groups=_groups(group, suite),
        lacking=_lacking(group, suite.episodes, _streams(suite, first.training.modalities)),
        ablations=_ablated([each.evaluation.ablations for each in group]),
        operations=first.evaluation.operations,
    )


def _answers(scored: Scored, suite: Suite) -> Answers:
    """What metrics are functions of."""
    found, done = suite.episodes, scored.done
    return Answers(
        predicted=scored.predicted[done].astype(np.int64),
        label=found.label[done].astype(np.int64),
        drawn=found.drawn[done],
        support=found.support[done],
        query=found.query[done],
        classes=suite.record.classes,
        subjects=suite.record.subjects,
        subject=found.subject,
        # of a method that is not trained, scores are no probabilities
        calibration=scored.evaluation.calibration if scored.training.training != "none" else None,
    )


def _streams(suite: Suite, modalities: tuple[str, ...]) -> tuple[int, ...]:
    """Places of what a row uses among the record's streams: video, and every other stream is a sensor."""
    used = [("video" if name == "video" else "sensors") in modalities for name in suite.record.streams]
    return tuple(place for place, wanted in enumerate(used) if wanted)


def _groups(group: Sequence[Scored], suite: Suite) -> dict[str, tuple[Group, ...]]:
    """On the episodes that all seeds scored."""
    found = {}
    common = np.logical_and.reduce([each.done for each in group])
    right = np.mean([each.correct[common] for each in group], axis=0)
    for what, names in (
        ("subject", suite.record.subjects),
        ("scene", suite.record.scenes),
        ("camera", suite.record.cameras),
    ):
        if len(names) < 2:
            continue
        codes = getattr(suite.episodes, what)[suite.episodes.query[common]].ravel()
        asked = np.bincount(codes, minlength=len(names))
        share = np.bincount(codes, right.ravel(), len(names)) / np.maximum(asked, 1)
        found[what] = tuple(
            Group(name, int(asked[place]), float(share[place])) for place, name in enumerate(names) if asked[place]
        )
    return found


def _lacking(group: Sequence[Scored], episodes: Episodes, streams: tuple[int, ...]) -> Lacking | None:
    lacking = episodes.lacking(streams)
    shares = []
    for each in group:
        those, others = each.episodes[each.done & lacking], each.episodes[each.done & ~lacking]
        if not len(those):
            return None
        shares.append((those.mean(), others.mean() if len(others) else np.nan))
    accuracy, others = np.mean(shares, axis=0)
    return Lacking(int((group[0].done & lacking).sum()), float(accuracy), float(others))


def _summed(found: Sequence[Calibration | None]) -> Calibration | None:
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    return Calibration(
        queries=tuple(np.sum([each.queries for each in known], axis=0).tolist()),
        confidence=tuple(np.sum([each.confidence for each in known], axis=0).tolist()),
        correct=tuple(np.sum([each.correct for each in known], axis=0).tolist()),
    )


def _ablated(found: Sequence[Sequence[Ablation]]) -> tuple[Ablated, ...]:
    """What every seed was tested without, in the order of the first."""
    tables = [{each.without: each for each in seed} for seed in found]
    names = [name for name in tables[0] if all(name in table for table in tables)]
    return tuple(
        Ablated(
            name,
            tables[0][name].episodes,
            float(np.mean([table[name].accuracy for table in tables])),
            float(np.mean([table[name].complete for table in tables])),
        )
        for name in names
    )
