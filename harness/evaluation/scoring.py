"""Score fixed episodes from features, hundreds at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.data.episodes.suites import Suite
from mmact_oneshot.harness.evaluation.features import FeatureTable
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.errors import DivergedError, HarnessError
from mmact_oneshot.harness.runtime.memory import in_pieces

EPISODES_AT_ONCE = 512
GATHERED_AT_ONCE, GATHERED_ON_ACCELERATOR = 16 << 20, 256 << 20
"""Bytes of features that are scored in one piece; some heads take twenty times as much memory."""
NOT_SCORED = -1


@dataclass(frozen=True)
class Answers:
    """What a method answers to the queries of a suite.

    Attributes:
        predicted: (N, Q) int8 position in 0..way-1; -1 throughout episodes that were not scored.
        confidence: (N, Q) float32 probability of that position, the softmax of the scores; NaN where not scored.
    """

    predicted: np.ndarray
    confidence: np.ndarray


def answer_suite(
    method: FewShotMethod,
    embedded: FeatureTable,
    suite: Suite,
    rows: np.ndarray,
    device: Device,
    most: int | None = None,
) -> Answers:
    """Predicted position of every query; none in episodes that touch an absent clip.

    Waits for the device three times, at the end, however many episodes there are.

    Args:
        embedded: features of all clips that are there.
        rows: (clips of the suite,) store rows, -1 where the clip is absent.
        most: score the first so many of the episodes that can be scored; None for all.

    Raises:
        DivergedError: a score is not finite.
        OutOfMemory: a single episode is too much; several are taken in smaller pieces.
        HarnessError: so many clips are absent that fewer than two episodes are left, which give no interval.
    """
    method.eval()
    support, query = rows[suite.draws.support], rows[suite.draws.query]
    complete = np.flatnonzero((support >= 0).all(axis=(1, 2)) & (query >= 0).all(axis=1))
    if len(complete) < 2:
        raise HarnessError(
            f"{len(complete) or 'no'} episode of the suite {suite.spec.name!r} can be scored: "
            "all others touch a clip that is absent.",
            remedy="`oneshot data verify` lists what is missing.",
        )
    complete = complete[:most]
    answers: list[tuple[Tensor, Tensor, Tensor]] = []
    at_once = EPISODES_AT_ONCE
    with torch.set_grad_enabled(method.grad_at_test):
        for chosen in np.array_split(
            complete, _pieces(embedded, len(complete), support[0].size + query[0].size, device)
        ):

            def answer(part: slice, chosen: np.ndarray = chosen) -> None:
                some = chosen[part]
                scores = method.score(
                    embedded.gather(support[some], device.torch), embedded.gather(query[some], device.torch)
                )
                scores = scores.detach()
                found = scores.argmax(dim=2).to(torch.int8), scores.float().softmax(dim=2).amax(dim=2)
                answers.append((*found, scores.isfinite().all()))

            at_once = in_pieces(answer, len(chosen), at_once, "episodes")
    guesses, certain, finite = zip(*answers, strict=True)
    if not bool(torch.stack(finite).all().cpu()):
        raise DivergedError(f"{type(method).__name__} gives scores that are not finite on suite {suite.spec.name!r}.")
    predicted = np.full(query.shape, NOT_SCORED, np.int8)
    confidence = np.full(query.shape, np.nan, np.float32)
    predicted[complete] = torch.cat(guesses).cpu().numpy()
    confidence[complete] = torch.cat(certain).cpu().numpy()
    return Answers(predicted, confidence)


def _pieces(embedded: FeatureTable, episodes: int, clips: int, device: Device) -> int:
    """Number of pieces in which to score episodes of so many clips each."""
    most = GATHERED_ON_ACCELERATOR if device.accelerator else GATHERED_AT_ONCE
    fitting = most // (clips * embedded.bytes_per_clip)
    at_once = min(EPISODES_AT_ONCE, max(1, fitting))
    return -(-episodes // at_once)
