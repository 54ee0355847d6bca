"""Floating-point operations of a method: what a clip costs, and what an episode costs on top."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from mmact_oneshot.harness.api import Features, FewShotMethod
from mmact_oneshot.harness.data.episodes.suites import Suite
from mmact_oneshot.harness.data.task.clip_source import ClipSource
from mmact_oneshot.harness.evaluation.features import FeatureTable
from mmact_oneshot.harness.records import Operations
from mmact_oneshot.harness.runtime.device import Device


def count_operations(
    method: FewShotMethod,
    source: ClipSource,
    embedded: FeatureTable,
    suite: Suite,
    rows: np.ndarray,
    device: Device,
) -> Operations:
    """Operations for one clip, from pixels and samples to what ``embed`` gives, and for one episode of a suite.

    Matrix products, convolutions and attention are counted, a multiplication with its addition as two. What
    ``score`` does backward (``grad_at_test``) counts as well.

    Args:
        rows: (clips of the suite,) store rows, -1 where the clip is absent; some episode can be scored.
    """
    support, query = rows[suite.draws.support], rows[suite.draws.query]
    episode = int(np.flatnonzero((support >= 0).all(axis=(1, 2)) & (query >= 0).all(axis=1))[0])
    method.eval()
    clips = source.load(support[episode].reshape(-1)[:1]).to(device.torch)

    def whole() -> None:
        with torch.no_grad():
            encoded: Features = method.encode(clips)
            method.embed(encoded)

    def scored() -> None:
        with torch.set_grad_enabled(method.grad_at_test):
            method.score(
                embedded.gather(support[[episode]], device.torch), embedded.gather(query[[episode]], device.torch)
            )

    counts = []
    for work in (whole, scored):
        with FlopCounterMode(display=False) as counter:
            work()
        counts.append(int(counter.get_total_flops()))
    return Operations(clip=counts[0], episode=counts[1])
