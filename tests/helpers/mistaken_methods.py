"""Mistakes that show only at the sizes, the scale of scores or the weights of a real run; the checks must see them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmact_oneshot.harness.api import Features, LossTerms, Setup, Targets
from tests.helpers.broken_methods import Honest


class WhitensLargeBatches(Honest):
    """Standardises over the clips of a call where there are enough of them for a spread."""

    def embed(self, encoded: Features) -> Features:
        vectors = super().embed(encoded)["vector"]
        if len(vectors) <= 64:
            return {"vector": vectors}
        return {"vector": (vectors - vectors.mean(dim=0)) / vectors.std(dim=0)}


class RunningMean(Honest):
    """Centres on the mean of all clips so far, once there are many."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.seen: list[Tensor] = []

    def embed(self, encoded: Features) -> Features:
        vectors = super().embed(encoded)["vector"]
        self.seen.append(vectors.detach())
        known = torch.cat(self.seen)
        return {"vector": (vectors - known.mean(dim=0) if len(known) > 400 else vectors).relu()}


class GatedNeighbours(Honest):
    """Attends from query to query behind a gate that begins at zero, so that an untrained one is inductive."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.gate = nn.Parameter(torch.zeros(()))

    def score(self, support: Features, query: Features) -> Tensor:
        vectors = query["vector"]
        near = (vectors @ vectors.transpose(1, 2)).softmax(dim=2) @ vectors
        return super().score(support, {"vector": vectors + self.gate * near})


class Densities(Honest):
    """Scores are densities, far below any absolute tolerance, of queries that are centred on their mean."""

    def score(self, support: Features, query: Features) -> Tensor:
        vectors = query["vector"]
        centred = vectors - 0.5 * vectors.mean(dim=1, keepdim=True)
        return (super().score(support, {"vector": centred}) - 30.0).exp()


class Shortlist(Honest):
    """-1e9 for the farthest class beside scores of centred queries: relative to the largest all are alike."""

    def score(self, support: Features, query: Features) -> Tensor:
        vectors = query["vector"]
        scores = super().score(support, {"vector": vectors - 0.5 * vectors.mean(dim=1, keepdim=True)})
        return torch.where(scores == scores.amin(dim=2, keepdim=True), -1e9, scores)


class CentresOfOneShot(Honest):
    """Centres the queries where there is one shot, as in the suites."""

    def score(self, support: Features, query: Features) -> Tensor:
        vectors = query["vector"]
        if support["vector"].shape[2] == 1:
            vectors = vectors - 0.5 * vectors.mean(dim=1, keepdim=True)
        return super().score(support, {"vector": vectors})


class BalancesFullEpisodes(Honest):
    """Gives each class equally many queries where their number allows it."""

    def score(self, support: Features, query: Features) -> Tensor:
        scores = super().score(support, query)
        if scores.shape[1] % scores.shape[2] == 0:
            for _ in range(10):
                scores = scores.log_softmax(dim=1).log_softmax(dim=2)
        return scores


class SeedsItself(Honest):
    """Seeds the global generator where it is built, so that all seeds of a row are one."""

    def __init__(self, setup: Setup) -> None:
        torch.manual_seed(0)
        super().__init__(setup)


class MeanInAnAttribute(Honest):
    """Keeps a mean of training as a plain attribute, which no state holds."""

    mean: Tensor | float = 0.0

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        self.mean = support["vector"].detach().mean(dim=(0, 1, 2))
        return super().loss(support, query, targets)

    def score(self, support: Features, query: Features) -> Tensor:
        shifted = query["vector"] - self.mean
        return super().score(support, {"vector": shifted if self.training else shifted.relu()})


MISTAKEN = {
    WhitensLargeBatches: "clip-independence",
    RunningMean: "memory",
    GatedNeighbours: "inductive",
    Densities: "inductive",
    Shortlist: "inductive",
    CentresOfOneShot: "inductive",
    BalancesFullEpisodes: "inductive",
    SeedsItself: "seeds",
    MeanInAnAttribute: "state",
}
"""Each with the check that must fail."""

QUEUE = '''
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Features, FewShotMethod, Needs, Setup
from mmact_oneshot.harness.encoders.fusion import Fusion


class Queue(FewShotMethod):
    """Centres queries on those of the episodes before, once it has enough of them."""

    needs = Needs(outputs=("vector",))

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.fusion = Fusion(setup, "vector")
        self.linear = torch.nn.Linear(self.fusion.width, 8)
        self.seen = 0

    def embed(self, encoded: Features) -> Features:
        return {"vector": self.linear(self.fusion(encoded))}

    def score(self, support: Features, query: Features) -> Tensor:
        vectors = query["vector"]
        if not self.training:
            self.seen += len(vectors)
        centre = support["vector"].mean(dim=(1, 2))[:, None] if self.seen > ENOUGH else 0.0
        return -torch.cdist(vectors - centre, support["vector"].mean(dim=2))
'''
"""A method's file, with ENOUGH to be filled in: beyond what any check on few episodes reaches."""
