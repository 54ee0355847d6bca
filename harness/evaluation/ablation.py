"""Ablation of modalities at test time: each is left out of all test clips in turn, for a method trained with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.data.episodes.suites import HEADLINE, Suite
from mmact_oneshot.harness.evaluation.features import FeatureTable, embed_clips
from mmact_oneshot.harness.evaluation.scoring import Answers, answer_suite
from mmact_oneshot.harness.records import Ablation, EvaluationRecord
from mmact_oneshot.harness.runtime.device import Device


def wanted_ablations(
    suite: str, settings: Settings, modalities: tuple[str, ...], sensors: tuple[str, ...]
) -> tuple[str, ...]:
    """What is left out of a row's clips in turn on a suite: something on the headline suite, nothing on others."""
    if suite != HEADLINE or not settings.ablation_episodes:
        return ()
    return removable(modalities, sensors, settings.ablate == "sensors")


def is_ablated(record: EvaluationRecord, names: tuple[str, ...], episodes: int) -> bool:
    """Whether an evaluation has the ablations of ``names``, on as many episodes, or on all that it scored."""
    known = {found.without: found.episodes for found in record.ablations}
    return all(known.get(name, 0) >= min(episodes, record.scored) for name in names)


def removable(modalities: tuple[str, ...], sensors: tuple[str, ...], each_sensor: bool) -> tuple[str, ...]:
    """What can be left out so that something remains: video, all sensors, and where asked for each sensor."""
    found = modalities if len(modalities) > 1 else ()
    return (*found, *sensors) if each_sensor and "sensors" in modalities and len(sensors) > 1 else found


@dataclass(frozen=True)
class Ablations:
    """What to leave out of the clips of a suite, and on how many episodes.

    Attributes:
        names: "video", "sensors" or a sensor's name, in turn.
        episodes: how many at most, from the first that can be scored.
    """

    names: tuple[str, ...]
    episodes: int

    def run(
        self,
        method: FewShotMethod,
        encoded_without: Callable[[str], FeatureTable],
        suite: Suite,
        rows: np.ndarray,
        device: Device,
        complete: Answers,
    ) -> tuple[Ablation, ...]:
        """Accuracy without each of the names, and with everything, on the same episodes.

        Args:
            encoded_without: features of all clips, with something left out; by name.
            rows: (clips of the suite,) store rows, -1 where the clip is absent.
            complete: answers with everything.
        """
        found = []
        for name in self.names:
            embedded = embed_clips(method, encoded_without(name), device).held_near(device)
            predicted = answer_suite(method, embedded, suite, rows, device, self.episodes).predicted
            scored = (predicted >= 0).all(axis=1)
            label = suite.draws.label[scored]
            found.append(
                Ablation(
                    without=name,
                    episodes=int(scored.sum()),
                    accuracy=float((predicted[scored] == label).mean()),
                    complete=float((complete.predicted[scored] == label).mean()),
                )
            )
        return tuple(found)
