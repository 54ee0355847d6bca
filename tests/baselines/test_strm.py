"""STRM: TRX on enriched frames, and the nearest tuples of a class."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_oneshot.baselines.strm import PLACES, STRM
from mmact_oneshot.baselines.trx import tuples
from mmact_oneshot.harness.api import NotApplicable, Targets
from tests.helpers.head_features import embedded, random
from tests.parity.arrays import FixedFeatures, setup

STEPS, WIDTH, SIDE = 5, 12, 7


def strm(encoder: FixedFeatures | None = None) -> STRM:
    torch.manual_seed(0)
    base = setup(encoder or FixedFeatures(WIDTH, steps=STEPS), way=3)
    method = STRM(base, cardinalities=(2, 3), width=16, normalise=False).eval()
    torch.nn.init.constant_(method.patch_attention.gamma, 0.5)  # it begins at zero
    return method


def nearest_as_written(method: STRM, support: Tensor, query: Tensor) -> Tensor:
    """Locally enriched frames (K, N, T, D) and (Q, T, D) -> similarity (Q, K), with loops."""
    kinds = []
    for _, distance in method.parts():
        index = tuples(STEPS, distance.cardinality)
        embed = [[torch.relu(distance.projection(clip[place].flatten())) for place in index] for clip in query]
        rows = []
        for clip in embed:
            row = []
            for shots in support:
                known = [torch.relu(distance.projection(shot[place].flatten())) for shot in shots for place in index]
                row.append(torch.stack([min((each - other).norm() for other in known) for each in clip]).mean())
            rows.append(torch.stack(row))
        kinds.append(-torch.stack(rows))
    return torch.stack(kinds).mean(dim=0)


def test_the_similarity_is_that_of_the_paper_written_out() -> None:
    method = strm()
    support, query = random(1, 3, 2, WIDTH, STEPS, SIDE, SIDE), random(1, 2, WIDTH, STEPS, SIDE, SIDE, seed=1)
    _, similarity = method.logits(*embedded(method, PLACES, support, query))
    present = torch.ones(6).bool()
    local = method.local_frames({f"video.{PLACES}": support[0].flatten(0, 1), "video.present": present})
    asked = method.local_frames({f"video.{PLACES}": query[0], "video.present": present[:2]})
    expected = nearest_as_written(method, local.unflatten(0, (3, 2)), asked)
    torch.testing.assert_close(similarity[0], expected, rtol=1e-4, atol=1e-5)


def test_scores_and_loss_weigh_both_parts() -> None:
    method = strm()
    episode = embedded(
        method, PLACES, random(1, 3, 1, WIDTH, STEPS, SIDE, SIDE), random(1, 2, WIDTH, STEPS, SIDE, SIDE, seed=1)
    )
    cross, similarity = method.logits(*episode)
    torch.testing.assert_close(method.score(*episode), cross + 0.1 * similarity)
    label = torch.tensor([[2, 0]])
    terms = method.loss(*episode, Targets(label, label, label))
    torch.testing.assert_close(terms["similarity"], 0.1 * torch.nn.functional.cross_entropy(similarity[0], label[0]))


@pytest.mark.parametrize("side", [1, 2, 7])
def test_any_number_of_places_will_do(side: int) -> None:
    method = strm()
    sizes = (WIDTH, STEPS, side, side)
    assert method.score(*embedded(method, PLACES, random(1, 3, 1, *sizes), random(1, 2, *sizes))).isfinite().all()


def test_a_clip_equal_to_the_query_is_as_near_as_can_be() -> None:
    method = strm()
    clips = random(1, 3, 1, WIDTH, STEPS, SIDE, SIDE)
    _, similarity = method.logits(*embedded(method, PLACES, clips, clips[:, :, 0]))
    torch.testing.assert_close(similarity[0].diagonal(), torch.zeros(3), rtol=0, atol=1e-6)
    assert (similarity[0] + torch.eye(3) < 1e-6).sum() == 6


def test_an_encoder_without_places_is_refused_with_the_reason() -> None:
    encoder = FixedFeatures(WIDTH, steps=STEPS)
    del encoder.widths[PLACES]
    with pytest.raises(NotApplicable, match="needs the stage:-1 of the encoder of video, which gives none"):
        strm(encoder)
