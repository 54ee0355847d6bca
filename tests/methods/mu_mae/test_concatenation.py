"""The ablation without attention: a clip's vector is its own."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mmact_oneshot.methods.mu_mae.concatenation import ConcatenationFusion
from tests.helpers.head_features import random

WIDTHS = {"video": 8, "phone": 4}


def test_a_vector_is_a_linear_map_of_prior_and_modalities_and_of_no_other_clip() -> None:
    module = ConcatenationFusion(6, WIDTHS, 5)
    prior, video, phone = random(4, 6), random(4, 8, seed=1), random(4, 4, seed=2)
    present = dict.fromkeys(WIDTHS, torch.ones(4).bool())
    clips = module.embed(prior, {"video": video, "phone": phone}, present)["fused"]
    joined = torch.cat([prior, video, phone], dim=1)
    torch.testing.assert_close(clips, F.linear(joined, module.linear.weight, module.linear.bias))
    support, query = module({"fused": clips[None, :3]}, {"fused": clips[None, 2:]})
    assert torch.equal(support, clips[:3].expand(1, 2, 3, 5))
    assert torch.equal(query, clips[None, 2:])


def test_an_absent_modality_contributes_zeros_whatever_it_holds() -> None:
    module = ConcatenationFusion(6, WIDTHS, 5)
    present = {"video": torch.tensor([False]), "phone": torch.tensor([True])}
    lacking = [
        module.embed(random(1, 6), {"video": held, "phone": random(1, 4)}, present)["fused"]
        for held in (torch.zeros(1, 8), torch.full((1, 8), float("nan")))
    ]
    assert torch.equal(*lacking)
