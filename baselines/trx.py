"""TRX: temporal-relational cross-transformers.

Perrett, Masullo, Burghardt, Mirmehdi, Damen, "Temporal-Relational CrossTransformers for Few-Shot Action Recognition",
CVPR 2021 (arXiv 2101.06184), section 3: every ordered tuple of frames of the query attends to those of a class's
support clips; the score is minus the squared distance between the query's values and the values so composed, averaged
over tuples and then over cardinalities.

Published recipe: ResNet-50 pre-trained on ImageNet, 8 frames of 224 px in 0..1, width 1152, cardinalities 2 and 3,
dropout 0.1; SGD, learning rate 0.001, 16 episodes a step, cross-entropy summed over the queries of an episode; 5-way
5-shot. Deviations: the loss is a mean over queries; steps of any number, from either modality.

How it is computed here: a tuple's projection is a sum of projections of its frames, which are made once per clip. With
the attention a of a query tuple over the value tuples v' of a class and their Gram matrix G, the squared distance of
its value v to the composed value is |v|^2 - 2 sum a (v . v') + a' G a, so no composed value is ever made.

Original code: tobyperrett/trx (no licence file in the repository); nothing of it is used here.
"""

from __future__ import annotations

import math
from functools import cache, reduce
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.api import Features, FewShotMethod, Needs, NotApplicable, Setup
from harness.encoders.fusion import Fusion

BIBTEX = """@inproceedings{perrett2021temporal,
  title = {Temporal-Relational CrossTransformers for Few-Shot Action Recognition},
  author = {Perrett, Toby and Masullo, Alessandro and Burghardt, Tilo and Mirmehdi, Majid and Damen, Dima},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2021}
}"""


class TRX(FewShotMethod):
    """Minus the distance of a query's frame tuples to what a class's tuples compose for them.

    Args:
        setup: see :class:`harness.api.Setup`.
        cardinalities: sizes of the tuples.
        width: of keys and values.
        dropout: on the frames, with their positional encoding.
        normalise: bring the modalities to one scale before fusing; the paper, with one modality, does not.

    Raises:
        NotApplicable: the encoder gives fewer steps than a tuple has.
    """

    bibtex = BIBTEX
    needs = Needs(outputs=("sequence",))

    def __init__(
        self,
        setup: Setup,
        *,
        cardinalities: tuple[int, ...] = (2, 3),
        width: int = 1152,
        dropout: float = 0.1,
        normalise: bool = True,
    ) -> None:
        super().__init__(setup)
        self.fusion = Fusion(setup, "sequence", normalise=normalise)
        if self.fusion.steps < max(cardinalities):
            raise NotApplicable(
                f"tuples of {max(cardinalities)} need as many steps, the encoder gives {self.fusion.steps}"
            )
        self.dropout = nn.Dropout(dropout)
        self.transformers = nn.ModuleList(CrossTransformer(c, self.fusion.width, width) for c in cardinalities)

    def embed(self, encoded: Features) -> Features:
        """Each step's share in the keys and values of the tuples it can be in: leaves (B, T, cardinality, width)."""
        frames = self.fusion(encoded)
        frames = self.dropout(frames + positional_encoding(*frames.shape[1:]).to(frames))
        shares: Features = {}
        for transformer in self.parts():
            shares |= transformer.frame_parts(frames)
        return shares

    def score(self, support: Features, query: Features) -> Tensor:
        logits = [transformer(support, query) for transformer in self.parts()]
        return torch.stack(logits).mean(dim=0)

    def parts(self) -> list[CrossTransformer]:
        """One transformer for each cardinality."""
        return [module for module in self.transformers if isinstance(module, CrossTransformer)]


class CrossTransformer(nn.Module):
    """One cardinality.

    Args:
        cardinality: c, steps in a tuple.
        width_in: D, of a step.
        width: H, of keys and values.
    """

    def __init__(self, cardinality: int, width_in: int, width: int) -> None:
        super().__init__()
        self.cardinality = cardinality
        self.key_projection = nn.Linear(cardinality * width_in, width)
        # the paper's bias of the values cancels: a value is only ever compared with a weighted mean of values
        self.value_projection = nn.Linear(cardinality * width_in, width, bias=False)
        self.key_layernorm = nn.LayerNorm(width)

    def frame_parts(self, frames: Tensor) -> Features:
        """(B, T, D) -> leaves (B, T, c, H): what a step adds to a tuple's projection from each place in it."""
        parts = {}
        for name, layer in (("keys", self.key_projection), ("values", self.value_projection)):
            weight = layer.weight.unflatten(1, (self.cardinality, -1)).transpose(0, 1).flatten(0, 1)  # (c H, D)
            parts[f"{name}{self.cardinality}"] = F.linear(frames, weight).unflatten(2, (self.cardinality, -1))
        return parts

    def keys(self, features: Features) -> Tensor:
        """Normalised keys of all tuples: (..., T, c, H) -> (..., tuples, H)."""
        keys: Tensor = self.key_layernorm(self._tuples(features["keys"]) + self.key_projection.bias)
        return keys

    def attention(self, support: Tensor, query: Tensor) -> Tensor:
        """Attention of query tuples over all support tuples of a class.

        Args:
            support: keys (E, K, M, H), M = shots x tuples.
            query: keys (E, R, H), R = queries x tuples.

        Returns:
            (E, K, M, R), summing to 1 over M. Class first, so that nothing has to be copied on the way.
        """
        return torch.softmax(_pairs(support, query / math.sqrt(query.shape[-1])), dim=2)

    def forward(self, support: Features, query: Features) -> Tensor:
        """Scores (E, Q, K) from leaves (E, K, N, T, c, H) and (E, Q, T, c, H)."""
        support, query = self._own(support), self._own(query)
        queries = query["keys"].shape[1]
        keys = self.keys(support).flatten(2, 3)
        attention = self.attention(keys, self.keys(query).flatten(1, 2))
        support_values = self._tuples(support["values"]).flatten(2, 3)  # (E, K, M, H)
        query_values = self._tuples(query["values"])  # (E, Q, P, H)
        products = _pairs(support_values, query_values.flatten(1, 2))
        gram = support_values @ support_values.transpose(2, 3)
        # a' G a - 2 a . (v v'), summed over the support tuples and over the tuples of a query
        rest = products.flatten(0, 1).baddbmm_(gram.flatten(0, 1), attention.flatten(0, 1), beta=-2)
        distance = (rest.view_as(attention) * attention).unflatten(3, (queries, -1)).sum(dim=(2, 4))
        own = query_values.square().sum(dim=(2, 3))
        total: Tensor = own[:, :, None] + distance.transpose(1, 2)
        return -total / query_values.shape[2]

    def _own(self, features: Features) -> Features:
        return {name: features[f"{name}{self.cardinality}"].float() for name in ("keys", "values")}

    def _tuples(self, parts: Tensor) -> Tensor:
        """Sums over the places of each tuple: (..., T, c, H) -> (..., tuples, H)."""
        index = tuples(parts.shape[-3], self.cardinality).to(parts.device)
        return reduce(torch.add, [parts[..., index[:, place], place, :] for place in range(self.cardinality)])


def _pairs(support: Tensor, query: Tensor) -> Tensor:
    """Dot products (E, K, M, R) of (E, K, M, H) and (E, R, H), as one matrix product an episode."""
    products: Tensor = support.flatten(1, 2) @ query.transpose(1, 2)
    return products.view(*support.shape[:3], -1)


@cache
def tuples(steps: int, cardinality: int) -> Tensor:
    """All increasing index tuples in lexicographic order: (steps choose cardinality, cardinality)."""
    return torch.tensor(list(combinations(range(steps), cardinality)))


def positional_encoding(steps: int, width: int) -> Tensor:
    """Sines and cosines of amplitude 0.1: (steps, width). As in the paper's implementation."""
    angle = torch.arange(steps)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    return 0.1 * torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)[:, :width]


def frame_indices_at_test(frames: int, wanted: int) -> list[int]:
    """Frames that the paper's implementation takes of a clip at test time; the harness has a rule of its own for all
    methods (the middle of each of T equal parts), so this one is for comparisons with it.

    Args:
        frames: in the clip.
        wanted: T.

    Returns:
        T indices: all frames where there are just T, otherwise evenly from the second to the last but one (from the
        first to the last where these span fewer than T), rounded down.
    """
    if frames == wanted:
        return list(range(frames))
    start, end = (1, frames - 2) if frames - 3 >= wanted else (0, frames - 1)
    return [start + step * (end - start) // (wanted - 1) for step in range(wanted)]
