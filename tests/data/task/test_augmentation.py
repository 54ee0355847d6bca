"""Views of clips: known pixels end up where they should, colours change as they should, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmact_oneshot.harness.data.task import augmentation
from mmact_oneshot.harness.data.task.augmentation import PIECE, Views, augmented

SIDE, FRAMES = 20, 3


def views(count: int, **changes: float) -> Views:
    """The fixed rule, with some numbers changed for all clips."""
    values = {name: np.full(count, 0.5 if name in "xy" else 0.0) for name in Views.__dataclass_fields__}
    values |= {name: np.ones(count) for name in ("share", "brightness", "contrast", "saturation")}
    return Views(**values | {name: np.full(count, value) for name, value in changes.items()})


def lively(count: int) -> Views:
    """Every clip differently, in everything."""
    random = np.random.default_rng(0)
    ranges = {"share": (0.5, 1), "x": (0, 1), "y": (0, 1), "rotation": (-40, 40), "hue": (-0.3, 0.3)}
    ranges |= dict.fromkeys(("brightness", "contrast", "saturation"), (0.3, 1.7))
    drawn = {name: random.uniform(*limits, count) for name, limits in ranges.items()}
    return Views(**drawn, mirror=random.random(count) < 0.5)


def some(picked: list[int], whole: Views) -> Views:
    return replace(whole, **{name: value[picked] for name, value in vars(whole).items()})


def noise(count: int, side: int = SIDE, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, FRAMES, side, side), dtype=torch.uint8, generator=generator)


def smooth(count: int, side: int) -> Tensor:
    """Noise without fine detail."""
    coarse = F.interpolate(noise(count, 5).float().flatten(1, 2), (side, side), mode="bicubic", align_corners=False)
    return coarse.clamp(0, 255).round().to(torch.uint8).unflatten(1, (3, FRAMES))


def plain(squares: Tensor, size: int, antialias: bool = False) -> Tensor:
    """The squares resized by torch, (B, T, 3, size, size)."""
    images = squares.float().div(255).flatten(1, 2)
    images = F.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=antialias)
    return images.unflatten(1, (3, FRAMES)).transpose(1, 2)


def near(a: Tensor, b: Tensor, within: float = 1e-5) -> None:
    torch.testing.assert_close(a, b, rtol=0, atol=within)


def test_the_whole_square_at_its_own_size_is_itself() -> None:
    squares = noise(4)
    shown = augmented(squares, views(4), SIDE)
    assert (shown.shape, shown.dtype) == ((4, FRAMES, 3, SIDE, SIDE), torch.float32)
    near(shown, squares.float().div(255).transpose(1, 2))


@pytest.mark.parametrize("size", [16, 20, 24])
def test_the_fixed_rule_is_a_plain_resize(size: int) -> None:
    squares = noise(4)
    near(augmented(squares, views(4), size), plain(squares, size))


def test_a_crop_is_the_part_that_was_named() -> None:
    squares = noise(4)
    shown = augmented(squares, views(4, share=0.8, x=0.0, y=1.0), 16)
    near(shown, squares[..., SIDE - 16 :, :16].float().div(255).transpose(1, 2))


@pytest.mark.parametrize("stored", [2.3, 4.0])
def test_a_store_much_larger_than_the_input_is_averaged_not_sampled(stored: float) -> None:
    size = 12
    side = round(stored * size)
    stripes = torch.zeros(1, 3, FRAMES, side, side, dtype=torch.uint8)
    stripes[..., ::2] = 255
    assert float((augmented(stripes, views(1), size) - 0.5).abs().max()) < 0.13
    near(augmented(smooth(4, side), views(4), size), plain(smooth(4, side), size, antialias=True), 0.06)


def test_a_turn_by_a_right_angle_is_anti_clockwise_and_exact() -> None:
    squares = noise(4)
    shown = augmented(squares, views(4, rotation=90.0), SIDE)
    near(shown, torch.rot90(squares.float().div(255).transpose(1, 2), 1, (-2, -1)))


def test_a_known_pixel_turns_to_the_right_place() -> None:
    side, middle, reach = 33, 16, 10
    squares = torch.zeros(1, 3, FRAMES, side, side, dtype=torch.uint8)
    squares[..., middle, middle + reach] = 255  # to the right of the middle
    shown = augmented(squares, views(1, rotation=30.0), side)[0, 0, 0]
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    row, column = (float((shown * place).sum() / shown.sum()) for place in (rows, columns))
    assert column == pytest.approx(middle + reach * np.cos(np.pi / 6), abs=0.3)
    assert row == pytest.approx(middle - reach * np.sin(np.pi / 6), abs=0.3), "anti-clockwise: it goes up"


def test_what_a_turn_brings_in_from_beyond_the_square_is_its_reflection() -> None:
    white = torch.full((1, 3, FRAMES, SIDE, SIDE), 255, dtype=torch.uint8)
    near(augmented(white, views(1, rotation=37.0), SIDE), torch.ones(1, FRAMES, 3, SIDE, SIDE))


def test_mirror_exchanges_left_and_right_of_the_same_view() -> None:
    squares, drawn = noise(PIECE + 3), lively(PIECE + 3)
    mirrored = augmented(squares, replace(drawn, mirror=~drawn.mirror), 16)
    near(mirrored, augmented(squares, drawn, 16).flip(-1), 2e-5)


def test_brightness_is_a_factor() -> None:
    squares = noise(2)
    near(augmented(squares, views(2, brightness=0.6), SIDE), 0.6 * augmented(squares, views(2), SIDE))
    near(augmented(squares, views(2, brightness=1.4), SIDE), (1.4 * augmented(squares, views(2), SIDE)).clamp(max=1))


def grey(frames: Tensor) -> Tensor:
    """(B, T, 1, S, S): luma of Rec. 601."""
    return (frames * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(2, keepdim=True)


def test_contrast_is_about_the_mean_grey_of_the_clip() -> None:
    squares = noise(2)
    whole = augmented(squares, views(2), SIDE)
    mean = grey(whole).mean(dim=(1, 2, 3, 4), keepdim=True)
    near(augmented(squares, views(2, contrast=0.7), SIDE), mean + 0.7 * (whole - mean))
    near(augmented(squares, views(2, contrast=1.3), SIDE), (mean + 1.3 * (whole - mean)).clamp(0, 1))


def test_saturation_is_about_the_grey_of_the_pixel() -> None:
    squares = noise(2)
    whole = augmented(squares, views(2), SIDE)
    near(augmented(squares, views(2, saturation=0.0), SIDE), grey(whole).expand_as(whole))
    near(augmented(squares, views(2, saturation=0.5), SIDE), (whole + grey(whole)) / 2)


def test_hue_turns_the_circle_of_colours() -> None:
    """A third of the circle makes red green, green blue and blue red."""
    squares = noise(2)
    whole = augmented(squares, views(2), SIDE)
    near(augmented(squares, views(2, hue=1 / 3), SIDE), whole.roll(1, dims=2), 1e-4)
    near(augmented(squares, views(2, hue=1.0), SIDE), whole, 1e-4)


def test_every_clip_has_its_own_factor() -> None:
    squares = noise(1).expand(3, -1, -1, -1, -1).contiguous()
    factors = np.asarray([1.0, 0.5, 0.25])
    shown = augmented(squares, replace(views(3), brightness=factors), SIDE)
    for clip, factor in zip(shown, factors, strict=True):
        near(clip, shown[0] * factor)


@pytest.mark.parametrize("side", [SIDE, 3 * SIDE])
def test_a_view_depends_on_its_clip_alone(side: int) -> None:
    count = 2 * PIECE + 3
    squares, drawn = noise(count, side), lively(count)
    whole = augmented(squares, drawn, 16)
    for picked in ([5], list(range(count))[::-1], [1, 0, 12, 1]):
        assert torch.equal(augmented(squares[picked], some(picked, drawn), 16), whole[picked])


def test_a_gpu_takes_as_many_clips_at_once_as_fit_and_sees_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    squares, drawn = noise(3 * PIECE), lively(3 * PIECE)
    expected = augmented(squares, drawn, 16)
    small, large = (torch.empty(1, 3, frames, side, side, device="meta") for frames, side in ((8, 56), (16, 4096)))
    assert augmentation._at_once(small) * small.numel() * 4 <= augmentation.ON_ACCELERATOR
    assert augmentation._at_once(small) > 100
    assert augmentation._at_once(large) == PIECE
    monkeypatch.setattr(augmentation, "PIECE", 3 * PIECE)
    torch.testing.assert_close(augmented(squares, drawn, 16), expected, rtol=0, atol=1e-6)


def test_all_frames_of_a_clip_are_seen_alike() -> None:
    squares = noise(PIECE + 3)[:, :, :1].expand(-1, -1, FRAMES, -1, -1).contiguous()
    shown = augmented(squares, lively(PIECE + 3), 16)
    assert torch.equal(shown, shown[:, :1].expand_as(shown))


def test_values_stay_between_0_and_1_and_black_stays_black() -> None:
    squares = noise(64)
    squares[::2] = torch.where(squares[::2] < 128, 0, 255).to(torch.uint8)
    squares[5] = 0
    shown = augmented(squares, lively(64), 16)
    assert 0 <= float(shown.min()) < float(shown.max()) <= 1
    assert not shown[5].any()
    assert bool(shown.isfinite().all())


def test_reduced_precision_of_the_encoders_does_not_reach_the_pixels() -> None:
    squares, drawn = noise(4), lively(4)
    with torch.autocast("cpu", torch.bfloat16):
        shown = augmented(squares, drawn, 16)
    assert torch.equal(shown, augmented(squares, drawn, 16))


def test_no_batch_is_too_small() -> None:
    assert augmented(noise(0), views(0), 16).shape == (0, FRAMES, 3, 16, 16)
