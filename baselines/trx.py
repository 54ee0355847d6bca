"""TRX: temporal-relational cross-transformers.

Perrett, Masullo, Burghardt, Mirmehdi, Damen, "Temporal-Relational CrossTransformers for Few-Shot Action Recognition",
CVPR 2021 (arXiv 2101.06184), section 3: every ordered tuple of frames of the query attends to those of a class's
support clips; the score is minus the squared distance between the query's values and the values so composed, averaged
over tuples and then over cardinalities.

Published recipe: ResNet-50 pre-trained on ImageNet, 8 frames of 224 px in 0..1, width 1152, cardinalities 2 and 3,
dropout 0.1; SGD, learning rate 0.001, 16 episodes a step, cross-entropy summed over the queries of an episode; 5-way
5-shot. Deviations: the loss is a mean over queries; steps of any number, from either modality.

How it is computed here: a tuple's key or value is a sum of projections of its frames, one for each place in the tuple,
and each clip has these T x c parts once. Whatever is bilinear in tuples is computed between parts and then summed into
tuples by a matrix S of zeros and ones: LayerNorm is linear but for its deviation, which belongs to the clip, so the
dot products of normalised keys are S (parts . parts') S' scaled row by row and column by column; with the attention
A, w = S' A, and the Gram matrix G of a class's value parts, the squared distance of a value v to what is composed for
it is |v|^2 - 2 w' (parts . v) + w' G w. No tuple of width H is ever made.

Original code: tobyperrett/trx (no licence file in the repository); nothing of it is used here.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmact_oneshot.harness.api import Features, FewShotMethod, Needs, NotApplicable, Setup
from mmact_oneshot.harness.encoders.fusion import Fusion

BIBTEX = """@inproceedings{perrett2021temporal,
  title = {Temporal-Relational CrossTransformers for Few-Shot Action Recognition},
  author = {Perrett, Toby and Masullo, Alessandro and Burghardt, Tilo and Mirmehdi, Majid and Damen, Dima},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2021}
}"""


class TRX(FewShotMethod):
    """Minus the distance of a query's frame tuples to what a class's tuples compose for them.

    Args:
        setup: see :class:`mmact_oneshot.harness.api.Setup`.
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
        """Of each clip and cardinality: parts, and what scales and shifts the keys of its tuples."""
        frames = self.fusion(encoded)
        frames = self.dropout(frames + positional_encoding(*frames.shape[1:]).to(frames))
        leaves: Features = {}
        for transformer in self.parts():
            leaves |= transformer.of_clips(frames)
        return leaves

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

    def of_clips(self, frames: Tensor) -> Features:
        """What a clip contributes to any episode, from frames (B, T, D).

        Returns:
            keys and values (B, T c, H), the parts, and scale and shift (B, P) of the keys of tuples; the names end in
            the cardinality.
        """
        keys, values = (self._parts(frames, layer) for layer in (self.key_projection, self.value_projection))
        with torch.autocast(frames.device.type, enabled=False):
            sums, norm = self.sums(frames.shape[1], frames.device), self.key_layernorm
            keys = keys + self.key_projection.bias.float() / self.cardinality
            keys = keys - keys.mean(dim=-1, keepdim=True)
            variance = _of_tuples(keys @ keys.transpose(1, 2), sums) / keys.shape[-1]
            scale = (variance + norm.eps).rsqrt()
            shift = (keys @ (norm.weight * norm.bias)) @ sums.T * scale
        leaves = {"keys": keys * norm.weight, "values": values, "scale": scale, "shift": shift}
        return {f"{name}{self.cardinality}": leaf for name, leaf in leaves.items()}

    def attention(self, support: Features, query: Features) -> Tensor:
        """Attention of query tuples over all support tuples of a class.

        Args:
            support: leaves (E, K, N, ...) of :meth:`of_clips`.
            query: leaves (E, Q, ...).

        Returns:
            (E, K, N P, Q P), summing to 1 over the support tuples. Class first, so that nothing has to be copied.
        """
        return self._attention(self._own(support), self._own(query))

    def forward(self, support: Features, query: Features) -> Tensor:
        """Scores (E, Q, K) from leaves (E, K, N, ...) and (E, Q, ...) of :meth:`of_clips`."""
        support, query = self._own(support), self._own(query)
        attention = self._attention(support, query)
        episodes, classes, shots, slots = support["values"].shape[:4]
        queries, sums = query["values"].shape[1], self._sums_of(query)
        values, asked = self._centred(support["values"], query["values"])
        spread = sums.T.expand(episodes * classes * shots, -1, -1)
        weights = torch.bmm(spread, attention.reshape(len(spread), -1, attention.shape[3]))  # on the support's parts
        weights = weights.view(episodes * classes, shots * slots, -1)
        products = (_products(values, asked) @ sums.T).flatten(2).view_as(weights)
        parts = values.flatten(2, 3).flatten(0, 1)
        gram = parts @ parts.transpose(1, 2)
        # w' G w - 2 w' (parts . v), summed over the parts and over the tuples of a query
        rest = torch.baddbmm(products, gram, weights, beta=-2)
        distance = (rest * weights).sum(dim=1).view(episodes, classes, queries, -1).mean(dim=3)
        norm = _of_tuples((asked @ asked.transpose(2, 3)).flatten(0, 1), sums).mean(dim=1).view(episodes, queries, 1)
        return -(norm + distance.transpose(1, 2))

    def _centred(self, support: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """Parts of values minus what those of an episode share: it cancels in every distance, but for its digits."""
        common = support.unflatten(3, (-1, self.cardinality)).mean(dim=(1, 2, 3))
        common = common.repeat(1, support.shape[3] // self.cardinality, 1).unsqueeze(1)
        return support - common.unsqueeze(1), query - common

    def sums(self, steps: int, device: torch.device) -> Tensor:
        """(P, T c): which parts a tuple is the sum of."""
        index = tuples(steps, self.cardinality)
        slots = index * self.cardinality + torch.arange(self.cardinality)
        return torch.zeros(len(index), steps * self.cardinality).scatter_(1, slots, 1.0).to(device)

    def _parts(self, frames: Tensor, layer: nn.Linear) -> Tensor:
        """(B, T, D) -> (B, T c, H): what a step adds to a tuple's projection from each place in it."""
        weight = layer.weight.unflatten(1, (self.cardinality, -1)).transpose(0, 1).flatten(0, 1)  # (c H, D)
        parts: Tensor = F.linear(frames, weight).unflatten(2, (self.cardinality, -1)).flatten(1, 2)
        return parts.float()

    def _attention(self, support: Features, query: Features) -> Tensor:
        sums, width = self._sums_of(query), support["keys"].shape[-1] ** 0.5
        episodes, classes, shots = support["keys"].shape[:3]
        half = _products(support["keys"], query["keys"]) @ sums.T  # (E, K N T c, Q, P)
        half = half * (query["scale"] / width).unsqueeze(1)
        rows = sums * support["scale"].unsqueeze(-1)  # (E, K, N, P, T c)
        # terms that are the same for all support tuples cancel in the softmax
        logits = torch.baddbmm(
            support["shift"].flatten(0, 2).unsqueeze(-1) / width,
            rows.flatten(0, 2),
            half.view(episodes * classes * shots, rows.shape[-1], -1),
        )
        return torch.softmax(logits.view(episodes, classes, -1, logits.shape[-1]), dim=2)

    def _sums_of(self, query: Features) -> Tensor:
        return self.sums(query["keys"].shape[2] // self.cardinality, query["keys"].device)

    def _own(self, features: Features) -> Features:
        names = ("keys", "values", "scale", "shift")
        return {name: features[f"{name}{self.cardinality}"].float() for name in names}


def _products(support: Tensor, query: Tensor) -> Tensor:
    """Dot products (E, K N S, Q, S) of parts (E, K, N, S, H) and (E, Q, S, H), as one matrix product an episode."""
    products = support.flatten(1, 3) @ query.flatten(1, 2).transpose(1, 2)
    by_query: Tensor = products.unflatten(2, query.shape[1:3])
    return by_query


def _of_tuples(gram: Tensor, sums: Tensor) -> Tensor:
    """Squared norms (B, P) of tuples from the Gram matrix (B, S, S) of a clip's parts."""
    norms: Tensor = ((sums @ gram) * sums).sum(dim=2)
    return norms


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
