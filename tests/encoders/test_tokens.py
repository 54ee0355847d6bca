"""What a token holds, and what is predicted of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mmact_oneshot.harness.encoders.tokens import Layout, cubes, sensor_pieces
from tests.helpers.mu_mae_clips import LAYOUT, clips


def times(tokens: int, samples: int, interleaved: bool) -> torch.Tensor:
    """(tokens, samples of one token): which samples each token holds."""
    ramp = torch.arange(samples).view(1, -1, 1).expand(1, -1, 3)
    return sensor_pieces(ramp, tokens, interleaved=interleaved)[0].unflatten(-1, (-1, 3))[..., 0]


@pytest.mark.parametrize(("tokens", "samples"), [(16, 128), (10, 50)])
def test_tokens_of_a_sensor_are_runs_in_the_order_of_time(tokens: int, samples: int) -> None:
    held = times(tokens, samples, interleaved=False)
    assert torch.equal(held.flatten(), torch.arange(samples))


def test_axes_stay_together_in_a_sample() -> None:
    samples = torch.arange(24.0).view(1, 8, 3)
    assert torch.equal(sensor_pieces(samples, 2)[0, 1], torch.arange(12.0, 24.0))


def test_a_hidden_sample_has_no_visible_neighbour_inside_its_token() -> None:
    """Hide one token: its samples' neighbours are hidden too, but for the two at its ends. Not so as released."""
    for interleaved, visible_neighbours in ((False, 2), (True, 16)):
        hidden = torch.zeros(128).bool()
        hidden[times(16, 128, interleaved)[7]] = True
        beside = (~hidden[:-2] & hidden[1:-1]).sum() + (~hidden[2:] & hidden[1:-1]).sum()
        assert beside == visible_neighbours


def test_released_tokens_are_strided() -> None:
    assert torch.equal(times(16, 128, interleaved=True)[3], torch.arange(3, 128, 16))


def test_cubes_count_by_time_then_row_then_column() -> None:
    video = torch.zeros(1, 4, 3, 16, 16)
    video[0, 2:, 1, 8:, :8] = 1  # the second tubelet, lower left, green
    found = cubes(video, 2, 8)[0].unflatten(-1, (2, 8, 8, 3))
    assert found.sum() == 2 * 64
    assert bool((found[4 + 2, ..., 1] == 1).all())


def test_targets_have_no_mean_and_unit_deviation() -> None:
    batch = clips()
    video = LAYOUT.target("video", LAYOUT.pieces(batch, "video")).unflatten(-1, (-1, 3))
    sensor = LAYOUT.target("phone", LAYOUT.pieces(batch, "phone"))
    for target, axis in ((video, -2), (sensor, -1)):
        std, mean = torch.std_mean(target, dim=axis)
        torch.testing.assert_close(std, torch.ones_like(std), rtol=0, atol=1e-4)
        torch.testing.assert_close(mean, torch.zeros_like(mean), rtol=0, atol=1e-5)
    brighter = replace(batch, video=0.1 + 0.5 * batch.video if batch.video is not None else None)
    again = LAYOUT.target("video", LAYOUT.pieces(brighter, "video")).unflatten(-1, (-1, 3))
    torch.testing.assert_close(again, video, rtol=1e-3, atol=1e-3)


def test_a_constant_token_is_predicted_as_zero() -> None:
    assert torch.equal(LAYOUT.target("phone", torch.full((1, 2, 12), 9.81)), torch.zeros(1, 2, 12))


def test_layouts_and_clips_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="no tokens"):
        Layout(video=False)
    with pytest.raises(ValueError, match="samples 50 is not a multiple of sensor_tokens 16"):
        Layout(sensors=("phone",), samples=50)
    with pytest.raises(ValueError, match="size 100 is not a multiple of patch 16"):
        Layout(size=100)
    with pytest.raises(ValueError, match="no pixel_norm"):
        Layout(pixel_norm="imagenet21k")
    with pytest.raises(ValueError, match="one name"):
        Layout(sensors=("video",))
    with pytest.raises(ValueError, match=r"video is \(4, 3, 16, 16\)"):
        replace(LAYOUT, frames=8).pieces(clips(), "video")
    with pytest.raises(ValueError, match="gyroscope is missing"):
        replace(LAYOUT, sensors=("gyroscope",)).pieces(clips(), "gyroscope")
