"""OTAM: the smooth alignment is the paper's recursion, and it respects the order of time."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mmact_oneshot.baselines.otam import OTAM, alignment, frame_distances
from tests.helpers.head_features import embedded, random
from tests.parity.arrays import FixedFeatures, setup

STEPS, WIDTH = 5, 12


def otam(smoothing: float = 0.1) -> OTAM:
    return OTAM(setup(FixedFeatures(WIDTH, steps=STEPS), way=3), smoothing=smoothing, normalise=False).eval()


def as_written(distances: Tensor, smoothing: float) -> float:
    """The recursion cell by cell, in plain numbers."""
    rows, columns = distances.shape
    padded = [[0.0, *row, 0.0] for row in distances.tolist()]

    def smooth(*costs: float) -> float:
        return -smoothing * math.log(sum(math.exp(-cost / smoothing) for cost in costs))

    cost = [[0.0] * (columns + 2) for _ in range(rows)]
    for row in range(rows):
        for column in range(1, columns + 2):
            left = cost[row][column - 1]
            if row == 0:
                best = left
            elif column in (1, columns + 1):
                best = smooth(cost[row - 1][column - 1], cost[row - 1][column], left)
            else:
                best = smooth(cost[row - 1][column - 1], left)
            cost[row][column] = padded[row][column] + best
    return cost[-1][-1]


@pytest.mark.parametrize("smoothing", [0.02, 0.1, 1.0])
def test_the_alignment_is_the_recursion_of_the_paper(smoothing: float) -> None:
    distances = random(2, 3, 4, 6).abs()
    found = alignment(distances, smoothing)
    for first in range(2):
        for second in range(3):
            assert found[first, second].item() == pytest.approx(
                as_written(distances[first, second], smoothing), abs=1e-4
            )


def test_without_smoothing_it_is_the_cheapest_path() -> None:
    """A clip that is the middle of another one costs nothing."""
    distances = torch.ones(6, 3)
    for step in range(3):
        distances[step + 2, step] = 0.0
    assert alignment(distances, 0.001).item() == pytest.approx(0.0, abs=0.01)
    assert alignment(distances.flip(0), 0.001).item() > 0.9, "backwards it is no path"


def test_an_action_played_backwards_is_another_action() -> None:
    forward = random(STEPS, WIDTH)
    classes = torch.stack([forward.flip(0), forward, random(STEPS, WIDTH, seed=7)]).view(1, 3, 1, STEPS, WIDTH)
    scores = otam().score(*embedded(otam(), "sequence", classes, forward.view(1, 1, STEPS, WIDTH)))[0, 0]
    assert scores.argmax() == 1


def test_scores_are_means_over_shots_of_both_directions() -> None:
    support, query = random(1, 3, 2, STEPS, WIDTH), random(1, 4, STEPS, WIDTH, seed=1)
    scores = otam().score(*embedded(otam(), "sequence", support, query))
    distances = frame_distances(support.flatten(1, 2), query)
    both = alignment(distances, 0.1) + alignment(distances.transpose(3, 4), 0.1)
    torch.testing.assert_close(scores, -both.view(1, 4, 3, 2).mean(dim=3))


def test_gradients_stay_finite_on_long_clips_and_equal_ones() -> None:
    frames = torch.ones(1, 1, 32, 4, requires_grad=True)
    alignment(frame_distances(frames, frames), 0.01).sum().backward()
    assert frames.grad is not None
    assert frames.grad.isfinite().all()
