"""A last check on the suite itself: real episodes scored again query by query give what all at once gave.

The conformance checks work on random clips and few episodes; a method may behave otherwise where it is measured.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.harness.api import FewShotMethod
from mmact_oneshot.harness.data.episodes.suites import Suite
from mmact_oneshot.harness.evaluation.features import FeatureTable
from mmact_oneshot.harness.evaluation.scoring import Answers
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.errors import ContractError

EPISODES = 12  # spread over the suite
TOLERANCE = 1e-3  # of the probability of the answer; sums in another order give 1e-5


def require_alone(
    method: FewShotMethod, embedded: FeatureTable, suite: Suite, rows: np.ndarray, device: Device, answers: Answers
) -> None:
    """Score some episodes alone, and each of their queries alone. Waits for the device once.

    Args:
        answers: to the whole suite, as they were given to all episodes at once.

    Raises:
        ContractError: they differ although the method is declared inductive.
    """
    if method.transductive:
        return
    scored = np.flatnonzero((answers.predicted >= 0).all(axis=1))
    chosen = scored[np.unique(np.linspace(0, len(scored) - 1, EPISODES).astype(int))]
    apart = torch.stack([_probabilities(method, embedded, suite, rows, device, answers, each) for each in chosen])
    for episode, alone in zip(chosen, apart.cpu().numpy(), strict=True):
        together = answers.confidence[episode]
        place = int(np.abs(alone - together).argmax())
        if not abs(alone[place] - together[place]) <= TOLERANCE:
            raise ContractError(
                f"{type(method).__name__} answers query {place} of episode {episode} of suite {suite.spec.name!r} "
                f"with a probability of {together[place]:.3f} among all episodes and of {alone[place]:.3f} alone: its "
                "scores depend on other queries or episodes.",
                remedy="Use statistics of the support alone, or declare `transductive = True`.",
            )


def _probabilities(
    method: FewShotMethod,
    embedded: FeatureTable,
    suite: Suite,
    rows: np.ndarray,
    device: Device,
    answers: Answers,
    episode: int,
) -> Tensor:
    """(Q,) on the device: of the answer that was given to each query of an episode, with the query scored alone."""
    support = embedded.gather(rows[suite.draws.support[episode : episode + 1]], device.torch)
    found = []
    for place, clip in enumerate(rows[suite.draws.query[episode]]):
        with torch.set_grad_enabled(method.grad_at_test):
            scores = method.score(support, embedded.gather(np.asarray([[clip]]), device.torch)).detach()
        found.append(scores.float().softmax(dim=2)[0, 0, int(answers.predicted[episode, place])])
    return torch.stack(found)
