"""Features that hold what stays in a clip beside what moves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mmact_oneshot.harness.api import Clips
from mmact_oneshot.harness.config.presets import load_settings
from mmact_oneshot.harness.encoders.pooling import still_and_moving
from mmact_oneshot.harness.runtime.errors import HarnessError
from tests.helpers.head_features import random
from tests.helpers.reference_networks import NETWORKS, clips_for, video_encoder

OUTPUTS = ("vector", "sequence", "map")
AXIS = {"vector": 1, "sequence": 2, "map": 1}


def halves(output: str, value: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """What stays and what moves of an output of a network of a width."""
    parts = value.split([width, value.shape[AXIS[output]] - width], dim=AXIS[output])
    return parts[0], parts[1]


@pytest.mark.parametrize("name", ["resnet10t", "mobilenet", "joint"])
@pytest.mark.parametrize("background", ["keep", "apart"])
def test_every_output_has_its_stated_size(name: str, background: str) -> None:
    if background == "apart" and name == "joint":
        with pytest.raises(HarnessError, match="background = apart wants a network over single frames"):
            video_encoder(name, pooling="both", background=background)
        return
    encoder = video_encoder(name, pooling="both", background=background)
    with torch.no_grad():
        found = encoder(clips_for(name), (*OUTPUTS, "stage:-1"))
    assert {output: found[output].shape[AXIS[output]] for output in OUTPUTS} == {
        output: encoder.widths[output] for output in OUTPUTS
    }
    assert found["sequence"].shape[1] == NETWORKS[name].steps
    assert found["stage:-1"].shape[2] == NETWORKS[name].steps + (background == "apart")
    torch.testing.assert_close(encoder.tail("stage:-1", found["stage:-1"]), found["vector"])


@pytest.mark.parametrize("background", ["keep", "apart"])
def test_two_still_clips_of_different_postures_differ_in_what_stays_and_in_nothing_that_moves(background: str) -> None:
    encoder, clips = video_encoder("resnet10t", pooling="both", background=background), clips_for("resnet10t")
    assert clips.video is not None
    still = Clips(clips.video[:, :1].expand_as(clips.video), {}, {}, clips.present)
    with torch.no_grad():
        found = encoder(still, OUTPUTS)
        blind = video_encoder("resnet10t", pooling="dynamics", background="subtract")(still, ("vector",))["vector"]
    torch.testing.assert_close(blind[0], blind[1], rtol=0, atol=1e-4)
    for output in OUTPUTS:
        width = NETWORKS["resnet10t"].map_width or NETWORKS["resnet10t"].width
        stays, moves = halves(output, found[output], width)
        assert not torch.allclose(stays[0], stays[1], atol=0.05), output
        assert moves.abs().max() < 0.05, output


def test_apart_the_same_movement_before_another_background_is_the_same_movement() -> None:
    encoder, clips = video_encoder("resnet10t", pooling="both", background="apart"), clips_for("resnet10t")
    assert clips.video is not None
    shift = 0.2 * random(1, 1, 3, *clips.video.shape[3:]).abs()
    other = Clips(clips.video + shift, {}, {}, clips.present)
    with torch.no_grad():
        before, after = (encoder(each, ("sequence",))["sequence"] for each in (clips, other))
    (still, moves), (changed, same) = (
        halves("sequence", each, NETWORKS["resnet10t"].width) for each in (before, after)
    )
    assert not torch.allclose(still, changed, atol=0.01)
    torch.testing.assert_close(moves, same, rtol=0.05, atol=1e-3)


def test_both_parts_have_a_comparable_size_and_noise_keeps_small() -> None:
    still, moves = 100 * random(3, 16), 0.5 * random(3, 32, seed=1)
    moves[1] *= 100
    moves[2] *= 1e-3
    stays, found = still_and_moving(still, moves, 1).split([16, 32], dim=1)
    size = found.square().mean(dim=1).sqrt()
    torch.testing.assert_close(stays.square().mean(dim=1), torch.ones(3), rtol=0, atol=1e-3)
    assert 0.9 < size[1] <= 1.0
    assert size[0] < 0.1, "half a hundredth of what stays"
    assert size[2] < 1e-4


def test_the_mean_frame_apart_is_read_by_one_pooling_alone() -> None:
    with pytest.raises(HarnessError, match=r"background = apart .*video_encoder\.pooling = both alone"):
        load_settings("quick", ["video_encoder.pooling=dynamics"])
