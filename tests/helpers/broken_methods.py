"""Methods that break one rule of the contract each; the conformance checks must name the rule."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Clips, Features, FewShotMethod, LossTerms, Needs, Setup, Targets
from mmact_oneshot.harness.encoders.fusion import Fusion


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


class ReadsAnyway(Honest):
    """Reads a sensor of every clip, whatever the row's modalities are."""

    def encode_own(self, clips: Clips) -> Features:
        return {"mean": clips.sensors["acc"].mean(dim=1)}


class Remembers(Honest):
    """Keeps a running mean of all it has embedded."""

    mean: Tensor

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.register_buffer("mean", torch.zeros(8))

    def embed(self, encoded: Features) -> Features:
        vectors = super().embed(encoded)["vector"]
        if not self.training:
            self.mean = 0.9 * self.mean + 0.1 * vectors.mean(dim=0).detach()
        return {"vector": vectors * self.mean.cos()}


class ChangesClips(Honest):
    """Normalises the clips in place."""

    def encode(self, clips: Clips) -> Features:
        for values in clips.sensors.values():
            values.clamp_(-1, 1)
        return super().encode(clips)


class ChangesFeatures(Honest):
    """Centres the queries in place."""

    def score(self, support: Features, query: Features) -> Tensor:
        query["vector"].mul_(2)
        return super().score(support, query)


class TakesAbsenceForSilence(Honest):
    """Concatenates the vectors of both modalities, whether they are there or not."""

    def __init__(self, setup: Setup) -> None:
        FewShotMethod.__init__(self, setup)
        self.linear = nn.Linear(setup.width("vector"), 8)

    def embed(self, encoded: Features) -> Features:
        vectors = [encoded[f"{name}.vector"] for name in self.setup.modalities]
        return {"vector": self.linear(torch.cat(vectors, dim=-1))}


class DrawsFromTheGlobalGenerator(Honest):
    """Draws random numbers in evaluation, and does nothing with them."""

    def score(self, support: Features, query: Features) -> Tensor:
        torch.rand(3)
        return super().score(support, query)


class SeedsNumpy(Honest):
    """Seeds a generator that others use."""

    def encode(self, clips: Clips) -> Features:
        np.random.seed(0)  # noqa: NPY002
        return super().encode(clips)


class OneQueryTooFew(Honest):
    """Squeezes whatever axis has one entry."""

    def score(self, support: Features, query: Features) -> Tensor:
        scores = super().score(support, query)
        return scores.squeeze(1) if scores.shape[1] == 1 else scores


class OneShotOnly(Honest):
    """Takes the support for its prototypes where there are several shots."""

    def score(self, support: Features, query: Features) -> Tensor:
        vectors = support["vector"]
        prototypes = vectors.sum(dim=2) / (2 if vectors.shape[2] < 5 else 0)
        return -torch.cdist(query["vector"], prototypes)


class FiveWayOnly(Honest):
    """Counts on the ways of the paper."""

    def score(self, support: Features, query: Features) -> Tensor:
        return super().score(support, query).unflatten(2, (5, 1)).squeeze(3)


class MixesDevices(Honest):
    """Makes a tensor where tensors are made if nobody says where."""

    def score(self, support: Features, query: Features) -> Tensor:
        scores = super().score(support, query)
        return scores * torch.full((scores.shape[2],), 2.0)


class ReadsBack(Honest):
    """Decides by a value, for which the device must be waited for."""

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        terms = super().loss(support, query, targets)
        return terms if terms["cross_entropy"].item() > 0 else {"cross_entropy": terms["cross_entropy"] * 1}


class ReadsBackInScore(Honest):
    """Decides by a mask, whose size must be waited for."""

    def score(self, support: Features, query: Features) -> Tensor:
        scores = super().score(support, query)
        return scores if len(scores[scores > 1e9]) == 0 else scores * 1


class CopiesBack(Honest):
    """Has numpy do what the device could."""

    def loss(self, support: Features, query: Features, targets: Targets) -> LossTerms:
        scale = np.square(query["vector"].detach().cpu().numpy()).mean()
        return {name: term * float(scale) for name, term in super().loss(support, query, targets).items()}


class MixesTypes(Honest):
    """Leaves autocast, and gives weights in float32 what autocast has made bfloat16."""

    def embed(self, encoded: Features) -> Features:
        vectors = super().embed(encoded)["vector"]
        with torch.autocast(vectors.device.type, enabled=False):
            return {"vector": vectors @ self.linear.weight @ self.linear.weight.T}


BROKEN = {
    ReadsAnyway: "modalities",
    Remembers: "memory",
    ChangesClips: "inputs",
    ChangesFeatures: "inputs",
    TakesAbsenceForSilence: "absence",
    DrawsFromTheGlobalGenerator: "random-state",
    SeedsNumpy: "random-state",
    OneQueryTooFew: "sizes",
    OneShotOnly: "sizes",
    FiveWayOnly: "sizes",
    MixesDevices: "device",
    ReadsBack: "device",
    ReadsBackInScore: "device",
    CopiesBack: "device",
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
