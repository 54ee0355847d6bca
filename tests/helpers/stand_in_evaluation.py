"""The evaluation of a suite on the stand-in accelerator, through the code that evaluates: what comes back from it."""

from __future__ import annotations

from functools import cache
from unittest.mock import patch

import numpy as np

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.data.episodes.suites import Suite
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.evaluation import alone, scoring
from mmact_oneshot.harness.evaluation.features import FeatureTable, embed_clips, encode_clips
from mmact_oneshot.harness.runtime.device import Device
from tests.helpers.toys import toy_task

EPISODES, AT_ONCE, ALONE, BATCHES = 16, 8, 1, 2


@cache
def _suite() -> Suite:
    return toy_task(episodes=EPISODES).suite("test")


def evaluate(
    method: FewShotMethod, source: ClipSource, device: Device, copied: list[tuple[int, ...]]
) -> dict[str, float]:
    """Encode and embed the clips of a source in batches, score a suite of them piece by piece, and some episodes alone.

    Args:
        copied: to which every copy to main memory is added.

    Returns:
        Copies to main memory: of "encode" and "embed" for each feature of each batch, of "score" and "alone" in all.
    """
    suite, clips, marks = _suite(), np.arange(len(source.store.clips)), [len(copied)]
    rows, batch = np.arange(len(suite.clips)) % len(clips), len(clips) // BATCHES

    def by_itself(some: np.ndarray) -> FeatureTable:
        return embed_clips(method, encode_clips(method.encode, source, some, device, batch, at_once=1), device, batch=1)

    encoded = encode_clips(method.eval().encode, source, clips, device, batch)
    marks.append(len(copied))
    embedded = embed_clips(method, encoded, device, batch=batch)
    marks.append(len(copied))
    with patch.object(scoring, "EPISODES_AT_ONCE", AT_ONCE):
        answers = scoring.answer_suite(method, embedded, suite, rows, device)
    marks.append(len(copied))
    with patch.object(alone, "EPISODES", ALONE):
        alone.require_alone(method, embedded, alone.Fresh(method, by_itself), suite, rows, device, answers)
    marks.append(len(copied))
    again = len(np.unique(rows[[*suite.draws.support[0].ravel(), *suite.draws.query[0]]]))  # clips of an episode
    parts = (
        BATCHES * len(encoded._leaves),
        BATCHES * len(embedded._leaves),
        1,
        1 + ALONE * again * (len(encoded._leaves) + len(embedded._leaves)),
    )
    counts = dict(zip(("encode", "embed", "score", "alone"), np.diff(marks) / parts, strict=True))
    return {name: float(count) for name, count in counts.items()}
