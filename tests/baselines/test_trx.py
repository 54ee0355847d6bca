"""TRX: the rearranged sums are the paper's, and the order of frames matters."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_oneshot.baselines.trx import TRX, CrossTransformer, frame_indices_at_test, positional_encoding, tuples
from mmact_oneshot.harness.api import NotApplicable
from tests.helpers.head_features import embedded, random
from tests.parity.arrays import FixedFeatures, setup

STEPS, WIDTH = 5, 12


def trx(cardinalities: tuple[int, ...] = (2, 3)) -> TRX:
    torch.manual_seed(0)
    encoder = FixedFeatures(WIDTH)
    return TRX(setup(encoder, way=3), cardinalities=cardinalities, width=16, normalise=False).eval()


def as_written(method: TRX, support: Tensor, query: Tensor) -> Tensor:
    """One episode as the paper writes it, with loops: support (K, N, T, D), query (Q, T, D) -> (Q, K)."""
    encoding = positional_encoding(STEPS, WIDTH)
    logits = []
    for transformer in method.parts():
        chosen = list(combinations(range(STEPS), transformer.cardinality))

        def represent(clip: Tensor, places: list[tuple[int, ...]] = chosen) -> Tensor:
            return torch.stack([torch.cat([(clip + encoding)[t] for t in place]) for place in places])

        def key(clip: Tensor, part: CrossTransformer = transformer) -> Tensor:
            return part.key_layernorm(part.key_projection(clip))

        rows = []
        for clip in query:
            row = []
            for shots in support:
                examples = torch.cat([represent(shot) for shot in shots])
                weights = F.softmax(key(represent(clip)) @ key(examples).T / 16**0.5, dim=1)
                composed = weights @ transformer.value_projection(examples)
                away = transformer.value_projection(represent(clip)) - composed
                row.append(-away.square().sum() / len(chosen))
            rows.append(torch.stack(row))
        logits.append(torch.stack(rows))
    return torch.stack(logits).mean(dim=0)


def test_scores_are_those_of_the_paper_written_out() -> None:
    method = trx()
    support, query = random(2, 3, 2, STEPS, WIDTH), random(2, 4, STEPS, WIDTH, seed=1)
    scores = method.score(*embedded(method, "sequence", support, query))
    expected = torch.stack([as_written(method, s, q) for s, q in zip(support, query, strict=True)])
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-5)


def test_an_action_played_backwards_is_another_action() -> None:
    method = trx()
    forward = random(STEPS, WIDTH)
    classes = torch.stack([forward, forward.flip(0), random(STEPS, WIDTH, seed=7)]).view(1, 3, 1, STEPS, WIDTH)
    scores = method.score(*embedded(method, "sequence", classes, forward.view(1, 1, STEPS, WIDTH)))[0, 0]
    assert scores.argmax() == 0
    assert scores[0] - scores[1] > 0.01


def test_sequences_too_short_for_a_tuple_are_refused_with_the_reason() -> None:
    with pytest.raises(NotApplicable, match="tuples of 3 need as many steps, the encoder gives 2"):
        TRX(setup(FixedFeatures(WIDTH, steps=2)))


def test_tuples_are_all_increasing_ones_in_order() -> None:
    assert tuples(4, 2).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert len(tuples(8, 3)) == 56


@pytest.mark.parametrize("width", [7, 8])
def test_positional_encoding_of_any_width(width: int) -> None:
    table = positional_encoding(6, width)
    assert table.shape == (6, width)
    torch.testing.assert_close(table[0, :4], torch.tensor([0.0, 0.1, 0.0, 0.1]))
    torch.testing.assert_close(table[2, 0], 0.1 * torch.tensor(2.0).sin())


def test_dropout_is_off_in_evaluation() -> None:
    method = trx()
    clip = random(1, 3, 1, STEPS, WIDTH), random(1, 2, STEPS, WIDTH)
    first, second = (method.score(*embedded(method, "sequence", *clip)) for _ in range(2))
    assert torch.equal(first, second)
    method.train()
    assert not torch.equal(first, method.score(*embedded(method, "sequence", *clip)))


def test_frames_taken_by_the_original_at_test_time() -> None:
    assert frame_indices_at_test(8, 8) == list(range(8))
    assert frame_indices_at_test(9, 8) == [0, 1, 2, 3, 4, 5, 6, 8]
    assert frame_indices_at_test(102, 8) == [1, 15, 29, 43, 57, 71, 85, 100]
