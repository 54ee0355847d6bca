"""VideoMAE: a prototype head on a transformer initialised by its own pre-training, or by Mu-MAE's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mmact_oneshot.baselines.videomae import VideoMAE
from mmact_oneshot.harness.api import NotApplicable
from mmact_oneshot.harness.runtime.seeding import seeded
from tests.helpers.mu_mae_methods import States, clips, episodes, learns, scores, setup, states

VIDEO = ("video",)


def build(pretrained: States | None = None, projection: int = 0, global_loss: float = 0.0) -> VideoMAE:
    with seeded("videomae"):
        base = setup(VIDEO, encoders={}, pretrained=pretrained or {})
        return VideoMAE(base, projection=projection, global_loss=global_loss).eval()


def test_it_is_initialised_with_the_video_s_part_of_a_pre_training() -> None:
    pretrained = states()
    method = build(pretrained)
    own = method.transformer.state_dict()
    assert own.keys() == pretrained["video"].keys()
    assert all(torch.equal(own[name], value) for name, value in pretrained["video"].items())
    assert not torch.equal(scores(method, clips(40, VIDEO)), scores(build(), clips(40, VIDEO)))


def test_weights_that_do_not_fit_are_all_named() -> None:
    state = states()["video"] | {"blocks.4.norm1.weight": torch.ones(96)}
    del state["norm.bias"]
    with pytest.raises(NotApplicable) as error:
        build({"video": state})
    assert str(error.value).endswith("do not fit: missing norm.bias; unexpected blocks.4.norm1.weight")
    with pytest.raises(NotApplicable, match="nothing was pre-trained"):
        build({"sensors": states()["sensors"]})


def test_its_pre_training_hides_ninety_percent_of_the_video() -> None:
    base = setup(VIDEO, encoders={})
    base = replace(base, transformer=replace(base.transformer, patch=4))
    model = VideoMAE.pretraining(base, global_loss=2.0)
    assert model is not None
    assert (model.modalities, model.draws) == (VIDEO, 16)
    drawn = torch.rand(2, 16, generator=torch.Generator().manual_seed(0))
    assert model.reconstruct(clips(2, VIDEO), drawn)["video"].masked.isnan().float().mean() == 14 / 16
    other = VideoMAE.pretraining(base, video_ratio=0.5)
    assert other is not None
    assert other.describe() != model.describe()


def test_scores_are_scaled_distances_to_class_means_of_normalised_vectors() -> None:
    method, batch = build(), clips(40, VIDEO)
    with torch.no_grad():
        vectors = torch.nn.functional.layer_norm(method.transformer(batch), (96,))
        means, queries = vectors[:30].view(2, 5, 3, 96).mean(dim=2), vectors[30:36].view(2, 3, 96)
        found = method.score(*episodes(method, batch, shot=3))
    wanted = -(queries[:, :, None] - means[:, None]).square().sum(dim=3) / 96
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_the_transformer_is_the_method_s_own_and_it_learns() -> None:
    method = build()
    assert list(method.own_encoders()) == [method.transformer]
    assert len(method.encoders) == 0
    curve = learns(method, clips(40, VIDEO))
    assert curve[-1] < 0.5 * curve[0]


@pytest.mark.parametrize("modalities", [("sensors",), ("video", "sensors")], ids="+".join)
def test_sensors_are_not_for_it(modalities: tuple[str, ...]) -> None:
    with pytest.raises(NotApplicable, match="does not use sensors"):
        VideoMAE(setup(modalities, encoders={}))
