"""Methods that break one rule of the contract each; the conformance checks must name the rule."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.api import Clips, Features, FewShotMethod, LossTerms, Needs, Setup, Targets
from harness.encoders.fusion import Fusion


class Honest(FewShotMethod):
    """Prototypes on a linear layer: breaks nothing; the others derive from it."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.fusion = Fusion(setup, "vector", normalise=False)
        self.linear = nn.Linear(self.fusion.width, 8)

    def embed(self, encoded: Features) -> Features:
        return {"vector": self.linear(self.fusion(encoded))}

    def score(self, support: Features, query: Features) -> Tensor:
        return -torch.cdist(query["vector"], support["vector"].mean(dim=2))


class OtherQueries(Honest):
    """Centres the queries on their mean while it claims to be inductive."""

    def score(self, support: Features, query: Features) -> Tensor:
        vectors = query["vector"]
        return super().score(support, {"vector": vectors - 0.5 * vectors.mean(dim=1, keepdim=True)})


class DeclaredTransductive(OtherQueries):
    """The same, declared."""

    transductive = True


class OtherEpisodes(Honest):
    """Scales by a statistic over all episodes of the call."""

    def score(self, support: Features, query: Features) -> Tensor:
        return super().score(support, query) / support["vector"].std()


class BatchStatistics(Honest):
    """BatchNorm in batch mode where clips must be treated alone."""

    def embed(self, encoded: Features) -> Features:
        vectors = super().embed(encoded)["vector"]
        return {"vector": F.batch_norm(vectors, None, None, training=True) if len(vectors) > 1 else vectors}


class EncodesTogether(Honest):
    """Subtracts the mean over the batch from its features."""

    def encode(self, clips: Clips) -> Features:
        features = super().encode(clips)
        return {k: v - v.mean(dim=0) if v.is_floating_point() else v for k, v in features.items()}


class HiddenParameter(Honest):
    """Keeps a parameter where ``parameters`` and ``state_dict`` do not see it."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.hidden = [nn.Parameter(torch.randn(8))]

    def score(self, support: Features, query: Features) -> Tensor:
        scaled = [{"vector": part["vector"] * self.hidden[0]} for part in (support, query)]
        return super().score(*scaled)


class HiddenState(Honest):
    """Keeps a fixed random matrix outside its state."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.matrix = torch.randn(8, 8)

    def score(self, support: Features, query: Features) -> Tensor:
        turned = [{"vector": part["vector"] @ self.matrix} for part in (support, query)]
        return super().score(*turned)


class ForgottenParameter(Honest):
    """Has a parameter that the loss does not use."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.unused = nn.Parameter(torch.zeros(3))


class DetachedEncoder(Honest):
    """Cuts the gradient to the encoders."""

    def embed(self, encoded: Features) -> Features:
        return super().embed({name: value.detach() for name, value in encoded.items()})


class FirstShot(Honest):
    """Uses the first support clip of a class alone."""

    def score(self, support: Features, query: Features) -> Tensor:
        return super().score({"vector": support["vector"][:, :, :1]}, query)


class LikesFirstClass(Honest):
    """Prefers class 0."""

    def score(self, support: Features, query: Features) -> Tensor:
        scores = super().score(support, query)
        return scores + torch.eye(scores.shape[2])[0]


class Position(Honest):
    """Answers "query j is class j"."""

    def score(self, support: Features, query: Features) -> Tensor:
        scores = super().score(support, query)
        queries, way = scores.shape[1:]
        return scores + 100 * F.one_hot(torch.arange(queries) % way, way)


class NotANumber(Honest):
    """Divides nothing by nothing."""

    def score(self, support: Features, query: Features) -> Tensor:
        return super().score(support, query) * torch.tensor(0.0).log() * 0


class NotANumberWhereAbsent(Honest):
    """Divides by what was measured, which may be nothing."""

    def embed(self, encoded: Features) -> Features:
        vectors = super().embed(encoded)["vector"]
        present = torch.stack([encoded[f"{name}.present"] for name in self.setup.modalities]).float().mean(dim=0)
        return {"vector": vectors / present.unsqueeze(-1)}


class Dice(Honest):
    """Adds noise."""

    def score(self, support: Features, query: Features) -> Tensor:
        scores = super().score(support, query)
        return scores + torch.rand_like(scores)


class HalfPrecision(Honest):
    """Scores in half precision."""

    def score(self, support: Features, query: Features) -> Tensor:
        return super().score(support, query).half()


class Transposed(Honest):
    """(E, way, Q) instead of (E, Q, way)."""

    def score(self, support: Features, query: Features) -> Tensor:
        return super().score(support, query).transpose(1, 2)


class Undeclared(Honest):
    """Asks for an output that it did not declare."""

    def encode(self, clips: Clips) -> Features:
        for encoder in self.setup.encoders.values():
            encoder(clips, ("map",))
        return super().encode(clips)


class BuiltAnyway(Honest):
    """Declares that it cannot use video but does not refuse it."""

    needs = Needs(modalities=("sensors",))

    def __init__(self, setup: Setup) -> None:
        nn.Module.__init__(self)
        self.setup = setup
        self.encoders = nn.ModuleDict(dict(setup.encoders))
        self.fusion = Fusion(setup, "vector", normalise=False)
        self.linear = nn.Linear(self.fusion.width, 8)


class NoScalar(Honest):
    """A loss that is not a scalar."""

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        return {"distances": self.score(support, query)}


BROKEN = {
    OtherQueries: "inductive",
    OtherEpisodes: "batching",
    BatchStatistics: "clip-independence",
    EncodesTogether: "clip-independence",
    HiddenParameter: "gradients",
    HiddenState: "state",
    ForgottenParameter: "gradients",
    DetachedEncoder: "gradients",
    FirstShot: "support-order",
    LikesFirstClass: "relabelling",
    Position: "position",
    NotANumber: "finite",
    NotANumberWhereAbsent: "missing",
    Dice: "determinism",
    HalfPrecision: "shape",
    Transposed: "shape",
    Undeclared: "shape",
    BuiltAnyway: "applies",
    NoScalar: "gradients",
}
"""Each broken method with the check that must fail."""
