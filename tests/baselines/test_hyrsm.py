"""HyRSM: the rearranged sums are those of the definition; prototypes, shots and frame labels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_oneshot.baselines.hyrsm import HyRSM
from mmact_oneshot.harness.api import NotApplicable, Targets
from tests.helpers.head_features import embedded, random
from tests.parity.arrays import FixedFeatures, setup

STEPS, WIDTH, WAY, QUERIES, CLASSES = 5, 12, 3, 4, 7


def hyrsm(**settings: bool) -> HyRSM:
    torch.manual_seed(0)
    base = setup(FixedFeatures(WIDTH, steps=STEPS), way=WAY, base_classes=CLASSES)
    return HyRSM(base, heads=4, normalise=False, **settings).eval()


def as_written(method: HyRSM, support: dict[str, Tensor], query: dict[str, Tensor]) -> Tensor:
    """One episode as the paper writes it: every adapted frame is made. Leaves (S, ...) and (Q, ...) -> (Q, S)."""
    weight, bias = method.merge.weight[:, WIDTH:], method.merge.bias
    rows = []
    for number in range(len(query["token"])):
        tokens = torch.cat([support["token"], query["token"][number, None]])
        shift = F.linear(method.cross_video(tokens), weight, bias)
        frames = torch.cat([support["frames"], query["frames"][number, None]]) + shift.unsqueeze(1)
        row = []
        for clip in frames[:-1]:
            distance = 1 - F.cosine_similarity(clip.unsqueeze(1), frames[-1].unsqueeze(0), dim=2)
            row.append(distance.min(dim=0).values.sum() + distance.min(dim=1).values.sum())
        rows.append(torch.stack(row))
    return torch.stack(rows)


def test_distances_are_those_of_adapted_frames_written_out() -> None:
    method = hyrsm()
    sides = embedded(method, "sequence", random(2, WAY, 1, STEPS, WIDTH), random(2, QUERIES, STEPS, WIDTH, seed=1))
    scores = method.score(*sides)
    for episode in range(2):
        support = {name: leaf[episode, :, 0] for name, leaf in sides[0].items()}
        query = {name: leaf[episode] for name, leaf in sides[1].items()}
        torch.testing.assert_close(scores[episode], -as_written(method, support, query), rtol=1e-5, atol=1e-5)


def test_with_one_shot_a_prototype_is_the_shot() -> None:
    sides = random(1, WAY, 1, STEPS, WIDTH), random(1, QUERIES, STEPS, WIDTH, seed=1)
    scores = [method.score(*embedded(method, "sequence", *sides)) for method in (hyrsm(), hyrsm(prototypes=False))]
    torch.testing.assert_close(*scores)


def test_a_query_depends_on_the_support_beside_it_and_on_no_other_query() -> None:
    method = hyrsm()
    support, query = random(1, WAY, 1, STEPS, WIDTH), random(1, QUERIES, STEPS, WIDTH, seed=1)
    alone = method.score(*embedded(method, "sequence", support, query[:, :1]))
    torch.testing.assert_close(alone, method.score(*embedded(method, "sequence", support, query))[:, :1])
    other = support.clone()
    other[:, 2] = random(STEPS, WIDTH, seed=9)
    beside = method.score(*embedded(method, "sequence", other, query[:, :1]))
    assert not torch.allclose(alone[..., :2], beside[..., :2]), "relations cross the clips of an episode"


def test_every_frame_is_classified_by_its_clips_class() -> None:
    method = hyrsm()
    support, query = embedded(
        method, "sequence", random(1, WAY, 2, STEPS, WIDTH), random(1, QUERIES, STEPS, WIDTH, seed=1)
    )
    of_support, label = torch.tensor([[4, 1, 6]]), torch.tensor([[0, 2, 2, 1]])
    targets = Targets(label, of_support, of_support.gather(1, label))
    logits = torch.cat([support["classes"][0].flatten(0, 2), query["classes"][0].flatten(0, 1)])
    wanted = torch.tensor([4, 4, 1, 1, 6, 6, 4, 6, 6, 1]).repeat_interleave(STEPS)
    terms = method.loss(support, query, targets)
    torch.testing.assert_close(terms["frames"], 0.6 * F.cross_entropy(logits, wanted))


def test_heads_that_do_not_divide_the_width_are_refused_with_the_reason() -> None:
    with pytest.raises(NotApplicable, match="8 heads do not divide the 12 channels"):
        HyRSM(setup(FixedFeatures(WIDTH)))
