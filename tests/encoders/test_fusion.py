"""Fusion: each output kind in its one way, and neither scale nor absence of a modality decides."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Encoder, Features, Setup
from mmact_oneshot.harness.encoders.fusion import Fusion, at_times


class FixedEncoder(Encoder):
    def __init__(self, modality: str, width: int, grid: tuple[int, int, int]) -> None:
        super().__init__()
        self.modality, self.grid, self.steps = modality, grid, grid[0]
        self.widths = dict.fromkeys(("vector", "sequence", "map"), width)


SETUP = Setup(
    ("video", "sensors"),
    ("acc",),
    3,
    5,
    1,
    {"video": FixedEncoder("video", 6, (4, 2, 3)), "sensors": FixedEncoder("sensors", 5, (8, 1, 1))},
)
SHAPES = {
    "vector": ((6,), (5,), (11,)),
    "sequence": ((4, 6), (8, 5), (4, 11)),
    "map": ((6, 4, 2, 3), (5, 8, 1, 1), (11, 4, 2, 3)),
}


def features(output: str, scale: float = 1.0) -> Features:
    random = torch.Generator().manual_seed(0)
    video, sensors, _ = SHAPES[output]
    return {
        f"video.{output}": torch.randn(3, *video, generator=random),
        f"sensors.{output}": scale * torch.randn(3, *sensors, generator=random),
        "video.present": torch.tensor([True, False, True]),
        "sensors.present": torch.tensor([True, True, False]),
    }


def channels(fused: Tensor, output: str) -> tuple[Tensor, Tensor]:
    """Channels of the video and of the sensors."""
    last = fused if output in {"vector", "sequence"} else fused.movedim(1, -1)
    return last[..., :6], last[..., 6:]


@pytest.mark.parametrize("output", SHAPES)
def test_width_and_shape(output: str) -> None:
    fusion = Fusion(SETUP, output)
    assert fusion.width == 11
    assert fusion(features(output)).shape == (3, *SHAPES[output][2])
    assert fusion.positions == (24 if output == "map" else 0)
    assert fusion.steps == (4 if output == "sequence" else 0)


@pytest.mark.parametrize("output", SHAPES)
def test_a_modality_s_scale_does_not_matter(output: str) -> None:
    fusion = Fusion(SETUP, output)
    torch.testing.assert_close(fusion(features(output)), fusion(features(output, scale=50)), rtol=1e-3, atol=1e-3)
    plain = Fusion(SETUP, output, normalise=False)
    video, sensors = channels(plain(features(output, scale=50)), output)
    assert float(sensors.std()) > 10 * float(video.std())


@pytest.mark.parametrize("output", SHAPES)
def test_what_is_absent_is_zero_whatever_the_encoder_made_of_it(output: str) -> None:
    inputs = features(output)
    inputs[f"video.{output}"][1] = float("nan")
    video, sensors = channels(Fusion(SETUP, output)(inputs), output)
    assert bool((video[1] == 0).all())
    assert bool((sensors[2] == 0).all())
    assert not bool((video[2] == 0).any())


def test_sensors_are_repeated_over_the_places_of_the_map() -> None:
    _, sensors = channels(Fusion(SETUP, "map", normalise=False)(features("map")), "map")
    torch.testing.assert_close(sensors[0, :, 0, 0], sensors[0, :, 1, 2])
    pairs = features("map")["sensors.map"][0, :, :, 0, 0].unflatten(1, (4, 2)).mean(dim=2)
    torch.testing.assert_close(sensors[0, :, 0, 0], pairs.T)


def test_one_norm_for_a_clip_keeps_the_size_of_its_steps_apart() -> None:
    inputs = features("sequence")
    inputs["video.sequence"][0, 1] *= 10
    video, _ = channels(Fusion(SETUP, "sequence")(inputs), "sequence")
    assert float(video[0, 1].detach().std()) > 4 * float(video[0, 2].detach().std())


def test_resampling_by_normalised_time() -> None:
    ramp = torch.arange(8.0).view(1, 1, 8)
    torch.testing.assert_close(at_times(ramp, 8), ramp)
    torch.testing.assert_close(at_times(ramp, 4), torch.tensor([[[0.5, 2.5, 4.5, 6.5]]]))
    torch.testing.assert_close(at_times(torch.tensor([[[0.0, 4.0]]]), 4), torch.tensor([[[0.0, 1.0, 3.0, 4.0]]]))


def test_a_head_without_learned_fusion() -> None:
    assert list(Fusion(SETUP, "vector", affine=False).parameters()) == []
