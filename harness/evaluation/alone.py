"""A last check on the suite itself: clips of real episodes embedded again, each alone, and their queries scored again,
each alone, by a copy of the method that has seen nothing else, give what all at once gave.

The conformance checks work on random clips and few episodes; a method may behave otherwise where it is measured.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Features, FewShotMethod
from mmact_oneshot.harness.data.episodes.suites import Suite
from mmact_oneshot.harness.evaluation.features import FeatureTable
from mmact_oneshot.harness.evaluation.score_gap import score_gap
from mmact_oneshot.harness.evaluation.scoring import Answers
from mmact_oneshot.harness.runtime.device import Device
from mmact_oneshot.harness.runtime.errors import ContractError

EPISODES = 12  # spread over the suite
CLIPS = 64  # at most, spread over the clips of these episodes
TOLERANCE = 1e-3  # of the probability of the answer; sums in another order give 1e-5
OF_MARGIN = 1e-2  # of probabilities, with scores in units of the usual margin between the best two classes
OF_LENGTH = {"float32": 1e-2, "bfloat16": 5e-2}  # of a clip's feature; float16, as it is kept, gives 5e-4
REMEDY = (
    "Use statistics of the clip and of the support alone, and keep nothing of what was scored; or declare "
    "`transductive = True` where scores depend on the queries of the same episode."
)


@dataclass(frozen=True)
class Fresh:
    """A copy of a trained method from before it saw any clip of a suite.

    Attributes:
        embedded: features of some clips of the store, each alone through ``encode`` and ``embed`` of the copy.
        seen: clips that were found the same alone, in any suite.
    """

    method: FewShotMethod
    embedded: Callable[[np.ndarray], FeatureTable]
    seen: set[int] = field(default_factory=set)


def copied(method: FewShotMethod) -> FewShotMethod:
    """A copy; the method itself where it holds what cannot be copied."""
    try:
        return copy.deepcopy(method)
    except (RuntimeError, TypeError):
        return method


def require_alone(
    method: FewShotMethod,
    embedded: FeatureTable,
    fresh: Fresh,
    suite: Suite,
    rows: np.ndarray,
    device: Device,
    answers: Answers,
) -> None:
    """Embed clips of some episodes again, each alone, and score these episodes again: each alone and, where the
    method is inductive, each query of them alone.

    Args:
        embedded: features with which the suite was scored.
        fresh: the method before that.
        answers: to the whole suite, as they were given to all episodes at once.

    Raises:
        ContractError: features of a clip depend on other clips; scores depend on other episodes or, although the
            method is declared inductive, on other queries.
    """
    name, where = type(method).__name__, f"of suite {suite.spec.name!r}"
    scored = np.flatnonzero((answers.predicted >= 0).all(axis=1))
    chosen = scored[np.unique(np.linspace(0, len(scored) - 1, EPISODES).astype(int))]
    clips = np.unique(np.concatenate([rows[part[chosen]].ravel() for part in (suite.draws.support, suite.draws.query)]))
    some = clips[np.unique(np.linspace(0, len(clips) - 1, CLIPS).astype(int))].tolist()
    if len(unseen := np.asarray([clip for clip in some if clip not in fresh.seen], dtype=int)):
        if changed := _differing(fresh.embedded(unseen), embedded, unseen, OF_LENGTH[device.precision]):
            raise ContractError(
                f"{name} embeds a clip {where} otherwise alone than among others: {changed}.", remedy=REMEDY
            )
        fresh.seen.update(unseen.tolist())

    def again(episode: int) -> Tensor:
        """(3, Q, way) on the device: scores by the method, by its copy one query at a time, probabilities of these."""
        support = embedded.gather(rows[suite.draws.support[[episode]]], device.torch)
        queries = rows[suite.draws.query[[episode]]]
        each = [queries] if method.transductive else [queries[:, [place]] for place in range(queries.shape[1])]
        scores = [_scores(fresh.method, support, embedded.gather(query, device.torch)) for query in each]
        together, alone = _scores(method, support, embedded.gather(queries, device.torch)), torch.cat(scores, dim=1)
        return torch.cat([together, alone, alone.softmax(dim=2)])

    found = torch.stack([again(episode) for episode in chosen.tolist()])
    for episode, (together, alone, shares) in zip(chosen, found.cpu(), strict=True):  # waits for the device once
        answer = torch.from_numpy(answers.predicted[episode].astype(np.int64))
        answered = shares.gather(1, answer[:, None])[:, 0].numpy()
        among = answers.confidence[episode]
        place = int(np.abs(answered - among).argmax())
        gap = score_gap(alone, together, OF_MARGIN)
        if gap or not abs(answered[place] - among[place]) <= TOLERANCE:
            raise ContractError(
                f"{name} answers query {place} of episode {episode} {where} with a probability of {among[place]:.3f} "
                f"among all episodes and of {answered[place]:.3f} alone{f' ({gap})' if gap else ''}: its scores depend "
                "on other queries or episodes.",
                remedy=REMEDY,
            )


def _differing(alone: FeatureTable, embedded: FeatureTable, clips: np.ndarray, tolerance: float) -> str:
    """Which feature of a clip is another alone; nothing where none is."""
    own, among = (table.gather(clips, torch.device("cpu")) for table in (alone, embedded))
    for name, value in among.items():
        expected, found = (each.double().reshape(len(clips), -1) for each in (value, own[name]))
        for apart, length in zip((found - expected).norm(dim=1).tolist(), expected.norm(dim=1).tolist(), strict=True):
            if not apart <= tolerance * length + 1e-6:
                return f"{name!r} is {apart:.2g} from what it was, and {length:.2g} long"
    return ""


def _scores(method: FewShotMethod, support: Features, query: Features) -> Tensor:
    """(1, Q, way) on the device."""
    with torch.set_grad_enabled(method.grad_at_test):
        return method.score(support, query).detach().float()
