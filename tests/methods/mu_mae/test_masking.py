"""How many tokens are hidden, which ones, and what decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmact_oneshot.harness.encoders.tokens import Split
from mmact_oneshot.methods.mu_mae.masking import Masking, tubes, without_replacement

SENSORS = ("phone", "watch", "gyroscope", "orientation")
GRID = (8, 14, 14)


def draws(masking: Masking, clips: int, seed: int = 0) -> torch.Tensor:
    values = np.random.Generator(np.random.Philox(seed)).random((clips, masking.draws))
    return torch.from_numpy(values).float()


@pytest.mark.parametrize(("ratio", "video", "sensor"), [(0.5, 98, 8), (0.75, 147, 12), (0.9, 176, 14)])
def test_counts_are_those_of_the_paper_and_of_the_masks(ratio: float, video: int, sensor: int) -> None:
    masking = Masking(GRID, SENSORS, 16, ratio, ratio)
    assert masking.counts == (196, video, 8 * video, 8 * (196 - video), sensor, 16 - sensor)
    splits = masking(draws(masking, 3))
    assert list(splits) == ["video", *SENSORS]
    for name, split in splits.items():
        tokens, hidden = (1568, 8 * video) if name == "video" else (16, sensor)
        assert split.masked.shape == (3, hidden)
        assert split.visible.shape == (3, tokens - hidden)
        both = torch.cat(split, dim=1).sort(dim=1).values
        assert torch.equal(both, torch.arange(tokens).expand(3, -1)), "every token once"
        assert all(bool((part.diff(dim=1) > 0).all()) for part in split)


def test_tubes_hide_the_same_places_at_all_times() -> None:
    masking = Masking(GRID, video_ratio=0.9)
    mask = masking(draws(masking, 4))["video"].mask(1568).unflatten(1, (8, 196))
    assert torch.equal(mask, mask[:, :1].expand_as(mask))
    assert not torch.equal(mask[0], mask[1]), "each clip has a mask of its own"


def test_every_place_is_hidden_equally_often() -> None:
    split = tubes(torch.rand(4000, 196, generator=torch.Generator().manual_seed(0)), 1, 176)
    share = split.mask(196).float().mean(dim=0)
    assert share.mean().item() == pytest.approx(176 / 196)
    assert (share - 176 / 196).abs().max() < 5 * (176 / 196 * 20 / 196 / 4000) ** 0.5


def test_every_pair_of_places_is_hidden_equally_often() -> None:
    mask = without_replacement(torch.rand(20000, 4, generator=torch.Generator().manual_seed(0)), 2).mask(4).double()
    together = mask.T @ mask / len(mask)
    assert (together[~torch.eye(4).bool()] - 1 / 6).abs().max() < 0.015


def test_masks_come_from_their_draws_alone() -> None:
    masking = Masking(GRID, SENSORS)
    drawn = draws(masking, 4)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again, part = masking(drawn), masking(drawn), masking(drawn[2:3])
    assert torch.equal(before, torch.get_rng_state())
    for name, split in first.items():
        assert torch.equal(split.visible, again[name].visible)
        assert torch.equal(split.visible[2:3], part[name].visible), "whatever clips are beside it"


def test_synchronised_masks_are_one_and_independent_ones_are_not() -> None:
    together, apart = Masking(None, SENSORS), Masking(None, SENSORS, synchronised=False)
    assert (together.draws, apart.draws) == (16, 64)
    one, four = together(draws(together, 50)), apart(draws(apart, 50))
    assert all(torch.equal(one[name].masked, one["phone"].masked) for name in SENSORS)
    shared = torch.stack([four[name].mask(16) for name in SENSORS])
    assert bool((shared != shared[:1]).any(dim=(1, 2))[1:].all())
    assert {split.masked.shape for split in four.values()} == {(50, 14)}


def test_a_mask_and_its_split_tell_the_same() -> None:
    split = without_replacement(torch.rand(3, 10), 4)
    again = Split.of(split.mask(10).float())
    assert all(torch.equal(a, b) for a, b in zip(split, again, strict=True))
    with pytest.raises(ValueError, match="different numbers"):
        Split.of(torch.eye(3)[:2].cumsum(dim=1))


def test_masks_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="hides 0 of 16"):
        Masking(None, SENSORS, sensor_ratio=0.01)
    with pytest.raises(ValueError, match="hides 4 of 4"):
        Masking((2, 2, 2), video_ratio=1.0)
    with pytest.raises(ValueError, match=r"need \(clips, 16\) draws"):
        Masking(None, SENSORS)(torch.rand(2, 15))
