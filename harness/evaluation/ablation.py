"""How a method does without a modality that it was trained with: each is taken from all test clips in turn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.api import FewShotMethod
from harness.config.settings import Settings
from harness.data.episodes.suites import HEADLINE, Suite
from harness.evaluation.features import FeatureTable, embed_clips
from harness.evaluation.scoring import Answers, answer_suite
from harness.records import EvaluationRecord, Removed
from harness.runtime.device import Device


def wanted_without(
    suite: str, settings: Settings, modalities: tuple[str, ...], sensors: tuple[str, ...]
) -> tuple[str, ...]:
    """What a row is to be tested without on a suite: nothing but on the headline suite."""
    if suite != HEADLINE or not settings.removed_episodes:
        return ()
    return removable(modalities, sensors, settings.remove == "sensors")


def is_tested_without(record: EvaluationRecord, names: tuple[str, ...], episodes: int) -> bool:
    """Whether an evaluation holds all of ``names``, on as many episodes, or on all that it scored."""
    tested = {found.modality: found.episodes for found in record.robustness}
    return all(tested.get(name, 0) >= min(episodes, record.scored) for name in names)


def removable(modalities: tuple[str, ...], sensors: tuple[str, ...], each_sensor: bool) -> tuple[str, ...]:
    """What can be taken away so that something is left: video, all sensors, and where asked for each sensor."""
    found = modalities if len(modalities) > 1 else ()
    return (*found, *sensors) if each_sensor and "sensors" in modalities and len(sensors) > 1 else found


def without(
    method: FewShotMethod,
    encoded: Callable[[str], FeatureTable],
    names: tuple[str, ...],
    suite: Suite,
    rows: np.ndarray,
    device: Device,
    answers: Answers,
    episodes: int,
) -> tuple[Removed, ...]:
    """Accuracy with each of ``names`` removed, and with everything there, on the same episodes.

    Args:
        encoded: features of all clips with something removed.
        rows: (clips of the suite,) store rows, -1 where the clip is absent.
        answers: with everything there.
        episodes: how many at most, from the first that can be scored.
    """
    found = []
    for name in names:
        embedded = embed_clips(method, encoded(name), device)
        predicted = answer_suite(method, embedded, suite, rows, device, episodes).predicted
        scored = (predicted >= 0).all(axis=1)
        label = suite.draws.label[scored]
        found.append(
            Removed(
                modality=name,
                episodes=int(scored.sum()),
                accuracy=float((predicted[scored] == label).mean()),
                complete=float((answers.predicted[scored] == label).mean()),
            )
        )
    return tuple(found)
